"""Distributions over the real numbers."""

from __future__ import annotations

import math
from typing import Any, Optional

from ..math.comparison import where
from ..math.pointwise import erf, erfinv, exp, log, log1p
from ..random.draws import standard_normal, uniform
from ..tensor import Tensor
from .distribution import Distribution, Number, stretched, together
from .support import NOT_NEGATIVE, POSITIVE, REAL, Support, between

__all__ = ["Exponential", "Laplace", "LogNormal", "Normal", "Uniform"]


class _Scaled(Distribution):
    """loc + scale * z, where z has a fixed distribution."""

    has_rsample = True
    support = REAL
    ranges: dict[str, Support] = {"loc": REAL, "scale": POSITIVE}

    def __init__(
        self, loc: Number, scale: Number, validate_args: Optional[bool] = None
    ):
        self.loc, self.scale = together(loc, scale)
        super().__init__(self.loc.shape, (), validate_args)

    @property
    def mean(self) -> Tensor:
        """loc."""
        return self.loc

    @property
    def mode(self) -> Tensor:
        """loc."""
        return self.loc

    def _drawn(self, shape: tuple) -> Tensor:
        raise NotImplementedError

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """loc + scale * z."""
        return self.loc + self.scale * self._drawn(self._shape(sample_shape))


class Normal(_Scaled):
    """The normal distribution with mean `loc` and deviation `scale`.

    >>> import tracefuse
    >>> Normal(0.0, 1.0).log_prob(tracefuse.tensor(0.0))
    tensor(-0.9189)
    """

    @property
    def variance(self) -> Tensor:
        """scale ** 2."""
        return self.scale * self.scale

    def _drawn(self, shape: tuple) -> Tensor:
        return standard_normal(shape, self.loc.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density."""
        self._check(value)
        return self._log_density(value)

    def _log_density(self, value: Tensor) -> Tensor:
        z = (value - self.loc) / self.scale
        return -0.5 * z * z - log(self.scale) - math.log(math.sqrt(2 * math.pi))

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of at most `value`."""
        return 0.5 * (1 + erf((value - self.loc) / (self.scale * math.sqrt(2))))

    def icdf(self, value: Tensor) -> Tensor:
        """Where `cdf` is `value`."""
        return self.loc + self.scale * erfinv(2 * value - 1) * math.sqrt(2)

    def entropy(self) -> Tensor:
        """log(scale) + log(2 pi e) / 2."""
        return 0.5 + 0.5 * math.log(2 * math.pi) + log(self.scale)


class LogNormal(Normal):
    """exp(x) for a normal x."""

    support = POSITIVE

    @property
    def mean(self) -> Tensor:
        """exp(loc + scale ** 2 / 2)."""
        return exp(self.loc + self.scale**2 / 2)

    @property
    def mode(self) -> Tensor:
        """exp(loc - scale ** 2)."""
        return exp(self.loc - self.scale**2)

    @property
    def variance(self) -> Tensor:
        """(exp(scale ** 2) - 1) * exp(2 * loc + scale ** 2)."""
        square = self.scale**2
        return (exp(square) - 1) * exp(2 * self.loc + square)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """exp(loc + scale * z)."""
        return exp(super().rsample(sample_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density."""
        self._check(value)
        x = log(value)
        return self._log_density(x) - x

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of at most `value`."""
        return super().cdf(log(value))

    def icdf(self, value: Tensor) -> Tensor:
        """Where `cdf` is `value`."""
        return exp(super().icdf(value))

    def entropy(self) -> Tensor:
        """That of the normal x, and loc."""
        return super().entropy() + self.loc


class Laplace(_Scaled):
    """Density exp(-|x - loc| / scale) / (2 scale).

    >>> import tracefuse
    >>> Laplace(0.0, 1.0).log_prob(tracefuse.tensor(1.0))
    tensor(-1.6931)
    """

    @property
    def variance(self) -> Tensor:
        """2 * scale ** 2."""
        return 2 * self.scale * self.scale

    def _drawn(self, shape: tuple) -> Tensor:
        u = uniform(shape, self.loc.dtype) - 0.5
        return -u.sign() * log1p(-2 * u.abs())

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density."""
        self._check(value)
        return -log(2 * self.scale) - (value - self.loc).abs() / self.scale

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of at most `value`."""
        away = value - self.loc
        tail = exp(-away.abs() / self.scale) - 1
        return 0.5 - 0.5 * away.sign() * tail

    def icdf(self, value: Tensor) -> Tensor:
        """Where `cdf` is `value`."""
        term = value - 0.5
        return self.loc - self.scale * term.sign() * log1p(-2 * term.abs())

    def entropy(self) -> Tensor:
        """1 + log(2 scale)."""
        return 1 + log(2 * self.scale)


class Uniform(Distribution):
    """Every number from `low` to `high` alike; ValueError unless low < high.

    >>> import tracefuse
    >>> Uniform(0.0, 4.0).log_prob(tracefuse.tensor([1.0, 3.0]))
    tensor([-1.3863, -1.3863])
    """

    has_rsample = True
    ranges: dict[str, Support] = {"low": REAL, "high": REAL}

    def __init__(self, low: Number, high: Number, validate_args: Optional[bool] = None):
        self.low, self.high = together(low, high)
        super().__init__(self.low.shape, (), validate_args)
        self.support = between(self.low, self.high)
        if self._checks and not bool((self.low < self.high).all()):
            raise ValueError("Uniform is not defined when low>= high")

    @property
    def mean(self) -> Tensor:
        """The middle."""
        return (self.low + self.high) / 2

    @property
    def variance(self) -> Tensor:
        """(high - low) ** 2 / 12."""
        return (self.high - self.low) ** 2 / 12

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """low + (high - low) * u."""
        u = uniform(self._shape(sample_shape), self.low.dtype)
        return self.low + (self.high - self.low) * u

    def log_prob(self, value: Tensor) -> Tensor:
        """-log(high - low) inside, minus infinity outside."""
        self._check(value)
        inside = (value >= self.low) & (value < self.high)
        return where(inside, -log(self.high - self.low), -math.inf)

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of at most `value`."""
        return ((value - self.low) / (self.high - self.low)).clamp(0, 1)

    def icdf(self, value: Tensor) -> Tensor:
        """Where `cdf` is `value`."""
        return self.low + value * (self.high - self.low)

    def entropy(self) -> Tensor:
        """log(high - low)."""
        return log(self.high - self.low)


class Exponential(Distribution):
    """Density rate * exp(-rate * x) over the positive numbers.

    >>> import tracefuse
    >>> Exponential(2.0).mean
    tensor(0.5000)
    """

    has_rsample = True
    support = NOT_NEGATIVE
    ranges: dict[str, Support] = {"rate": POSITIVE}

    def __init__(self, rate: Number, validate_args: Optional[bool] = None):
        (self.rate,) = together(rate)
        super().__init__(self.rate.shape, (), validate_args)

    @property
    def mean(self) -> Tensor:
        """1 / rate."""
        return 1 / self.rate

    @property
    def variance(self) -> Tensor:
        """rate ** -2."""
        return 1 / (self.rate * self.rate)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """-log(1 - u) / rate."""
        shape = self._shape(sample_shape)
        u = uniform(shape, self.rate.dtype)
        return -log1p(-u) / stretched(self.rate, shape)

    def log_prob(self, value: Tensor) -> Tensor:
        """log(rate) - rate * value."""
        self._check(value)
        return log(self.rate) - self.rate * value

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of at most `value`."""
        return 1 - exp(-self.rate * value)

    def icdf(self, value: Tensor) -> Tensor:
        """Where `cdf` is `value`."""
        return -log1p(-value) / self.rate

    def entropy(self) -> Tensor:
        """1 - log(rate)."""
        return 1 - log(self.rate)
