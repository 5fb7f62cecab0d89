"""What the parts of `Pins` (pins.py) have in common: a place is relied on."""

from __future__ import annotations

from typing import Any, Iterator, Optional

from .views import Keys, Length, mark

__all__ = ["Pinning"]


class Pinning:
    """What the parts of `Pins` have in common."""

    names: set[str]
    codes: set
    asked: set[str]
    dynamic: bool
    moving: set
    met: set[tuple]
    places: list[tuple]
    watched: list[tuple[Any, dict]]
    arrays: list[str]
    containers: bool

    def pin(self, container: Any, key: Any, value: Any) -> Any:
        """Rely on `value` being there; returns it."""
        if mark(container, key) not in self.moving:
            self.places.append((container, key, value))
        else:
            self.met.add(mark(container, key))
        return value

    def pin_keys(self, d: Any) -> None:
        """Rely on a dict having these keys, in this order."""
        tensors = any(hasattr(type(key), "_storage") for key in d)  # which == compares
        view: Any = Length(d) if tensors else Keys(d)
        self.pin(view, None, view.get(None))

    def _refuse(self, what: Optional[str]) -> bool:
        """Note that the recording can read something that nobody can watch."""
        if what:
            self.arrays.append(what)
        return bool(what)

    def _items_of(self, d: Any) -> Iterator[Any]:
        """All that is in a dict, and nothing else."""
        self.pin_keys(d)
        for key in list(d):
            yield self.pin(d, key, d[key])

    def _attributes(self, d: dict) -> Iterator[Any]:
        """Attributes that the code names; all, where it may make up the names."""
        if self.dynamic:
            self.containers = True
            yield from self._items_of(d)
        else:
            for name in self.names & d.keys():
                yield self.pin(d, name, d[name])
