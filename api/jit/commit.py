"""Committing a written tensor: the moment at which the outside changes."""

from __future__ import annotations

import signal
import sys
from typing import Any

import numpy as np

from ...kernels.numpy.fresh import owns
from ...tracer.graph import Value
from ..tensor import Tensor, fresh

__all__ = ["exchange", "hold", "release"]

_mask = getattr(signal, "pthread_sigmask", None)


def hold() -> Any:
    """Keep Ctrl-C waiting until `release`: a commit happens whole or not at all."""
    return _mask(signal.SIG_BLOCK, (signal.SIGINT,)) if _mask else ()


def release(before: Any) -> None:
    """Let Ctrl-C through again."""
    if _mask:
        _mask(signal.SIG_SETMASK, before)


def exchange(t: Tensor, new: np.ndarray, root: bool, value: Any = None) -> np.ndarray:
    """Let `t` hold the numbers of `new`; returns an array to compute into next time.

    Where nobody else holds the old array the two simply change places. Where somebody
    does (a view, `t.numpy()`, an alias), the numbers are copied, so that all see them.
    """
    old, storage = t._array, t._storage
    storage.version += 1
    if isinstance(value, Value):
        storage.value = value
    if old is storage.array and owns(old) and _holders(old) <= _ALONE:
        t._array = storage.array = new
        return old
    np.copyto(storage.array if root else old, new)
    return new


def _holders(array: np.ndarray) -> int:
    return sys.getrefcount(array)


def _count_alone() -> int:
    """What `_holders` says of an array that only a tensor and its storage hold."""
    seen = []

    def look(t: Tensor) -> None:
        old, storage = t._array, t._storage
        if old is storage.array:
            seen.append(_holders(old))

    look(fresh(np.zeros(1)))
    return seen[0]


_ALONE = _count_alone()
