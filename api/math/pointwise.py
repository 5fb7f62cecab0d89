"""Elementwise functions of one tensor.

All take a tensor of any shape and return one of the same shape. Integers and bools
become the default float type where the result is not a whole number.
"""

from __future__ import annotations

import builtins
import math
from typing import Callable, Optional

from ...tracer.types import bool_
from ..tensor import Tensor, method, pointwise
from .composite import cast, copy, detached, floating, formula, in_float32, into

__all__ = ["neg", "negative", "positive", "abs", "absolute", "sign", "sgn", "floor"]
__all__ += ["ceil", "trunc", "fix", "frac", "round", "sqrt", "rsqrt", "square"]
__all__ += ["reciprocal", "exp", "exp2", "expm1", "log", "log2", "log10", "log1p"]
__all__ += ["sin", "cos", "tanh", "erf", "erfc", "erfinv", "sigmoid", "logit", "relu"]
__all__ += ["deg2rad", "rad2deg"]

_EXAMPLE = """{what}

    >>> import tracefuse
    >>> tracefuse.{name}(tracefuse.tensor([0.25, 0.5]))
    tensor([{results}])
    """


def _primitive(name: str, what: str, results: str) -> Callable[..., Tensor]:
    """The user function of one primitive."""

    def function(input: Tensor, *, out: Optional[Tensor] = None) -> Tensor:
        result = pointwise(name, input)
        return result if out is None else into(out, result)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = _EXAMPLE.format(what=what, name=name, results=results)
    return method(function)


neg = _primitive("neg", "-x. RuntimeError for a bool tensor.", "-0.2500, -0.5000")
abs = _primitive("abs", "|x|; its slope at 0 is 0.", "0.2500, 0.5000")
sqrt = _primitive("sqrt", "The square root; NaN below 0.", "0.5000, 0.7071")
exp = _primitive("exp", "e to the power of x.", "1.2840, 1.6487")
expm1 = _primitive("expm1", "exp(x) - 1, exact near 0.", "0.2840, 0.6487")
log = _primitive("log", "The natural logarithm.", "-1.3863, -0.6931")
log1p = _primitive("log1p", "log(1 + x), exact near 0.", "0.2231, 0.4055")
sin = _primitive("sin", "The sine.", "0.2474, 0.4794")
cos = _primitive("cos", "The cosine.", "0.9689, 0.8776")
tanh = _primitive("tanh", "The hyperbolic tangent.", "0.2449, 0.4621")
erf = _primitive("erf", "The error function.", "0.2763, 0.5205")
erfinv = _primitive("erfinv", "The inverse of `erf`.", "0.2253, 0.4769")


@method
def positive(input: Tensor) -> Tensor:
    """`input` itself. RuntimeError for a bool tensor."""
    if input.dtype is bool_:
        raise RuntimeError("The `+` operator, on a bool tensor is not supported.")
    return input


@method
def sign(input: Tensor, *, out: Optional[Tensor] = None) -> Tensor:
    """-1, 0 or 1; the type of `input`; 0 for NaN. Its gradient is 0."""
    above = cast(input > 0, input.dtype)
    if not input.dtype.is_signed:
        return into(out, above)
    steps = above - cast(input < 0, input.dtype)
    if input.dtype.is_floating_point and input.requires_grad:
        steps = pointwise("where", input < input, input, steps)  # a slope of 0
    return into(out, steps)


# -- to whole numbers; integers are copied


@method
def floor(input: Tensor, *, out: Optional[Tensor] = None) -> Tensor:
    """The largest whole number that is not above x."""
    whole = input.dtype.category < 2
    return into(out, copy(input) if whole else pointwise("floor", input))


@method
def ceil(input: Tensor, *, out: Optional[Tensor] = None) -> Tensor:
    """The smallest whole number that is not below x."""
    return into(out, copy(input) if input.dtype.category < 2 else -floor(-input))


@method
def trunc(input: Tensor, *, out: Optional[Tensor] = None) -> Tensor:
    """x without its fraction: rounded towards 0."""
    if input.dtype.category < 2:
        return into(out, copy(input))
    toward = pointwise("where", input < 0, -floor(-input), floor(input))
    return into(out, toward)


@method
def frac(input: Tensor, *, out: Optional[Tensor] = None) -> Tensor:
    """The fraction of x, with the sign of x."""
    return into(out, input - trunc(input))


@method
def round(input: Tensor, *, decimals: int = 0, out: Optional[Tensor] = None) -> Tensor:
    """The nearest number with so many decimals; a half goes to the even neighbour.

    >>> import tracefuse
    >>> tracefuse.round(tracefuse.tensor([0.5, 1.5, 2.25]))
    tensor([0., 2., 2.])
    """
    if input.dtype.category < 2:
        return into(out, copy(input))
    if not decimals:
        return into(out, pointwise("round", input))
    scale = 10.0 ** builtins.abs(decimals)
    if decimals > 0:
        return into(out, pointwise("round", input * scale) / scale)
    return into(out, pointwise("round", input / scale) * scale)


# -- powers and logarithms


@method
def rsqrt(input: Tensor, *, out: Optional[Tensor] = None) -> Tensor:
    """1 / sqrt(x)."""
    return into(out, _rsqrt(input))


@in_float32
def _rsqrt(x: Tensor) -> Tensor:
    return 1.0 / sqrt(x)


@method
def square(input: Tensor, *, out: Optional[Tensor] = None) -> Tensor:
    """x * x."""
    if input.dtype is bool_:
        return into(out, pointwise("mul", input, 1) * input)
    return into(out, input * input)


@method
def reciprocal(input: Tensor, *, out: Optional[Tensor] = None) -> Tensor:
    """1 / x."""
    return into(out, 1 / input)


@method
def exp2(input: Tensor, *, out: Optional[Tensor] = None) -> Tensor:
    """2 to the power of x."""
    return into(out, 2.0**input)


def _whole(y: Tensor) -> Tensor:
    """Whole logarithms exactly: a quotient of logarithms is a few ulp off.

    The correction is a constant to gradients.
    """
    eps = 2.0**-23 if y.dtype.itemsize < 8 else 2.0**-52
    y0 = detached(y)
    n = pointwise("round", y0)
    near = pointwise("abs", y0 - n) <= pointwise("abs", n) * (2 * eps)
    return y + pointwise("where", near, n - y0, 0)


@method
def log2(input: Tensor, *, out: Optional[Tensor] = None) -> Tensor:
    """The logarithm to base 2, exact at powers of 2.

    >>> import tracefuse
    >>> tracefuse.log2(tracefuse.tensor([8.0, 0.5]))
    tensor([ 3., -1.])
    """
    return into(out, _log_base(input, math.log(2)))


@method
def log10(input: Tensor, *, out: Optional[Tensor] = None) -> Tensor:
    """The logarithm to base 10, exact at powers of 10."""
    return into(out, _log_base(input, math.log(10)))


@in_float32
def _log_base(x: Tensor, unit: float) -> Tensor:
    return _whole(log(x) / unit)


# -- for networks


@formula
def sigmoid(input: Tensor) -> Tensor:
    """1 / (1 + exp(-x)), exact in both tails.

    >>> import tracefuse
    >>> tracefuse.sigmoid(tracefuse.tensor([0.0, -100.0]))
    tensor([5.0000e-01, 3.7835e-44])
    """
    above = input > 0
    z = exp(pointwise("where", above, -input, input))
    return pointwise("where", above, 1.0, z) / (z + 1)


@method
@in_float32
def logit(input: Tensor, eps: Optional[float] = None) -> Tensor:
    """log(x / (1 - x)), of x clamped to [eps, 1 - eps] where `eps` is given."""
    if eps is not None:
        input = pointwise("where", input < eps, eps, input)
        input = pointwise("where", input > 1 - eps, 1 - eps, input)
    return log(input) - log1p(-input)


@formula
def erfc(input: Tensor) -> Tensor:
    """1 - erf(x): exact to rounding of 1, so 0 for large x."""
    return 1 - erf(input)


@method
def relu(input: Tensor) -> Tensor:
    """x above 0, else 0 (with slope 0 there); NaN stays."""
    if input.dtype is bool_:
        raise RuntimeError("Boolean inputs not supported for relu")
    return pointwise("where", input <= 0, 0, input)


@method
def deg2rad(input: Tensor) -> Tensor:
    """Degrees to radians."""
    return floating(input) * (math.pi / 180)


@method
def rad2deg(input: Tensor) -> Tensor:
    """Radians to degrees."""
    return floating(input) * (180 / math.pi)


negative, absolute, sgn, fix = neg, abs, sign, trunc
_ALIASES = {"negative": neg, "absolute": abs, "sgn": sign, "fix": trunc}
for _name, _function in {**_ALIASES, "__abs__": abs, "__pos__": positive}.items():
    setattr(Tensor, _name, _function)
