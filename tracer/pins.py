"""The Python state that a recording may have read, and the check that it still holds.

What is reachable from the function and its arguments by names that occur in code that
ran is pinned. Two kinds of state, two prices:

- Objects that tell when they change (watch.py) are compared with what they were only
  when the epoch has moved.
- Plain Python (globals, closure cells, defaults, attributes of plain objects, items of
  plain containers) is compared at every call, by identity.
"""

from __future__ import annotations

import functools
import types
from typing import Any, Callable, Iterable, Iterator, Optional

from . import owners
from .codes import is_foreign
from .elsewhere import device_of
from .unwatched import hidden, hidden_module
from .views import (
    MISSING,
    PLAIN,
    Attribute,
    Kind,
    Length,
    ListView,
    Members,
    attributes,
    content,
    holds,
    mark,
    same,
    tensor_holds,
)
from .watch import Watched, epoch

__all__ = ["Pins"]

_LARGE = 1000  # items of a container beyond which it is not compared at each call
_BOXES = (dict, list, tuple)
_CALLABLE = (types.FunctionType, types.MethodType, functools.partial)


class Pins:
    """What a recording relied on: `places` and watched dictionaries.

    A place is (container, key, value): a dict and its key, or a cell.
    """

    def __init__(self, names: set[str], codes: set, moving: set):
        self.names, self.codes = names, codes
        self.dynamic = owners.is_dynamic(codes)
        self.asked = owners.asked_names(codes)
        self.moving = moving  # (id of dict, key): tensors the program itself replaces
        self.met: set[tuple] = set()  # which of these it came across
        self.places: list[tuple] = []
        self.watched: list[tuple[Any, dict]] = []
        self.arrays: list[str] = []
        self.containers = False  # whether a plain list, dict or set was found
        self.tensors: list[tuple] = []  # (tensor, shape, dtype, steps, place)
        self.epoch = epoch.value
        self._seen: dict[int, Any] = {}

    @classmethod
    def of(cls, roots: Iterable[Any], codes: set, moving: set) -> "Pins":
        """Everything reachable from the roots that the code that ran can name."""
        pins = cls(set(owners.names_of(codes)), codes, moving)
        stack = list(roots)
        while stack:
            x = stack.pop()
            if id(x) not in pins._seen and not isinstance(x, PLAIN):
                pins._seen[id(x)] = x
                stack.extend(pins._visit(x))
        return pins

    def _visit(self, x: Any) -> Iterable[Any]:
        for kind, visit in _VISITS:
            if isinstance(x, kind):
                return visit(self, x)
        return () if self._refuse(hidden(x)) else self._object(x)

    def _refuse(self, what: Optional[str]) -> bool:
        """Note that the recording can read something that nobody can watch."""
        if what:
            self.arrays.append(what)
        return bool(what)

    def pin_tensor(self, t: Any) -> None:
        """Rely on the shape, type and view of a captured tensor."""
        place = device_of(t._array)
        self.tensors.append((t, t._array.shape, t._array.dtype, t._steps, place))

    def pin(self, container: Any, key: Any, value: Any) -> Any:
        """Rely on `value` being there; returns it."""
        if mark(container, key) not in self.moving:
            self.places.append((container, key, value))
        else:
            self.met.add(mark(container, key))
        return value

    def every(self) -> Iterator[tuple[Any, Any, Any, bool]]:
        """(container, key, value, whether its owner tells when it changes)."""
        for container, key, value in self.places:
            yield container, key, value, False
        for d, then in self.watched:
            for key, value in then.items():
                yield d, key, value, True

    def release(self, marks: set) -> None:
        """Do not rely on these places any more."""
        self.moving = self.moving | marks
        self.places = [p for p in self.places if mark(p[0], p[1]) not in marks]

    def _function(self, f: types.FunctionType) -> Iterator[Any]:
        if f.__code__ not in self.codes:
            yield from self._foreign(f)
            return
        self.pin(f, Attribute("__code__"), f.__code__)
        for name in owners.globals_of(f.__code__, self.names):
            if name in f.__globals__:
                yield self.pin(f.__globals__, name, f.__globals__[name])
        for cell in f.__closure__ or ():
            yield self.pin(cell, None, content(cell))
        if f.__defaults__:
            yield from self.pin(f, Attribute("__defaults__"), f.__defaults__)
        if f.__kwdefaults__:
            self.pin(f, Attribute("__kwdefaults__"), f.__kwdefaults__)
            yield from self._items_of(f.__kwdefaults__)

    def _foreign(self, f: types.FunctionType) -> Iterator[Any]:
        """The wrapper of a decorator or a transform: its cells have what was given."""
        if not is_foreign(f.__code__):
            return
        if hasattr(f, "registry") and hasattr(f, "dispatch"):
            self._refuse("a table of functions (singledispatch)")
        for cell in f.__closure__ or ():
            value = content(cell)
            wraps = "__wrapped__" in (attributes(value) or ())
            if wraps or isinstance(value, _CALLABLE):
                yield value

    def _partial(self, x: functools.partial) -> Iterator[Any]:
        yield from (x.func, *x.args)
        yield from self._items_of(x.keywords)

    def _builtin(self, x: Any) -> Iterator[Any]:
        if not isinstance(x.__self__, types.ModuleType):
            yield x.__self__

    def _items_of(self, d: Any) -> Iterator[Any]:
        """All that is in a dict, and nothing else."""
        self.pin(Length(d), None, len(d))
        for key in list(d):
            yield self.pin(d, key, d[key])

    def _module(self, x: types.ModuleType) -> Iterable[Any]:
        refused = self._refuse(hidden_module(x, self.names))
        return () if refused or not owners.is_users(x) else self._attributes(vars(x))

    def _attributes(self, d: dict) -> Iterator[Any]:
        """Attributes that the code names; all, where it may make up the names."""
        if self.dynamic:
            self.containers = True
            yield from self._items_of(d)
        else:
            for name in self.names & d.keys():
                yield self.pin(d, name, d[name])

    def _watched(self, x: Watched) -> Iterator[Any]:
        stack: list = [d for d in (x, attributes(x)) if isinstance(d, _BOXES)]
        while stack:
            d = stack.pop()
            if isinstance(d, dict):
                self.watched.append((d, dict(d)))
                if self.moving and d:
                    self.met |= self.moving.intersection([(id(d), key) for key in d])
            for value in d.values() if isinstance(d, dict) else d:
                if type(value) in PLAIN:
                    continue
                if isinstance(value, _BOXES):
                    stack.append(value)
                    if isinstance(value, list):
                        self.watched.append((ListView(value), dict(enumerate(value))))
                elif not isinstance(value, (set, frozenset)):
                    yield value
        yield from self._containers_in(x)
        self.watched.append((Kind(x), {None: type(x)}))
        yield type(x)

    def _containers_in(self, x: Watched) -> Iterator[Any]:
        # The user's own containers in a module tell nobody when they change.
        own = (attributes(x) or {}) if owners.is_users_class(type(x)) else {}
        for name, value in own.items():
            named = name in self.names or (self.dynamic and name[0] != "_")
            if named and type(value) in (list, dict, set, tuple):
                yield value

    def _class(self, x: type) -> Iterator[Any]:
        above: list[type] = []
        for base in x.__mro__[:-1]:
            if base.__module__ not in ("builtins", "abc", "enum", "typing"):
                users = owners.is_users_class(base)
                yield from self._class_dict(base, above if users else [], users)
                above += [base] if users else []

    def _class_dict(self, base: type, above: list[type], users: bool) -> Iterator[Any]:
        d = vars(base)
        for name in d.keys() if users else self.names & d.keys():
            value = d[name]
            if not (name in self.names or self._ran(value)):
                continue
            if users or isinstance(value, PLAIN):
                self.pin(d, name, value)
            # A class below may come to hide it.
            for kind in above:
                if name not in vars(kind):
                    self.pin(vars(kind), name, MISSING)
            yield from owners.behind(value)
        if users and self.dynamic:
            self.pin(Length(d), None, len(d))
        if users:
            self._absent(d, base)

    def _ran(self, value: Any) -> bool:
        # What the class does without being named: __call__, __init__, __add__, ...
        code = getattr(value, "__code__", None) if type(value) in _CALLABLE else None
        return code in self.codes

    def _object(self, x: Any) -> Iterator[Any]:
        kind, own = type(x), attributes(x)
        tensor = hasattr(kind, "_storage")
        if own is not None:
            if self.dynamic and (tensor or owners.is_users_class(kind)):
                yield from self._attributes(own)
            else:
                yield from self._named(own, owners.is_standard_data(kind))
        if tensor:
            return
        if owners.is_users_class(kind):
            self.pin(x, Attribute("__class__"), kind)
            yield from self._slots(x, kind)
        # What was found on the class may come to be hidden by the object's own.
        if own is not None:
            self._unhidden(own, kind)
            self._absent(own, kind)
        yield kind

    def _absent(self, own: Any, kind: type) -> None:
        for name in self.asked - own.keys():
            if not any(name in vars(base) for base in kind.__mro__):
                self.pin(own, name, MISSING)

    def _unhidden(self, own: dict, kind: type) -> None:
        for base in kind.__mro__[:-1]:
            for name in self.names & vars(base).keys() - own.keys():
                self.pin(own, name, MISSING)

    def _named(self, own: dict, everything: bool) -> Iterator[Any]:
        for name in own.keys() if everything else self.names & own.keys():
            yield self.pin(own, name, own[name])
        if "__wrapped__" in own:
            yield self.pin(own, "__wrapped__", own["__wrapped__"])

    def _slots(self, x: Any, kind: type) -> Iterator[Any]:
        for base in kind.__mro__[:-1]:
            for name, value in vars(base).items():
                slot = type(value) is types.MemberDescriptorType
                if slot and (self.dynamic or name in self.names):
                    yield self.pin(x, Attribute(name), getattr(x, name, MISSING))

    def _dict(self, x: dict) -> Iterator[Any]:
        self.containers = True
        if len(x) > _LARGE:
            self.arrays.append(f"a dict of {len(x)} items")
            return
        self.pin(Length(x), None, len(x))
        # Not asked by key: a traced size among the keys is found by its number only.
        for key, value in list(x.items()):
            yield self.pin(x, key, value)

    def _list(self, x: Any) -> Iterator[Any]:
        self.containers |= isinstance(x, list)
        if len(x) > _LARGE:
            self.arrays.append(f"a sequence of {len(x)} items")
            return
        self.pin(Length(x), None, len(x))
        for i, item in enumerate(x):
            yield self.pin(ListView(x), i, item)

    def _set(self, x: Any) -> Iterable[Any]:
        self.containers |= isinstance(x, set)
        self.pin(Members(x), None, frozenset(x))
        return ()

    def hold(self) -> bool:
        """Whether all of it is still as it was."""
        if self.epoch != epoch.value:
            if not all(self._dict_holds(d, then) for d, then in self.watched):
                return False
            if not all(tensor_holds(*entry) for entry in self.tensors):
                return False
            self.epoch = epoch.value
        return all(holds(*place) for place in self.places)

    def _dict_holds(self, d: Any, then: dict) -> bool:
        if len(d) != len(then):
            return False
        for key, value in then.items():
            if not same(d.get(key, MISSING), value):
                if mark(d, key) not in self.moving:
                    return False
        return True


_VISITS: list[tuple[Any, Callable]] = [
    (types.FunctionType, Pins._function),
    (types.MethodType, lambda pins, x: (x.__func__, x.__self__)),
    (functools.partial, Pins._partial),
    (types.ModuleType, Pins._module),
    (Watched, Pins._watched),
    (type, Pins._class),
    ((dict, types.MappingProxyType), Pins._dict),
    ((list, tuple), Pins._list),
    ((set, frozenset), Pins._set),
    (types.BuiltinFunctionType, Pins._builtin),
]


def _items(x: Any) -> Iterable[Any]:
    return x if isinstance(x, (list, tuple)) else ()
