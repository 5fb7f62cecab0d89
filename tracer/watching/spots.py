"""Places that hold Python numbers: to read them, to put a followed number there.

A place is (container, key): a dict and a key, a list (or its view) and a position, a
cell, or an object and the name of a slot. What is put there goes past `__setattr__` and
its like: it is put back before anybody hears of it.
"""

from __future__ import annotations

import dataclasses
import types
from typing import Any, Iterator, NamedTuple, Optional

from ..pytree import content
from ..recording.overlay import Slot
from .views import MISSING, Attribute, ListView, mark
from .views import content as cell_content

__all__ = ["Spot", "place", "spots"]


class Spot(NamedTuple):
    """A place that can be written to: `get()` and `put(new)`."""

    container: Any
    key: Any

    def get(self) -> Any:
        """What is there; MISSING where nothing is."""
        c, key = self.container, self.key
        if type(c) is types.CellType:
            return cell_content(c)
        if type(key) is Attribute:
            return getattr(c, key, MISSING)
        if isinstance(c, list):
            return c[key] if key < len(c) else MISSING
        return dict.get(c, key, MISSING)

    def put(self, new: Any) -> None:
        """Put `new` there; nobody is told."""
        c, key = self.container, self.key
        if type(c) is types.CellType:
            c.cell_contents = new
        elif type(key) is Attribute:
            object.__setattr__(c, key, new)
        elif isinstance(c, list):
            list.__setitem__(c, key, new)
        else:
            dict.__setitem__(c, key, new)

    @property
    def slot(self) -> Slot:
        """The same as a place that a program assigns to."""
        if type(self.container) is types.CellType:
            return Slot(self.container, "cell_contents", False)
        return Slot(self.container, self.key, type(self.key) is not Attribute)

    @property
    def mark(self) -> tuple:
        """The same for the same place."""
        return mark(self.container, self.key)


def place(container: Any, key: Any) -> Optional[Spot]:
    """The spot of a pinned place; None for one that cannot be written to so."""
    if type(container) is ListView:
        container = container.items
    plain = isinstance(container, (dict, list)) and isinstance(key, (str, int))
    slot = type(key) is Attribute and not isinstance(container, type)
    if plain or slot or type(container) is types.CellType:
        return Spot(container, key)
    return None


def spots(args: list, kwargs: dict) -> Iterator[Optional[Spot]]:
    """Where each leaf of the arguments stands; None in what cannot be changed.

    `args` and `kwargs` are containers of ours, the others are the user's.
    """
    for i, x in enumerate(args):
        yield from _below(x, Spot(args, i))
    for key, x in kwargs.items():
        yield from _below(x, Spot(kwargs, key))


def _below(x: Any, at: Optional[Spot]) -> Iterator[Optional[Spot]]:
    try:
        children, keys = content(x)
    except TypeError:  # a leaf
        yield at
        return
    for i, child in enumerate(children):
        if isinstance(x, tuple):
            spot = None
        elif isinstance(x, (list, dict)):
            spot = Spot(x, keys[i] if isinstance(x, dict) else i)
        else:
            data = dataclasses.is_dataclass(x)
            spot = Spot(x, Attribute(keys[i])) if data else None
        yield from _below(child, spot)
