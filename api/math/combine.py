"""Formulas of several tensors, elementwise."""

from __future__ import annotations

import math
from typing import Any

from ..tensor import Tensor, method, pointwise
from .arithmetic import add
from .composite import Operand, Out, detached, into, together

__all__ = ["lerp", "addcmul", "addcdiv", "logaddexp", "logaddexp2", "hypot", "xlogy"]


@method
def lerp(input: Tensor, end: Tensor, weight: Operand, *, out: Out = None) -> Tensor:
    """input + weight * (end - input), computed from the nearer end.

    >>> import tracefuse
    >>> tracefuse.lerp(tracefuse.tensor([0.0]), tracefuse.tensor([8.0]), 0.25)
    tensor([2.])
    """
    gap = end - input
    if isinstance(weight, Tensor):
        near, far = input + weight * gap, end - gap * (1 - weight)
        return into(out, pointwise("where", weight < 0.5, near, far))
    return into(out, input + weight * gap if weight < 0.5 else end - gap * (1 - weight))


@method
def addcmul(
    input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Any = 1, out: Out = None
) -> Tensor:
    """input + value * tensor1 * tensor2."""
    return into(out, add(input, tensor1 * tensor2, alpha=value))


@method
def addcdiv(
    input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Any = 1, out: Out = None
) -> Tensor:
    """input + value * tensor1 / tensor2."""
    return into(out, add(input, tensor1 / tensor2, alpha=value))


@together
def logaddexp(input: Tensor, other: Tensor) -> Tensor:
    """log(exp(input) + exp(other)) without overflow."""
    top = pointwise("maximum", input, other)
    # Equal infinities have no difference.
    gap = pointwise("where", pointwise("eq", input, other), 0, input - other)
    return top + pointwise("log1p", pointwise("exp", -pointwise("abs", gap)))


@together
def logaddexp2(input: Tensor, other: Tensor) -> Tensor:
    """log2(2^input + 2^other) without overflow."""
    unit = math.log(2)
    return logaddexp(input * unit, other * unit) / unit


@together
def hypot(input: Tensor, other: Tensor) -> Tensor:
    """sqrt(input^2 + other^2) without overflow."""
    big = pointwise("maximum", pointwise("abs", input), pointwise("abs", other))
    usual = pointwise("lt", 0, big) & pointwise("lt", big, math.inf)
    unit = detached(pointwise("where", usual, big, 1))
    a, b = input / unit, other / unit
    return unit * pointwise("sqrt", a * a + b * b)


@together
def xlogy(input: Tensor, other: Tensor) -> Tensor:
    """input * log(other), and 0 where `input` is 0 (unless `other` is NaN)."""
    zero = pointwise("eq", other, other) & pointwise("eq", input, 0)
    product = input * pointwise("log", pointwise("where", zero, 1, other))
    return pointwise("where", zero, 0, product)
