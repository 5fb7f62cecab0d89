"""The larger, the smaller, and what lies between."""

from __future__ import annotations

import math
from typing import Any, Callable, Optional

from ..dtypes import finfo
from ..tensor import Tensor, method, pointwise
from .composite import Operand, Out, copy, into

__all__ = ["maximum", "minimum", "fmax", "fmin", "clamp", "clip", "clamp_min"]
__all__ += ["clamp_max", "nan_to_num"]


def _primitive(op: str, what: str) -> Callable[..., Tensor]:
    def function(input: Tensor, other: Operand, *, out: Out = None) -> Tensor:
        return into(out, pointwise(op, input, other))

    function.__name__ = function.__qualname__ = op
    function.__doc__ = what
    return method(function)


maximum = _primitive("maximum", "The larger one; NaN where either is; ties share.")
minimum = _primitive("minimum", "The smaller one; NaN where either is; ties share.")


@method
def fmax(input: Operand, other: Operand, *, out: Out = None) -> Tensor:
    """The larger one; of a number and NaN the number."""
    first = pointwise("le", other, input) | pointwise("ne", other, other)
    return into(out, pointwise("where", first, input, other))


@method
def fmin(input: Operand, other: Operand, *, out: Out = None) -> Tensor:
    """The smaller one; of a number and NaN the number."""
    first = pointwise("le", input, other) | pointwise("ne", other, other)
    return into(out, pointwise("where", first, input, other))


@method
def clamp(
    input: Tensor, min: Any = None, max: Any = None, *, out: Out = None
) -> Tensor:
    """`input` held between `min` and `max` (numbers, tensors, or None: no bound).

    At a bound the gradient still passes; where min > max the result is max.
    RuntimeError if both are None.

    >>> import tracefuse
    >>> tracefuse.clamp(tracefuse.tensor([-1.0, 0.5, 2.0]), 0, 1)
    tensor([0.0000, 0.5000, 1.0000])
    """
    if min is None and max is None:
        raise RuntimeError(
            "torch.clamp: At least one of 'min' or 'max' must not be None"
        )
    if min is not None:
        input = pointwise("where", pointwise("lt", input, min), min, input)
    if max is not None:
        input = pointwise("where", pointwise("lt", max, input), max, input)
    return into(out, input)


@method
def clamp_min(input: Tensor, min: Operand, *, out: Out = None) -> Tensor:
    """`input`, but at least `min`."""
    return clamp(input, min, out=out)


@method
def clamp_max(input: Tensor, max: Operand, *, out: Out = None) -> Tensor:
    """`input`, but at most `max`."""
    return clamp(input, None, max, out=out)


clip = clamp
Tensor.clip = clip  # type: ignore


@method
def nan_to_num(
    input: Tensor,
    nan: Optional[float] = 0.0,
    posinf: Optional[float] = None,
    neginf: Optional[float] = None,
    *,
    out: Out = None,
) -> Tensor:
    """Finite numbers in place of NaN and the infinities (default: 0 and the limits).

    >>> import tracefuse
    >>> tracefuse.nan_to_num(tracefuse.tensor([float("nan"), 1.0]))
    tensor([0., 1.])
    """
    if not input.dtype.is_floating_point:
        return into(out, copy(input))
    limits = finfo(input.dtype)
    above = limits.max if posinf is None else posinf  # type: ignore[attr-defined]
    below = limits.min if neginf is None else neginf  # type: ignore[attr-defined]
    x = pointwise("where", pointwise("ne", input, input), nan or 0.0, input)
    x = pointwise("where", pointwise("eq", input, math.inf), above, x)
    return into(out, pointwise("where", pointwise("eq", input, -math.inf), below, x))
