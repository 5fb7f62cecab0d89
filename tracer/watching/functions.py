"""What code may read of functions and modules: a part of `Pins` (pins.py)."""

from __future__ import annotations

import functools
import types
from typing import Any, Iterator

from . import owners
from .codes import is_foreign
from .objects import CALLABLE
from .pinning import Pinning
from .scopes import Names
from .unwatched import hidden_module
from .views import MISSING, Attribute, attributes, content

__all__ = ["Functions"]

_SMALL = 100  # items of a container of the standard library that is compared


class Functions(Pinning):
    """Relies on globals, cells, defaults and attributes of modules."""

    scopes: dict[int, Names]
    homes: set[int]
    cell_names: dict[int, set[str]]

    def _function(self, f: types.FunctionType) -> Iterator[Any]:
        if f.__code__ not in self.codes:
            yield from self._foreign(f)
            return
        self.pin(f, Attribute("__code__"), f.__code__)
        yield from self._globals(f)
        for name in self.names & f.__dict__.keys():
            yield self.pin(f.__dict__, name, f.__dict__[name])
        for name in self.asked - f.__dict__.keys():
            self.pin(f.__dict__, name, MISSING)
        for name, cell in zip(f.__code__.co_freevars, f.__closure__ or ()):
            self.cell_names.setdefault(id(cell), set()).add(name)
            yield self.pin(cell, None, content(cell))
        if f.__defaults__:
            yield from self.pin(f, Attribute("__defaults__"), f.__defaults__)
        if f.__kwdefaults__:
            self.pin(f, Attribute("__kwdefaults__"), f.__kwdefaults__)
            yield from self._items_of(f.__kwdefaults__)

    def _globals(self, f: types.FunctionType) -> Iterator[Any]:
        scope = f.__globals__
        around = self.scopes.setdefault(id(scope), Names(scope))
        for name in owners.globals_of(f.__code__, self.names):
            if name in scope:
                yield self.pin(scope, name, scope[name])
        for name in owners.looked_up(f.__code__):
            if name not in scope:  # it may come to be there
                self.pin(around, name, around.get(name, MISSING))

    def _foreign(self, f: types.FunctionType) -> Iterator[Any]:
        """The wrapper of a decorator or a transform: its cells have what was given."""
        if not is_foreign(f.__code__):
            return
        if hasattr(f, "registry") and hasattr(f, "dispatch"):
            self._refuse("a table of functions (singledispatch)")
        for cell in f.__closure__ or ():
            value = content(cell)
            wraps = "__wrapped__" in (attributes(value) or ())
            if wraps or isinstance(value, CALLABLE):
                yield value

    def _partial(self, x: functools.partial) -> Iterator[Any]:
        yield from (x.func, *x.args)
        yield from self._items_of(x.keywords)

    def _builtin(self, x: Any) -> Iterator[Any]:
        if not isinstance(x.__self__, types.ModuleType):
            yield x.__self__

    def _module(self, x: types.ModuleType) -> Iterator[Any]:
        if self._refuse(hidden_module(x, self.names)):
            return
        if owners.is_users(x):
            self.homes.add(id(vars(x)))
            yield from self._attributes(vars(x))
            for name in self.asked - vars(x).keys():
                self.pin(vars(x), name, MISSING)
            return
        ours = owners.is_ours(x)
        for name in self.names & vars(x).keys():
            value = self.pin(x, Attribute(name), vars(x)[name])
            small = type(value) in (list, dict, set) and len(value) < _SMALL
            if small or (ours and isinstance(value, types.ModuleType)):
                yield value
