"""The median and its kin: what stands at a given place of the sorted order."""

from __future__ import annotations

import math
from typing import Any, Callable, Optional, Union

from ...tracer.types import int64
from ..arrays.gathering import line, to_end
from ..arrays.shapes import reshape
from ..arrays.sorting import found, sort
from ..placing import beside
from ..tensor import Tensor, apply, method, pointwise, view
from .axes import axis
from .composite import Out, cast, constant, into, numpy_names
from .extrema import Found, picked
from .reductions import dropped, is_empty, which, widened

__all__ = ["median", "nanmedian", "quantile"]


def _median(x: Tensor, dim: int, keepdim: bool, skip_nan: bool) -> Found:
    at, keepdim = axis(dim, x.ndim), keepdim and x.ndim > 0
    x = line(x)
    if is_empty(x.shape[at:][:1]):
        raise IndexError(
            f"median(): Expected reduction dim {dim} to have non-zero size."
        )
    order = apply("argsort", x, axis=at, descending=False)
    nan = cast(pointwise("ne", x, x), int64)
    count = apply("sum", nan, axes=(at,))
    rank = (x.shape[at] - count - 1) if skip_nan else (count * 0 + (x.shape[at] - 1))
    rank = pointwise("idiv", pointwise("maximum", rank, 0), 2)
    if not skip_nan:  # NaNs stand last: where there is one, it is the answer
        rank = pointwise("where", pointwise("lt", 0, count), x.shape[at] - 1, rank)
    return found(x, picked(order, rank, at), at, keepdim)


@beside
def _either(x: Tensor, dim: Optional[int], keepdim: bool, skip_nan: bool) -> Any:
    if dim is not None:
        return _median(x, dim, keepdim, skip_nan)
    if is_empty(x.shape):
        return constant(math.nan, (), x.dtype)
    return _median(reshape(x, (-1,)), 0, False, skip_nan).values


@method
@numpy_names
def median(
    input: Tensor, dim: Optional[int] = None, keepdim: bool = False
) -> Union[Tensor, Found]:
    """The lower median of all, or (values, indices) along `dim`; NaN if there is one.

    >>> import tracefuse
    >>> tracefuse.median(tracefuse.tensor([4.0, 1.0, 3.0, 2.0]))
    tensor(2.)
    """
    return _either(input, dim, keepdim, False)


@method
@numpy_names
def nanmedian(
    input: Tensor, dim: Optional[int] = None, keepdim: bool = False
) -> Union[Tensor, Found]:
    """The lower median of what is not NaN."""
    return _either(input, dim, keepdim, True)


def _half(part: Tensor) -> Tensor:
    return pointwise("where", part > 0, 0.5, part)


_BETWEEN: dict = {
    "linear": lambda low, high, part: low + (high - low) * part,
    "midpoint": lambda low, high, part: low + (high - low) * _half(part),
    "lower": lambda low, high, part: low,
    "higher": lambda low, high, part: high,
}


@method
@numpy_names
@beside
def quantile(
    input: Tensor,
    q: Union[float, Tensor],
    dim: Optional[int] = None,
    keepdim: bool = False,
    *,
    interpolation: str = "linear",
    out: Out = None,
) -> Tensor:
    """The quantiles `q` (a number, or 1-d: first dimension of the result) along `dim`.

    Between two elements: "linear", "lower", "higher" or "midpoint"; NaN where there
    is one. RuntimeError for integers and for another interpolation.

    >>> import tracefuse
    >>> tracefuse.quantile(tracefuse.tensor([0.0, 1.0, 2.0]), 0.25)
    tensor(0.5000)
    """
    if not input.dtype.is_floating_point:
        raise RuntimeError(
            "quantile() input tensor must be either float or double dtype, not "
            f"{input.dtype}"
        )
    if interpolation not in _BETWEEN:
        raise RuntimeError(
            f"quantile() interpolation must be one of {', '.join(_BETWEEN)}, but got "
            f"{interpolation}"
        )
    x = reshape(input, (-1,)) if dim is None else line(input)
    at = axis(0 if dim is None else dim, x.ndim)
    places = q if isinstance(q, Tensor) else constant(q, (), input.dtype)
    y = _quantiles(to_end(x, at), line(places), _BETWEEN[interpolation])
    over = which(dim, input.ndim)
    rest = widened(input.shape, over) if keepdim else dropped(input.shape, over)
    return into(out, apply("reshape", y, shape=(*places.shape, *rest)))


def _quantiles(x: Tensor, q: Tensor, rule: Callable) -> Tensor:
    """The quantiles along the last axis: [*rest, n] and [m] to [m, *rest]."""
    n, ordered = x.shape[-1], sort(x).values
    place = q * (n - 1)
    low = cast(pointwise("floor", place), int64)
    part = place - pointwise("floor", place)
    high = pointwise("minimum", low + 1, n - 1)
    y = rule(*(_columns(ordered, index) for index in (low, high)), part)
    last = view(ordered, "slice", axis=-1, start=n - 1, length=1, step=1)
    y = pointwise("where", pointwise("ne", last, last), last, y)
    return view(y, "permute", axes=(-1, *range(-y.ndim, -1)))


def _columns(x: Tensor, index: Tensor) -> Tensor:
    index = view(index, "expand", shape=(*x.shape[:-1], *index.shape))
    return apply("gather", x, index, batch=x.ndim - 1)
