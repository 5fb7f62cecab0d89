"""The few functions that generated code calls besides NumPy's own."""

from __future__ import annotations

from typing import Callable, TypeAlias

import numpy as np

from ...tracer import philox
from ...tracer.meaning import argsort as argsort_into_new
from ...tracer.meaning import windows
from ...tracer.special import erf, erf_into, erfinv
from ...tracer.types import DTYPES
from .floats import floats, quiet
from .fresh import fresh
from .movement import copy_into, fold_into, pad_into, pool_into
from .narrow import reduce_narrow
from .rows import scatter_into, take_into
from .select import drop_where, keep_where, select
from .threads import parallel, threads

# fmt: off
__all__ = [
    "after", "arena", "argsort_into_new", "copy_into", "drop_where", "erf_half",
    "erf_tile", "erfinv_half", "erfinv_tile", "floats", "fold_into", "fresh",
    "highest", "keep_where", "lowest", "pad_into", "parallel", "pool_into", "quiet",
    "random_words", "reduce_narrow", "reserve", "scatter_into", "select",
    "stretched", "take_into", "view", "windows",
]
# fmt: on

globals().update(
    {"bool_" if n == "bool" else n: t.np for n, t in DTYPES.items()},
)

Array: TypeAlias = np.ndarray
BYTE = np.dtype(np.uint8)
# Scratch up to this size stays with its kernel from call to call.
KEPT = 1 << 24


def arena(nbytes: int) -> Array:
    """Raw memory that starts at a cache line. What is KEPT by its kernel is its own;
    larger ones, made for each call, are taken from what others gave back."""
    size = (nbytes + 64,)
    raw = np.empty(size, np.uint8) if nbytes <= KEPT else fresh(size, BYTE)
    skip = -raw.ctypes.data % 64
    return raw[skip : skip + nbytes]


def reserve(pool: list, new: Callable[[], tuple]) -> None:
    """Have scratch at hand for every thread that may ask for some."""
    while len(pool) < threads():
        pool.append(new())


def view(a: Array, at: int, shape: tuple, dtype: np.dtype) -> Array:
    """The array of this shape and type that starts at byte `at` of an arena."""
    return np.ndarray(shape, dtype, a, at)


def after(stop: int) -> int | None:
    """The end of a slice that runs down to the first element, too."""
    return stop if stop >= 0 else None


def lowest(dtype: np.dtype) -> object:
    """What every number of a type is at least: where a maximum starts."""
    if dtype.kind in "iu":
        return np.iinfo(dtype).min
    return False if dtype.kind == "b" else -np.inf


def highest(dtype: np.dtype) -> object:
    """What every number of a type is at most: where a minimum starts."""
    if dtype.kind in "iu":
        return np.iinfo(dtype).max
    return True if dtype.kind == "b" else np.inf


def stretched(x: Array, shape: tuple) -> Array:
    """`x` broadcast to `shape`, in memory of its own."""
    return np.broadcast_to(x, shape).copy()


def random_words(state: Array, shape: tuple, skip: int) -> Array:
    """Philox words for int64 [seed, offset], fresh."""
    seed, offset = (int(word) for word in state)
    count = 1
    for n in shape:
        count *= n
    return philox.random_bits(seed, offset + skip, count).reshape(shape)


def erf_tile(x: Array, out: Array) -> None:
    """erf of float32 or float64 arrays of one shape, one tile."""
    if x.ndim:
        erf_into(x, out, np.empty((2, *x.shape), x.dtype))
    else:
        np.copyto(out, erf(x))


def erfinv_tile(x: Array, out: Array) -> None:
    """The inverse of erf, one tile."""
    np.copyto(out, erfinv(x))


def erf_half(x: Array, out: Array) -> None:
    """erf of half types, by way of float32."""
    np.copyto(out, erf(x))


erfinv_half = erfinv_tile
