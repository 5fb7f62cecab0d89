"""What the losses share: the reduction, and targets of the right size."""

from __future__ import annotations

import warnings

from ....tracer.where import user_level
from ...math.reductions import mean
from ...math.reductions import sum as total
from ...tensor import Tensor

__all__ = ["check_reduction", "reduced", "warn_sizes"]


def check_reduction(reduction: str) -> None:
    """ValueError unless it is none, mean or sum."""
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not a valid value for reduction")


def reduced(loss: Tensor, reduction: str) -> Tensor:
    """The elements' losses, their mean or their sum."""
    check_reduction(reduction)
    if reduction == "none":
        return loss
    return mean(loss) if reduction == "mean" else total(loss)


def warn_sizes(input: Tensor, target: Tensor) -> None:
    """A warning when the two will be broadcast: rarely what was meant."""
    if tuple(input.shape) != tuple(target.shape):
        warnings.warn(
            f"Using a target size ({target.shape}) that is different to the input size "
            f"({input.shape}). This will likely lead to incorrect results due to "
            "broadcasting. Please ensure they have the same size.",
            stacklevel=user_level(),
        )
