"""Reductions along a last axis of a few elements.

NumPy reduces row after row; for rows this short, what it costs to begin one is more
than the row. Column by column all loops are long.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from ..axes import elements

__all__ = ["is_narrow", "reduce_narrow"]

Array: TypeAlias = np.ndarray
NARROW = 16
# Fewer elements than this in all are not worth the calls.
WORTH = 4096


def is_narrow(shape: tuple, axis: int) -> bool:
    """Whether a reduction of such an array along one axis is better done that way."""
    n = shape[axis]
    last = axis in (-1, len(shape) - 1)
    return last and type(n) is int and 2 <= n <= NARROW and elements(shape) >= WORTH


def reduce_narrow(ufunc: np.ufunc, x: Array, out: Array) -> None:
    """`ufunc.reduce` along the last axis (2 to NARROW elements), which `out` keeps."""
    if x.size < WORTH:  # a symbolic size turned out small
        ufunc.reduce(x, -1, out.dtype, out, True)
        return
    total = out[..., 0]
    ufunc(x[..., 0], x[..., 1], out=total)
    for k in range(2, x.shape[-1]):
        ufunc(total, x[..., k], out=total)
