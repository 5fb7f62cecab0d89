"""What code may read of containers, and of what tells: a part of `Pins` (pins.py)."""

from __future__ import annotations

from typing import Any, Iterable, Iterator

from ..watch import Watched
from . import owners
from .pinning import Pinning
from .views import PLAIN, Kind, Length, ListView, Members, attributes

__all__ = ["Boxes"]

_LARGE = 1000  # items of a container beyond which it is not compared at each call
_BOXES = (dict, list, tuple)


class Boxes(Pinning):
    """Relies on plain containers; on modules and their like, which tell of changes."""

    homes: set[int]

    def _watched(self, x: Watched) -> Iterator[Any]:
        self.homes.add(id(attributes(x)))
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
        # Plain containers in a module or an optimizer tell nobody when they change.
        users = owners.is_users_class(type(x))
        for name, value in (attributes(x) or {}).items():
            named = name in self.names or (users and self.dynamic and name[0] != "_")
            if named and type(value) in (list, dict, set, tuple):
                yield value

    def _dict(self, x: dict) -> Iterator[Any]:
        self.containers = True
        if len(x) > _LARGE:
            self.arrays.append(f"a dict of {len(x)} items")
            return
        self.pin_keys(x)
        # Not asked by key: a traced size among the keys is found by its number only.
        for key, value in list(x.items()):
            yield self.pin(x, key, value)

    def _list(self, x: Any) -> Iterator[Any]:
        if len(x) > _LARGE:
            self.arrays.append(f"a sequence of {len(x)} items")
            return
        if isinstance(x, tuple):  # always the same, wherever it is
            yield from x
            return
        self.containers = True
        self.pin(Length(x), None, len(x))
        for i, item in enumerate(x):
            yield self.pin(ListView(x), i, item)

    def _set(self, x: Any) -> Iterable[Any]:
        self.containers |= isinstance(x, set)
        self.pin(Members(x), None, frozenset(x))
        return ()
