"""Lengths of vectors, their angles and distances."""

from __future__ import annotations

from typing import Any

from ...amp.ruled import ruled
from ...math.norms import vector_norm
from ...math.pointwise import sqrt
from ...math.reductions import sum as total
from ...tensor import Tensor, pointwise
from .reduction import reduced

__all__ = ["normalize", "cosine_similarity", "pairwise_distance"]
__all__ += ["cosine_embedding_loss", "triplet_margin_loss"]


def normalize(
    input: Tensor, p: float = 2.0, dim: Any = 1, eps: float = 1e-12
) -> Tensor:
    """Vectors along `dim` divided by their p-norm, or by eps where that is larger."""
    length = vector_norm(input, p, dim, keepdim=True)
    return input / pointwise("where", length < eps, eps, length)


@ruled
def cosine_similarity(
    x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8
) -> Tensor:
    """The cosine of the angle between vectors along `dim`; each length at least eps."""
    lengths = [_bounded(sqrt(total(x * x, dim)), eps) for x in (x1, x2)]
    return total(x1 * x2, dim) / (lengths[0] * lengths[1])


def _bounded(length: Tensor, eps: float) -> Tensor:
    return pointwise("where", length < eps, eps, length)


def pairwise_distance(
    x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    """The p-norm of x1 - x2 + eps along the last dimension."""
    return vector_norm(x1 - x2 + eps, p, -1, keepdim=keepdim)


@ruled
def cosine_embedding_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    reduction: str = "mean",
) -> Tensor:
    """1 - cosine where target is 1, max(0, cosine - margin) where it is -1."""
    cosine = cosine_similarity(input1, input2, -1, 1e-12)
    over = cosine - margin
    apart = pointwise("where", over <= 0, 0, over)
    loss = pointwise("where", pointwise("eq", target, 1), 1 - cosine, apart)
    return reduced(loss, reduction)


@ruled
def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """max(0, d(anchor, positive) - d(anchor, negative) + margin).

    `swap` takes the smaller of the negative's two distances.
    """
    near = pairwise_distance(anchor, positive, p, eps)
    far = pairwise_distance(anchor, negative, p, eps)
    if swap:
        other = pairwise_distance(positive, negative, p, eps)
        far = pointwise("minimum", far, other)
    loss = near - far + margin
    return reduced(pointwise("where", loss <= 0, 0, loss), reduction)
