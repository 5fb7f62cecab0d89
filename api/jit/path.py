"""One way through a function that may be taken again without Python.

A `Path` says, for a recording that can be kept, where each input of its program is
found at the next call, and what to do with each output. Tensors are named by *where*
they are: an argument, a slot that the program itself refills (`p.grad`), or the very
object, which the watched state guarantees to be the one that Python would find.
"""

from __future__ import annotations

import enum
import re
from typing import Any, NamedTuple, Optional

from ...tracer.elsewhere import Elsewhere
from ...tracer.graph import Graph
from ...tracer.numbers import is_traced
from ...tracer.overlay import Slot
from ...tracer.pytree import flatten
from ...tracer.simplify import simplified, simplify
from ...tracer.sizes import Dim
from ...tracer.storage import Storage, memory_steps
from ...tracer.types import DType
from ..tensor import Tensor
from .recording import Recording
from .unpack import Kind

__all__ = ["Path", "Source", "Ref", "NotKept"]

PLAIN = (bool, int, float, complex, str, bytes, type(None), enum.Enum, DType, Dim)


class NotKept(Exception):
    """Why a recording cannot be replayed; the function records again next time."""


class Source(NamedTuple):
    """Where a tensor is: ("arg", number), ("slot", its key) or ("pin", tensor)."""

    kind: str
    at: Any

    def __hash__(self) -> int:
        return hash((self.kind, id(self.at) if self.kind == "pin" else self.at))

    def __eq__(self, other: Any) -> bool:
        if not isinstance(other, Source) or self.kind != other.kind:
            return False
        return self.at is other.at if self.kind == "pin" else self.at == other.at


class Ref(NamedTuple):
    """A leaf of the result: what to make it of.

    ("new", storage number, steps), ("same", Source), ("view", Source, steps),
    ("look", Source, steps) as view, of the tensor as the variable that it is,
    ("plain", the object), ("given", number of the argument container), ("item", number
    of the output) or ("scalar", name of a Python number).
    """

    kind: str
    of: Any
    steps: tuple = ()


class Scalars(NamedTuple):
    """The Python numbers that a path follows: where from, arithmetic, guards."""

    sources: list
    lines: dict[str, str]
    guards: dict[str, Any]

    @classmethod
    def of(cls, recording: Recording, refs: list[Ref]) -> "Scalars":
        """Those of a recording that hands out `refs`."""
        following, numbers = recording.rec.following, recording.substitution
        if following is None or numbers is None:
            return cls([], {}, {})
        handed = (ref.of for ref in refs if ref.kind == "scalar")
        keys = (i.key[0] for i in recording.rec.inputs if i.kind == "scalar")
        lines, guards = following.lines, following.guards
        used = " ".join((*lines.values(), *guards, *handed, *keys))
        names = set(re.findall(r"n_p\d+_", used))
        names |= {s.name for s in numbers.sources if s.key in recording.met}
        sources = [s for s in numbers.sources if s.leaf is None and s.name in names]
        return cls(sources, lines, guards)


class Path:
    """What is needed to replay a recording."""

    def __init__(self, recording: Recording, leaves: list):
        rec = recording.rec
        self.name = rec.name
        self._leaves = {id(t): i for i, t in enumerate(leaves) if isinstance(t, Tensor)}
        self._others = {id(x) for x in leaves if not isinstance(x, Tensor)}
        self._rec, self._recording = rec, recording
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
        self.program = self._program()
        self._storages: dict[Storage, int] = {}
        self.fresh: list[tuple] = [self._fresh(*pair) for pair in recording.fresh]
        self.writes = [
            (self.source(shadow.owner), shadow.root) for _, shadow in recording.writes
        ]
        self.targets = _targets(rec, recording.writes)
        self.beside = _beside(rec, recording.writes, self.targets)
        result, self.result_spec = flatten(recording.result, recording.whole)
        self.result = [self._ref(leaf) for leaf in result]
        self.assigns = [
            (self._slot(slot), self._ref(slot.get()))
            for slot, _ in rec.written.values()
        ]
        self.touches = False  # whether that is to be told (watch.py)
        self.assigns += self._changed_numbers()
        self.draws = [(g, blocks) for g, (_, blocks) in rec.generators.items()]
        self.border = recording.border
        self.owners = (
            [self.source(t) for t in self.border.owners] if self.border else []
        )
        self.device = rec.device
        targets = (shadow.owner._array for _, shadow in recording.writes)
        self.writes_away = all(isinstance(a, Elsewhere) for a in targets)
        self.sizes, self.size_lines = rec.sizes, rec.size_lines
        handed = [*self.result, *(ref for _, ref in self.assigns)]
        self.scalars = Scalars.of(recording, handed)
        self.items = len(recording.numbers)
        self.layouts = [(self.source(t), _layout(t)) for t in rec.layouts.values()]
        self.tensors = [t for s in rec.shadows.values() for t in (s.owner,)]
        self.groups = self._groups(leaves)
        self._check_escapes()
        del self._rec, self._recording, self._storages

    def _program(self) -> Graph:
        """Outputs, then what the border keeps, then the guards: the bare arithmetic."""
        whole = self._recording.program
        if not self._rec.guards:
            return simplified(whole)
        values = (*whole.outputs, *(v for v, _ in self._rec.guards))
        return simplify(Graph(self.name, whole.inputs, values))

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

    def _ref(self, x: Any) -> Ref:
        if is_traced(x):
            return self._number_ref(x)
        whole = self._recording.whole.get(id(x))
        if whole is not None:
            return whole
        if isinstance(x, Tensor):
            return self._tensor_ref(x)
        if isinstance(x, PLAIN) or id(x) in self._others:
            return Ref("plain", x)
        raise NotKept(
            f"it returns a {type(x).__name__}, which only the function itself can make"
        )

    def _number_ref(self, x: Any) -> Ref:
        if x._value is None:
            return Ref("scalar", x._text)
        first = len(self.fresh) + len(self.writes)
        at = [id(number) for number in self._recording.numbers].index(id(x))
        return Ref("item", first + at)

    def _tensor_ref(self, t: Tensor) -> Ref:
        if t._steps[-1:] and t._steps[-1][0] == "leaf" and t._storage in self._storages:
            raise NotKept("it makes a new variable (requires_grad) at every call")
        if t._storage in self._storages:
            return Ref("new", (self._storages[t._storage], id(t)), t._steps)
        if any(t is view for view in self._recording.views):
            owner = self._rec.shadows[t._storage].owner
            count = len(owner._steps)
            if t._steps[:count] == owner._steps:  # marks and all: a leaf is its own
                return Ref("look", self.source(owner), t._steps[count:])
            base = memory_steps(owner._steps)
            if t._steps[: len(base)] == base:
                return Ref("view", self.source(owner), t._steps[len(base) :])
            raise NotKept("it returns a view of a tensor that it sees only in part")
        return Ref("same", self.source(t))

    def _groups(self, leaves: list) -> dict[Source, tuple]:
        """Of tensors that vary or are shared: which storage, seen by which view.

        `shared` become the sources whose storages are written, or read through views
        of more than one tensor: only for these it matters who shares what.
        """
        owners = [shadow.owner for _, shadow in self._recording.writes]
        owners += [owner for _, owner in self._rec.derived.values()]
        self.shared = [self.source(t) for t in owners]
        captured = (t for t in self.tensors if self.source(t).kind == "pin")
        self.captured = frozenset(t._storage for t in captured)
        tensors = [t for t in leaves if isinstance(t, Tensor)]
        tensors += [t for _, t in self._rec.slots.values() if isinstance(t, Tensor)]
        return {
            self.source(t): (id(t._storage), memory_steps(t._steps))
            for t in (*tensors, *owners)
        }

    def _check_escapes(self) -> None:
        """Everything made inside that is still held must be made again at each call."""
        refs = (*self.result, *(ref for _, ref in self.assigns))
        handed = {ref.of[1] for ref in refs if ref.kind == "new"}
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
        key: (slot, before)
        for key, (slot, before) in rec.written.items()
        if isinstance(before, Tensor) and before._storage in rec.shadows
    }


def _targets(rec: Any, writes: list) -> list[Optional[int]]:
    """Which input of the program is the very array that each write goes to."""
    of: dict[int, list] = {}
    for n, i in enumerate(rec.inputs):
        if i.kind in ("tensor", "root"):
            of.setdefault(id(i.owner._storage), []).append((n, i))
    return [_target(of.get(id(s), ()), s, shadow) for s, shadow in writes]


def _target(inputs: Any, storage: Storage, shadow: Any) -> Optional[int]:
    for n, i in inputs:
        if i.kind == "root" and shadow.root and i.owner._storage is storage:
            return n
        whole = not (shadow.root and memory_steps(shadow.owner._steps))
        if i.kind == "tensor" and i.owner is shadow.owner and whole:
            return n
    return None


def _beside(rec: Any, writes: list, targets: list) -> list[int]:
    """The inputs that see what is written in another way than the write does."""
    written, gone = {id(storage) for storage, _ in writes}, {*targets}
    return [
        n
        for n, i in enumerate(rec.inputs)
        if i.kind in ("tensor", "root")
        and id(i.owner._storage) in written
        and n not in gone
    ]


def _key(slot: Slot) -> tuple:
    owner = slot.owner
    return (owner if isinstance(owner, Source) else id(owner), slot.key)


def _kind(value: Any) -> Optional[Kind]:
    """What a slot held: None, or the kind of a tensor."""
    if not isinstance(value, Tensor):
        return None
    return Kind.of(value)


def _layout(t: Tensor) -> Optional[tuple]:
    """None for row-major, else the strides in bytes."""
    return None if t._array.flags.c_contiguous else t._array.strides
