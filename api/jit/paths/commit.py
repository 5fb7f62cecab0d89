"""Committing a written tensor: the moment at which the outside changes."""

from __future__ import annotations

import signal
import sys
from typing import Any, Optional

import numpy as np

from ....kernels.numpy.fresh import owns
from ....tracer.elsewhere import Elsewhere
from ....tracer.graph import Value
from ...tensor import Tensor, fresh

__all__ = ["exchange", "exchange_away", "hold", "release", "written"]

try:  # without the detour by enums: half a microsecond instead of twelve
    from _signal import getsignal as handler
    from _signal import signal as handle
except ImportError:
    from signal import getsignal as handler
    from signal import signal as handle

_SIGINT = int(signal.SIGINT)


class _Waiting:
    """Stands in for what Ctrl-C does, `before`; notes that it `came`.

    A mask of signals would not do: with other threads about (BLAS has some) one of
    them takes the signal, and Python interrupts the main thread all the same.
    """

    __slots__ = ("before", "came")

    def __init__(self, before: Any):
        self.before, self.came = before, False

    def __call__(self, number: int, frame: Any) -> None:
        self.came = True


def hold() -> Optional[_Waiting]:
    """Keep Ctrl-C waiting until `release`: a commit happens whole or not at all."""
    waiting = _Waiting(handler(_SIGINT))
    if waiting.before is None:  # not Python's: it interrupts nothing here
        return None
    try:
        handle(_SIGINT, waiting)
    except ValueError:  # not the main thread, which alone is interrupted
        return None
    return waiting


def release(waiting: Optional[_Waiting]) -> None:
    """Let Ctrl-C through again, also one that came meanwhile."""
    if waiting is None:
        return
    handle(_SIGINT, waiting.before)
    if waiting.came:
        signal.raise_signal(signal.SIGINT)


def exchange(t: Tensor, new: np.ndarray, root: bool, value: Any = None) -> np.ndarray:
    """Let `t` hold the numbers of `new`; returns an array to compute into next time.

    Where nobody else holds the old array the two simply change places. Where somebody
    does (a view, `t.numpy()`, an alias), the numbers are copied, so that all see them.
    """
    written(t, value)
    old, storage = t._array, t._storage
    if old is storage.array and owns(old) and _holders(old) <= _ALONE:
        t._array = storage.array = new
        return old
    np.copyto(storage.array if root else old, new)
    return new


def exchange_away(t: Tensor, new: Any, root: bool, value: Any = None) -> Any:
    """`exchange` for what was computed on a GPU."""
    written(t, value)
    old, storage = t._array, t._storage
    if old is storage.array and alone(old) and _holders(old) <= _ALONE:
        t._array = storage.array = new
        return old
    np.copyto(storage.array if root else old, new)
    return new


def alone(array: Any) -> bool:
    """Whether nothing else looks at its memory, and kernels can write there."""
    return isinstance(array, Elsewhere) and array.exchangeable  # type: ignore


def written(t: Tensor, value: Any = None) -> None:
    """`t` holds other numbers now, whose history is `value`."""
    storage = t._storage
    storage.version += 1
    if isinstance(value, Value):
        storage.value = value


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
