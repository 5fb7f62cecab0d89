"""Movement that is more than a view: copies across layouts, padding, windows."""

from __future__ import annotations

from typing import Callable, TypeAlias

import numpy as np

from .threads import parallel

__all__ = ["copy_into", "fold_into", "pad_into", "pool_into"]

Array: TypeAlias = np.ndarray
# A transposed copy in tiles of this shape keeps both sides in the cache.
ROWS, COLUMNS = 256, 64
LARGE = 1 << 15
# What is larger is done by several threads, in this many parts.
THREADED, PARTS = 1 << 18, 8
# A last axis this short is walked by Python: NumPy's loops run along the longest other.
# But not into more than so many copies.
SHORT, PIECES = 8, 16


def by_rows(work: Callable[..., None], out: Array, *arrays: Array) -> None:
    """Call `work` on the arrays, cut along their first axis where they are large."""
    rows = out.shape[0] if out.ndim else 0
    if out.size < THREADED or rows < 2:
        work(out, *arrays)
        return
    count = min(PARTS, rows)

    def part(k: int) -> None:
        here = slice(rows * k // count, rows * (k + 1) // count)
        work(out[here], *(x[here] for x in arrays))

    parallel(part, count)


def copy_into(out: Array, x: Array) -> None:
    """Copy `x` to `out` (one shape, any layouts)."""
    if x.size < LARGE or x.flags.c_contiguous:
        np.copyto(out, x)
    else:
        by_rows(_copy, out, x)


def _copy(out: Array, x: Array, pieces: int = PIECES) -> None:
    fast = _fastest_axis(x)
    if fast not in (None, x.ndim - 1) and x.shape[-1] > SHORT:
        _copy_tiles(np.moveaxis(out, fast, -2), np.moveaxis(x, fast, -2))
    elif x.ndim > 1 and 1 < x.shape[-1] <= min(SHORT, pieces):
        for k in range(x.shape[-1]):
            _copy(out[..., k], x[..., k], pieces // x.shape[-1])
    else:
        np.copyto(out, x)


def _copy_tiles(out: Array, x: Array) -> None:
    """Where neighbours of `x` along axis -2, and of `out` along the last, are close."""
    rows, columns = x.shape[-2:]
    for i in range(0, rows, ROWS):
        for j in range(0, columns, COLUMNS):
            here = (..., slice(i, i + ROWS), slice(j, j + COLUMNS))
            np.copyto(out[here], x[here])


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


def offsets(counts: tuple, size: tuple, stride: tuple, dilation: tuple) -> list[tuple]:
    """For each offset in a window, where all windows have it: (offset, index)."""
    found = []
    for offset in np.ndindex(*size):
        place = tuple(
            slice(o * d, o * d + (n - 1) * s + 1, s)
            for o, n, s, d in zip(offset, counts, stride, dilation)
        )
        found.append(((..., *offset), (..., *place)))
    return found


def fold_into(out: Array, x: Array, stride: tuple, dilation: tuple) -> None:
    """Add every window of `x` back to where it was read from, in `out`."""
    k = len(stride)
    places = offsets(x.shape[-2 * k : -k], x.shape[-k:], stride, dilation)

    def work(out: Array, x: Array) -> None:
        out.fill(0)
        for offset, place in places:
            np.add(out[place], x[offset], out=out[place])

    by_rows(work, out, x) if out.ndim > k else work(out, x)


def pool_into(
    ufunc: np.ufunc, out: Array, x: Array, size: tuple, stride: tuple, dilation: tuple
) -> None:
    """Combine every window of `x` by `ufunc`: shifted slices, no window is made."""
    places = offsets(out.shape[out.ndim - len(size) :], size, stride, dilation)

    def work(out: Array, x: Array) -> None:
        np.copyto(out, x[places[0][1]])
        for _, place in places[1:]:
            ufunc(out, x[place], out=out)

    by_rows(work, out, x) if out.ndim > len(size) else work(out, x)
