"""What code may read of classes and of their objects: a part of `Pins` (pins.py)."""

from __future__ import annotations

import functools
import types
from typing import Any, Iterator

from ..watch import Watched
from . import owners
from .pinning import Pinning
from .views import MISSING, PLAIN, Attribute, Registered, attributes

__all__ = ["CALLABLE", "Objects"]

REGISTERED = Registered()
_ASK_KIND = frozenset(("isinstance", "issubclass"))
CALLABLE = (types.FunctionType, types.MethodType, functools.partial)


class Objects(Pinning):
    """Relies on classes, and on attributes of plain objects."""

    homes: set[int]

    def _class(self, x: type) -> Iterator[Any]:
        forward = getattr(x, "forward", None) if issubclass(x, Watched) else None
        if type(forward) is types.FunctionType:  # of the library's modules, too
            self.pin(x, Attribute("forward"), forward)
        yield from self._metaclass(x)
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
            self.pin_keys(d)
        if users:
            self.pin(base, Attribute("__bases__"), base.__bases__)
            self._absent(d, base)

    def _metaclass(self, x: type) -> Iterator[Any]:
        if not _ASK_KIND.isdisjoint(self.names) and hasattr(x, "register"):
            self.pin(REGISTERED, None, REGISTERED.get(None))
        kind = type(x)
        if owners.is_users_class(kind):
            for name in self.names & vars(kind).keys():
                if not any(name in vars(base) for base in x.__mro__):
                    self.pin(vars(x), name, MISSING)
            yield kind

    def _ran(self, value: Any) -> bool:
        # What the class does without being named: __call__, __init__, __add__, ...
        code = getattr(value, "__code__", None) if type(value) in CALLABLE else None
        return code in self.codes

    def _object(self, x: Any) -> Iterator[Any]:
        kind, own = type(x), attributes(x)
        tensor = hasattr(kind, "_storage")
        if own is not None:
            self.homes.add(id(own))
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
