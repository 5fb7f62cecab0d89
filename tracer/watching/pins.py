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
import operator
import types
import weakref
from itertools import chain
from typing import Any, Callable, Iterable, Iterator, Optional

import numpy as np

from ..elsewhere import device_of
from ..watch import Watched, epoch
from . import owners
from .arrays import Arrays
from .boxes import Boxes
from .bundles import bundled, inside
from .functions import Functions
from .objects import Objects
from .scopes import Names
from .unwatched import hidden
from .views import MISSING, PLAIN, Attribute, behind, holds, mark, same, tensor_holds

__all__ = ["Pins", "watched_tensors"]

BOXES = (dict, list, tuple, set, frozenset)
DICT_VIEWS: tuple[type, ...] = (type({}.keys()), type({}.values()), type({}.items()))
# The captured tensors of all recordings, by id.
watched_tensors: weakref.WeakValueDictionary = weakref.WeakValueDictionary()


class Pins(Functions, Boxes, Objects, Arrays):
    """What a recording relied on: `places` and watched dictionaries.

    A place is (container, key, value): a dict and its key, a cell, or a view.
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
        self.scopes: dict[int, Names] = {}  # globals of the code that ran
        self.homes: set[int] = set()  # ids of the dicts in which attributes are
        self.cell_names: dict[int, set[str]] = {}  # by the id of a cell
        self.found: list[np.ndarray] = []
        self._seen: dict[int, Any] = {}

    @classmethod
    def of(cls, roots: Iterable[Any], codes: set, moving: set) -> "Pins":
        """Everything reachable from the roots that the code that ran can name."""
        pins = cls(set(owners.names_of(codes)), codes, moving)
        stack = list(roots)
        while stack:
            x = stack.pop()
            if id(x) not in pins._seen and type(x) not in PLAIN:
                pins._seen[id(x)] = x
                stack.extend(pins._visit(x))
        return pins

    def _visit(self, x: Any) -> Iterable[Any]:
        for kind, visit in _VISITS:
            if isinstance(x, kind):
                found = visit(self, x)
                users = isinstance(x, BOXES) and owners.is_users_class(type(x))
                return chain(found, self._object(x)) if users else found
        return () if self._refuse(hidden(x)) else self._object(x)

    def pin_tensors(self, captives: Iterable[Any]) -> None:
        """Rely on the shape, type and view of captured tensors.

        So of all that were found: code may ask for the shape of one and no more.
        """
        met = {id(t): t for t in captives}
        met.update(self.tensors_met())
        for t in met.values():
            if t._array is not None:
                watched_tensors[id(t)] = t
                place = device_of(t._array)
                form = (t._array.shape, t._array.dtype, t._steps, place)
                self.tensors.append((t, *form))

    def rely_on(self, kind: type) -> None:
        """Rely on what the code that ran may ask of a class of the library."""
        for name in self.names & vars(kind).keys():
            value = getattr(kind, name)
            if getattr(kind, name) is value:  # a class method is always another
                self.pin(kind, Attribute(name), value)
        for name in self.asked:
            if not hasattr(kind, name):
                self.pin(kind, Attribute(name), MISSING)

    def tensors_met(self) -> dict[int, Any]:
        """The tensors among what was found, keys of dicts included, by id."""
        keys = (key for _, key, _ in self.places)
        found = (*self._seen.values(), *keys)
        return {id(x): x for x in found if hasattr(type(x), "_storage")}

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

    def forget(self, held: Any) -> None:
        """Do not rely on what is in a place: a tensor, or a bundle of them."""
        boxes = {id(box) for box in inside(held)}
        for x in (held, *inside(held), *(leaf for _, leaf in bundled(held))):
            self._seen.pop(id(x), None)
        if boxes:
            self.places = [p for p in self.places if id(behind(p[0])) not in boxes]
            self.watched = [w for w in self.watched if id(behind(w[0])) not in boxes]

    def hold(self) -> bool:
        """Whether all of it is still as it was."""
        return self._told_holds() and all(holds(*place) for place in self.places)

    def changed(self) -> Optional[list[tuple]]:
        """The places that hold something else now; None if that is not all."""
        if not self._told_holds():
            return None
        return [place for place in self.places if not holds(*place)]

    def _told_holds(self) -> bool:
        if self.epoch != epoch.value:
            if not all(self._dict_holds(d, then) for d, then in self.watched):
                return False
            if not all(tensor_holds(*entry) for entry in self.tensors):
                return False
            self.epoch = epoch.value
        return True

    def _dict_holds(self, d: Any, then: dict) -> bool:
        if len(d) != len(then):
            return False
        if isinstance(d, dict) and not all(map(operator.is_, d, then)):
            return False  # in another order
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
    (np.ndarray, Pins._array),
    (types.BuiltinFunctionType, Pins._builtin),
    (DICT_VIEWS, lambda pins, x: (x.mapping,)),
]
