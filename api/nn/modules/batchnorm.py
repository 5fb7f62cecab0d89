"""Normalisation with running statistics: over the batch, over single samples."""

from __future__ import annotations

from typing import Any, Optional

from ....tracer.types import int64
from ...arrays.fill import empty, zeros
from ...arrays.shapes import unsqueeze
from ...gradmode import no_grad
from ...tensor import Tensor
from .. import init
from ..functional import norm as F
from ..module import Module
from ..parameter import Parameter

__all__ = ["BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "InstanceNorm1d"]
__all__ += ["InstanceNorm2d", "InstanceNorm3d"]


class NormBase(Module):
    """Weights and running statistics of `num_features` channels.

    `running_mean` and `running_var` are buffers updated in place while training;
    `momentum=None` makes them the plain mean over all batches seen.
    """

    ranks: tuple = ()  # how many dimensions the input may have

    weight: Optional[Parameter]
    bias: Optional[Parameter]
    running_mean: Optional[Tensor]
    running_var: Optional[Tensor]
    num_batches_tracked: Optional[Tensor]

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: Optional[float] = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ):
        super().__init__()
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        self._make(affine, affine and bias, {"device": device, "dtype": dtype})
        self.reset_parameters()

    def _make(self, weight: bool, bias: bool, options: dict) -> None:
        n = self.num_features
        self.weight = Parameter(empty(n, **options)) if weight else None
        self.bias = Parameter(empty(n, **options)) if bias else None
        tracked = self.track_running_stats
        self.register_buffer("running_mean", empty(n, **options) if tracked else None)
        self.register_buffer("running_var", empty(n, **options) if tracked else None)
        count = zeros((), dtype=int64) if tracked else None
        self.register_buffer("num_batches_tracked", count)

    def reset_running_stats(self) -> None:
        """Mean 0, variance 1, no batches seen."""
        with no_grad():
            if self.running_mean is not None:
                init.zeros_(self.running_mean)
            if self.running_var is not None:
                init.ones_(self.running_var)
            if self.num_batches_tracked is not None:
                init.zeros_(self.num_batches_tracked)

    def reset_parameters(self) -> None:
        """Weight 1, bias 0, statistics as at the start."""
        self.reset_running_stats()
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def _check_input(self, input: Tensor) -> None:
        if input.ndim not in self.ranks:
            wanted = " or ".join(f"{n}D" for n in self.ranks)
            raise ValueError(f"expected {wanted} input (got {input.ndim}D input)")

    def extra_repr(self) -> str:
        """As PyTorch prints it."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, "
            f"affine={self.affine}, bias={self.bias is not None}, "
            f"track_running_stats={self.track_running_stats}"
        )


class _BatchNorm(NormBase):
    def forward(self, input: Tensor) -> Tensor:
        """[N, C, *], normalised: by the batch while training, else by what was seen."""
        self._check_input(input)
        momentum: Any = 0.0 if self.momentum is None else self.momentum
        batches = self.num_batches_tracked
        if self.training and self.track_running_stats and batches is not None:
            with no_grad():
                batches += 1
            if self.momentum is None:
                momentum = 1.0 / batches
        mean, var = self.running_mean, self.running_var
        if self.training and not self.track_running_stats:
            mean = var = None
        options = (self.training or mean is None, momentum, self.eps)
        return F.batch_norm(input, mean, var, self.weight, self.bias, *options)


class BatchNorm1d(_BatchNorm):
    """Mean 0 and variance 1 per channel of [N, C] or [N, C, L] (arXiv:1502.03167)."""

    ranks = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Mean 0 and variance 1 per channel of [N, C, H, W] (arXiv:1502.03167).

    ValueError for other numbers of dimensions, and for a single value per channel
    while training.
    """

    ranks = (4,)


class BatchNorm3d(_BatchNorm):
    """Mean 0 and variance 1 per channel of [N, C, D, H, W] (arXiv:1502.03167)."""

    ranks = (5,)


class _InstanceNorm(NormBase):
    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ):
        options = (affine, track_running_stats, device, dtype)
        super().__init__(num_features, eps, momentum, *options, bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        """[N, C, *] or [C, *], each channel of each sample normalised."""
        self._check_input(input)
        alone = input.ndim == self.ranks[0]
        x = unsqueeze(input, 0) if alone else input
        by_sample = self.training or not self.track_running_stats
        options = (by_sample, self.momentum or 0.0, self.eps)
        mean, var = self.running_mean, self.running_var
        y = F.instance_norm(x, mean, var, self.weight, self.bias, *options)
        return y[0] if alone else y  # type: ignore[index]


class InstanceNorm1d(_InstanceNorm):
    """Mean 0 and variance 1 per channel of each sample: [N, C, L] or [C, L]."""

    ranks = (2, 3)


class InstanceNorm2d(_InstanceNorm):
    """Mean 0 and variance 1 per channel of each sample: [N, C, H, W] or [C, H, W]."""

    ranks = (3, 4)


class InstanceNorm3d(_InstanceNorm):
    """Mean 0 and variance 1 per channel of each sample: [N, C, D, H, W] or less N."""

    ranks = (4, 5)
