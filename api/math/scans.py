"""Running sums and products, and the softmax family."""

from __future__ import annotations

import math
from typing import Optional

from ...tracer.sizes import same_size
from ...tracer.types import DType
from ..tensor import Tensor, apply, method, pointwise, view
from .axes import axis
from .combine import logaddexp
from .composite import (
    Out,
    cast,
    copy,
    counted,
    detached,
    in_float32,
    into,
    numpy_names,
)
from .reductions import reduced

__all__ = ["cumsum", "cumprod", "logcumsumexp", "softmax", "log_softmax"]


def _scan(mode: str, x: Tensor, dim: int) -> Tensor:
    at = axis(dim, x.ndim)
    return apply("cumulative", x, axis=at, mode=mode) if x.ndim else copy(x)


@method
@numpy_names
def cumsum(
    input: Tensor, dim: int, *, dtype: Optional[DType] = None, out: Out = None
) -> Tensor:
    """The sum of all elements so far along `dim`; integers in int64.

    >>> import tracefuse
    >>> tracefuse.cumsum(tracefuse.tensor([1, 2, 3]), dim=0)
    tensor([1, 3, 6])
    """
    return into(out, _scan("add", counted(input, dtype), dim))


@method
@numpy_names
def cumprod(
    input: Tensor, dim: int, *, dtype: Optional[DType] = None, out: Out = None
) -> Tensor:
    """The product of all elements so far along `dim`; integers in int64."""
    return into(out, _scan("mul", counted(input, dtype), dim))


@method
@numpy_names
@in_float32
def logcumsumexp(input: Tensor, dim: int) -> Tensor:
    """log(cumsum(exp(input))) along `dim`, in sums of doubling reach: no overflow."""
    at, reach = axis(dim, input.ndim), 1
    if not input.ndim:
        return copy(input)
    while reach < input.shape[at]:
        input = logaddexp(input, _delayed(input, at, reach))
        reach *= 2
    return input


def _delayed(x: Tensor, at: int, by: int) -> Tensor:
    """Element i becomes i + by along `at`; -inf comes in at the front."""
    pads = tuple((by if i == at else 0, 0, 0) for i in range(-x.ndim, 0))
    wide = apply("pad", x, pads=pads, value=-math.inf)
    return view(wide, "slice", axis=at, start=0, length=x.shape[at], step=1)


def _shifted(x: Tensor, dim: int) -> tuple:
    """`x` less its maximum along `dim`, and the axes to sum over."""
    over = (axis(dim, x.ndim),) if x.ndim else ()
    if any(same_size(x.shape[i], 0) for i in over):  # there is no maximum of nothing
        return x, over
    return x - detached(reduced("max", x, over, True)), over


@method
@numpy_names
def softmax(input: Tensor, dim: int, dtype: Optional[DType] = None) -> Tensor:
    """exp(input) / sum(exp(input)) along `dim`, without overflow.

    `input` is cast to `dtype` first where that is given.

    >>> import tracefuse
    >>> tracefuse.softmax(tracefuse.tensor([0.0, 0.0]), dim=0)
    tensor([0.5000, 0.5000])
    """
    return _softmax(input if dtype is None else cast(input, dtype), dim)


@in_float32
def _softmax(x: Tensor, dim: int) -> Tensor:
    x, over = _shifted(x, dim)
    e = pointwise("exp", x)
    return e / reduced("sum", e, over, True)


@method
@numpy_names
def log_softmax(input: Tensor, dim: int, dtype: Optional[DType] = None) -> Tensor:
    """log(softmax(input)), exact where the softmax itself would be 0."""
    return _log_softmax(input if dtype is None else cast(input, dtype), dim)


@in_float32
def _log_softmax(x: Tensor, dim: int) -> Tensor:
    x, over = _shifted(x, dim)
    return x - pointwise("log", reduced("sum", pointwise("exp", x), over, True))
