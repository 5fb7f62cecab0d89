"""Sums and what is made of them: over all axes, one, or several.

`dim` is an int, a tuple of ints or None (all); `keepdim` keeps the reduced axes with
size 1. NumPy's names `axis` and `keepdims` do as well. IndexError for an axis that is
not there. Sums of integers and bools are int64; half types are summed in float32.
"""

from __future__ import annotations

import builtins
import math
from typing import Any, Optional

from ...tracer.sizes import Int
from ...tracer.types import DType, bool_, uint8
from ..tensor import Tensor, apply, method, pointwise
from .axes import axes
from .composite import (
    Out,
    cast,
    constant,
    copy,
    counted,
    detached,
    in_float32,
    into,
    numpy_names,
)

__all__ = ["sum", "nansum", "mean", "nanmean", "prod", "all", "any", "count_nonzero"]
__all__ += ["logsumexp"]


def which(dim: Any, ndim: int) -> tuple:
    """The negative axes that `dim` names; none of them for a 0-d tensor."""
    found = axes(None if dim is None or dim == () or dim == [] else dim, ndim)
    return found if ndim else ()


def reduced(op: str, x: Tensor, over: tuple, keepdim: bool) -> Tensor:
    """A primitive reduction over negative axes."""
    if not over:
        return copy(x)
    y = apply(op, x, axes=over)
    return kept(y, x.shape, over) if keepdim else y


def kept(y: Tensor, shape: tuple, over: tuple) -> Tensor:
    """The result of a reduction with size 1 where axes were dropped."""
    return apply("reshape", y, shape=widened(shape, over))


def widened(shape: tuple, over: tuple) -> tuple:
    """The shape with size 1 along some axes."""
    return tuple(1 if i in over else n for i, n in enumerate(shape, -len(shape)))


def dropped(shape: tuple, over: tuple) -> tuple:
    """The shape without some axes."""
    return tuple(n for i, n in enumerate(shape, -len(shape)) if i not in over)


def squeezed(y: Tensor, over: tuple) -> Tensor:
    """`y` without axes of size 1."""
    return apply("reshape", y, shape=dropped(y.shape, over)) if over else y


def is_empty(shape: tuple) -> bool:
    """Whether a size is 0; symbolic sizes are not."""
    return builtins.any(type(n) is int and n == 0 for n in shape)


def count(shape: tuple, over: tuple) -> Int:
    """How many elements meet in one result."""
    return math.prod(shape[axis] for axis in over)


def _demand_float(name: str, dtype: DType) -> None:
    if not dtype.is_floating_point:
        raise RuntimeError(
            f"{name}(): could not infer output dtype. Input dtype must be either a "
            f"floating point or complex dtype. Got: {dtype}"
        )


@method
@numpy_names
def sum(
    input: Tensor,
    dim: Any = None,
    keepdim: bool = False,
    *,
    dtype: Optional[DType] = None,
    out: Out = None,
) -> Tensor:
    """The sum, computed in `dtype` where given.

    >>> import tracefuse
    >>> tracefuse.sum(tracefuse.tensor([[1, 2], [3, 4]]), dim=1)
    tensor([3, 7])
    """
    over = which(dim, input.ndim)
    return into(out, reduced("sum", counted(input, dtype), over, keepdim))


@method
@numpy_names
def nansum(
    input: Tensor,
    dim: Any = None,
    keepdim: bool = False,
    *,
    dtype: Optional[DType] = None,
) -> Tensor:
    """The sum of what is not NaN."""
    known = pointwise("where", pointwise("ne", input, input), 0, input)
    return sum(known, dim, keepdim, dtype=dtype)


@method
@numpy_names
def prod(
    input: Tensor,
    dim: Any = None,
    keepdim: bool = False,
    *,
    dtype: Optional[DType] = None,
    out: Out = None,
) -> Tensor:
    """The product; integers and bools in int64."""
    over = which(dim, input.ndim)
    return into(out, reduced("prod", counted(input, dtype), over, keepdim))


@method
@numpy_names
def mean(
    input: Tensor,
    dim: Any = None,
    keepdim: bool = False,
    *,
    dtype: Optional[DType] = None,
    out: Out = None,
) -> Tensor:
    """The arithmetic mean. RuntimeError for integers, unless `dtype` is a float.

    >>> import tracefuse
    >>> tracefuse.mean(tracefuse.tensor([[1.0, 2.0], [3.0, 4.0]]), dim=0)
    tensor([2., 3.])
    """
    input = input if dtype is None else cast(input, dtype)
    _demand_float("mean", input.dtype)
    return into(out, average(input, which(dim, input.ndim), keepdim))


@in_float32
def average(x: Tensor, over: tuple, keepdim: bool) -> Tensor:
    """The mean of floats over negative axes."""
    return reduced("sum", x, over, keepdim) / count(x.shape, over)


@method
@numpy_names
def nanmean(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """The mean of what is not NaN."""
    number = pointwise("eq", input, input)
    return nansum(input, dim, keepdim) / sum(number, dim, keepdim)


# -- logic


def _logical(op: str, input: Tensor, dim: Any, keepdim: bool, empty: bool) -> Tensor:
    over = which(dim, input.ndim)
    x = input if input.dtype is bool_ else pointwise("ne", input, 0)
    if is_empty(x.shape):
        x = constant(empty, reduced("sum", x, over, keepdim).shape, bool_)
    else:
        x = reduced(op, x, over, keepdim)
    return cast(x, uint8) if input.dtype is uint8 else x


@method
@numpy_names
def all(
    input: Tensor, dim: Any = None, keepdim: bool = False, *, out: Out = None
) -> Tensor:
    """Whether none is 0: bool (uint8 for uint8)."""
    return into(out, _logical("min", input, dim, keepdim, True))


@method
@numpy_names
def any(
    input: Tensor, dim: Any = None, keepdim: bool = False, *, out: Out = None
) -> Tensor:
    """Whether some are other than 0: bool (uint8 for uint8)."""
    return into(out, _logical("max", input, dim, keepdim, False))


@method
@numpy_names
def count_nonzero(input: Tensor, dim: Any = None) -> Tensor:
    """How many are other than 0, int64."""
    return sum(pointwise("ne", input, 0), dim)


@method
@numpy_names
def logsumexp(input: Tensor, dim: Any, keepdim: bool = False) -> Tensor:
    """log(sum(exp(input))) without overflow.

    >>> import tracefuse
    >>> tracefuse.logsumexp(tracefuse.tensor([999.0, -999.0]), dim=0)
    tensor(999.)
    """
    return _logsumexp(input, which(dim, input.ndim), keepdim)


@in_float32
def _logsumexp(x: Tensor, over: tuple, keepdim: bool) -> Tensor:
    if 0 in [x.shape[axis] for axis in over]:  # nothing has a largest element
        return pointwise("log", reduced("sum", x, over, keepdim))
    top = detached(reduced("max", x, over, True))
    top = pointwise("where", pointwise("lt", pointwise("abs", top), math.inf), top, 0)
    total = pointwise("log", reduced("sum", pointwise("exp", x - top), over, True))
    return total + top if keepdim else squeezed(total + top, over)
