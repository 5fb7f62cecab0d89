"""One way through a function that may be taken again without Python.

A `Path` says, for a recording that can be kept, where each input of its program is
found at the next call, and what to do with each output. Tensors are named by *where*
they are: an argument, a slot that the program itself refills (`p.grad`), or the very
object, which the watched state guarantees to be the one that Python would find.
"""

from __future__ import annotations

from typing import Any, Iterator, Optional

from ....tracer.elsewhere import Elsewhere
from ....tracer.graph import Graph
from ....tracer.pytree import Spec, content, flatten
from ....tracer.recording.numbers import is_traced
from ....tracer.recording.overlay import Slot
from ....tracer.simplifying.simplify import simplified, simplify
from ....tracer.storage import Storage, memory_steps
from ....tracer.watching.bundles import inside, is_bundle
from ...tensor import Tensor
from ..recording import Recording
from .copies import sizes_of
from .refs import PLAIN, NotKept, Ref, Scalars, Source
from .targets import beside_of, targets_of
from .unpack import Kind

__all__ = ["PLAIN", "Path", "Source", "Ref", "NotKept"]


class Path:
    """What is needed to replay a recording."""

    simple = True  # whether its program is simplified

    def __init__(self, recording: Recording, leaves: list):
        rec = recording.rec
        self.name = rec.name
        self._moved = {id(before): t for t, before in rec.moved.values()}
        self._leaves = {id(t): i for i, t in enumerate(leaves) if isinstance(t, Tensor)}
        self._others = {id(x) for x in leaves if not isinstance(x, Tensor)}
        self._rec, self._recording = rec, recording
        self._arrays = {id(x): i for i, x in recording.arrays.items()}
        self._leaves.update(self._made_of_arrays())
        found = [
            (self._slot(slot), now)
            for slot, now in {**_refilled(rec), **rec.slots}.values()
        ]
        self._held = {id(now): _key(slot) for slot, now in found}
        self.slots = {_key(slot): (slot, _kind(now)) for slot, now in found}
        self.twice = self._met_twice(found)
        self.inputs = [(i.kind, self._owner(i), i.key) for i in rec.inputs]
        self.guards = [outcome for _, outcome in rec.guards]
        self.lines = [v.line for v, _ in rec.guards]
        self.closed = recording.closed
        self.flags: list[tuple] = []  # arguments that become variables
        self.notes = recording.notes
        self.program = self._program()
        self._storages: dict[Storage, int] = {}
        self.fresh: list[tuple] = [self._fresh(*pair) for pair in recording.fresh]
        self.writes = [
            (self.source(shadow.owner), shadow.root) for _, shadow in recording.writes
        ]
        self.targets = targets_of(rec, recording.writes)
        self.beside = beside_of(rec, recording.writes, self.targets)
        self._put_together(rec)
        result, self.result_spec = flatten(recording.result, recording.whole)
        self.result = [self._ref(leaf) for leaf in result]
        self.assigns = [
            (self._slot(slot), self._ref(slot.get()))
            for slot, _ in rec.written.values()
        ]
        self.moves = [self._move(*pair) for pair in rec.moved.values()]
        self.touches = bool(self.moves)  # whether that is to be told (watch.py)
        self.assigns += self._changed_numbers()
        self.draws = [(g, blocks) for g, (_, blocks) in rec.generators.items()]
        self.border = recording.border
        owners = self.border.owners if self.border else ()
        self.owners = [t if t is None else self.source(t) for t in owners]
        if any(t is not None and t._storage in self._storages for t in owners):
            raise NotKept("it makes a new variable (requires_grad) at every call")
        self.device = rec.device
        targets = (shadow.owner._array for _, shadow in recording.writes)
        self.writes_away = all(isinstance(a, Elsewhere) for a in targets)
        self.sizes = [*rec.sizes, *sizes_of(recording)]
        self.size_lines = rec.size_lines
        assigned = [part for _, ref in self.assigns for part in ref.parts()]
        handed = [*self.result, *assigned]
        self.scalars = Scalars.of(recording, handed)
        self.items = len(recording.numbers)
        self.layouts = [(self.source(t), _layout(t)) for t in rec.layouts.values()]
        seen = (shadow.owner for shadow in rec.shadows.values())
        met = [self._moved.get(id(t), t) for t in seen]
        self.captives = [t for t in met if self.source(t).kind == "pin"]
        self.groups = self._groups(leaves)
        self._check_escapes()
        if self.border:  # which held the tensors of this very call
            self.border = self.border._replace(owners=())
        del self._rec, self._recording, self._storages, self._arrays

    def _program(self) -> Graph:
        """Outputs, then what the border keeps, then the guards: the bare arithmetic."""
        whole = self._recording.program
        if not self._rec.guards:
            return simplified(whole)
        values = (*whole.outputs, *(v for v, _ in self._rec.guards))
        return simplify(Graph(self.name, whole.inputs, values))

    def _made_of_arrays(self) -> Iterator[tuple[int, int]]:
        """(id of a tensor, number of the argument) for those that are made of one."""
        for key, at in self._arrays.items():
            for t in self._rec.arrays[key].made if key in self._rec.arrays else ():
                yield id(t), at

    def _met_twice(self, found: list[tuple[Slot, Any]]) -> list[tuple[Source, Source]]:
        """Pairs of places from which one tensor came: it has to come from both."""
        slots = [(now, _key(slot)) for slot, now in found if now is not None]
        return [
            (self.source(now), Source("slot", key))
            for now, key in slots
            if self.source(now) != Source("slot", key)
        ]

    def also_captured(self, known: dict[int, Any]) -> None:
        """Arguments that are among these objects as well are met twice too."""
        self.twice += [
            (Source("arg", at), Source("pin", known[i]))
            for i, at in self._leaves.items()
            if i in known
        ]

    def _owner(self, i: Any) -> Any:
        return self.source(i.owner) if i.kind in ("tensor", "root") else i.owner

    def _slot(self, slot: Slot) -> Slot:
        """The slot; where an argument owns it, of whichever is given at that place."""
        place = self._leaves.get(id(slot.owner))
        return slot if place is None else slot._replace(owner=Source("arg", place))

    def source(self, t: Tensor) -> Source:
        """Where `t` will be found at the next call."""
        t = self._moved.get(id(t), t)
        if id(t) in self._leaves:
            return Source("arg", self._leaves[id(t)])
        if id(t) in self._held:
            return Source("slot", self._held[id(t)])
        return Source("pin", t)

    def _fresh(self, storage: Storage, tensors: list) -> tuple:
        self._storages[storage] = len(self._storages)
        return tuple((t._array.shape, t._steps) for t in tensors)

    def _changed_numbers(self) -> list[tuple[Slot, Ref]]:
        """Places of followed numbers in which the function leaves another."""
        found = []
        numbers = self._recording.substitution
        for source, left in numbers.changes if numbers else ():
            if source.leaf is not None:
                raise NotKept("it changes a number that it was given")
            self.touches |= source.told
            if not (is_traced(left) or type(left) in (int, float)):
                raise NotKept("it puts something else where a number was")
            slot = source.spot.slot
            found.append((slot, self._ref(left)))
        return found

    def _put_together(self, rec: Any) -> None:
        """Bundles of tensors are made anew, each one object wherever it goes."""
        held = [then for _, then in rec.written.values()]
        old = {id(c) for then in held if is_bundle(then) for c in inside(then)}
        known, whole = self._recording.known, self._recording.whole
        for new in (slot.get() for slot, _ in rec.written.values()):
            for c in inside(new) if is_bundle(new) else ():
                if id(c) in old or id(c) in known:
                    raise NotKept("it assigns a container that was there before")
                parts, keys = content(c)
                spec = Spec(type(c), keys, (None,) * len(parts))
                refs = tuple(map(self._ref, parts))
                whole.setdefault(id(c), Ref("tree", (id(c), spec), refs))

    def _ref(self, x: Any) -> Ref:
        if is_traced(x):
            return self._number_ref(x)
        whole = self._recording.whole.get(id(x))
        if whole is not None:
            return whole
        if isinstance(x, Tensor):
            return self._tensor_ref(x)
        if id(x) in self._arrays:
            return Ref("array", self._arrays[id(x)])
        if isinstance(x, PLAIN) or id(x) in self._others:
            return Ref("plain", x)
        raise NotKept(
            f"it returns a {type(x).__name__}, which only the function itself can make"
        )

    def _move(self, t: Tensor, before: Tensor) -> tuple[Source, Ref]:
        """A tensor from outside, and the new memory that it is to look at."""
        if t._storage not in self._storages or Kind.of(t) != Kind.of(before):
            raise NotKept("it assigns .data of another tensor's memory, shape or type")
        if any(v._storage is before._storage for v in self._recording.views):
            raise NotKept("it assigns .data and hands out a view of what was there")
        if any(before is each for pair in self._rec.derived.values() for each in pair):
            raise NotKept("it assigns .data of a tensor that shared memory until then")
        return self.source(t), Ref("new", (self._storages[t._storage], id(t)), t._steps)

    def _number_ref(self, x: Any) -> Ref:
        if x._value is None:
            return Ref("scalar", x._text)
        first = len(self.fresh) + len(self.writes)
        at = [id(number) for number in self._recording.numbers].index(id(x))
        return Ref("item", first + at)

    def _tensor_ref(self, t: Tensor) -> Ref:
        if id(t) in self._rec.moved:
            return Ref("same", self.source(t))
        seen = any(t is view for view in self._recording.views)
        if (seen or t._storage in self._storages) and t._steps[-1:]:
            if t._steps[-1][0] == "leaf":
                raise NotKept("it makes a new variable (requires_grad) at every call")
        if t._storage in self._storages:
            return Ref("new", (self._storages[t._storage], id(t)), t._steps)
        if seen:
            owner = self._rec.shadows[t._storage].owner
            count = len(owner._steps)
            if t._steps[:count] == owner._steps:  # marks and all: a leaf is its own
                return Ref("look", self.source(owner), t._steps[count:])
            base = memory_steps(owner._steps)
            if t._steps[: len(base)] == base:
                return Ref("view", self.source(owner), t._steps[len(base) :])
            raise NotKept("it returns a view of a tensor that it sees only in part")
        if any(t is own for met in self._rec.arrays.values() for own in met.shared):
            return Ref("view", self.source(t))  # from_numpy() makes another each time
        return Ref("same", self.source(t))

    def _groups(self, leaves: list) -> dict[Source, tuple]:
        """Of tensors that vary or are shared: which storage, seen by which view.

        `shared` become the sources whose storages are written, or read through views
        of more than one tensor: only for these it matters who shares what.
        """
        owners = [shadow.owner for _, shadow in self._recording.writes]
        owners += [owner for _, owner in self._rec.derived.values()]
        self.shared = [self.source(t) for t in owners]
        captured = (t for t in self.captives if id(t) not in self._rec.moved)
        self.captured = frozenset(t._storage for t in captured)
        tensors = [t for t in leaves if isinstance(t, Tensor)]
        tensors += [t for _, t in self._rec.slots.values() if isinstance(t, Tensor)]
        arrays = (self._rec.arrays.get(key) for key in self._arrays)
        tensors += [met.made[0] for met in arrays if met is not None]
        return {
            self.source(t): (id(t._storage), memory_steps(t._steps))
            for t in map(self._rec.before, (*tensors, *owners))
        }

    def _check_escapes(self) -> None:
        """Everything made inside that is still held must be made again at each call."""
        refs = (*self.result, *(ref for _, ref in (*self.assigns, *self.moves)))
        parts = (part for ref in refs for part in ref.parts())
        handed = {ref.of[1] for ref in parts if ref.kind == "new"}
        for _, tensors in self._recording.fresh:
            for t in tensors:
                if id(t) not in handed:
                    raise NotKept(
                        "a tensor made in it is kept somewhere outside by other means "
                        "than its result"
                    )


def _refilled(rec: Any) -> dict:
    """Slots that held a tensor which the program read before it put in another."""
    return {
        (key[0], part.name): (part, leaf)
        for key, (slot, before) in rec.written.items()
        for part, leaf in slot.parts(before)
        if part.below or (isinstance(leaf, Tensor) and leaf._storage in rec.shadows)
    }


def _key(slot: Slot) -> tuple:
    owner = slot.owner
    return (owner if isinstance(owner, Source) else id(owner), slot.name)


def _kind(value: Any) -> Optional[Kind]:
    """What a slot held: None, or the kind of a tensor."""
    if not isinstance(value, Tensor):
        return None
    return Kind.of(value)


def _layout(t: Tensor) -> Optional[tuple]:
    """None for row-major, else the strides in bytes."""
    return None if t._array.flags.c_contiguous else t._array.strides
