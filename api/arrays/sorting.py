"""Order: sort, the largest few, the k-th smallest.

Sorting is stable; NaN counts as larger than every number. Gradients follow the
elements to where they came from.
"""

from __future__ import annotations

from typing import Any

from ...tracer.types import int64
from ..math.axes import axis
from ..math.composite import constant, copy, numpy_names
from ..math.extrema import Found, picked
from ..math.reductions import kept
from ..tensor import Tensor, apply, method, view
from .gathering import from_end, line, to_end

__all__ = ["sort", "argsort", "msort", "topk", "kthvalue"]


def _order(x: Tensor, dim: int, descending: bool) -> Tensor:
    return apply("argsort", x, axis=axis(dim, x.ndim), descending=bool(descending))


def _along(x: Tensor, index: Tensor, at: int) -> Tensor:
    """Elements by number along `at`; all other sizes are equal."""
    x, index = to_end(x, at), to_end(index, at)
    return from_end(apply("gather", x, index, batch=x.ndim - 1), at)


@method
@numpy_names
def sort(
    input: Tensor, dim: int = -1, descending: bool = False, stable: bool = True
) -> Found:
    """The elements in order along `dim`, and where they stood: (values, indices).

    >>> import tracefuse
    >>> tracefuse.sort(tracefuse.tensor([3, 1, 2])).indices
    tensor([1, 2, 0])
    """
    at = axis(dim, input.ndim)
    if not input.ndim:
        return Found(copy(input), constant(0, (), int64))
    index = _order(input, dim, descending)
    return Found(_along(input, index, at), index)


@method
@numpy_names
def argsort(
    input: Tensor, dim: int = -1, descending: bool = False, stable: bool = True
) -> Tensor:
    """The indices that sort `input` along `dim`."""
    if not input.ndim:
        axis(dim, 0)
        return constant(0, (), int64)
    return _order(input, dim, descending)


@method
def msort(input: Tensor) -> Tensor:
    """Sorted along the first dimension."""
    return sort(input, 0).values


@method
@numpy_names
def topk(
    input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True
) -> Found:
    """The `k` largest (or smallest) along `dim`, in order: (values, indices).

    RuntimeError when there are fewer.

    >>> import tracefuse
    >>> tracefuse.topk(tracefuse.tensor([1.0, 4.0, 3.0]), 2).values
    tensor([4., 3.])
    """
    at, x = axis(dim, input.ndim), line(input)
    if not 0 <= k <= x.shape[at]:
        raise RuntimeError(f"selected index k out of range: {k} of {x.shape[at]}")
    index = apply("argsort", x, axis=at, descending=bool(largest))
    index = copy(view(index, "slice", axis=at, start=0, length=k, step=1))
    values = _along(x, index, at)
    if input.ndim:
        return Found(values, index)
    return Found(*(apply("reshape", part, shape=()) for part in (values, index)))


def _at(x: Tensor, order: Tensor, k: Any, at: int, keepdim: bool) -> Found:
    """Element number `k` of the sorted order along `at`."""
    index = view(order, "slice", axis=at, start=k, length=1, step=1)
    shape = tuple(n for i, n in enumerate(x.shape, -x.ndim) if i != at)
    index = apply("reshape", index, shape=shape)
    return found(x, index, at, keepdim)


def found(x: Tensor, index: Tensor, at: int, keepdim: bool) -> Found:
    """The elements that `index` picks along `at`, and `index`."""
    values = picked(x, index, at)
    if not keepdim:
        return Found(values, copy(index))
    return Found(*(kept(part, x.shape, (at,)) for part in (values, index)))


@method
@numpy_names
def kthvalue(input: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> Found:
    """The `k`-th smallest (from 1) along `dim`: (values, indices)."""
    at, x = axis(dim, input.ndim), line(input)
    if not 1 <= k <= x.shape[at]:
        raise RuntimeError(
            f"kthvalue(): selected number k out of range for dimension {dim}"
        )
    order = apply("argsort", x, axis=at, descending=False)
    return _at(x, order, k - 1, at, keepdim and input.ndim > 0)
