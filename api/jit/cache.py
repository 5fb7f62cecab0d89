"""The signatures that a jitted function keeps, and in which order they are tried."""

from __future__ import annotations

from typing import Any, Optional

import numpy as np

from ..tensor import Tensor
from .paths.entry import FORK, MISS, Entry

__all__ = ["Cache"]

_RECENT = 4  # signatures tried before the table is asked
_KEPT = 1024  # shapes kept; the oldest is forgotten, and recorded again if it returns
_ALIKE = 32  # signatures kept that differ in other things than shapes


class Cache:
    """Entries by the shapes of their arguments; those of any size beside them.

    What was made for the very sizes is tried before what serves all.
    """

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        """Drop all of them."""
        self._recent: tuple[Entry, ...] = ()
        self._entries: dict[Any, list[Entry]] = {}
        self._general: list[Entry] = []

    def _known(self, args: tuple, kwargs: dict) -> tuple[Any, Optional[Entry]]:
        """What a call gives (or MISS), and the entry that answered."""
        for entry in (*self._entries.get(shapes_of(args), ()), *self._general):
            result = entry.call(args, kwargs)
            if result is not MISS:
                if result is not FORK:
                    self._put_first(entry)
                return result, entry
        return MISS, None

    def _put_first(self, entry: Entry) -> None:
        others = [e for e in self._recent if e is not entry]
        self._recent = tuple(sorted([entry, *others], key=_is_general))[:_RECENT]

    def _alike(self, args: tuple) -> list[Entry]:
        """Entries for these shapes, and those for any."""
        return [*self._entries.get(shapes_of(args), ()), *self._general]

    def _insert(self, entry: Entry, args: tuple) -> None:
        """Keep an entry."""
        shapes = shapes_of(args)
        same = self._general if entry.sizes else self._entries.setdefault(shapes, [])
        if entry not in same:
            same.insert(0, entry)
            del same[_ALIKE:]
            self._put_first(entry)
        while len(self._entries) > _KEPT:
            oldest = next(iter(self._entries))
            self._leave(self._entries.pop(oldest))

    def _remove(self, entry: Entry) -> None:
        """Forget an entry."""
        for some in (*self._entries.values(), self._general):
            if entry in some:
                some.remove(entry)
        self._leave([entry])

    def _leave(self, gone: list[Entry]) -> None:
        self._recent = tuple(e for e in self._recent if e not in gone)

    def _all(self) -> list[Entry]:
        """Every entry."""
        return [e for some in (*self._entries.values(), self._general) for e in some]


def _is_general(entry: Entry) -> bool:
    return entry.sizes


def shapes_of(args: tuple) -> tuple:
    """What the table is asked by."""
    return tuple(map(_shape, args))


def _shape(x: Any) -> Any:
    if isinstance(x, Tensor):
        return x._array.shape
    return x.shape if type(x) is np.ndarray else None
