"""Shapes and strides of views, without touching an element."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Callable, Optional, Sequence

import numpy as np

__all__ = ["contiguous_strides", "joined_axes", "reshaped", "viewed"]


def contiguous_strides(shape: Sequence[int], itemsize: int) -> tuple[int, ...]:
    """Bytes between neighbours along each axis, rows last.

    >>> contiguous_strides((2, 3), 4)
    (12, 4)
    """
    return _dense(tuple(shape), itemsize)


@lru_cache(maxsize=4096)
def _dense(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    strides, step = [], itemsize
    for n in reversed(shape):
        strides.append(step)
        step *= max(n, 1)
    return tuple(reversed(strides))


class _Ghost:
    """Elements that NumPy believes in: it may look at it from all sides, not read."""

    def __init__(self, array: Any):
        self.__array_interface__ = {
            "shape": array.shape,
            "strides": array.strides,
            "typestr": f"|V{array.dtype.itemsize}",
            "data": (array.ptr, False),
            "version": 3,
        }


def viewed(array: Any, how: Callable[[np.ndarray], np.ndarray]) -> tuple:
    """Address, shape and strides of what NumPy makes of it: slices, transposes, ..."""
    seen = how(np.asarray(_Ghost(array)))
    return seen.__array_interface__["data"][0], seen.shape, seen.strides


def reshaped(
    shape: Sequence[int], strides: Sequence[int], new: Sequence[int], itemsize: int
) -> Optional[tuple[int, ...]]:
    """The strides of a view in the shape `new`; None where only a copy would do.

    Runs of axes that lie without gaps are cut anew.

    >>> reshaped((4, 6), (24, 4), (2, 2, 6), 4), reshaped((4, 6), (4, 16), (24,), 4)
    ((48, 24, 4), None)
    """
    if 0 in shape:
        return contiguous_strides(new, itemsize)
    axes = [(n, s) for n, s in zip(shape, strides) if n != 1]
    found: list[int] = []
    for n in reversed(new):
        while n != 1 and axes and axes[-1][0] % n and _joined(axes):
            pass
        if n == 1:
            found.append(itemsize)
        elif not axes or axes[-1][0] % n:
            return None
        else:
            left, step = axes.pop()
            found.append(step)
            if left != n:
                axes.append((left // n, step * n))
    return None if axes else tuple(reversed(found))


def joined_axes(
    shape: Sequence[int], strides: Sequence[int]
) -> tuple[tuple[int, int], ...]:
    """Size and stride of the fewest axes that say the same, outermost first.

    >>> joined_axes((2, 3, 4), (96, 16, 4)), joined_axes((1, 4), (0, 8))
    (((2, 96), (12, 4)), ((4, 8),))
    """
    axes: list[tuple[int, int]] = []
    for n, s in zip(shape, strides):
        if n != 1:
            axes.append((n, s))
            _joined(axes)
    return tuple(axes)


def _joined(axes: list[tuple[int, int]]) -> bool:
    """Put the last two axes together, if they lie without a gap."""
    if len(axes) < 2 or axes[-2][1] != axes[-1][0] * axes[-1][1]:
        return False
    n, s = axes.pop()
    axes[-1] = (axes[-1][0] * n, s)
    return True
