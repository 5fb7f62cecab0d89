"""All reachable state of a program, remembered so that it can be put back."""

from __future__ import annotations

import collections
import random
import types
from typing import Any, Callable, Iterable

import numpy as np

from ...tracer.elsewhere import Elsewhere
from ...tracer.record import state
from ...tracer.watching import owners
from ...tracer.watching.views import attributes
from ..defaults import defaults
from ..random.generator import Generator
from ..tensor import Tensor
from .reach import reach

__all__ = ["Snapshot"]

_TENSOR = ("_storage", "_steps", "_array", "_value", "_seen", "_grad")
_STORAGE = ("array", "value", "version")


class Snapshot:
    """What everything reachable from `roots` held when this was made."""

    def __init__(self, roots: Iterable[tuple[str, Any]]):
        self.undo: list[Callable[[], None]] = []
        self.storages: dict[int, Any] = {}
        for _, x in reach(roots):
            self.keep(x)
        self.keep_process()

    def restore(self) -> None:
        """Put all of it back; what is new is no longer reachable."""
        for put_back in self.undo:
            put_back()

    def keep(self, x: Any) -> None:
        """Remember one object, not what is within it."""
        for kind, keep in _KEEPS:
            if isinstance(x, kind):
                keep(self, x)
                break
        own = attributes(x)
        if own is not None and not isinstance(x, (types.FunctionType, type)):
            self.keep_dict(own)

    def keep_tensor(self, t: Tensor) -> None:
        """Its slots, and the numbers of its storage."""
        self.keep_slots(t, _TENSOR)
        storage = t._storage
        if id(storage) not in self.storages:
            self.storages[id(storage)] = storage
            self.keep_array(storage.array)
            self.keep_slots(storage, _STORAGE)

    def keep_slots(self, x: Any, names: tuple) -> None:
        """Some attributes of an object."""
        before = [(name, getattr(x, name)) for name in names]

        def put_back() -> None:
            for name, value in before:
                setattr(x, name, value)

        self.undo.append(put_back)

    def keep_array(self, array: Any) -> None:
        """The numbers in an array: in host memory, which is never the scarcer one."""
        if array.flags.writeable:
            away = isinstance(array, Elsewhere)
            before = array.numpy() if away else array.copy()
            self.undo.append(lambda: np.copyto(array, before))

    def keep_dict(self, d: dict) -> None:
        """The items of a dict, whatever its class makes of a change."""
        before = dict(d)

        def put_back() -> None:
            dict.clear(d)
            dict.update(d, before)

        self.undo.append(put_back)

    def keep_list(self, items: list) -> None:
        """The items of a list."""
        before = list(items)
        self.undo.append(lambda: list.__setitem__(items, slice(None), before))

    def keep_deque(self, items: collections.deque) -> None:
        """The items of a queue."""
        before = list(items)

        def put_back() -> None:
            items.clear()
            items.extend(before)

        self.undo.append(put_back)

    def keep_set(self, items: set) -> None:
        """The members of a set."""
        before = set(items)

        def put_back() -> None:
            items.clear()
            items.update(before)

        self.undo.append(put_back)

    def keep_cell(self, cell: types.CellType) -> None:
        """What a closure cell holds."""
        try:
            self.keep_slots(cell, ("cell_contents",))
        except ValueError:  # empty
            return

    def keep_function(self, f: types.FunctionType) -> None:
        """The globals that the function names."""
        scope, names = f.__globals__, set(owners.names_of([f.__code__]))
        before = {name: scope[name] for name in names & scope.keys()}

        def put_back() -> None:
            for name in names & scope.keys() - before.keys():
                del scope[name]
            scope.update(before)

        self.undo.append(put_back)

    def keep_class(self, kind: type) -> None:
        """The attributes of a user's class."""
        if not owners.is_users_class(kind):
            return
        before = {k: v for k, v in vars(kind).items() if k[:2] != "__"}

        def put_back() -> None:
            for name, value in before.items():
                if vars(kind).get(name) is not value:
                    setattr(kind, name, value)

        self.undo.append(put_back)

    def keep_random(self, generator: np.random.Generator) -> None:
        """Where a NumPy generator stands."""
        bits, before = generator.bit_generator, generator.bit_generator.state
        self.undo.append(lambda: setattr(bits, "state", before))

    def keep_process(self) -> None:
        """Modes of this thread, defaults, and Python's own random numbers."""
        self.keep_slots(state, ("grad", "autocast"))
        self.keep_slots(defaults, ("dtype",))
        python, numpy = random.getstate(), np.random.get_state()
        self.undo.append(lambda: random.setstate(python))
        self.undo.append(lambda: np.random.set_state(numpy))


_KEEPS: list[tuple[Any, Any]] = [
    (Tensor, Snapshot.keep_tensor),
    (np.ndarray, Snapshot.keep_array),
    (Generator, lambda self, g: self.keep_slots(g, ("_seed", "offset"))),
    (np.random.Generator, Snapshot.keep_random),
    (dict, Snapshot.keep_dict),
    (list, Snapshot.keep_list),
    (set, Snapshot.keep_set),
    (collections.deque, Snapshot.keep_deque),
    (types.CellType, Snapshot.keep_cell),
    (types.FunctionType, Snapshot.keep_function),
    (type, Snapshot.keep_class),
]
