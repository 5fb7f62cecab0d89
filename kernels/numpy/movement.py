"""Movement that is more than a view: copies across layouts, padding, folding."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

__all__ = ["copy_into", "fold_into", "pad_into", "pool_into"]

Array: TypeAlias = np.ndarray
# A transposed copy in tiles of this shape keeps both sides in the cache.
ROWS, COLUMNS = 64, 256
LARGE = 1 << 15


def copy_into(out: Array, x: Array) -> None:
    """Copy `x` to `out` (one shape, any layouts), in tiles where axes are swapped."""
    fast = _fastest_axis(x)
    if x.size < LARGE or fast in (None, x.ndim - 1):
        np.copyto(out, x)
        return
    swapped, target = np.moveaxis(x, fast, -2), np.moveaxis(out, fast, -2)
    rows, columns = swapped.shape[-2:]
    for i in range(0, rows, ROWS * 4):
        for j in range(0, columns, COLUMNS // 4):
            here = (..., slice(i, i + ROWS * 4), slice(j, j + COLUMNS // 4))
            np.copyto(target[here], swapped[here])


def _fastest_axis(x: Array) -> int | None:
    steps = [(abs(s), -i) for i, (s, n) in enumerate(zip(x.strides, x.shape)) if n > 1]
    return -min(steps)[1] if steps else None


def pad_into(out: Array, x: Array, pads: tuple, value: object) -> None:
    """Write `x` with `value` around and between its elements to `out`."""
    out.fill(value)
    index = []
    for size, (low, _, interior) in zip(x.shape, pads):
        inner = size + max(size - 1, 0) * interior
        index.append(slice(low, low + inner, interior + 1))
    out[tuple(index)] = x


def fold_into(out: Array, x: Array, stride: tuple, dilation: tuple) -> None:
    """Add every window of `x` back to where it was read from, in `out`."""
    k = len(stride)
    out.fill(0)
    counts, size = x.shape[-2 * k : -k], x.shape[-k:]
    for offset in np.ndindex(*size):
        place = tuple(
            slice(o * d, o * d + (n - 1) * s + 1, s)
            for o, n, s, d in zip(offset, counts, stride, dilation)
        )
        target = out[(..., *place)]
        np.add(target, x[(..., *offset)], out=target)


def pool_into(
    ufunc: np.ufunc, out: Array, x: Array, size: tuple, stride: tuple, dilation: tuple
) -> None:
    """Combine every window of `x` by `ufunc`: shifted slices, no window is made."""
    counts = out.shape[out.ndim - len(size) :]
    first = True
    for offset in np.ndindex(*size):
        place = tuple(
            slice(o * d, o * d + (n - 1) * s + 1, s)
            for o, n, s, d in zip(offset, counts, stride, dilation)
        )
        part = x[(..., *place)]
        np.copyto(out, part) if first else ufunc(out, part, out=out)
        first = False
