"""Memory for large results: taken again once nobody holds the result any more.

A fresh large array costs its page faults, a quarter of the time of a short kernel. So
the memory of a few large results is remembered, and handed out again when its
reference count says that the result, and every view of it, is gone.
"""

from __future__ import annotations

import math
import mmap
import sys
import threading

import numpy as np

__all__ = ["LARGE", "forget", "fresh", "owns"]

# Smaller arrays are cheap to allocate; more memory than this is not held back, the
# last array aside.
LARGE, MOST = 1 << 20, 1 << 28


_PRIVATE: dict = {}
if hasattr(mmap, "MAP_PRIVATE"):
    _PRIVATE["flags"] = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS


class Memory(mmap.mmap):
    """A stretch of memory of ours. No array: a view then holds the array it views."""


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


def owns(array: np.ndarray) -> bool:
    """Whether all who look at the memory of `array` hold `array` itself.

    NumPy lets a view hold the array that owns the memory, or the last one before
    memory that is no array's, as ours is.
    """
    return array.base is None or type(array.base) is Memory


def _unused(nbytes: int) -> Memory | None:
    for memory in _kept:
        if len(memory) == nbytes and sys.getrefcount(memory) == _FREE:
            return memory
    return None


def _new(nbytes: int) -> Memory:
    held = nbytes + sum(map(len, _kept))
    while _kept and held > MOST:
        held -= len(_kept.pop(0))
    # Private: a forked child must not write into its parent.
    memory = Memory(-1, nbytes, **_PRIVATE)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        memory.madvise(mmap.MADV_HUGEPAGE)
    _kept.append(memory)
    return memory


def _count_of_free() -> int:
    """What the count is, in the loop of `_unused`, when only `_kept` holds an entry."""
    kept = [Memory(-1, 1)]
    for memory in kept:
        return sys.getrefcount(memory)
    return 0


_FREE = _count_of_free()
# Counts mean what they say only where one thread runs at a time.
_SOUND = getattr(sys, "_is_gil_enabled", lambda: True)()
