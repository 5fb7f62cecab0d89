"""Reductions and scans of interpreted kernels, with any combine function.

A combine function works elementwise: it joins halves of an array as well as numbers, so
n elements (a power of two, as in Triton) take log2(n) calls. Neighbours are joined
first, in their order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import triton.language as tl
from triton.runtime import interpreter as stock

__all__ = ["reduce", "scan"]

Arrays = list[np.ndarray]


def reduce(
    given: Any, axis: Any, combine_fn: Any, keep_dims: Any = False, **_: Any
) -> Any:
    """`tl.reduce`: one result for a tensor, a tuple for a tuple of them."""
    many = isinstance(given, (tuple, list, tl.core.tuple))
    tensors = list(given) if many else [given]
    axis, rank = _plain(axis), len(tensors[0].shape)
    places = tuple(range(rank)) if axis is None else (axis % rank,)
    arrays = [_line(t, axis) for t in tensors]
    while arrays[0].shape[-1] > 1:
        arrays = _halved(arrays, tensors, combine_fn)
    shape = [a.shape[:-1] for a in arrays]
    if _plain(keep_dims):
        shape = [tuple(1 if i in places else n for i, n in enumerate(tensors[0].shape))]
    made = [_tensor(a.reshape(shape[0]), t) for a, t in zip(arrays, tensors)]
    return tuple(made) if many else made[0]


def scan(given: Any, axis: Any, combine_fn: Any, reverse: Any = False, **_: Any) -> Any:
    """`tl.associative_scan`: element i is what elements 0 to i combine to."""
    many = isinstance(given, (tuple, list, tl.core.tuple))
    tensors = list(given) if many else [given]
    axis, turn = _plain(axis), -1 if _plain(reverse) else 1
    arrays = [_line(t, axis)[..., ::turn].copy() for t in tensors]
    size = arrays[0].shape[-1]
    for step in (1 << k for k in range(size.bit_length() - 1)):
        pairs = [a.reshape(*a.shape[:-1], -1, 2, step) for a in arrays]
        late = [p[..., 1, :] for p in pairs]
        early = [np.broadcast_to(p[..., 0, -1:], q.shape) for p, q in zip(pairs, late)]
        for old, new in zip(late, _joined(early, late, tensors, combine_fn)):
            old[...] = new
    back = [np.moveaxis(a[..., ::turn], -1, axis) for a in arrays]
    made = [_tensor(a, t) for a, t in zip(back, tensors)]
    return tuple(made) if many else made[0]


def _plain(x: Any) -> Any:
    return x.value if isinstance(x, tl.constexpr) else x


def _line(t: Any, axis: Any) -> np.ndarray:
    """The array with the axis last; None: all of it as one line."""
    data = t.handle.data.reshape(tuple(map(int, t.shape)))
    return data.reshape(-1) if axis is None else np.moveaxis(data, axis, -1)


def _halved(arrays: Arrays, like: list, combine: Any) -> Arrays:
    early, late = ([a[..., i::2] for a in arrays] for i in (0, 1))
    return _joined(early, late, like, combine)


def _joined(early: Arrays, late: Arrays, like: list, combine: Any) -> Arrays:
    parts = [_tensor(a, t) for side in (early, late) for a, t in zip(side, like)]
    found = combine(*parts)
    found = [found] if len(like) == 1 else list(found)
    return [f.handle.data.astype(a.dtype, copy=False) for f, a in zip(found, early)]


def _tensor(data: np.ndarray, like: Any) -> Any:
    """An array as a tensor with the element type of another."""
    kind = like.dtype.scalar
    if not data.shape:
        return tl.tensor(stock.TensorHandle(data.reshape(1), kind), kind)
    shaped = tl.block_type(kind, list(data.shape))
    return tl.tensor(stock.TensorHandle(np.ascontiguousarray(data), kind), shaped)
