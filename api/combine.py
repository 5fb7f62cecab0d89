"""Formulas of several tensors, elementwise."""

from __future__ import annotations

import math
from typing import Any

from ..tracer.types import HALVES, float32
from .arithmetic import add
from .composite import Operand, Out, cast, detached, floating, into
from .tensor import Tensor, common_type, method, pointwise

__all__ = [
    *("lerp", "addcmul", "addcdiv", "logaddexp", "logaddexp2", "hypot", "xlogy"),
]


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


@method
def logaddexp(input: Tensor, other: Tensor, *, out: Out = None) -> Tensor:
    """log(exp(input) + exp(other)) without overflow."""
    input, other = floating(input), floating(other)
    top = pointwise("maximum", input, other)
    # Equal infinities have no difference.
    gap = pointwise("where", pointwise("eq", input, other), 0, input - other)
    tail = pointwise("log1p", pointwise("exp", -pointwise("abs", gap)))
    return into(out, top + tail)


@method
def logaddexp2(input: Tensor, other: Tensor, *, out: Out = None) -> Tensor:
    """log2(2^input + 2^other) without overflow."""
    unit = math.log(2)
    return into(out, logaddexp(input * unit, other * unit) / unit)


@method
def hypot(input: Tensor, other: Tensor, *, out: Out = None) -> Tensor:
    """sqrt(input^2 + other^2) without overflow."""
    dtype = common_type("sqrt", (input, other))
    a, b = (cast(x, float32 if dtype in HALVES else dtype) for x in (input, other))
    big = pointwise("maximum", pointwise("abs", a), pointwise("abs", b))
    usual = pointwise("lt", 0, big) & pointwise("lt", big, math.inf)
    unit = detached(pointwise("where", usual, big, 1))
    a, b = a / unit, b / unit
    return into(out, cast(unit * pointwise("sqrt", a * a + b * b), dtype))


@method
def xlogy(input: Operand, other: Operand, *, out: Out = None) -> Tensor:
    """input * log(other), and 0 where `input` is 0 (unless `other` is NaN)."""
    zero = pointwise("eq", input, 0) & pointwise("eq", other, other)
    product = input * pointwise("log", pointwise("where", zero, 1, other))
    return into(out, pointwise("where", zero, 0, product))
