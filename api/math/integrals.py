"""Integrals of sampled functions, by trapezoids."""

from __future__ import annotations

from typing import Any, Optional

from ..arrays.parts import narrow
from ..tensor import Tensor
from .reductions import sum
from .scans import cumsum

__all__ = ["cumulative_trapezoid", "trapezoid", "trapz"]


def trapezoid(
    y: Tensor, x: Optional[Tensor] = None, *, dx: Any = None, dim: int = -1
) -> Tensor:
    """The integral of samples along `dim`, at places `x` or at a distance `dx` (1).

    RuntimeError when both are given.

    >>> import tracefuse
    >>> trapezoid(tracefuse.tensor([1.0, 5.0, 10.0]))
    tensor(10.5000)
    """
    return sum(_pieces(y, x, dx, dim), dim)


def cumulative_trapezoid(
    y: Tensor, x: Optional[Tensor] = None, *, dx: Any = None, dim: int = -1
) -> Tensor:
    """The integrals up to each sample but the first.

    >>> import tracefuse
    >>> cumulative_trapezoid(tracefuse.tensor([1.0, 5.0, 10.0]))
    tensor([ 3.0000, 10.5000])
    """
    return cumsum(_pieces(y, x, dx, dim), dim)


def _pieces(y: Tensor, x: Optional[Tensor], dx: Any, dim: int) -> Tensor:
    """The area between each two neighbours."""
    if x is not None and dx is not None:
        raise RuntimeError("trapezoid: x and dx are both given: give one of them")
    left, right = _pairs(y, dim)
    if x is None:
        return (left + right) * (0.5 * (1 if dx is None else dx))
    if x.ndim == 1 and y.ndim > 1:  # places that all rows share
        shape = [1] * y.ndim
        shape[dim] = x.shape[0]
        x = x.reshape(shape)
    near, far = _pairs(x, dim)
    return (left + right) * (far - near) * 0.5


def _pairs(t: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    n = t.shape[dim]
    if n == 0:
        return t, t
    return narrow(t, dim, 0, n - 1), narrow(t, dim, 1, n - 1)


trapz = trapezoid
