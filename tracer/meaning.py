"""What the primitives mean, where NumPy has no one word for it.

Every function takes arrays first and attributes by keyword, and never writes to an
argument. `slice_axis`, `permute`, `expand`, `windows` (and `reshape` where memory
allows) return views: eager tensors rely on it.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np

from . import philox
from .types import BY_NUMPY, HALVES, DType, float32

Array: TypeAlias = np.ndarray


def identity(x: Array) -> Array:
    """`x` itself: the marks of differentiation mean nothing to numbers."""
    return x


def cast(x: Array, dtype: DType) -> Array:
    """`x` in another element type; half types round to nearest even."""
    return x.astype(dtype.np, order="C")


# -- reduce: axes are dropped; half types accumulate in float32


def _reducer(ufunc: Any) -> Any:
    def reduce(x: Array, axes: tuple) -> Array:
        if BY_NUMPY[x.dtype] in HALVES:
            return ufunc.reduce(x.astype(np.float32), axis=axes).astype(x.dtype)
        return ufunc.reduce(x, axis=axes, dtype=x.dtype)

    return reduce


reduce_sum, reduce_prod = _reducer(np.add), _reducer(np.multiply)
reduce_max, reduce_min = _reducer(np.maximum), _reducer(np.minimum)


def argmax(x: Array, axis: int) -> Array:
    """Index of the first largest element (of the first NaN, if there is one)."""
    return np.argmax(x, axis=axis)


def argmin(x: Array, axis: int) -> Array:
    """Index of the first smallest element (of the first NaN, if there is one)."""
    return np.argmin(x, axis=axis)


# -- movement


def expand(x: Array, shape: tuple) -> Array:
    """`np.broadcast_to`."""
    return np.broadcast_to(x, shape)


def reshape(x: Array, shape: tuple) -> Array:
    """The same elements in row-major order under another shape."""
    return x.reshape(shape)


def permute(x: Array, axes: tuple) -> Array:
    """Axis i of the result is axis `axes[i]` of `x`."""
    return x.transpose(axes)


def slice_axis(x: Array, axis: int, start: int, length: int, step: int) -> Array:
    """Elements start, start+step, ... (`length` of them) along `axis`."""
    return x[_along(axis, start, length, step)]


def _along(axis: int, start: int, length: int, step: int) -> tuple:
    stop: int | None = start + length * step
    if stop < 0 or not length:  # type: ignore[operator]
        stop = None if length else start
    return (..., slice(start, stop, step)) + (slice(None),) * (-axis - 1)


def update_slice(x: Array, u: Array, axis: int, start: int, step: int) -> Array:
    """A copy of `x` in which the slice that starts there is `u`."""
    out = x.copy()
    out[_along(axis, start, u.shape[axis], step)] = u
    return out


def pad(x: Array, pads: tuple, value: float) -> Array:
    """`value` around `x`, and between its elements: (low, high, interior) per axis."""
    shape, index = [], []
    for size, (low, high, interior) in zip(x.shape, pads):
        inner = size + max(size - 1, 0) * interior
        shape.append(low + inner + high)
        index.append(slice(low, low + inner, interior + 1))
    out = np.full(shape, value, x.dtype)
    out[tuple(index)] = x
    return out


def concat(*arrays: Array, axis: int) -> Array:
    """The arrays one after the other along `axis`."""
    return np.ascontiguousarray(np.concatenate(arrays, axis))


# -- window: trailing axes become (positions..., offsets...)


def windows(x: Array, size: tuple, stride: tuple, dilation: tuple) -> Array:
    """All windows over the last axes: [..., H, W] -> [..., oh, ow, kh, kw], a view."""
    lead = x.ndim - len(size)
    counts = window_counts(x.shape[lead:], size, stride, dilation)
    steps = x.strides[lead:]
    strides = [s * t for s, t in zip(steps, stride)]
    strides += [s * d for s, d in zip(steps, dilation)]
    shape = x.shape[:lead] + tuple(counts) + tuple(size)
    return np.lib.stride_tricks.as_strided(
        x, shape, x.strides[:lead] + tuple(strides), writeable=False
    )


def window_counts(shape: tuple, size: tuple, stride: tuple, dilation: tuple) -> tuple:
    """How many windows fit along each axis."""
    return tuple(
        (n - d * (k - 1) - 1) // s + 1
        for n, k, s, d in zip(shape, size, stride, dilation)
    )


def fold(x: Array, shape: tuple, stride: tuple, dilation: tuple) -> Array:
    """The adjoint of `windows`: every window added back to where it was read."""
    k = len(shape)
    out = np.zeros(x.shape[: x.ndim - 2 * k] + tuple(shape), x.dtype)
    counts, size = x.shape[-2 * k : -k], x.shape[-k:]
    for offset in np.ndindex(*size):
        place = tuple(
            slice(o * d, o * d + (n - 1) * s + 1, s)
            for o, n, s, d in zip(offset, counts, stride, dilation)
        )
        out[(..., *place)] += x[(..., *offset)]
    return out


# -- contract


def dot(a: Array, b: Array) -> Array:
    """Batched matrix product [..., m, k] @ [..., k, n]; half types sum in float32."""
    if BY_NUMPY[a.dtype] in HALVES:
        return np.matmul(a.astype(np.float32), b.astype(np.float32)).astype(a.dtype)
    return np.matmul(a, b)


# -- index: [*batch, n, *rest] and [*batch, *index] -> [*batch, *index, *rest]


def gather(x: Array, index: Array, batch: int) -> Array:
    """Rows of `x` by number. IndexError when a number is outside; -1 is the last."""
    if not batch:
        return np.take(x, index, axis=0)
    flat, rows = _flatten_batch(x, index, batch)
    return flat[rows]


def _flatten_batch(x: Array, index: Array, batch: int) -> tuple:
    """Merge the batch axes and the rows of `x`; number the rows accordingly."""
    n, lead = x.shape[batch], x.shape[:batch]
    index = index.astype(np.int64, copy=False)  # small types hold no large `n`
    _check_range(index, n)
    start = np.arange(math.prod(lead)) * n
    rows = np.where(index < 0, index + n, index)
    rows = rows + start.reshape(lead + (1,) * (index.ndim - batch))
    return x.reshape((math.prod(lead) * n,) + x.shape[batch + 1 :]), rows


def _check_range(index: Array, n: int) -> None:
    if index.size and (index.max() >= n or index.min() < -n):
        bad = index[(index >= n) | (index < -n)].flat[0]
        raise IndexError(f"index {bad} is out of bounds for a dimension of size {n}")


_SCATTER = {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}


def scatter(x: Array, index: Array, u: Array, batch: int, mode: str) -> Array:
    """A copy of `x` in which rows `index` are set to `u`, or combined with it.

    `mode` is set, add, mul, max or min. Repeats: the last one wins in `set`, all
    count otherwise.
    """
    out = np.array(x, order="C")
    flat, rows = _flatten_batch(out, index, batch)
    if mode == "set":
        flat[rows] = u
    else:
        _SCATTER[mode].at(flat, rows, u)
    return out


# -- scan


_SCANS = {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}


def cumulative(x: Array, axis: int, mode: str) -> Array:
    """Running add, mul, max or min along `axis`; half types run in float32."""
    if BY_NUMPY[x.dtype] in HALVES:
        wide = _SCANS[mode].accumulate(x.astype(float32.np), axis)
        return wide.astype(x.dtype)
    return _SCANS[mode].accumulate(x, axis, dtype=x.dtype)


def argsort(x: Array, axis: int, descending: bool) -> Array:
    """The stable permutation that sorts along `axis`; NaN counts as largest."""
    if BY_NUMPY[x.dtype] in HALVES:
        x = x.astype(float32.np)  # bfloat16 has no order for NaN of its own
    if not descending:
        return np.argsort(x, axis, kind="stable")
    # Sorting the reversed array and reversing back keeps equal elements in order.
    back = np.argsort(np.flip(x, axis), axis, kind="stable")
    return x.shape[axis] - 1 - np.flip(back, axis)


# -- sources


def constant(value: Any, shape: tuple, dtype: DType) -> Array:
    """One value everywhere."""
    return np.full(shape, value, dtype.np)


def iota(shape: tuple, axis: int, dtype: DType) -> Array:
    """0, 1, 2, ... along `axis`."""
    line = np.arange(shape[axis], dtype=dtype.np)
    return np.broadcast_to(line.reshape((-1,) + (1,) * (-axis - 1)), shape)


def random_bits(state: Array, shape: tuple, skip: int) -> Array:
    """Philox 4x32-10 words; `state` is int64 [seed, offset], `skip` counts blocks."""
    seed, offset = (int(word) for word in state)
    return philox.random_bits(seed, offset + skip, math.prod(shape)).reshape(shape)
