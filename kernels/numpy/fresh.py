"""Memory for large results: taken again once nobody holds the result any more.

A fresh large array costs its page faults, a quarter of the time of a short kernel. So
the memory of a few large results is remembered, and handed out again when its
reference count says that the result, and every view of it, is gone.
"""

from __future__ import annotations

import math
import sys
import threading

import numpy as np

__all__ = ["fresh", "forget"]

# Smaller arrays are cheap to allocate; more memory than this is not held back, the
# last array aside.
LARGE, MOST = 1 << 20, 1 << 28


class Memory(np.ndarray):
    """Raw bytes, owned. A class of its own: NumPy then lets a view of an array in it
    hold that array, as if the array owned its memory."""


_kept: list[Memory] = []
_lock = threading.Lock()


def fresh(shape: tuple, dtype: np.dtype) -> np.ndarray:
    """An array that nobody else holds; its contents are garbage."""
    nbytes = math.prod(shape) * dtype.itemsize
    if nbytes < LARGE or not _SOUND:
        return np.empty(shape, dtype)
    with _lock:
        memory = _unused(nbytes)
        if memory is None:
            memory = _new(nbytes)
        return np.ndarray(shape, dtype, memory)


def forget() -> None:
    """Give the memory that is held back to the system."""
    with _lock:
        _kept.clear()


def _unused(nbytes: int) -> Memory | None:
    for memory in _kept:
        if memory.nbytes == nbytes and sys.getrefcount(memory) == _FREE:
            return memory
    return None


def _new(nbytes: int) -> Memory:
    held = nbytes + sum(memory.nbytes for memory in _kept)
    while _kept and held > MOST:
        held -= _kept.pop(0).nbytes
    memory = Memory(nbytes, np.uint8)
    _kept.append(memory)
    return memory


def _count_of_free() -> int:
    """What the count is, in the loop of `_unused`, when only `_kept` holds an entry."""
    kept = [Memory(1, np.uint8)]
    for memory in kept:
        return sys.getrefcount(memory)
    return 0


_FREE = _count_of_free()
# Counts mean what they say only where one thread runs at a time.
_SOUND = getattr(sys, "_is_gil_enabled", lambda: True)()
