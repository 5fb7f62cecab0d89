"""Initialisers: they fill a tensor in place, untracked, and return it."""

from __future__ import annotations

import math
import warnings
from typing import Any, Optional

import numpy as np

from ...tracer.record import state
from ...tracer.where import user_level
from ..arrays.fill import eye
from ..arrays.shared import from_numpy
from ..gradmode import no_grad
from ..random.draws import standard_normal, uniform
from ..tensor import Tensor, write

__all__ = ["uniform_", "normal_", "trunc_normal_", "constant_", "ones_", "zeros_"]
__all__ += ["eye_", "dirac_", "xavier_uniform_", "xavier_normal_", "kaiming_uniform_"]
__all__ += ["kaiming_normal_", "orthogonal_", "sparse_", "calculate_gain"]

Gen = Any


def _put(tensor: Tensor, values: Any) -> Tensor:
    with no_grad():
        return write(tensor, values)


def uniform_(
    tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Gen = None
) -> Tensor:
    """Uniform between a and b.

    >>> import tracefuse
    >>> t = uniform_(tracefuse.empty(100), -1, 1)
    >>> bool((t.abs() <= 1).all())
    True
    """
    drawn = uniform(tuple(tensor.shape), tensor.dtype, generator)
    return _put(tensor, drawn * (b - a) + a)


def uniform_within_(tensor: Tensor, fan_in: int) -> Tensor:
    """Uniform within 1 / sqrt(fan_in): where layers begin."""
    bound = 1 / math.sqrt(fan_in) if fan_in > 0 else 0
    return uniform_(tensor, -bound, bound)


def normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Gen = None
) -> Tensor:
    """Normal with that mean and standard deviation. RuntimeError for std < 0."""
    if std < 0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {std}")
    drawn = standard_normal(tuple(tensor.shape), tensor.dtype, generator)
    return _put(tensor, drawn * std + mean)


def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Gen = None,
) -> Tensor:
    """Normal, but only between a and b: by the inverse of the distribution."""
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(
            "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. The "
            "distribution of values may be incorrect.",
            stacklevel=user_level(),
        )
    low, high = (math.erf((x - mean) / (std * math.sqrt(2))) for x in (a, b))
    drawn: Any = uniform(tuple(tensor.shape), tensor.dtype, generator)
    drawn = (drawn * (high - low) + low).erfinv() * (std * math.sqrt(2)) + mean
    return _put(tensor, drawn.clamp(a, b))


def constant_(tensor: Tensor, val: float) -> Tensor:
    """`val` everywhere."""
    return _put(tensor, val)


def ones_(tensor: Tensor) -> Tensor:
    """1 everywhere."""
    return _put(tensor, 1)


def zeros_(tensor: Tensor) -> Tensor:
    """0 everywhere."""
    return _put(tensor, 0)


def eye_(tensor: Tensor) -> Tensor:
    """The identity matrix. ValueError unless the tensor has 2 dimensions."""
    if tensor.ndim != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    return _put(tensor, eye(*tensor.shape, dtype=tensor.dtype))


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """A convolution weight [O, C, k...] that hands its input through.

    ValueError unless it has 3 to 5 dimensions and groups divide the outputs.
    """
    if tensor.ndim not in (3, 4, 5):
        raise ValueError("Only tensors with 3, 4, or 5 dimensions are supported")
    shape = tuple(int(n) for n in tensor.shape)
    if shape[0] % groups:
        raise ValueError("dim 0 must be divisible by groups")
    values = np.zeros(shape, np.float64)
    centre = tuple(n // 2 for n in shape[2:])
    count = shape[0] // groups
    for group in range(groups):
        for i in range(min(count, shape[1])):
            values[(group * count + i, i, *centre)] = 1
    return _put(tensor, from_numpy(values))


# -- scaled by the sizes of the layer


def calculate_gain(nonlinearity: str, param: Optional[float] = None) -> float:
    """By how much an activation shrinks the standard deviation.

    ValueError for one that is not known.

    >>> calculate_gain("tanh")
    1.6666666666666667
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, (int, float)):
            raise ValueError(f"negative_slope {param} not a valid number")
        return math.sqrt(2.0 / (1 + slope**2))
    if nonlinearity not in _GAINS:
        raise ValueError(f"Unsupported nonlinearity {nonlinearity}")
    return _GAINS[nonlinearity]


_GAINS = {"tanh": 5.0 / 3, "relu": math.sqrt(2.0), "selu": 3.0 / 4, "sigmoid": 1.0}
_GAINS["linear"] = 1.0
for _dims in (1, 2, 3):
    _GAINS[f"conv{_dims}d"] = _GAINS[f"conv_transpose{_dims}d"] = 1.0


def fans(tensor: Tensor) -> tuple[int, int]:
    """(inputs of one output, outputs of one input) of a weight [O, I, k...]."""
    if tensor.ndim < 2:
        raise ValueError(
            "Fan in and fan out can not be computed for tensor with fewer than 2 "
            "dimensions"
        )
    field = math.prod(tensor.shape[2:])
    return tensor.shape[1] * field, tensor.shape[0] * field


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Gen = None) -> Tensor:
    """Uniform, variance gain^2 * 2 / (fan_in + fan_out) (Glorot and Bengio, 2010)."""
    bound = gain * math.sqrt(6.0 / sum(fans(tensor)))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Gen = None) -> Tensor:
    """Normal, variance gain^2 * 2 / (fan_in + fan_out) (Glorot and Bengio, 2010)."""
    std = gain * math.sqrt(2.0 / sum(fans(tensor)))
    return normal_(tensor, 0.0, std, generator)


def _kaiming(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    """The standard deviation of arXiv:1502.01852."""
    if mode.lower() not in ("fan_in", "fan_out"):
        raise ValueError(
            f"Mode {mode} not supported, please use one of ['fan_in', 'fan_out']"
        )
    fan = fans(tensor)[mode.lower() == "fan_out"]
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


def _is_empty(tensor: Tensor) -> bool:
    empty = 0 in tensor.shape
    if empty:
        warnings.warn(
            "Initializing zero-element tensors is a no-op", stacklevel=user_level()
        )
    return empty


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Gen = None,
) -> Tensor:
    """Uniform, variance gain^2 / fan (arXiv:1502.01852)."""
    if _is_empty(tensor):
        return tensor
    bound = math.sqrt(3.0) * _kaiming(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Gen = None,
) -> Tensor:
    """Normal, variance gain^2 / fan (arXiv:1502.01852)."""
    if _is_empty(tensor):
        return tensor
    std = _kaiming(tensor, a, mode, nonlinearity)
    return normal_(tensor, 0.0, std, generator)


# -- made outside of a program, by NumPy


def orthogonal_(tensor: Tensor, gain: float = 1, generator: Gen = None) -> Tensor:
    """Rows (or columns, if fewer) orthogonal and of length gain (arXiv:1312.6120).

    ValueError for fewer than 2 dimensions.
    """
    if tensor.ndim < 2:
        raise ValueError("Only tensors with 2 or more dimensions are supported")
    if _is_empty(tensor):
        return tensor
    rows = int(tensor.shape[0])
    columns = math.prod(int(n) for n in tensor.shape[1:])
    drawn = _drawn((rows, columns), generator)
    q, r = np.linalg.qr(drawn.T if rows < columns else drawn)
    q = q * np.sign(np.diag(r))  # uniform over all orthogonal matrices
    q = q.T if rows < columns else q
    shape = tuple(int(n) for n in tensor.shape)
    return _put(tensor, from_numpy(np.ascontiguousarray(q.reshape(shape) * gain)))


def _drawn(shape: tuple, generator: Gen) -> np.ndarray:
    if state.recorder is not None:
        raise RuntimeError(
            "this initialiser computes outside of a program: call it outside of the "
            "jitted function"
        )
    values: Any = standard_normal(shape, from_numpy(np.zeros(0)).dtype, generator)
    return values.numpy()


def sparse_(
    tensor: Tensor, sparsity: float, std: float = 0.01, generator: Gen = None
) -> Tensor:
    """Normal, with a fraction `sparsity` of each column 0 (Martens, 2010)."""
    if tensor.ndim != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    rows, columns = (int(n) for n in tensor.shape)
    values = _drawn((rows, columns), generator) * std
    order = np.argsort(_drawn((rows, columns), generator), axis=0)
    zeros = order[: math.ceil(sparsity * rows)]
    np.put_along_axis(values, zeros, 0, axis=0)
    return _put(tensor, from_numpy(values))
