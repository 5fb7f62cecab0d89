"""Python state seen as places: (container, key, value), to be compared later.

A container is a dict, a cell, a class's dict, or one of these views of something else.
"""

from __future__ import annotations

import abc
import types
from typing import Any, Optional

from ..elsewhere import device_of
from .scopes import Names

__all__ = ["MISSING", "PLAIN", "Attribute", "Contents", "Form", "Keys", "Kind"]
__all__ += ["Length", "ListView", "Members", "Registered"]
__all__ += ["attributes", "behind", "content", "holds", "mark", "same", "tensor_holds"]

PLAIN = (int, float, str, bytes, bool, complex, type(None))
MISSING = object()  # stands for what is not there


class Seen(tuple):
    """What a container or an array showed."""


class Attribute(str):
    """A key that is the name of an attribute, not of an item."""

    __slots__ = ()


class ListView:
    """A list seen as a dict of its positions."""

    def __init__(self, items: Any):
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def get(self, key: int, default: Any = None) -> Any:
        """The item at `key`."""
        return self.items[key] if key < len(self.items) else default


class Length:
    """A container seen as its length."""

    def __init__(self, items: Any):
        self.items = items

    def get(self, key: None, default: Any = None) -> int:
        """How many there are."""
        return len(self.items)


class Keys:
    """A dict seen as its keys, in their order."""

    def __init__(self, items: Any):
        self.items = items

    def get(self, key: None, default: Any = None) -> Seen:
        """Its keys, and what type they are of, for 1 is True."""
        kinds = tuple(map(type, self.items))
        return Seen(self.items if {*kinds} <= {str} else (*self.items, *kinds))


class Registered:
    """All abstract base classes, seen as how often a class was registered."""

    def get(self, key: None, default: Any = None) -> Any:
        """A number that is another after each `register`."""
        return abc.get_cache_token()


class Members:
    """A set seen as what is in it now."""

    def __init__(self, items: Any):
        self.items = items

    def get(self, key: None, default: Any = None) -> frozenset:
        """What is in it."""
        return frozenset(self.items)


class Kind:
    """An object seen as its class."""

    def __init__(self, items: Any):
        self.items = items

    def __len__(self) -> int:
        return 1

    def get(self, key: None, default: Any = None) -> type:
        """The class that it has now."""
        return type(self.items)


class Contents:
    """An array seen as its numbers."""

    def __init__(self, items: Any):
        self.items = items

    def get(self, key: None, default: Any = None) -> Seen:
        """Its shape, its type and its numbers."""
        a = self.items
        return Seen((a.shape, a.dtype.str, a.tobytes()))


class Form(Contents):
    """An array seen as what it is besides its numbers, which are free to change."""

    def get(self, key: None, default: Any = None) -> Seen:
        """Its shape and type."""
        return Seen((self.items.shape, self.items.dtype.str))


def mark(container: Any, key: Any) -> tuple:
    """What tells places apart; a list is the same through each view of it."""
    viewed = type(container) in _SEEN_THROUGH
    return id(container.items if viewed else container), key


_SEEN_THROUGH = (ListView, Names)


def behind(container: Any) -> Any:
    """What is looked at, without the view."""
    return container.items if type(container) in _VIEWS else container


_VIEWS = (ListView, Names, Length, Keys, Members, Kind, Contents, Form)


def content(cell: Any) -> Any:
    """What is in a cell; MISSING before it is assigned."""
    try:
        return cell.cell_contents
    except ValueError:
        return MISSING


def holds(container: Any, key: Any, then: Any) -> bool:
    """Whether the place still has what it had."""
    if type(container) is types.CellType:
        return same(content(container), then)
    if type(key) is Attribute:
        return same(getattr(container, key, MISSING), then)
    return same(container.get(key, MISSING), then)


def same(now: Any, then: Any) -> bool:
    """Whether that is the very object, or an equal plain value."""
    if now is then:
        return True
    if isinstance(then, (frozenset, Seen)):
        return now == then
    if type(now) is not type(then) or attributes(then) is not None:
        return False
    if isinstance(then, tuple):
        return len(now) == len(then) and all(map(same, now, then))
    return isinstance(then, PLAIN) and repr(now) == repr(then)


def attributes(x: Any) -> Optional[dict]:
    """The object's own `__dict__`, whatever its class makes of attribute access."""
    try:
        found = object.__getattribute__(x, "__dict__")
    except AttributeError:
        return None
    return found if isinstance(found, dict) else None


def tensor_holds(t: Any, shape: tuple, dtype: Any, steps: tuple, place: Any) -> bool:
    """Whether a captured tensor is of the shape, type and view that it was, where it
    was."""
    alike = t._array.shape == shape and t._array.dtype == dtype
    return alike and t._steps is steps and device_of(t._array) is place
