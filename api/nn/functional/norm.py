"""Normalisation: over features, channels, groups or the batch.

Half types are computed in float32 and rounded once. Variances are the mean of squared
differences, in two steps: exact where a mean of squares would cancel.
"""

from __future__ import annotations

import math
from typing import Any, Optional

from ....tracer.types import HALVES, float32
from ...amp.ruled import ruled
from ...arrays.shapes import reshape
from ...dtypes import finfo
from ...gradmode import no_grad
from ...math.composite import cast
from ...math.pointwise import sqrt
from ...math.reductions import average
from ...tensor import Tensor, write

__all__ = ["layer_norm", "rms_norm", "group_norm", "instance_norm", "batch_norm"]


def _wide(x: Tensor) -> Tensor:
    return cast(x, float32) if x.dtype in HALVES else x


def _centred(x: Tensor, over: tuple) -> tuple[Tensor, Tensor, Tensor]:
    """x - mean, the mean and the variance (of size 1 along `over`)."""
    mean = average(x, over, True)
    away = x - mean
    return away, mean, average(away * away, over, True)


def _scaled(y: Tensor, weight: Optional[Tensor], bias: Optional[Tensor]) -> Tensor:
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


def _trailing(x: Tensor, shape: Any, name: str) -> tuple:
    """The negative axes that `normalized_shape` names, checked."""
    wanted = (shape,) if isinstance(shape, int) else tuple(shape)
    if not wanted:
        raise RuntimeError(
            "Expected normalized_shape to be at least 1-dimensional, i.e., containing "
            "at least one element, but got normalized_shape = []"
        )
    if x.ndim < len(wanted) or tuple(x.shape[-len(wanted) :]) != wanted:
        raise RuntimeError(
            f"Given normalized_shape={list(wanted)}, expected input with shape "
            f"[*, {', '.join(map(str, wanted))}], but got input of size"
            f"{list(x.shape)}"
        )
    return tuple(range(-len(wanted), 0))


@ruled
def layer_norm(
    input: Tensor,
    normalized_shape: Any,
    weight: Optional[Tensor] = None,
    bias: Optional[Tensor] = None,
    eps: float = 1e-5,
) -> Tensor:
    """Mean 0 and variance 1 over the last dimensions (arXiv:1607.06450).

    `weight` and `bias` have the shape `normalized_shape`. RuntimeError when the input
    does not end in that shape.
    """
    over = _trailing(input, normalized_shape, "layer_norm")
    away, _, var = _centred(_wide(input), over)
    return cast(_scaled(away / sqrt(var + eps), weight, bias), input.dtype)


def rms_norm(
    input: Tensor,
    normalized_shape: Any,
    weight: Optional[Tensor] = None,
    eps: Optional[float] = None,
) -> Tensor:
    """Mean square 1 over the last dimensions (arXiv:1910.07467).

    `eps` is the resolution of the input's type where not given.
    """
    over = _trailing(input, normalized_shape, "rms_norm")
    x = _wide(input)
    eps = finfo(x.dtype).eps if eps is None else eps
    y = x / sqrt(average(x * x, over, True) + eps)
    return cast(_scaled(y, weight, None), input.dtype)


def _channels(t: Optional[Tensor], ndim: int) -> Optional[Tensor]:
    """One number per channel as it meets [N, C, ...]."""
    if t is None or ndim < 3:
        return t
    return reshape(t, tuple(t.shape) + (1,) * (ndim - 2))


@ruled
def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Optional[Tensor] = None,
    bias: Optional[Tensor] = None,
    eps: float = 1e-5,
) -> Tensor:
    """Mean 0 and variance 1 over groups of channels (arXiv:1803.08494).

    input [N, C, *], weight and bias [C]. RuntimeError when the groups do not divide C.
    """
    n, c = input.shape[:2]
    if c % num_groups != 0:
        raise RuntimeError(
            f"Expected number of channels in input to be divisible by num_groups, but "
            f"got input of shape {list(input.shape)} and num_groups={num_groups}"
        )
    rest = math.prod(input.shape[2:])
    groups = reshape(_wide(input), (n, num_groups, c // num_groups * rest))
    away, _, var = _centred(groups, (-1,))
    y = reshape(away / sqrt(var + eps), tuple(input.shape))
    ndim = input.ndim
    return cast(_scaled(y, _channels(weight, ndim), _channels(bias, ndim)), input.dtype)


def batch_norm(
    input: Tensor,
    running_mean: Optional[Tensor],
    running_var: Optional[Tensor],
    weight: Optional[Tensor] = None,
    bias: Optional[Tensor] = None,
    training: bool = False,
    momentum: Any = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Mean 0 and variance 1 for each channel over the batch (arXiv:1502.03167).

    input [N, C, *], the others [C]. While `training` the statistics are the batch's
    and the running ones move towards them (by `momentum`, in place); otherwise the
    running ones are used. ValueError for one value per channel while training.
    """
    over = (-input.ndim, *range(2 - input.ndim, 0))
    x, ndim = _wide(input), input.ndim
    if training:
        count = _count(input, over)
        away, mean, var = _centred(x, over)
        _move(running_mean, mean, momentum)
        _move(running_var, var, momentum, count)
    else:
        if running_mean is None or running_var is None:
            raise RuntimeError("Expected running_mean and running_var in eval mode")
        away = x - _channels(running_mean, ndim)  # type: ignore[operator]
        var = _channels(running_var, ndim)  # type: ignore[assignment]
    return cast(_by_channel(away, var, weight, bias, eps), input.dtype)


def _by_channel(
    away: Tensor,
    var: Tensor,
    weight: Optional[Tensor],
    bias: Optional[Tensor],
    eps: float,
) -> Tensor:
    """Scale and shift in one step: the small factor is made first."""
    scale = 1 / sqrt(var + eps)
    if weight is not None:
        scale = scale * _channels(weight, away.ndim)  # type: ignore[operator]
    return _scaled(away * scale, None, _channels(bias, away.ndim))


def _count(x: Tensor, over: tuple) -> Any:
    count = math.prod(x.shape[axis] for axis in over)
    if count == 1:
        raise ValueError(
            "Expected more than 1 value per channel when training, got input size "
            f"{x.shape}"
        )
    return count


def _move(
    running: Optional[Tensor], seen: Tensor, momentum: Any, n: Any = None
) -> None:
    """Towards what this batch showed; a variance of `n` values without bias."""
    if running is None:
        return
    with no_grad():
        now = reshape(seen, tuple(running.shape))
        if n is not None:
            now = now * n / (n - 1)
        write(running, running * (1 - momentum) + now * momentum)


def instance_norm(
    input: Tensor,
    running_mean: Optional[Tensor] = None,
    running_var: Optional[Tensor] = None,
    weight: Optional[Tensor] = None,
    bias: Optional[Tensor] = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Mean 0 and variance 1 for each channel of each sample (arXiv:1607.08022).

    input [N, C, *]; the running statistics [C] move towards the mean over the samples.
    """
    ndim = input.ndim
    if not use_input_stats:
        stats = (running_mean, running_var, weight, bias)
        return batch_norm(input, *stats, False, momentum, eps)
    over = tuple(range(2 - ndim, 0))
    count = math.prod(input.shape[2:])
    if count == 1:
        raise ValueError(
            "Expected more than 1 spatial element when training, got input size "
            f"{input.shape}"
        )
    away, mean, var = _centred(_wide(input), over)
    _move(running_mean, average(mean, (-ndim,), False), momentum)
    _move(running_var, average(var, (-ndim,), False), momentum, count)
    return cast(_by_channel(away, var, weight, bias, eps), input.dtype)
