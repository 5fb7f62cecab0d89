"""What a function can reach: its arguments, cells and globals, and all within them."""

from __future__ import annotations

import collections
import functools
import types
from typing import Any, Iterable, Iterator

import numpy as np

from ...tracer.watch import Watched
from ...tracer.watching import owners
from ...tracer.watching.codes import is_foreign
from ...tracer.watching.views import PLAIN, attributes
from ..random.generator import Generator, default_generator
from ..tensor import Tensor

__all__ = ["reach", "roots_of"]

LEAVES = (*PLAIN, np.ndarray, Generator, np.random.Generator)


def roots_of(function: Any, args: tuple, kwargs: dict) -> list[tuple[str, Any]]:
    """Where to begin: (name, object)."""
    places = [(f"argument {i}", x) for i, x in enumerate(args)]
    places += [(f"argument {name!r}", x) for name, x in kwargs.items()]
    return [*places, ("", function), ("the random generator", default_generator)]


def reach(roots: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    """(how it is called, object) for all that is reachable, each object once.

    Plain values come as often as they are met: they have no identity.
    """
    seen: dict[int, Any] = {}
    stack = list(roots)[::-1]
    while stack:
        name, x = stack.pop()
        if not isinstance(x, PLAIN):
            if id(x) in seen:
                continue
            seen[id(x)] = x
        yield name, x
        if not isinstance(x, LEAVES):
            stack.extend(list(_within(name, x))[::-1])


def _within(name: str, x: Any) -> Iterator[tuple[str, Any]]:
    for kind, visit in _VISITS:
        if isinstance(x, kind):
            yield from visit(name, x)
            return
    wraps = "__wrapped__" in (attributes(x) or ())
    if wraps or isinstance(x, Watched) or owners.is_users_class(type(x)):
        yield from _attributes(name, x)
        yield "", type(x)


def _tensor(name: str, x: Tensor) -> Iterator[tuple[str, Any]]:
    yield f"{name}.grad", x._grad
    yield from _attributes(name, x)


def _attributes(name: str, x: Any) -> Iterator[tuple[str, Any]]:
    if "__wrapped__" in (attributes(x) or ()):  # what `jit` made: not its cache
        yield name, x.__wrapped__
        return
    if isinstance(x, dict):
        yield from _items(name, x)
    for key, value in (attributes(x) or {}).items():
        yield _joined(name, key), value
    for key in _slots(type(x)):
        if hasattr(x, key):
            yield _joined(name, key), getattr(x, key)


def _joined(name: str, key: Any) -> str:
    return f"{name}.{key}" if name else str(key)


def _slots(kind: type) -> list[str]:
    """The attributes of a user's class that have a slot of their own."""
    if not owners.is_users_class(kind):
        return []
    every = (item for base in kind.__mro__ for item in vars(base).items())
    return [key for key, v in every if isinstance(v, types.MemberDescriptorType)]


def _function(name: str, f: types.FunctionType) -> Iterator[tuple[str, Any]]:
    yield from zip(f.__code__.co_freevars, f.__closure__ or ())
    yield from (f.__kwdefaults__ or {}).items()
    for value in f.__defaults__ or ():
        yield f"a default of {f.__name__}", value
    if not is_foreign(f.__code__):
        yield from _named(set(owners.names_of([f.__code__])), f.__globals__)


def _named(names: set, scope: dict) -> Iterator[tuple[str, Any]]:
    """What the names stand for, also in modules of the user's."""
    for key in sorted(names & scope.keys()):
        value = scope[key]
        if not isinstance(value, types.ModuleType):
            yield key, value
        elif owners.is_users(value):
            inside = vars(value)
            for other in sorted(names & inside.keys()):
                yield f"{key}.{other}", inside[other]


def _cell(name: str, cell: types.CellType) -> Iterator[tuple[str, Any]]:
    try:
        yield name, cell.cell_contents
    except ValueError:  # empty
        return


def _method(name: str, x: types.MethodType) -> Iterator[tuple[str, Any]]:
    yield name, x.__self__
    yield name, x.__func__


def _partial(name: str, x: functools.partial) -> Iterator[tuple[str, Any]]:
    yield name, x.func
    yield from _sequence(name, x.args)
    yield from _items(name, x.keywords)


def _items(name: str, d: dict) -> Iterator[tuple[str, Any]]:
    for n, (key, value) in enumerate(d.items()):
        at = key if isinstance(key, (str, int)) else f"item {n}"
        yield f"{name}[{at!r}]", value
        if isinstance(key, Tensor):
            yield f"key {n} of {name}", key


def _sequence(name: str, items: Iterable) -> Iterator[tuple[str, Any]]:
    for i, item in enumerate(items):
        yield f"{name}[{i}]", item


def _members(name: str, items: Any) -> Iterator[tuple[str, Any]]:
    """By what they are: in which order a set has them is nobody's concern."""
    plain = [x for x in items if isinstance(x, PLAIN)]
    yield from ((f"{x!r} in {name}", x) for x in plain)
    rest = sorted((x for x in items if not isinstance(x, PLAIN)), key=id)
    yield from ((f"member {i} of {name}", x) for i, x in enumerate(rest))


def _class(name: str, kind: type) -> Iterator[tuple[str, Any]]:
    if owners.is_users_class(kind):
        for key, value in list(vars(kind).items()):
            if key[:2] != "__" or isinstance(value, types.FunctionType):
                yield f"{kind.__name__}.{key}", value


_VISITS: list[tuple[Any, Any]] = [
    (Tensor, _tensor),
    (types.FunctionType, _function),
    (types.MethodType, _method),
    (types.CellType, _cell),
    (functools.partial, _partial),
    ((staticmethod, classmethod), lambda name, x: [(name, x.__func__)]),
    (Watched, _attributes),
    (dict, _items),
    ((list, tuple, collections.deque), _sequence),
    ((set, frozenset), _members),
    (type, _class),
    (types.ModuleType, lambda name, x: ()),
]
