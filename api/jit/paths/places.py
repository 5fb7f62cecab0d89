"""The tests of a generated entry that watched places are as they were."""

from __future__ import annotations

from types import CellType, FunctionType, ModuleType
from typing import Any, Iterator

from ....tracer.watching.pins import Pins
from ....tracer.watching.scopes import Names, is_name, looker
from ....tracer.watching.views import (
    MISSING,
    Attribute,
    Contents,
    Keys,
    Registered,
    mark,
)
from .unpack import Writer

__all__ = ["place_tests"]


def place_tests(w: Writer, pins: Pins, known: set) -> Iterator[str]:
    """Expressions of which none is true while all places hold what they had.

    `known` are those that other pins of the same entry have: they are tested once.
    """
    sights: dict[int, _Sights] = {i: _Sights(s.items) for i, s in pins.scopes.items()}
    anywhere = next(iter(sights.values()), None) or sights.setdefault(0, _Sights({}))
    for container, key, value in pins.places:
        place = (*mark(container, key), id(value))
        if place in known:
            continue
        known.add(place)
        c = container.items if type(container) is Names else container
        sight = sights.get(id(c), anywhere)
        if not sight.takes(container, key, value):
            yield _place(w, container, key, value)
    for sight in sights.values():
        yield from sight.tests(w)


_LOOKED_AT = (type, ModuleType, FunctionType)  # nothing of the user's runs for that


class _Sights:
    """What one function can look at that runs in a module: see `looker`."""

    def __init__(self, scope: dict):
        self.scope = scope
        self.missing: list[str] = []
        self.names: dict[str, Any] = {}
        self.cells: list[tuple] = []
        self.attributes: list[tuple] = []

    def takes(self, container: Any, key: Any, value: Any) -> bool:
        """Take the place, if such a function can look at it."""
        kind = type(container)
        if value is MISSING:
            if kind is Names:
                self.missing.append(key)
            return kind is Names
        if kind is CellType:
            self.cells.append((container, value))
        elif is_name(key) and (container is self.scope or kind is Names):
            self.names[key] = value
        elif type(key) is Attribute and isinstance(container, _LOOKED_AT):
            self.attributes.append((container, str(key), value))
        else:
            return False
        return True

    def tests(self, w: Writer) -> Iterator[str]:
        """The expressions for what was taken."""
        if self.names or self.cells or self.attributes:
            same = looker(self.scope, self.names, self.cells, self.attributes)
            yield f"not {w.bind('same', same)}()"
        if self.missing:
            absent = w.bind("absent", self.scope.keys().isdisjoint)
            yield f"not {absent}({w.bind('names', tuple(self.missing))})"


def _place(w: Writer, container: Any, key: Any, value: Any) -> str:
    if isinstance(container, Contents):
        return _array(w, container, value)
    if isinstance(container, Keys) and len(value) == len(container.items):
        return f"(*{w.bind('c', container.items)},) != {w.bind('z', value)}"
    if isinstance(container, (Keys, Registered)):
        return f"{w.bind('c', container)}.get(None) != {w.bind('z', value)}"
    c, v = w.bind("c", container), w.bind("z", value)
    if isinstance(container, CellType):
        return "True"  # an empty cell cannot be looked into
    if type(key) is Attribute:
        return f"getattr({c}, {str(key)!r}, {w.bind('missing', MISSING)}) is not {v}"
    absent = value is MISSING or value is None  # None is not nothing
    missing = f", {w.bind('missing', MISSING)}" if absent else ""
    return f"{c}.get({w.literal(key)}{missing}) is not {v}"


def _array(w: Writer, seen: Contents, then: tuple) -> str:
    a = w.bind("c", seen.items)
    numbers = f" or {a}.tobytes() != {w.bind('z', then[2])}" if then[2:] else ""
    return f"{a}.shape != {then[0]!r} or {a}.dtype.str != {then[1]!r}{numbers}"
