"""Axes of a batch taken as one event."""

from __future__ import annotations

from typing import Any, Optional

from ..tensor import Tensor
from .distribution import Distribution

__all__ = ["Independent"]


class Independent(Distribution):
    """The last axes of another distribution's batch as one event: log_prob adds up.

    ValueError when there are not so many axes.

    >>> import tracefuse
    >>> from tracefuse.distributions import Normal
    >>> rows = Normal(tracefuse.zeros(3, 2), tracefuse.ones(3, 2))
    >>> Independent(rows, 1).log_prob(tracefuse.zeros(3, 2)).shape
    tracefuse.Size([3])
    """

    def __init__(
        self,
        base_distribution: Distribution,
        reinterpreted_batch_ndims: int,
        validate_args: Optional[bool] = None,
    ):
        shape, count = base_distribution.batch_shape, reinterpreted_batch_ndims
        if count > len(shape):
            raise ValueError(
                "Expected reinterpreted_batch_ndims <= len(base_distribution."
                f"batch_shape), actual {count} vs {len(shape)}"
            )
        self.base_dist, self.reinterpreted_batch_ndims = base_distribution, count
        self.has_rsample = base_distribution.has_rsample
        kept = len(shape) - count
        event = (*shape[kept:], *base_distribution.event_shape)
        super().__init__(shape[:kept], event, validate_args)

    @property
    def mean(self) -> Tensor:
        """That of the base."""
        return self.base_dist.mean

    @property
    def variance(self) -> Tensor:
        """That of the base."""
        return self.base_dist.variance

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draw from the base."""
        return self.base_dist.sample(sample_shape)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Draw from the base, with gradients."""
        return self.base_dist.rsample(sample_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        """The sum over the axes of the event."""
        return self._total(self.base_dist.log_prob(value))

    def entropy(self) -> Tensor:
        """The sum over the axes of the event."""
        return self._total(self.base_dist.entropy())

    def _total(self, each: Tensor) -> Tensor:
        count = self.reinterpreted_batch_ndims
        return each.sum(tuple(range(-count, 0))) if count else each

    def __repr__(self) -> str:
        return f"Independent({self.base_dist!r}, {self.reinterpreted_batch_ndims})"
