"""Losses of regression and of independent yes-or-no answers."""

from __future__ import annotations

import math
import warnings
from typing import Optional

from ....tracer.record import state
from ....tracer.where import user_level
from ...amp.ruled import ruled
from ...math.pointwise import abs as magnitude
from ...math.pointwise import exp, log, log1p
from ...math.reductions import sum as total
from ...tensor import Tensor, pointwise
from .reduction import check_reduction, reduced, warn_sizes

__all__ = ["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "kl_div"]
__all__ += ["binary_cross_entropy", "binary_cross_entropy_with_logits"]
__all__ += ["poisson_nll_loss", "gaussian_nll_loss", "margin_ranking_loss"]
__all__ += ["hinge_embedding_loss", "soft_margin_loss"]


@ruled
def mse_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """The squared difference. A warning when the shapes differ.

    >>> import tracefuse
    >>> mse_loss(tracefuse.zeros(2), tracefuse.tensor([1.0, 3.0]))
    tensor(5.)
    """
    warn_sizes(input, target)
    away = input - target
    return reduced(away * away, reduction)


@ruled
def l1_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """The absolute difference."""
    warn_sizes(input, target)
    return reduced(magnitude(input - target), reduction)


@ruled
def smooth_l1_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", beta: float = 1.0
) -> Tensor:
    """Half the square over beta where the difference is below beta, else its size
    less beta / 2 (arXiv:1504.08083). ValueError for a negative beta.
    """
    if beta < 0:
        raise ValueError(f"smooth_l1_loss does not support negative beta, got {beta}")
    if beta == 0:
        return l1_loss(input, target, reduction)
    warn_sizes(input, target)
    size = magnitude(input - target)
    near = size * size * (0.5 / beta)
    return reduced(pointwise("where", size < beta, near, size - beta / 2), reduction)


@ruled
def huber_loss(
    input: Tensor,
    target: Tensor,
    reduction: str = "mean",
    delta: float = 1.0,
    weight: Optional[Tensor] = None,
) -> Tensor:
    """Half the square where the difference is up to delta, delta times (its size less
    delta / 2) beyond. ValueError unless delta > 0.
    """
    if delta <= 0:
        raise ValueError(f"huber_loss does not support non-positive delta, got {delta}")
    warn_sizes(input, target)
    size = magnitude(input - target)
    far = (size - delta / 2) * delta
    loss = pointwise("where", size <= delta, size * size * 0.5, far)
    return reduced(loss if weight is None else loss * weight, reduction)


@ruled
def kl_div(
    input: Tensor, target: Tensor, reduction: str = "mean", log_target: bool = False
) -> Tensor:
    """target * (log target - input), where `input` holds log-probabilities.

    `reduction="batchmean"` divides the sum by the first size, as the definition wants.
    """
    if log_target:
        loss = exp(target) * (target - input)
    else:
        safe = pointwise("where", target > 0, target, 1)
        loss = target * log(safe) - target * input
    if reduction == "batchmean":
        return total(loss) / (input.shape[0] if input.ndim else 1)
    if reduction == "mean":
        warnings.warn(
            "reduction: 'mean' divides the total loss by both the batch size and the "
            "support size. 'batchmean' divides only by the batch size, and aligns with "
            "the KL div math definition.",
            stacklevel=user_level(),
        )
    return reduced(loss, reduction)


@ruled
def binary_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Optional[Tensor] = None,
    reduction: str = "mean",
) -> Tensor:
    """-(y log p + (1 - y) log(1 - p)), each logarithm at least -100.

    Same shapes. ValueError when they differ, RuntimeError for p outside 0..1.
    """
    if tuple(input.shape) != tuple(target.shape):
        raise ValueError(
            f"Using a target size ({target.shape}) that is different to the input size "
            f"({input.shape}) is deprecated. Please ensure they have the same size."
        )
    _check_probabilities(input)
    loss = (target - 1) * _bounded_log(1 - input) - target * _bounded_log(input)
    return reduced(loss if weight is None else loss * weight, reduction)


def _check_probabilities(p: Tensor) -> None:
    # Recorded, this would read numbers in the middle of the program.
    if state.recorder is None and bool(((p < 0) | (p > 1)).any()):  # type: ignore
        raise RuntimeError("all elements of input should be between 0 and 1")


def _bounded_log(x: Tensor) -> Tensor:
    tiny = x < math.exp(-100)
    return pointwise("where", tiny, -100.0, log(pointwise("where", tiny, 1, x)))


@ruled
def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Optional[Tensor] = None,
    reduction: str = "mean",
    pos_weight: Optional[Tensor] = None,
) -> Tensor:
    """`binary_cross_entropy` of sigmoid(input), exact for large scores.

    `pos_weight` multiplies the positive part. ValueError when the shapes differ.
    """
    if tuple(input.shape) != tuple(target.shape):
        raise ValueError(
            f"Target size ({target.shape}) must be the same as input size "
            f"({input.shape})"
        )
    away = pointwise("where", input < 0, input, -input)
    minus_log = log1p(exp(away)) - pointwise("where", input < 0, input, 0)
    if pos_weight is not None:
        minus_log = minus_log * ((pos_weight - 1) * target + 1)
    loss = (1 - target) * input + minus_log
    return reduced(loss if weight is None else loss * weight, reduction)


@ruled
def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    eps: float = 1e-8,
    reduction: str = "mean",
) -> Tensor:
    """exp(input) - target * input, or of log(input + eps) without `log_input`.

    `full` adds Stirling's approximation of log(target!).
    """
    if log_input:
        loss = exp(input) - target * input
    else:
        loss = input - target * log(input + eps)
    if full:
        safe = pointwise("where", target > 1, target, 1)
        extra = target * log(safe) - target + 0.5 * log(2 * math.pi * safe)
        loss = loss + pointwise("where", target > 1, extra, 0)
    return reduced(loss, reduction)


def gaussian_nll_loss(
    input: Tensor,
    target: Tensor,
    var: Tensor,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:
    """(log var + (input - target)^2 / var) / 2, var at least eps (with no slope)."""
    check_reduction(reduction)
    var = var.clone()  # type: ignore[attr-defined]
    var = pointwise("where", var < eps, var * 0 + eps, var)
    away = input - target
    loss = 0.5 * (log(var) + away * away / var)
    return reduced(loss + 0.5 * math.log(2 * math.pi) if full else loss, reduction)


@ruled
def margin_ranking_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    reduction: str = "mean",
) -> Tensor:
    """max(0, margin - target * (input1 - input2)), target 1 or -1."""
    loss = margin - target * (input1 - input2)
    return reduced(pointwise("where", loss <= 0, 0, loss), reduction)


@ruled
def hinge_embedding_loss(
    input: Tensor, target: Tensor, margin: float = 1.0, reduction: str = "mean"
) -> Tensor:
    """The input where target is 1, max(0, margin - input) where it is -1."""
    gap = margin - input
    far = pointwise("where", gap <= 0, 0, gap)
    loss = pointwise("where", pointwise("eq", target, 1), input, far)
    return reduced(loss, reduction)


@ruled
def soft_margin_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """log(1 + exp(-target * input)), target 1 or -1."""
    score = -target * input
    away = pointwise("where", score < 0, score, -score)
    loss = pointwise("where", score < 0, 0, score) + log1p(exp(away))
    return reduced(loss, reduction)
