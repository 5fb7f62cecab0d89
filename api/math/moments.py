"""Variance and standard deviation."""

from __future__ import annotations

from typing import Any, NamedTuple, Optional

from ..tensor import Tensor, method
from .composite import in_float32, numpy_names, root
from .reductions import average, count, reduced, squeezed, which

__all__ = ["var", "std", "var_mean", "std_mean"]


class VarMean(NamedTuple):
    """What `var_mean` returns."""

    var: Tensor
    mean: Tensor


class StdMean(NamedTuple):
    """What `std_mean` returns."""

    std: Tensor
    mean: Tensor


@in_float32
def _var_mean(x: Tensor, over: tuple, keepdim: bool, correction: float) -> VarMean:
    center = average(x, over, True)
    gap = x - center
    free: Any = count(x.shape, over)
    free = free - correction
    if isinstance(free, (int, float)):
        free = max(free, 0)
    spread = reduced("sum", gap * gap, over, keepdim) / free
    return VarMean(spread, center if keepdim else squeezed(center, over))


def _moments(
    x: Tensor, dim: Any, unbiased: Any, keepdim: bool, correction: Any
) -> VarMean:
    if not x.dtype.is_floating_point:
        raise RuntimeError(
            f"std and var only support floating point and complex dtypes, not {x.dtype}"
        )
    if isinstance(dim, bool):  # var(unbiased)
        dim, unbiased = None, dim
    if correction is None:
        correction = 1 if unbiased is None or unbiased else 0
    return _var_mean(x, which(dim, x.ndim), keepdim, correction)


@method
@numpy_names
def var(
    input: Tensor,
    dim: Any = None,
    unbiased: Optional[bool] = None,
    keepdim: bool = False,
    *,
    correction: Optional[float] = None,
) -> Tensor:
    """The variance: squared distances from the mean over n - correction (1).

    `unbiased=False` is correction 0. RuntimeError for integers.

    >>> import tracefuse
    >>> tracefuse.var(tracefuse.tensor([1.0, 2.0, 3.0]))
    tensor(1.)
    """
    return _moments(input, dim, unbiased, keepdim, correction).var


@method
@numpy_names
def std(
    input: Tensor,
    dim: Any = None,
    unbiased: Optional[bool] = None,
    keepdim: bool = False,
    *,
    correction: Optional[float] = None,
) -> Tensor:
    """The square root of the variance; where that is 0 its gradient is 0."""
    return root(_moments(input, dim, unbiased, keepdim, correction).var)


@numpy_names
def var_mean(
    input: Tensor,
    dim: Any = None,
    unbiased: Optional[bool] = None,
    keepdim: bool = False,
    *,
    correction: Optional[float] = None,
) -> VarMean:
    """Variance and mean as a named tuple."""
    return _moments(input, dim, unbiased, keepdim, correction)


@numpy_names
def std_mean(
    input: Tensor,
    dim: Any = None,
    unbiased: Optional[bool] = None,
    keepdim: bool = False,
    *,
    correction: Optional[float] = None,
) -> StdMean:
    """Standard deviation and mean as a named tuple."""
    spread, center = _moments(input, dim, unbiased, keepdim, correction)
    return StdMean(root(spread), center)
