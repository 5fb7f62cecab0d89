"""Trigonometry beyond sine and cosine: formulas that are exact at their edges.

All take a tensor of any shape and return one of the same shape; integers become the
default float type. Arcs go by way of atan2, hyperbolic functions by expm1 and log1p.
"""

from __future__ import annotations

import math

from ..tensor import Tensor, pointwise
from .composite import cast, formula
from .pointwise import cos, exp, expm1, log, log1p, sin, sqrt

__all__ = ["tan", "asin", "arcsin", "acos", "arccos", "atan", "arctan", "sinh", "cosh"]
__all__ += ["asinh", "arcsinh", "acosh", "arccosh", "atanh", "arctanh", "sinc"]


@formula
def tan(input: Tensor) -> Tensor:
    """The tangent."""
    return sin(input) / cos(input)


@formula
def asin(input: Tensor) -> Tensor:
    """The arc sine; NaN outside [-1, 1]."""
    return pointwise("atan2", input, sqrt((1 - input) * (1 + input)))


@formula
def acos(input: Tensor) -> Tensor:
    """The arc cosine; NaN outside [-1, 1]."""
    return pointwise("atan2", sqrt((1 - input) * (1 + input)), input)


@formula
def atan(input: Tensor) -> Tensor:
    """The arc tangent."""
    return pointwise("atan2", input, 1.0)


@formula
def sinh(input: Tensor) -> Tensor:
    """The hyperbolic sine, exact near 0."""
    return (expm1(input) - expm1(-input)) * 0.5


@formula
def cosh(input: Tensor) -> Tensor:
    """The hyperbolic cosine."""
    return (exp(input) + exp(-input)) * 0.5


@formula
def asinh(input: Tensor) -> Tensor:
    """The inverse of `sinh`.

    log1p(a + a^2 / (1 + sqrt(1 + a^2))) up to a = 1e8, beyond which asinh grows as log.
    """
    sign = cast(pointwise("where", input < 0, -1.0, 1.0), input.dtype)
    a = input * sign
    near = pointwise("minimum", a, 1e8)
    square = near * near
    body = log1p(near + square / (sqrt(square + 1) + 1))
    return (body + log(pointwise("maximum", a, 1e8) * 1e-8)) * sign


@formula
def acosh(input: Tensor) -> Tensor:
    """The inverse of `cosh` on [1, inf]; NaN below."""
    t = input - 1
    return log1p(t + sqrt(t) * sqrt(t + 2))


@formula
def atanh(input: Tensor) -> Tensor:
    """The inverse of `tanh`; infinite at -1 and 1, NaN beyond."""
    return (log1p(input) - log1p(-input)) * 0.5


@formula
def sinc(input: Tensor) -> Tensor:
    """sin(pi x) / (pi x), and 1 at 0."""
    zero = pointwise("eq", input, 0)
    angle = pointwise("where", zero, 1.0, input) * math.pi
    return pointwise("where", zero, 1.0, sin(angle) / angle)


arcsin, arccos, arctan = asin, acos, atan
arcsinh, arccosh, arctanh = asinh, acosh, atanh
for _name in ("arcsin", "arccos", "arctan", "arcsinh", "arccosh", "arctanh"):
    setattr(Tensor, _name, globals()[_name])
