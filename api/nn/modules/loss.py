"""Losses as modules."""

from __future__ import annotations

from typing import Any, Optional

from ...tensor import Tensor
from ..functional import classify, distance
from ..functional import loss as F
from ..functional.reduction import check_reduction
from ..module import Module

__all__ = ["CrossEntropyLoss", "NLLLoss", "MSELoss", "L1Loss", "SmoothL1Loss"]
__all__ += ["HuberLoss", "BCELoss", "BCEWithLogitsLoss", "KLDivLoss"]
__all__ += ["CosineSimilarity", "PairwiseDistance", "CosineEmbeddingLoss"]
__all__ += ["TripletMarginLoss", "MarginRankingLoss", "PoissonNLLLoss"]
__all__ += ["GaussianNLLLoss", "HingeEmbeddingLoss", "SoftMarginLoss"]


class _Loss(Module):
    """A loss of an input and a target; `reduction` is none, mean or sum."""

    _function: Any

    def __init__(self, reduction: str = "mean"):
        super().__init__()
        if reduction != "batchmean":
            check_reduction(reduction)
        self.reduction = reduction

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return self._function(input, target, reduction=self.reduction)


class _WeightedLoss(_Loss):
    def __init__(self, weight: Optional[Tensor] = None, reduction: str = "mean"):
        super().__init__(reduction)
        self.register_buffer("weight", weight)


class CrossEntropyLoss(_WeightedLoss):
    """-log softmax of the scores [N, C, *] at the target [N, *] of class numbers, or
    against probabilities [N, C, *]. See `functional.cross_entropy`.

    >>> import tracefuse
    >>> CrossEntropyLoss()(tracefuse.zeros(1, 2), tracefuse.tensor([1]))
    tensor(0.6931)
    """

    def __init__(
        self,
        weight: Optional[Tensor] = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ):
        super().__init__(weight, reduction)
        self.ignore_index, self.label_smoothing = ignore_index, label_smoothing

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        options = (self.weight, self.ignore_index, self.reduction)
        return classify.cross_entropy(input, target, *options, self.label_smoothing)


class NLLLoss(_WeightedLoss):
    """Minus the log-probabilities [N, C, *] at the target [N, *] of class numbers."""

    def __init__(
        self,
        weight: Optional[Tensor] = None,
        ignore_index: int = -100,
        reduction: str = "mean",
    ):
        super().__init__(weight, reduction)
        self.ignore_index = ignore_index

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        options = (self.weight, self.ignore_index, self.reduction)
        return classify.nll_loss(input, target, *options)


class MSELoss(_Loss):
    """The mean squared difference."""

    _function = staticmethod(F.mse_loss)


class L1Loss(_Loss):
    """The mean absolute difference."""

    _function = staticmethod(F.l1_loss)


class SmoothL1Loss(_Loss):
    """Squared below `beta`, absolute above."""

    def __init__(self, reduction: str = "mean", beta: float = 1.0):
        super().__init__(reduction)
        self.beta = beta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return F.smooth_l1_loss(input, target, self.reduction, self.beta)


class HuberLoss(_Loss):
    """Squared up to `delta`, straight beyond."""

    def __init__(self, reduction: str = "mean", delta: float = 1.0):
        super().__init__(reduction)
        self.delta = delta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return F.huber_loss(input, target, self.reduction, self.delta)


class BCELoss(_WeightedLoss):
    """Cross entropy of probabilities with targets between 0 and 1."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return F.binary_cross_entropy(input, target, self.weight, self.reduction)


class BCEWithLogitsLoss(_Loss):
    """Cross entropy of the sigmoid of scores with targets between 0 and 1."""

    def __init__(
        self,
        weight: Optional[Tensor] = None,
        reduction: str = "mean",
        pos_weight: Optional[Tensor] = None,
    ):
        super().__init__(reduction)
        self.register_buffer("weight", weight)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        options = (self.weight, self.reduction, self.pos_weight)
        return F.binary_cross_entropy_with_logits(input, target, *options)


class KLDivLoss(_Loss):
    """The Kullback-Leibler divergence of `exp(input)` from the target."""

    def __init__(self, reduction: str = "mean", log_target: bool = False):
        super().__init__(reduction)
        self.log_target = log_target

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return F.kl_div(input, target, self.reduction, self.log_target)


class PoissonNLLLoss(_Loss):
    """The likelihood of counts; see `functional.poisson_nll_loss`."""

    def __init__(
        self,
        log_input: bool = True,
        full: bool = False,
        eps: float = 1e-8,
        reduction: str = "mean",
    ):
        super().__init__(reduction)
        self.log_input, self.full, self.eps = log_input, full, eps

    def forward(self, log_input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        options = (self.log_input, self.full, self.eps, self.reduction)
        return F.poisson_nll_loss(log_input, target, *options)


class GaussianNLLLoss(_Loss):
    """The likelihood of values with a variance; see `functional.gaussian_nll_loss`."""

    def __init__(
        self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean"
    ):
        super().__init__(reduction)
        self.full, self.eps = full, eps

    def forward(  # type: ignore[override]
        self, input: Tensor, target: Tensor, var: Tensor
    ) -> Tensor:
        """The loss."""
        options = (self.full, self.eps, self.reduction)
        return F.gaussian_nll_loss(input, target, var, *options)


class SoftMarginLoss(_Loss):
    """log(1 + exp(-target * input))."""

    _function = staticmethod(F.soft_margin_loss)


class HingeEmbeddingLoss(_Loss):
    """The input where the target is 1, max(0, margin - input) where it is -1."""

    def __init__(self, margin: float = 1.0, reduction: str = "mean"):
        super().__init__(reduction)
        self.margin = margin

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return F.hinge_embedding_loss(input, target, self.margin, self.reduction)


class MarginRankingLoss(_Loss):
    """max(0, margin - target * (x1 - x2))."""

    def __init__(self, margin: float = 0.0, reduction: str = "mean"):
        super().__init__(reduction)
        self.margin = margin

    def forward(  # type: ignore[override]
        self, input1: Tensor, input2: Tensor, target: Tensor
    ) -> Tensor:
        """The loss."""
        options = (self.margin, self.reduction)
        return F.margin_ranking_loss(input1, input2, target, *options)


class CosineEmbeddingLoss(_Loss):
    """1 - cosine where the target is 1, max(0, cosine - margin) where it is -1."""

    def __init__(self, margin: float = 0.0, reduction: str = "mean"):
        super().__init__(reduction)
        self.margin = margin

    def forward(  # type: ignore[override]
        self, input1: Tensor, input2: Tensor, target: Tensor
    ) -> Tensor:
        """The loss."""
        options = (self.margin, self.reduction)
        return distance.cosine_embedding_loss(input1, input2, target, *options)


class TripletMarginLoss(_Loss):
    """max(0, d(anchor, positive) - d(anchor, negative) + margin)."""

    def __init__(
        self,
        margin: float = 1.0,
        p: float = 2.0,
        eps: float = 1e-6,
        swap: bool = False,
        reduction: str = "mean",
    ):
        super().__init__(reduction)
        self.margin, self.p, self.eps, self.swap = margin, p, eps, swap

    def forward(  # type: ignore[override]
        self, anchor: Tensor, positive: Tensor, negative: Tensor
    ) -> Tensor:
        """The loss."""
        options = (self.margin, self.p, self.eps, self.swap, self.reduction)
        return distance.triplet_margin_loss(anchor, positive, negative, *options)


class CosineSimilarity(Module):
    """The cosine of the angle between vectors along `dim`."""

    def __init__(self, dim: int = 1, eps: float = 1e-8):
        super().__init__()
        self.dim, self.eps = dim, eps

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        """The cosines."""
        return distance.cosine_similarity(x1, x2, self.dim, self.eps)


class PairwiseDistance(Module):
    """The p-norm of differences along the last dimension."""

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False):
        super().__init__()
        self.norm, self.eps, self.keepdim = p, eps, keepdim

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        """The distances."""
        return distance.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)
