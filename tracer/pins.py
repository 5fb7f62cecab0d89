"""The Python state that a recording may have read, and the check that it still holds.

What is reachable from the function and its arguments by names that occur in code that
ran is pinned. Two kinds of state, two prices:

- Objects that tell when they change (watch.py) are compared with what they were only
  when the epoch has moved.
- Plain Python (globals, closure cells, defaults, attributes of plain objects, items of
  plain containers) is compared at every call, by identity.
"""

from __future__ import annotations

import array
import collections
import functools
import types
from typing import Any, Callable, Iterable, Iterator, Optional

from .codes import is_foreign
from .watch import Watched, epoch

__all__ = ["MISSING", "Pins"]

_PLAIN = (int, float, str, bytes, bool, complex, type(None))
_LARGE = 1000  # items of a container beyond which it is not compared at each call
MISSING = object()  # stands for what is not there


class Pins:
    """What a recording relied on: `places` and watched dictionaries.

    A place is (container, key, value): a dict and its key, or a cell.
    """

    def __init__(self, names: set[str], codes: set, moving: set):
        self.names, self.codes = names, codes
        self.moving = moving  # (id of dict, key): tensors the program itself replaces
        self.places: list[tuple] = []
        self.watched: list[tuple[Any, dict]] = []
        self.arrays: list[str] = []
        self.containers = False  # whether a plain list, dict or set was found
        self.tensors: list[tuple] = []  # (tensor, shape, dtype, steps)
        self.epoch = epoch.value
        self._seen: dict[int, Any] = {}

    @classmethod
    def of(cls, roots: Iterable[Any], codes: set, moving: set) -> "Pins":
        """Everything reachable from the roots that the code that ran can name."""
        pins = cls(set(_names(codes)), codes, moving)
        stack = list(roots)
        while stack:
            x = stack.pop()
            if id(x) not in pins._seen and not isinstance(x, _PLAIN):
                pins._seen[id(x)] = x
                stack.extend(pins._visit(x))
        return pins

    def _visit(self, x: Any) -> Iterable[Any]:
        for kind, visit in _VISITS:
            if isinstance(x, kind):
                return visit(self, x)
        hidden = _hidden(x)
        if hidden:
            self.arrays.append(hidden)
            return ()
        return self._object(x)

    def pin_tensor(self, t: Any) -> None:
        """Rely on the shape, type and view of a captured tensor."""
        self.tensors.append((t, t._array.shape, t._array.dtype, t._steps))

    def pin(self, container: Any, key: Any, value: Any) -> Any:
        """Rely on `value` being there; returns it."""
        if (id(container), key) not in self.moving:
            self.places.append((container, key, value))
        return value

    def _function(self, f: types.FunctionType) -> Iterator[Any]:
        if f.__code__ not in self.codes:
            return
        for name in _names([f.__code__]):
            if name in f.__globals__:
                yield self.pin(f.__globals__, name, f.__globals__[name])
        for cell in f.__closure__ or ():
            yield self.pin(cell, None, _content(cell))
        yield from f.__defaults__ or ()
        yield from (f.__kwdefaults__ or {}).values()

    def _module(self, x: types.ModuleType) -> Iterable[Any]:
        home = getattr(x, "__file__", None) or "<frozen"
        if is_foreign(_CodeAt(home)):  # type: ignore[arg-type]
            return ()
        return [self.pin(vars(x), n, vars(x)[n]) for n in self.names & vars(x).keys()]

    def _watched(self, x: Watched) -> Iterator[Any]:
        stack: list = [x, vars(x)] if hasattr(x, "__dict__") else [x]
        while stack:
            d = stack.pop()
            if isinstance(d, dict):
                self.watched.append((d, dict(d)))
            for value in d.values() if isinstance(d, dict) else _items(d):
                if isinstance(value, (dict, list, tuple)):
                    stack.append(value)
                    if isinstance(value, list):
                        self.watched.append((_ListView(value), dict(enumerate(value))))
                else:
                    yield value
        yield type(x)

    def _class(self, x: type) -> Iterable[Any]:
        if x.__module__ in ("builtins", "abc", "enum", "typing"):
            return
        for base in x.__mro__[:-1]:
            for name in self.names & vars(base).keys():
                value = vars(base)[name]
                if isinstance(value, _PLAIN):
                    self.pin(vars(base), name, value)
                yield getattr(value, "__func__", getattr(value, "fget", value))

    def _object(self, x: Any) -> Iterator[Any]:
        if hasattr(x, "_storage"):
            return
        attributes = getattr(x, "__dict__", None)
        if isinstance(attributes, dict):
            for name in self.names & attributes.keys():
                yield self.pin(attributes, name, attributes[name])
            # What was found on the class may come to be hidden by the object's own.
            for base in type(x).__mro__[:-1]:
                for name in self.names & vars(base).keys() - attributes.keys():
                    self.pin(attributes, name, MISSING)
        yield type(x)

    def _dict(self, x: dict) -> Iterator[Any]:
        self.containers = True
        if len(x) > _LARGE:
            self.arrays.append(f"a dict of {len(x)} items")
            return
        self.pin(_Length(x), None, len(x))
        for key in list(x):
            yield self.pin(x, key, x[key])

    def _list(self, x: Any) -> Iterator[Any]:
        self.containers |= isinstance(x, list)
        if len(x) > _LARGE:
            self.arrays.append(f"a sequence of {len(x)} items")
            return
        self.pin(_Length(x), None, len(x))
        for i, item in enumerate(x):
            yield self.pin(_ListView(x), i, item)

    def _set(self, x: Any) -> Iterable[Any]:
        self.containers |= isinstance(x, set)
        self.pin(_Members(x), None, frozenset(x))
        return ()

    def hold(self) -> bool:
        """Whether all of it is still as it was."""
        if self.epoch != epoch.value:
            if not all(self._dict_holds(d, then) for d, then in self.watched):
                return False
            if not all(_tensor_holds(*entry) for entry in self.tensors):
                return False
            self.epoch = epoch.value
        return all(_holds(*place) for place in self.places)

    def _dict_holds(self, d: Any, then: dict) -> bool:
        if len(d) != len(then):
            return False
        for key, value in then.items():
            if not _same(d.get(key, MISSING), value):
                if (id(d), key) not in self.moving:
                    return False
        return True


class _CodeAt:
    """Just a file name, for `is_foreign`."""

    def __init__(self, name: str):
        self.co_filename = name

    def __hash__(self) -> int:
        return hash(self.co_filename)

    def __eq__(self, other: object) -> bool:
        return getattr(other, "co_filename", None) == self.co_filename


class _ListView:
    """A list seen as a dict of its positions."""

    def __init__(self, items: Any):
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def get(self, key: int, default: Any = None) -> Any:
        """The item at `key`."""
        return self.items[key] if key < len(self.items) else default


class _Length:
    """A container seen as its length."""

    def __init__(self, items: Any):
        self.items = items

    def get(self, key: None, default: Any = None) -> int:
        """How many there are."""
        return len(self.items)


class _Members:
    """A set seen as what is in it now."""

    def __init__(self, items: Any):
        self.items = items

    def get(self, key: None, default: Any = None) -> frozenset:
        """What is in it."""
        return frozenset(self.items)


def _hidden(x: Any) -> Optional[str]:
    """What `x` is, when it may change in ways that no comparison sees."""
    if hasattr(x, "__array_interface__") and not hasattr(x, "_storage"):
        return f"an array of shape {getattr(x, 'shape', '?')}"
    if hasattr(type(x), "__next__"):
        return f"an iterator ({type(x).__name__})"
    if isinstance(x, (collections.deque, bytearray, array.array, memoryview)):
        return f"a {type(x).__name__}"
    return None


_VISITS: list[tuple[Any, Callable]] = [
    (types.FunctionType, Pins._function),
    (types.MethodType, lambda pins, x: (x.__func__, x.__self__)),
    (functools.partial, lambda pins, x: (x.func, *x.args, *x.keywords.values())),
    (types.ModuleType, Pins._module),
    (Watched, Pins._watched),
    (type, Pins._class),
    (dict, Pins._dict),
    ((list, tuple), Pins._list),
    ((set, frozenset), Pins._set),
    (types.BuiltinFunctionType, lambda pins, x: ()),
]


def _tensor_holds(t: Any, shape: tuple, dtype: Any, steps: tuple) -> bool:
    same = t._array.shape == shape and t._array.dtype == dtype
    return same and t._steps is steps


def _items(x: Any) -> Iterable[Any]:
    return x if isinstance(x, (list, tuple)) else ()


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not assigned yet
        return MISSING


def _holds(container: Any, key: Any, then: Any) -> bool:
    if type(container) is types.CellType:
        return _same(_content(container), then)
    return _same(container.get(key, MISSING), then)


def _same(now: Any, then: Any) -> bool:
    if now is then:
        return True
    if isinstance(then, frozenset):
        return now == then
    plain = isinstance(then, (*_PLAIN, tuple)) and type(now) is type(then)
    return plain and repr(now) == repr(then)


def _names(codes: Iterable[types.CodeType]) -> Iterator[str]:
    """Names and strings in the code, nested functions included."""
    for code in codes:
        yield from code.co_names
        yield from code.co_freevars
        for const in code.co_consts:
            if isinstance(const, str):
                yield const
            elif isinstance(const, types.CodeType):
                yield from _names([const])
