"""The recorder: a running program becomes SSA.

While a recording is on, operations on tensors make Values and compute nothing. The
tensors are the user's own objects: what the recording knows about those that came
from outside lies in overlays here, so that until `commit` nothing outside has changed.

- `value_of(t)` reads a tensor, `write(t, v)` overwrites what it sees.
- `demand(v)` is a flush: the pending piece behind `v` is compiled and run now.
- `guard(v, outcome)` notes what Python learnt, and so relied on.
- `read_slot` and `write_slot` are for places outside that hold tensors (`p.grad`).
"""

from __future__ import annotations

import weakref
from typing import Any, Callable, Iterable, Optional

from .elsewhere import away
from .graph import Graph, Value, make, mark, node, placeholder
from .recording.flushing import Flushing
from .recording.layouts import Layouts
from .recording.meeting import Meeting
from .recording.moving import Moving
from .recording.outside import Met, Outside
from .recording.overlay import Input, Shadow, state
from .recording.showing import Showing
from .recording.written import rewritten
from .shapes import infer
from .storage import (
    Leaf,
    Storage,
    derive,
    memory_steps,
    put,
    tracked,
)
from .types import BY_NUMPY

__all__ = ["CROWD", "Recorder", "Input", "state"]

CROWD = 64  # guards on one path beyond which it is not kept


class Recorder(Outside, Meeting, Layouts, Moving, Flushing, Showing):
    """One recording. `run(graph, arrays)` computes a graph (given by the api floor)."""

    def __init__(self, name: str, run: Callable[[Graph, list], Iterable]):
        self.name, self.run = name, run
        self.inputs: list[Input] = []
        self.shadows: dict[Storage, Shadow] = {}
        self.seen: dict[int, tuple] = {}  # id(tensor) -> (tensor, version, Value)
        self.made: list[weakref.ref] = []
        self.derived: dict[
            int, tuple
        ] = {}  # id(tensor) -> (it, whose storage it shares)
        self.leaf_values: dict[Leaf, tuple] = {}  # -> (version, leaf Value)
        self.leaves: dict[int, Leaf] = {}  # id of a leaf Value -> whose it is
        self.borders: dict[int, Any] = {}  # id of a leaf Value -> tensor with history
        self.freed: set[int] = set()  # Values that a backward has consumed
        self.pulls = False  # whether Python takes part in a derivative of it
        self.ruled: set[str] = set()  # functions whose own derivative it left out
        self.guards: list[tuple[Value, Any]] = []
        self.sizes: list[tuple[str, Any]] = []
        self.size_lines: dict[str, Optional[str]] = {}  # guess -> the user's line
        self.shapes: dict[int, tuple] = {}  # id(tensor) -> (tensor, symbolic shape)
        self.moved: dict[int, tuple] = {}  # id(tensor) -> (it, what it was)
        self.layouts, self.layout_lines = {}, {}
        self.learnt, self.parted, self.variables = set(), [], {}
        self.slots: dict[tuple, tuple] = {}  # (id(owner), key) -> (Slot, first value)
        self.written: dict[tuple, tuple] = {}  # the same for places assigned to
        self.generators: dict[Any, tuple] = {}  # generator -> (Value, blocks drawn)
        self.flags: dict[int, tuple] = {}  # tensors with another requires_grad
        self.arrays: dict[int, Met] = {}  # of NumPy's, of which tensors are made
        self.shown: list[tuple] = []  # arrays that were written, and what they held
        self.dicts: dict[int, tuple] = {}  # dicts that changed, and what they held
        self.following: Any = None  # the Python numbers that it follows
        self.flushed = False  # whether Python has looked at a number
        self.turns: Any = None  # looks out for loops
        self.passing = False  # whether turns of a loop are no longer noted
        self.crowded = False  # whether Python looked at more than anybody keeps
        self.volatile: Optional[str] = None  # why the path cannot be kept
        # The modes in which it began.
        self.autocast, self.grad = state.autocast, state.grad

    @property
    def root(self) -> Recorder:
        """The recording that this one is part of (see inner.py): itself."""
        return self

    # -- tensors made here

    def adopt(self, tensor: Any) -> Any:
        """Take note of a tensor created while recording."""
        self.made.append(weakref.ref(tensor))
        return tensor

    # -- reading and writing

    def value_of(self, t: Any) -> Value:
        """The current SSA value of a tensor."""
        storage = t._storage
        if storage.maker is self:  # made here: it carries its own value
            if t._seen != storage.version:
                t._value = self._derive(storage.value, t._steps, storage.version)
                t._seen = storage.version
            return t._value
        shadow = self.shadows.get(storage)
        hit = self.seen.get(id(t))
        if shadow is not None and shadow.owner is t and hit is not None:
            if hit[1] == shadow.version:
                return hit[2]
        own = self._own(t)
        if own is not None:
            return own
        root, steps, version = self._place(t)
        if t._array is None:  # a view made here
            if t._seen != version:
                t._value, t._seen = self._derive(root, steps, version), version
            return t._value
        if hit is None or hit[1] != version:
            hit = (t, version, self._derive(root, steps, version))
            self.seen[id(t)] = hit
        return hit[2]

    def _own(self, t: Any) -> Optional[Value]:
        """The value of a further tensor on a known storage, while nothing is written.

        It reads its own array then: the program does not come to depend on who shares
        memory with whom.
        """
        shadow = self.shadows.get(t._storage)
        if t._array is None or shadow is None or shadow.owner is t or shadow.version:
            return None
        if id(t) not in self.seen:
            marks = t._steps[len(memory_steps(t._steps)) :]
            value = self._derive(self.capture(t), marks, 0)
            self.seen[id(t)] = (t, 0, value)
        return self.seen[id(t)][2]

    def _place(self, t: Any) -> tuple[Value, tuple, int]:
        """The root value `t` derives from, by which steps, and its version."""
        storage = t._storage
        if storage.maker is self:
            return storage.value, t._steps, storage.version
        shadow = self.shadows.get(storage)
        if shadow is None:
            shadow = self.shadows[storage] = Shadow(t, self.capture(t))
        if shadow.owner is not t and t._array is not None:
            self.derived[id(t)] = (t, shadow.owner)
        steps = self._relative(t, shadow)
        return shadow.value, steps, shadow.version

    def add_view(self, new: Any, t: Any, op: str, attrs: dict) -> Any:
        """Take note of `new`, one view step further than `t` (attributes settled)."""
        args = (self.value_of(t),)
        new._value = node(op, args, attrs, *infer(op, args, attrs))
        new._seen = self._place(t)[2]
        return self.adopt(new)

    def _derive(self, root: Value, steps: tuple, version: int) -> Value:
        return derive(root, steps, lambda of, v: self._leaf_value(of, v, version))

    def _leaf_value(self, of: Leaf, value: Value, version: int) -> Value:
        known = self.leaf_values.get(of)
        if known is None or known[0] != version:
            known = self.leaf_values[of] = (version, mark("leaf", value))
            self.leaves[known[1].id] = of
        return known[1]

    def _border(self, t: Any, value: Value) -> Value:
        """The history of a tensor from outside begins at a leaf of this recording."""
        if not tracked(t._storage, memory_steps(t._steps)):
            return value
        value = mark("leaf", value)
        self.borders[value.id] = t
        return value

    def value_of_moved(self, t: Any, device: Any) -> Value:
        """The value of a tensor in host memory that is used on a device."""
        self.meet(device)
        if t._storage not in self.shadows:
            self.shadows[t._storage] = Shadow(t, self._capture(t))
        return self.value_of(t)

    def capture(self, t: Any) -> Value:
        """A new input of the program that holds the numbers of `t`."""
        _check_known(t)
        if away.used or self.device is not None:
            self.meet_array(t._array)
        return self._capture(t)

    def _capture(self, t: Any) -> Value:
        dtype = BY_NUMPY[t._array.dtype]
        value = placeholder(f"x{len(self.inputs)}", self.shape_of(t), dtype)
        value.data = t._array
        self.inputs.append(Input(value, "tensor", t))
        return self._border(t, value)

    def _relative(self, t: Any, shadow: Shadow) -> tuple:
        base = shadow.steps
        if t._steps[: len(base)] == base:
            return t._steps[len(base) :]
        self._widen(t, shadow)
        return t._steps

    def _widen(self, t: Any, shadow: Shadow) -> None:
        """A second view: from here on the storage's root carries the value."""
        array = t._storage.array
        name, dtype = f"x{len(self.inputs)}", BY_NUMPY[array.dtype]
        root = placeholder(name, array.shape, dtype)
        root.data = array
        self.inputs.append(Input(root, "root", t))
        if t._storage.value is not None and t._storage.value.live:
            self.volatile = "it sees a tensor that has a history in two ways"
            root = self._border(_whole(t), root)
        if shadow.version:
            root = put(root, shadow.steps, shadow.value)
        shadow.value, shadow.steps, shadow.owner, shadow.root = root, (), t, True

    def write(self, t: Any, new: Value, hidden: bool = False) -> None:
        """Overwrite everything that `t` sees with `new` (same shape and type).

        `hidden` says whether gradients shall not see that (written.py).
        """
        storage = t._storage
        if storage.maker is self:
            storage.value = rewritten(storage.value, t._steps, new, hidden)
            storage.version += 1
            return
        root, steps, version = self._place(t)
        self.check_writable(t)
        shadow = self.shadows[storage]
        shadow.value = rewritten(root, steps, new, hidden)
        shadow.version = version + 1
        if self.arrays:
            self.show(storage, shadow)

    # -- shapes

    def shape_of(self, t: Any) -> tuple:
        """The shape, symbolic where sizes are."""
        if t._array is None:
            if t._value is None:
                _check_known(t)
            return t._value.shape
        known = self.shapes.get(id(t))
        return t._array.shape if known is None else known[1]

    def size_guess(self, text: str, outcome: Any) -> None:
        """A comparison of symbolic sizes was answered by the example."""
        self.sizes.append((text, outcome))

    # -- guards

    def guard(self, v: Value, outcome: Any) -> None:
        """Python went on because `v` (one element) was `outcome`."""
        if isinstance(outcome, bool) and v.dtype.category:
            v = make("ne", (v, v._lift(0)))
        if self.crowded or any(g is v for g, _ in self.guards[-4:]):
            return
        turns = self.turns
        if turns is not None and turns.visit(v, outcome):
            return
        self.guards.append((v, outcome))
        if len(self.guards) - (turns.noted if turns is not None else 0) >= CROWD:
            self.give_up()

    def give_up(self) -> None:
        """So many guards are not kept: from here on, Python drives."""
        self.crowded = True
        self.volatile = self.volatile or (
            f"Python looked at {CROWD} values and more: it drives, and each piece "
            "between two looks is compiled once"
        )
        if self.following is not None:
            self.following.give_up()


def _check_known(t: Any) -> None:
    if t._array is None:
        raise RuntimeError(
            "a tensor recorded in another jitted call is used here, but it was never "
            "computed: return it from that call, or keep it in a captured place"
        )


def _whole(t: Any) -> Any:
    """A tensor that looks at the whole storage of `t`, with its history."""
    new = object.__new__(type(t))
    new._storage, new._steps, new._array = t._storage, (), t._storage.array
    new._value, new._seen, new._grad = None, -1, None
    return new
