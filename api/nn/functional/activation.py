"""Activations: elementwise functions, and those along one dimension.

The forms are chosen for their slopes: at a kink they have PyTorch's, and a branch that
is not taken never makes an infinity.
"""

from __future__ import annotations

import math
from typing import Any

from ...amp.ruled import ruled
from ...arrays.parts import chunk
from ...arrays.shapes import reshape
from ...math.composite import in_float32
from ...math.pointwise import erf, exp, expm1, log1p, sigmoid, tanh
from ...math.pointwise import relu as _relu
from ...math.scans import log_softmax, softmax
from ...tensor import Tensor, pointwise, write

__all__ = ["relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu"]
__all__ += ["mish", "softplus", "hardtanh", "hardswish", "hardsigmoid", "sigmoid"]
__all__ += ["tanh", "softmax", "log_softmax", "softmin", "logsigmoid", "glu", "prelu"]
__all__ += ["threshold", "softsign", "tanhshrink", "hardshrink", "softshrink", "relu_"]
__all__ += ["leaky_relu_", "elu_", "selu_", "celu_", "hardtanh_", "threshold_"]


def _where(condition: Any, a: Any, b: Any) -> Tensor:
    return pointwise("where", condition, a, b)


def _done(input: Tensor, result: Tensor, inplace: bool) -> Tensor:
    return write(input, result) if inplace else result


# -- pieces of lines


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """x above 0, else 0.

    >>> import tracefuse
    >>> relu(tracefuse.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    return _done(input, _relu(input), inplace)


def hardtanh(
    input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Tensor:
    """x held between two bounds; the slope at the bounds is 0.

    ValueError when min_val > max_val.
    """
    if min_val > max_val:
        raise ValueError("min_val cannot be greater than max_val")
    inner = _where(input >= max_val, max_val, input)
    return _done(input, _where(input <= min_val, min_val, inner), inplace)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """x held between 0 and 6."""
    return hardtanh(input, 0, 6, inplace)


def threshold(
    input: Tensor, threshold: float, value: float, inplace: bool = False
) -> Tensor:
    """x above the threshold, else `value`."""
    return _done(input, _where(input <= threshold, value, input), inplace)


@in_float32
def _leaky(x: Tensor, slope: Any) -> Tensor:
    return _where(x > 0, x, x * slope)


def leaky_relu(
    input: Tensor, negative_slope: float = 0.01, inplace: bool = False
) -> Tensor:
    """x above 0, else x * negative_slope."""
    return _done(input, _leaky(input, negative_slope), inplace)


@ruled
def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """`leaky_relu` with a slope for each channel (dimension 1), or one for all.

    RuntimeError when the slopes are as many as neither.
    """
    count = weight.shape.numel()
    if count != 1:
        channels = input.shape[1] if input.ndim > 1 else 1
        if count != channels:
            raise RuntimeError(
                "Mismatch of parameter numbers and input channel size. Found "
                f"parameter numbers = {count} and channel size = {channels}."
            )
        weight = reshape(weight, (count,) + (1,) * (input.ndim - 2))
    return _leaky(input, weight)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """x / 6 + 1 / 2 held between 0 and 1."""
    return _done(input, _hardsigmoid(input), inplace)


@in_float32
def _hardsigmoid(x: Tensor) -> Tensor:
    inner = _where(x >= 3, 1.0, x / 6 + 0.5)
    return _where(x <= -3, 0.0, inner)


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """x * relu6(x + 3) / 6 (arXiv:1905.02244)."""
    return _done(input, _hardswish(input), inplace)


@in_float32
def _hardswish(x: Tensor) -> Tensor:
    inner = _where(x >= 3, x, x * (x + 3) / 6)
    return _where(x <= -3, 0.0, inner)


def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """0 between -lambd and lambd, else x."""
    inside = (input >= -lambd) & (input <= lambd)
    return _where(inside, 0, input)


def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x moved towards 0 by lambd, 0 within. RuntimeError for a negative lambd."""
    if lambd < 0:
        raise RuntimeError(f"lambda must be greater or equal to 0, but found {lambd}.")
    below = _where(input < -lambd, input + lambd, input * 0)
    return _where(input > lambd, input - lambd, below)


# -- exponentials


@in_float32
def _elu(x: Tensor, alpha: float, scale: float, inner: float) -> Tensor:
    above = x > 0
    curve = expm1(_where(above, 0, x) * inner) * (alpha * scale)
    return _where(above, x * scale, curve)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x above 0, else alpha * (exp(x) - 1)."""
    return _done(input, _elu(input, alpha, 1.0, 1.0), inplace)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """`elu` scaled to keep mean and variance (arXiv:1706.02515)."""
    result = _elu(input, 1.6732632423543772, 1.0507009873554805, 1.0)
    return _done(input, result, inplace)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x above 0, else alpha * (exp(x / alpha) - 1)."""
    if alpha == 0:
        raise RuntimeError("ZeroDivisionError: alpha cannot be 0 for CELU")
    return _done(input, _elu(input, alpha, 1.0, 1 / alpha), inplace)


@in_float32
def _gelu(x: Tensor) -> Tensor:
    return x * 0.5 * (1 + erf(x * math.sqrt(0.5)))


@in_float32
def _gelu_tanh(x: Tensor) -> Tensor:
    inner = (x + 0.044715 * (x * x * x)) * math.sqrt(2 / math.pi)
    return 0.5 * x * (1 + tanh(inner))


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """x times the normal distribution function of x (arXiv:1606.08415).

    `approximate="tanh"` takes the paper's approximation. RuntimeError for others.
    """
    forms = {"none": _gelu, "tanh": _gelu_tanh}
    if approximate not in forms:
        raise RuntimeError("approximate argument must be either none or tanh.")
    return forms[approximate](input)


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """x * sigmoid(x)."""
    return _done(input, _silu(input), inplace)


@in_float32
def _silu(x: Tensor) -> Tensor:
    return x * sigmoid(x)


@in_float32
def _softplus(x: Tensor, beta: float, threshold: float) -> Tensor:
    line = x * beta > threshold
    return _where(line, x, log1p(exp(_where(line, 0, x) * beta)) / beta)


@ruled
def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + exp(beta x)) / beta; x itself where beta x > threshold."""
    return _softplus(input, beta, threshold)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """x * tanh(softplus(x)) (arXiv:1908.08681)."""
    return _done(input, _mish(input), inplace)


@in_float32
def _mish(x: Tensor) -> Tensor:
    return x * tanh(_softplus(x, 1.0, 20.0))


@in_float32
def logsigmoid(input: Tensor) -> Tensor:
    """log(sigmoid(x)), exact for large |x|."""
    away = _where(input < 0, input, -input)  # -|x|, with PyTorch's slope at 0
    return _where(input < 0, input, 0) - log1p(exp(away))


@in_float32
def softsign(input: Tensor) -> Tensor:
    """x / (1 + |x|)."""
    return input / (1 + _where(input < 0, -input, input))


def tanhshrink(input: Tensor) -> Tensor:
    """x - tanh(x)."""
    return input - tanh(input)


# -- along a dimension


@ruled
def softmin(input: Tensor, dim: int, dtype: Any = None) -> Tensor:
    """`softmax` of -x."""
    return softmax(-input, dim, dtype=dtype)


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """The first half along `dim` times the sigmoid of the second (arXiv:1612.08083).

    RuntimeError when the size is odd.
    """
    if input.ndim == 0:
        raise RuntimeError("glu does not support 0-dimensional tensors")
    if input.shape[dim] % 2 != 0:
        raise RuntimeError(
            f"Halving dimension must be even, but dimension {dim % input.ndim} is size "
            f"{input.shape[dim]}"
        )
    a, b = chunk(input, 2, dim)
    return a * sigmoid(b)


# -- in place


def _in_place(function: Any) -> Any:
    def run(input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return write(input, function(input, *args, **kwargs))

    run.__name__ = run.__qualname__ = f"{function.__name__}_"
    run.__doc__ = f"`{function.__name__}`, written into `input`."
    return run


relu_, leaky_relu_, elu_, selu_ = map(_in_place, (relu, leaky_relu, elu, selu))
celu_, hardtanh_, threshold_ = map(_in_place, (celu, hardtanh, threshold))
