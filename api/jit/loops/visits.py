"""What Python has at hand when it looks at a value, so that two looks can be compared.

If at two visits of one place the frames hold the same, save for the numbers in tensors,
Python goes on alike from both. Plain values are compared by value; containers by what
they hold; other objects by who they are, and what plain ones hold; tensors by position,
aliasing, shape and type. What cannot be compared (an iterator, an array) is refused.
"""

from __future__ import annotations

import enum
import sys
import types
import weakref
from collections.abc import Iterator as Advancing
from typing import Any, Callable, Hashable, Iterable, Iterator, Optional

import numpy as np

from ....tracer.graph import Value, constant
from ....tracer.record import Recorder, state
from ....tracer.recording.numbers import is_traced
from ....tracer.sizes import Dim
from ....tracer.storage import Storage
from ....tracer.structure import freeze, freeze_attrs
from ....tracer.types import DType, bool_
from ....tracer.watch import Watched, epoch
from ...defaults import defaults
from ...tensor import Tensor

__all__ = ["Unknown", "Visit"]

_PLAIN = (bool, int, str, bytes, type(None), type(Ellipsis), enum.Enum, DType, range)
_KNOWN = (type, types.ModuleType, types.CodeType, np.dtype, property)
_FUNCTIONS = (
    types.FunctionType,
    types.WrapperDescriptorType,
    types.MethodDescriptorType,
)
_MANY = 2000  # things in the frames beyond which nobody compares


class Unknown(Exception):
    """Something in a local variable that nobody can compare."""


class Visit:
    """The state of Python at one visit, as far as the frames tell.

    `key` is equal for two visits when Python goes on alike. `cells` are the values of
    tensors in reach by position, `storages` what they lie in, `known` tells which of
    those were there at the first visit. Nodes up to `mark` were made before;
    `elsewhere` are the ids of what tensors of the outside hold.
    """

    key: tuple
    mark: int
    known: list[bool]
    elsewhere: set[int]

    def __init__(self, rec: Recorder, guard: Value, outcome: bool, ours: set[int]):
        self.rec, self.guard, self.outcome = rec, guard, outcome
        self.cells: dict[Hashable, Value] = {"guard": guard}
        self.storages: list[weakref.ref] = []
        self.held: list = []  # so that no id is used twice
        self._tensors: dict[int, int] = {}
        self._places: dict[Storage, int] = {}
        self._inside: dict[int, int] = {}
        self._ours = ours  # tensors of the library's own frames, by id

    def look(self, frames: Iterable[types.FrameType]) -> None:
        """Take down what the frames hold. Unknown where that has no answer."""
        key = [self._frame(frame) for frame in frames]
        self._reach()
        self.key = (*key, *self._modes(), tuple(map(str, self.cells)))
        self.mark = constant(False, (), bool_).id

    def _frame(self, frame: types.FrameType) -> tuple:
        found = []
        for name, x in sorted(_locals(frame).items()):
            try:
                found.append((name, self._of(x)))
            except Unknown as why:
                raise Unknown(f"{name} is {why}") from None
        return frame.f_code, frame.f_lasti, tuple(found)

    def _modes(self) -> tuple:
        rec = self.rec
        draws = tuple((id(g), blocks) for g, (_, blocks) in rec.generators.items())
        slots = [slot.get() for slot, _ in rec.written.values()]
        self.held += slots
        return (
            *(state.grad, id(state.autocast), defaults.dtype, epoch.value),
            *(draws, tuple(map(id, slots)), rec.pulls),
            *map(len, (rec.dicts, rec.moved, rec.flags)),
        )

    # -- what a local variable is

    def _of(self, x: Any) -> Hashable:
        kind = type(x)
        if is_traced(x):
            return self._number(x)
        if isinstance(x, Tensor):
            return self._tensor(x)
        for kinds, form in _FORMS:
            if isinstance(x, kinds):
                return kind, form(self, x)
        return kind, self._object(x)

    def _number(self, x: Any) -> Hashable:
        if x._value is None:
            return "number", x._text
        return "number", type(x), self._cell(x._value)

    def _cell(self, v: Any) -> Hashable:
        self.cells[len(self.cells)] = v
        return freeze(v.shape), v.dtype

    def _same(self, x: Any) -> int:
        self.held.append(x)
        return id(x)

    def _several(self, items: Iterable[Any]) -> tuple:
        found = tuple(map(self._of, items))
        if len(self._inside) + len(self.held) > _MANY:
            raise Unknown("more than anybody compares")
        return found

    def _once(self, x: Any, form: Callable[[], Hashable]) -> Hashable:
        """An object that is itself, and what it holds."""
        if id(x) in self._inside:
            return self._inside[id(x)]
        self._inside[id(x)] = len(self._inside)
        return self._same(x), form()

    def _dict(self, x: dict) -> Hashable:
        return self._several(x.keys()), self._several(x.values())

    def _set(self, x: Any) -> Hashable:
        return frozenset(self._several(x))

    def _object(self, x: Any) -> Hashable:
        """A plain object of a class written in Python."""
        kinds = type(x).__mro__[:-1]
        plain = all(kind.__flags__ & _HEAP for kind in kinds)
        advances = isinstance(x, Advancing) or hasattr(type(x), "__next__")
        if type(x).__module__.startswith(_COMPILED) and not advances:
            return self._same(x)
        if not plain or advances:
            raise Unknown(f"a {type(x).__name__}, which changes by itself")
        return self._once(x, lambda: self._dict(_attributes(x, kinds)))

    # -- tensors

    def _tensor(self, t: Tensor) -> Hashable:
        if id(t) in self._tensors:
            return "tensor", self._tensors[id(t)]
        place = self._tensors[id(t)] = len(self._tensors)
        marks = tuple(
            (op, freeze_attrs({k: a for k, a in attrs.items() if k != "of"}))
            for op, attrs in t._steps
        )
        return place, type(t), marks, freeze(t.dtype), *self._place(t)

    def _place(self, t: Tensor) -> tuple:
        storage = t._storage
        first = storage not in self._places
        number = self._places.setdefault(storage, len(self._places))
        if storage.maker is None and t._array is None:  # a view made inside
            shape = freeze(self.rec.shape_of(t))
            return number, self._same(storage), shape, self._cell(self.rec.value_of(t))
        if storage.maker is None:
            return number, self._same(t), self._same(storage), t._array.shape
        if storage.maker is not self.rec:
            raise Unknown("a tensor of another recording")
        found = []
        if first:
            self.storages.append(weakref.ref(storage))
            found.append(self._cell(storage.value))
        value = self.rec.value_of(t)
        if value is not storage.value:
            found.append(self._cell(value))
        return number, tuple(found)

    def _reach(self) -> None:
        """What else has a value: written tensors of the outside, others made inside."""
        rec = self.rec
        written = [s for s, shadow in rec.shadows.items() if shadow.version]
        for storage in written:
            shadow = rec.shadows[storage]
            how = tuple(op for op, _ in shadow.steps), id(shadow.owner), shadow.root
            self.cells["outside", self._same(storage), how] = shadow.value
        self.elsewhere = {s.value.id for s in rec.shadows.values() if not s.version}
        for t, version, value in rec.seen.values():
            if t._storage not in written:
                self.elsewhere.add(value.id)
            elif rec.shadows[t._storage].version == version:
                self.cells["seen", self._same(t)] = value
        for storage in self._others():
            ref = weakref.ref(storage)
            self.held.append(ref)
            self.cells["inside", ref] = storage.value

    def _others(self) -> Iterator[Any]:
        alive = (ref() for ref in self.rec.made)
        found = {
            t._storage: None for t in alive if t is not None and id(t) not in self._ours
        }
        for storage in found:
            if storage.maker is self.rec and storage not in self._places:
                yield storage

    def parts(self, keys: Iterable[Hashable]) -> list[int]:
        """Which of the cells have one value, by the number of the first of them."""
        first: dict[int, int] = {}
        ids = (self.cells[key].id for key in keys)
        return [first.setdefault(i, n) for n, i in enumerate(ids)]


# Functions that are compiled: what they know is ours, not the program's.
_COMPILED = tuple(
    f"{__name__.partition('.jit.')[0]}.{room}." for room in ("jit", "program", "verify")
)
_HEAP = 1 << 9  # Py_TPFLAGS_HEAPTYPE: a class that Python code made
_OPTIMIZED = 1  # CO_OPTIMIZED: its locals are no dictionary


def _locals(frame: types.FrameType) -> dict:
    """The local variables; no copy of them stays behind in the frame."""
    if not frame.f_code.co_flags & _OPTIMIZED:
        raise Unknown("its variables are those of a module or class")
    found = frame.f_locals
    copy = dict(found)
    if sys.version_info < (3, 13):
        found.clear()
    return copy


def _attributes(x: Any, kinds: Iterable[type]) -> dict:
    found = dict(getattr(x, "__dict__", {}))
    for kind in kinds:
        slots: Any = vars(kind).get("__slots__", ())
        names = (slots,) if isinstance(slots, str) else slots
        found.update((n, getattr(x, n)) for n in names if hasattr(x, n))
    found.pop("__weakref__", None)
    found.pop("__dict__", None)
    return found


def _watched(visit: Visit, x: Any) -> Hashable:
    """One that tells of changes, save for those of containers that it holds."""
    found = {
        name: y
        for name, y in getattr(x, "__dict__", {}).items()
        if isinstance(y, (list, dict, set)) and not name.startswith("_")
    }
    return visit._once(x, lambda: visit._dict(found))


def _builtin(visit: Visit, x: Any) -> Hashable:
    owner = x.__self__
    if owner is None or isinstance(owner, types.ModuleType):
        return visit._same(x)
    return x.__name__, visit._of(owner)


_FORMS: list[tuple[Any, Callable[[Visit, Any], Hashable]]] = [
    (_PLAIN, lambda visit, x: x),
    ((float, complex), lambda visit, x: repr(x)),
    (Dim, lambda visit, x: x.text),
    (Watched, _watched),
    (tuple, Visit._several),
    ((frozenset,), Visit._set),
    (list, lambda visit, x: visit._once(x, lambda: visit._several(x))),
    (dict, lambda visit, x: visit._once(x, lambda: visit._dict(x))),
    (set, lambda visit, x: visit._once(x, lambda: visit._set(x))),
    (types.MethodType, lambda v, x: (v._same(x.__func__), v._of(x.__self__))),
    (types.BuiltinFunctionType, _builtin),
    ((*_KNOWN, *_FUNCTIONS), Visit._same),
]


def first_difference(a: Visit, b: Visit) -> Optional[str]:
    """The name of a local variable in which two visits differ, if it is that."""
    for one, other in zip(a.key, b.key):
        if isinstance(one, tuple) and len(one) == 3 and one != other:
            names = dict(other[2]) if isinstance(other[2], tuple) else {}
            for name, form in one[2]:
                if names.get(name, ...) != form:
                    return name
    return None
