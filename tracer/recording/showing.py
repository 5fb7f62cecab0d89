"""Writes that NumPy may look at before the recording ends.

A recorded write changes nothing outside until all is committed. But where code got a
tensor on the memory of an array, it may read that array next: there each write is
computed and shown at once. The program stays what it was.
"""

from __future__ import annotations

from typing import Any, Callable

import numpy as np

from ..graph import Value
from ..storage import Storage
from .overlay import Input, Shadow, state

__all__ = ["Showing"]


class Showing:
    """The part of a recorder that writes to the memory of NumPy's arrays."""

    arrays: dict[int, Any]
    inputs: list[Input]
    demand: Callable[[Value], np.ndarray]
    shown: list[tuple]  # (array, what it held)

    def show(self, storage: Storage, shadow: Shadow) -> None:
        """Write what a storage holds now, if NumPy sees it."""
        if state.recorder is not self or not self._is_numpys(storage):
            return
        array = storage.array if shadow.root else shadow.owner._array
        if not isinstance(array, np.ndarray) or not array.flags.writeable:
            return  # the commit says what is wrong
        numbers = self.demand(shadow.value)
        for i in self.inputs:
            data = i.value.data
            if isinstance(data, np.ndarray) and np.may_share_memory(data, array):
                i.value.data = data.copy()
        self.shown.append((array, array.copy()))
        np.copyto(array, numbers)

    def hide(self) -> None:
        """Put back what was there."""
        while self.shown:
            np.copyto(*self.shown.pop())

    def _is_numpys(self, storage: Storage) -> bool:
        return any(
            t._storage is storage for met in self.arrays.values() for t in met.shared
        )
