"""Numbers at equal distances: linspace and logspace."""

from __future__ import annotations

from typing import Any, Optional

from ...tracer.sizes import Int
from ...tracer.types import DType, float64
from ..math.axes import as_size
from ..math.composite import cast
from ..placing import placed
from ..tensor import Tensor
from .fill import chosen, counted, finish

__all__ = ["linspace", "logspace"]


@placed
def linspace(
    start: Any,
    end: Any,
    steps: int,
    *,
    dtype: Optional[DType] = None,
    device: Any = None,
    requires_grad: bool = False,
    out: Optional[Tensor] = None,
) -> Tensor:
    """`steps` numbers from `start` to `end`, both included, equally far apart.

    >>> linspace(0, 1, 3)
    tensor([0.0000, 0.5000, 1.0000])
    """
    line = _spaced(start, end, as_size(steps, "steps"))
    return finish(cast(line, chosen(dtype)), requires_grad, out)


def _spaced(start: Any, end: Any, steps: Int) -> Tensor:
    """In float64; counted from the nearer end, so that both ends come out exactly."""
    if steps < 0:
        raise RuntimeError("number of steps must be non-negative")
    i = counted(steps, float64)
    if steps < 2:
        return i + start
    step = (end - start) / (steps - 1)
    low, high = i * step + start, end - (i * -1 + (steps - 1)) * step
    first_half = cast(i * 2 < steps, float64)
    return low * first_half + high * (1 - first_half)


@placed
def logspace(
    start: Any,
    end: Any,
    steps: int,
    base: float = 10.0,
    *,
    dtype: Optional[DType] = None,
    device: Any = None,
    requires_grad: bool = False,
    out: Optional[Tensor] = None,
) -> Tensor:
    """`base` to the powers `linspace(start, end, steps)`."""
    line = float(base) ** _spaced(start, end, as_size(steps, "steps"))
    return finish(cast(line, chosen(dtype)), requires_grad, out)
