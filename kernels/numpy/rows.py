"""Rows by number: gather and scatter into memory that is given."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np

__all__ = ["scatter_into", "take_into"]

Array: TypeAlias = np.ndarray
_MODES = {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}
# From here on sorting beats adding row by row.
MANY = 64


def take_into(x: Array, index: Array, batch: int, out: Array) -> None:
    """Rows of `x` by number; IndexError names a number that is out of bounds."""
    n = x.shape[batch]
    check_range(index, n)
    if not batch:
        # "wrap" takes negative numbers from the end, and fills `out` without a copy.
        np.take(x, index, 0, out, "wrap")
        return
    flat, rows = _merge_batch(x, index, batch)
    np.take(flat, rows, 0, out, "wrap")


def check_range(index: Array, n: int) -> None:
    """IndexError unless every number is in [-n, n)."""
    if index.size and (index.max() >= n or index.min() < -n):
        bad = index[(index >= n) | (index < -n)].flat[0]
        raise IndexError(f"index {bad} is out of bounds for a dimension of size {n}")


def _merge_batch(x: Array, index: Array, batch: int) -> tuple:
    """`x` with batch axes and rows merged, and the numbers of the rows then."""
    n, lead = x.shape[batch], x.shape[:batch]
    index = index.astype(np.int64, copy=False)  # small types hold no large `n`
    many = math.prod(lead)
    start = (np.arange(many) * n).reshape(lead + (1,) * (index.ndim - batch))
    rows = np.where(index < 0, index + n, index) + start
    return x.reshape((many * n,) + x.shape[batch + 1 :]), rows


def scatter_into(out: Array, index: Array, u: Array, batch: int, mode: str) -> None:
    """Set rows `index` of the contiguous `out` to `u`, or combine them with it."""
    check_range(index, out.shape[batch])
    flat, rows = _merge_batch(out, index, batch)
    if mode == "set":
        flat[rows] = u
    elif index.ndim == batch:  # one number in each batch: no two rows meet
        flat[rows] = _MODES[mode](flat[rows], u)
    elif mode == "add" and rows.size >= MANY and flat.ndim > 1:
        _add_rows(flat, rows.reshape(-1), u.reshape((-1,) + flat.shape[1:]))
    else:
        _MODES[mode].at(flat, rows, u)


def _add_rows(flat: Array, rows: Array, u: Array) -> None:
    """Add the rows of `u`: those that meet are next to each other once sorted."""
    order = np.argsort(rows, kind="stable")
    rows = rows[order]
    starts = np.flatnonzero(np.r_[True, rows[1:] != rows[:-1]])
    sums = np.add.reduceat(u[order], starts, axis=0, dtype=u.dtype)
    flat[rows[starts]] += sums
