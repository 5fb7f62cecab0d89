"""Pinned host memory: what a device copies from and to while Python goes on.

It comes from a pool like the device's own, so that what a stream still copies is not
given again.
"""

from __future__ import annotations

from typing import Any, Optional, Protocol

import numpy as np

from .memory import Memory

__all__ = ["PinnedSource", "Slab", "slab_of"]


class _Host(Protocol):
    def host_allocate(self, size: int) -> Optional[int]: ...
    def host_free(self, ptr: int) -> None: ...


class PinnedSource:
    """Where a pool of pinned memory gets its segments."""

    def __init__(self, device: _Host):
        self.device = device

    def raw_allocate(self, size: int) -> Optional[int]:
        """The address of new memory; None when there is not enough."""
        return self.device.host_allocate(size)

    def raw_free(self, ptr: int) -> None:
        """Give it back."""
        self.device.host_free(ptr)

    def free_memory(self) -> tuple[int, int]:
        """Nobody knows: zeros."""
        return 0, 0


class Slab:
    """Pinned bytes, as the base of the NumPy arrays in it: they keep it alive."""

    def __init__(self, memory: Memory, size: int):
        self.memory = memory
        self.__array_interface__ = {
            "shape": (size,),
            "typestr": "|u1",
            "data": (memory.ptr, False),
            "version": 3,
        }


def slab_of(array: Any) -> Optional[Slab]:
    """The pinned memory that an array lies in; None when it is ordinary."""
    while isinstance(array, np.ndarray):
        array = array.base
    return array if isinstance(array, Slab) else None
