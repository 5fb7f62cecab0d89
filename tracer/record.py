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

import numpy as np

from .declare import declaring
from .errors import TraceError
from .graph import Graph, Value, make, placeholder, reachable
from .meeting import Meeting
from .outside import Outside
from .overlay import Input, Shadow, state
from .storage import (
    Leaf,
    Storage,
    contiguous,
    derive,
    memory_steps,
    put,
    row_major,
    step_strides,
    tracked,
)
from .types import from_numpy
from .unseen import check_seen

__all__ = ["CROWD", "Recorder", "Input", "state"]

CROWD = 64  # guards on one path beyond which it is not kept


class Recorder(Outside, Meeting):
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
        self.layouts: dict[int, Any] = {}  # id(tensor) -> tensor whose strides matter
        self.slots: dict[tuple, tuple] = {}  # (id(owner), key) -> (Slot, first value)
        self.written: dict[tuple, tuple] = {}  # the same for places assigned to
        self.generators: dict[Any, tuple] = {}  # generator -> (Value, blocks drawn)
        self.dicts: dict[int, tuple] = {}  # dicts that changed, and what they held
        self.following: Any = None  # the Python numbers that it follows
        self.flushed = False  # whether Python has looked at a number
        self.crowded = False  # whether Python looked at more than anybody keeps
        self.volatile: Optional[str] = None  # why the path cannot be kept
        self.autocast = state.autocast  # the mode in which it began

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
        own = self._own(t)
        if own is not None:
            return own
        root, steps, version = self._place(t)
        if t._array is None:  # made here: it carries its own value
            if t._seen != version:
                t._value, t._seen = self._derive(root, steps, version), version
            return t._value
        hit = self.seen.get(id(t))
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
        """Take note of `new`, one view step further than `t`."""
        new._value = make(op, (self.value_of(t),), **attrs)
        new._seen = self._place(t)[2]
        return self.adopt(new)

    def _derive(self, root: Value, steps: tuple, version: int) -> Value:
        return derive(root, steps, lambda of, v: self._leaf_value(of, v, version))

    def _leaf_value(self, of: Leaf, value: Value, version: int) -> Value:
        known = self.leaf_values.get(of)
        if known is None or known[0] != version:
            known = self.leaf_values[of] = (version, make("leaf", (value,)))
            self.leaves[known[1].id] = of
        return known[1]

    def _border(self, t: Any, value: Value) -> Value:
        """The history of a tensor from outside begins at a leaf of this recording."""
        if not tracked(t._storage, memory_steps(t._steps)):
            return value
        value = make("leaf", (value,))
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
        self.meet_array(t._array)
        return self._capture(t)

    def _capture(self, t: Any) -> Value:
        shape = self.shape_of(t)
        value = placeholder(f"x{len(self.inputs)}", shape, from_numpy(t._array.dtype))
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
        root = placeholder(f"x{len(self.inputs)}", array.shape, from_numpy(array.dtype))
        root.data = array
        self.inputs.append(Input(root, "root", t))
        if t._storage.value is not None and t._storage.value.live:
            raise TraceError(
                "two views of one tensor that has a history are written in a jitted "
                "function: pass the tensor that they view instead"
            )
        if shadow.version:
            root = put(root, shadow.steps, shadow.value)
        shadow.value, shadow.steps, shadow.owner, shadow.root = root, (), t, True

    def write(self, t: Any, new: Value) -> None:
        """Overwrite everything that `t` sees with `new` (same shape and type)."""
        storage = t._storage
        if storage.maker is self:
            storage.value = put(storage.value, t._steps, new)
            storage.version += 1
            return
        root, steps, version = self._place(t)
        shadow = self.shadows[storage]
        shadow.value, shadow.version = put(root, steps, new), version + 1

    # -- shapes and layouts

    def shape_of(self, t: Any) -> tuple:
        """The shape, symbolic where sizes are."""
        if t._array is None:
            self._check_mine(t)
            return t._value.shape
        known = self.shapes.get(id(t))
        return t._array.shape if known is None else known[1]

    def _check_mine(self, t: Any) -> None:
        if t._value is None:
            _check_known(t)

    def strides_of(self, t: Any) -> tuple:
        """Strides in elements, as the plain program would have them."""
        if t._storage.maker is self:
            shape = t._storage.value.shape
            return self._walk_strides(shape, row_major(shape), t._steps)
        if t._array is not None:
            return self._array_strides(t)
        root, steps, _ = self._place(t)
        owner = self.shadows[t._storage].owner
        if memory_steps(owner._steps) != self.shadows[t._storage].steps:
            base = row_major(root.shape)
        else:
            base = self._array_strides(owner)
        return self._walk_strides(root.shape, base, steps)

    def _array_strides(self, t: Any) -> tuple:
        self.layouts[id(t)] = t
        shape = self.shape_of(t)
        if t._array.flags.c_contiguous:
            return row_major(shape)
        return tuple(s // t._array.itemsize for s in t._array.strides)

    @staticmethod
    def _walk_strides(shape: tuple, strides: tuple, steps: tuple) -> tuple:
        for op, attrs in steps:
            shape, strides = step_strides(shape, strides, op, attrs)
        return strides

    def is_contiguous(self, t: Any) -> bool:
        """Whether the plain program would find `t` in row-major order."""
        return contiguous(self.shape_of(t), self.strides_of(t))

    def size_guess(self, text: str, outcome: Any) -> None:
        """A comparison of symbolic sizes was answered by the example."""
        self.sizes.append((text, outcome))

    # -- flush and guard

    def demand(self, v: Value) -> np.ndarray:
        """The numbers of `v`, now."""
        if v.data is None:
            self.flush([v])
        return v.data

    def flush(self, wanted: list[Value]) -> None:
        """Run the pending piece behind `wanted`.

        What other tensors still hold of that piece is kept too, so that no number is
        computed twice however often Python looks.
        """
        if not wanted:
            return
        self.flushed = True
        known = lambda v: v.data is not None  # noqa: E731
        nodes = reachable(wanted, stop=known)
        check_seen(nodes)
        inside = {v.id for v in nodes}
        outputs = {v.id: v for v in wanted}
        for v in self._held():
            if v.id in inside and v.data is None:
                outputs[v.id] = v
        inputs = [v for v in nodes if known(v)]
        inputs += self.sizes_for(nodes, inputs)
        graph = Graph(self.name, inputs, outputs.values())
        place = () if self.device is None else (self.device,)
        arrays = self.run(graph, [v.data for v in inputs], *place)
        for v, array in zip(graph.outputs, arrays):
            v.data = array
            if self.crowded and not v.live:
                v.args = ()  # nobody looks behind it again

    def sizes_for(self, nodes: list[Value], inputs: list[Value]) -> list[Value]:
        """Further inputs, which tell the symbolic sizes in the nodes."""
        for t, _ in self.shapes.values():
            self.value_of(t)
        candidates = [i.value for i in self.inputs] if self.shapes else []
        return declaring(nodes, inputs, candidates)

    def _held(self) -> list[Value]:
        """The values of tensors made here that Python still holds."""
        self.made = [ref for ref in self.made if ref() is not None]
        alive = (ref() for ref in self.made)
        return [self.value_of(t) for t in alive if t is not None]

    def guard(self, v: Value, outcome: Any) -> None:
        """Python went on because `v` (one element) was `outcome`."""
        if isinstance(outcome, bool) and v.dtype.category:
            v = make("ne", (v, v._lift(0)))
        if self.crowded or any(g is v for g, _ in self.guards[-4:]):
            return
        self.guards.append((v, outcome))
        if len(self.guards) >= CROWD:
            self._give_up()

    def _give_up(self) -> None:
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
