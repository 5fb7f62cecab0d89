"""Losses of classification: against the number of a class, or probabilities."""

from __future__ import annotations

from typing import Optional

from ....tracer.types import int64, uint8
from ...amp.ruled import ruled
from ...arrays.fill import ones
from ...arrays.shapes import movedim, reshape
from ...math.comparison import where
from ...math.composite import cast
from ...math.reductions import sum as total
from ...math.scans import log_softmax
from ...tensor import Tensor, apply, pointwise
from .reduction import check_reduction, reduced

__all__ = ["cross_entropy", "nll_loss"]


@ruled
def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Optional[Tensor] = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """-log of the softmax that scores give to the target.

    input [N, C, *] or [C]; target int64 [N, *] or [] with classes 0..C-1, or
    probabilities shaped like the input. `weight` [C] weighs the classes, targets equal
    to `ignore_index` count nothing, `label_smoothing` mixes in the uniform
    distribution (arXiv:1512.00567). IndexError for a class that does not exist,
    ValueError for batch sizes that differ.

    >>> import tracefuse
    >>> cross_entropy(tracefuse.zeros(1, 2), tracefuse.tensor([1]))
    tensor(0.6931)
    """
    check_reduction(reduction)
    if not 0.0 <= label_smoothing <= 1.0:
        raise RuntimeError(
            f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}"
        )
    if input.ndim == 0:
        raise ValueError("input must have at least one dimension: the classes")
    scores = log_softmax(input, 1 if input.ndim > 1 else 0)
    if tuple(input.shape) == tuple(target.shape) and target.dtype.is_floating_point:
        return _against_probabilities(
            scores, target, weight, reduction, label_smoothing
        )
    options = (weight, ignore_index, reduction)
    if not label_smoothing:
        return nll_loss(scores, target, *options)
    return _smoothed(scores, target, *options, label_smoothing)


def _against_probabilities(
    scores: Tensor,
    target: Tensor,
    weight: Optional[Tensor],
    reduction: str,
    smoothing: float,
) -> Tensor:
    at = 1 if scores.ndim > 1 else 0
    classes = scores.shape[at]
    if smoothing:
        target = target * (1 - smoothing) + smoothing / classes
    if weight is not None:
        scores = scores * reshape(weight, (-1,) + (1,) * (scores.ndim - at - 1))
    loss = -total(scores * target, at)
    if reduction == "mean":
        count = scores.shape.numel() // classes
        return total(loss) / count
    return reduced(loss, reduction)


@ruled
def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Optional[Tensor] = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Minus the log-probability of the target: input [N, C, *] or [C], target [N, *].

    The rest is as in `cross_entropy`.
    """
    check_reduction(reduction)
    picked = _Picked(input, target, weight, ignore_index)
    loss = -picked.of_target() * picked.weight
    return picked.reduce(loss, reduction)


def _smoothed(
    scores: Tensor,
    target: Tensor,
    weight: Optional[Tensor],
    ignore_index: int,
    reduction: str,
    smoothing: float,
) -> Tensor:
    picked = _Picked(scores, target, weight, ignore_index)
    hard = -picked.of_target() * picked.weight
    every = picked.rows if weight is None else picked.rows * weight
    even = where(picked.ignored, 0.0, -total(every, -1))
    classes = picked.rows.shape[-1]
    loss = hard * (1 - smoothing) + even * (smoothing / classes)
    return picked.reduce(loss, reduction)


class _Picked:
    """Scores as rows of classes, the target as one number for each row."""

    def __init__(
        self, scores: Tensor, target: Tensor, weight: Optional[Tensor], ignore: int
    ):
        _check(scores, target, weight)
        classes = scores.shape[1 if scores.ndim > 1 else 0]
        last = movedim(scores, 1, -1) if scores.ndim > 2 else scores
        self.shape = tuple(target.shape)
        self.rows = reshape(last, (-1, classes))
        number = reshape(cast(target, int64), (-1,))
        self.ignored = pointwise("eq", number, ignore)
        # A class that does not exist must not be taken for one counted from the end.
        outside = where(self.ignored, 0, classes)
        self.number = where((number < 0) | self.ignored, outside, number)
        kept = ones((), dtype=scores.dtype)
        if weight is not None:
            kept = apply("gather", weight, self.number, batch=0)
        self.weight = where(self.ignored, 0, kept)

    def of_target(self) -> Tensor:
        """Each row's score of its target."""
        return apply("gather", self.rows, self.number, batch=1)

    def reduce(self, loss: Tensor, reduction: str) -> Tensor:
        """The losses of the rows, as the caller wants them."""
        if reduction == "none":
            return reshape(loss, self.shape)
        added_up = total(loss)
        return added_up / total(self.weight) if reduction == "mean" else added_up


def _check(scores: Tensor, target: Tensor, weight: Optional[Tensor]) -> None:
    at = 1 if scores.ndim > 1 else 0
    if scores.shape[0] != target.shape[0] if scores.ndim > 1 and target.ndim else False:
        raise ValueError(
            f"Expected input batch_size ({scores.shape[0]}) to match target batch_size "
            f"({target.shape[0]})."
        )
    expected = tuple(scores.shape[:at]) + tuple(scores.shape[at + 1 :])
    if tuple(target.shape) != expected:
        raise RuntimeError(
            f"Expected target size {list(expected)}, got {list(target.shape)}"
        )
    if target.dtype not in (int64, uint8):
        raise RuntimeError(
            f"expected scalar type Long or Byte for class numbers, but found "
            f"{target.dtype} in a target of shape {list(target.shape)}"
        )
    if weight is not None and tuple(weight.shape) != (scores.shape[at],):
        raise RuntimeError(
            f"weight tensor should be defined either for all {scores.shape[at]} "
            f"classes or no classes but got weight tensor of shape: "
            f"{list(weight.shape)}"
        )
