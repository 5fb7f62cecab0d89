"""Distributions over whole numbers, by probabilities or by logits."""

from __future__ import annotations

from typing import Any, Optional

from ...tracer.types import float64, int64
from ..arrays.fill import arange, ones
from ..arrays.gathering import gather
from ..math.pointwise import log, log1p, sigmoid
from ..math.scans import log_softmax, softmax
from ..nn.functional.activation import softplus
from ..nn.functional.linear import one_hot
from ..random.draws import bernoulli_mask, uniform
from ..random.multinomial import multinomial
from ..tensor import Tensor
from .distribution import Distribution, Number, stretched, together
from .support import BOOLEAN, COUNT, REAL, SIMPLEX, UNIT, Support, below

__all__ = ["Bernoulli", "Categorical", "Geometric", "Multinomial", "OneHotCategorical"]


def _one_of(probs: Any, logits: Any) -> None:
    if (probs is None) == (logits is None):
        raise ValueError("Either `probs` or `logits` must be specified, but not both.")


class _Binary(Distribution):
    """What is told by one probability, or its logit."""

    ranges: dict[str, Support] = {"_given_probs": UNIT, "_given_logits": REAL}

    def __init__(
        self,
        probs: Optional[Number] = None,
        logits: Optional[Number] = None,
        validate_args: Optional[bool] = None,
    ):
        _one_of(probs, logits)
        if probs is not None:
            (self._given_probs,) = (given,) = together(probs)
        else:
            (self._given_logits,) = (given,) = together(logits)  # type: ignore
        super().__init__(given.shape, (), validate_args)

    @property
    def probs(self) -> Tensor:
        """The probability of a 1."""
        given = vars(self).get("_given_probs")
        return sigmoid(self._given_logits) if given is None else given

    @property
    def logits(self) -> Tensor:
        """log(p / (1 - p))."""
        given = vars(self).get("_given_logits")
        if given is not None:
            return given
        p = _clamped(self._given_probs)
        return log(p) - log1p(-p)

    def __repr__(self) -> str:
        return super().__repr__().replace("_given_", "")


def _clamped(p: Tensor) -> Tensor:
    eps = 2.220446049250313e-16 if p.dtype.itemsize == 8 else 1.1920928955078125e-07
    return p.clamp(eps, 1 - eps)


class Bernoulli(_Binary):
    """1 with probability `probs`, else 0.

    >>> import tracefuse
    >>> Bernoulli(0.25).log_prob(tracefuse.tensor([1.0, 0.0])).exp()
    tensor([0.2500, 0.7500])
    """

    support = BOOLEAN

    @property
    def mean(self) -> Tensor:
        """p."""
        return self.probs

    @property
    def variance(self) -> Tensor:
        """p * (1 - p)."""
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draw zeros and ones."""
        p, shape = self.probs.detach(), self._shape(sample_shape)
        return bernoulli_mask(shape, stretched(p, shape)).to(p.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        """value * log(p) + (1 - value) * log(1 - p)."""
        self._check(value)
        return value * self.logits - softplus(self.logits)

    def entropy(self) -> Tensor:
        """-p log(p) - (1 - p) log(1 - p)."""
        return softplus(self.logits) - self.probs * self.logits


class Geometric(_Binary):
    """How often it fails before it first succeeds, with probability `probs` each time.

    >>> Geometric(0.25).mean
    tensor(3.)
    """

    support = COUNT

    @property
    def mean(self) -> Tensor:
        """1 / p - 1."""
        return 1 / self.probs - 1

    @property
    def variance(self) -> Tensor:
        """(1 - p) / p ** 2."""
        return (1 / self.probs - 1) / self.probs

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draw whole numbers, as floats."""
        p, shape = self.probs.detach(), self._shape(sample_shape)
        u = 1 - uniform(shape, p.dtype)
        return (log(u) / log1p(-stretched(p, shape))).floor()

    def log_prob(self, value: Tensor) -> Tensor:
        """value * log(1 - p) + log(p)."""
        self._check(value)
        return value * log1p(-_clamped(self.probs)) + log(self.probs)

    def entropy(self) -> Tensor:
        """That of one attempt, divided by p."""
        return (softplus(self.logits) - self.probs * self.logits) / self.probs


class Categorical(Distribution):
    """Numbers 0 to K - 1 by the weights in the last axis of `probs`, or by `logits`.

    >>> import tracefuse
    >>> d = Categorical(tracefuse.tensor([1.0, 3.0]))
    >>> d.probs, d.log_prob(tracefuse.tensor(1)).exp()
    (tensor([0.2500, 0.7500]), tensor(0.7500))
    """

    ranges: dict[str, Support] = {"probs": SIMPLEX, "logits": REAL}

    def __init__(
        self,
        probs: Optional[Tensor] = None,
        logits: Optional[Tensor] = None,
        validate_args: Optional[bool] = None,
    ):
        _one_of(probs, logits)
        given: Tensor = logits if probs is None else probs  # type: ignore[assignment]
        if given.ndim < 1:
            raise ValueError("a categorical needs at least one axis of weights")
        if probs is not None:
            self.probs = probs / probs.sum(-1, keepdim=True)
            self.logits = log(_clamped(self.probs))
        else:
            self.logits = log_softmax(given, -1)
            self.probs = softmax(given, -1)
        self._count = given.shape[-1]
        super().__init__(given.shape[:-1], self._event(), validate_args)
        self.support = below(self._count)

    def _event(self) -> tuple:
        return ()

    @property
    def mode(self) -> Tensor:
        """The most probable number."""
        return self.probs.argmax(-1)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draw int64 numbers."""
        given = (sample_shape,) if isinstance(sample_shape, int) else sample_shape
        many = 1
        for n in given:
            many = many * n
        rows = self.probs.detach().reshape(-1, self._count)
        drawn = multinomial(rows, many, True)
        return drawn.T.reshape(*given, *self._batch_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the probability of each number."""
        self._check(value)
        value = value.to(int64).unsqueeze(-1)
        shape = (*_wider(value.shape[:-1], self.logits.shape[:-1]), self._count)
        logits = stretched(self.logits, shape)
        return gather(logits, -1, stretched(value, (*shape[:-1], 1))).squeeze(-1)

    def entropy(self) -> Tensor:
        """-sum(p log(p))."""
        return -(self.probs * self.logits).sum(-1)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(probs: torch.Size({list(self.probs.shape)}))"


def _wider(a: tuple, b: tuple) -> tuple:
    return tuple((ones(a) + ones(b)).shape) if a != b else tuple(a)


class OneHotCategorical(Categorical):
    """As `Categorical`, with rows of one 1 and zeros instead of numbers."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.support = SIMPLEX

    def _event(self) -> tuple:
        return (self._count,)

    @property
    def mean(self) -> Tensor:
        """The probabilities."""
        return self.probs

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draw rows."""
        drawn = super().sample(sample_shape)
        return one_hot(drawn, int(self._count)).to(self.probs.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the probability of each row."""
        self._check(value)
        return (value * self.logits).sum(-1)


class Multinomial(Distribution):
    """How often each of K outcomes comes in `total_count` independent draws.

    >>> import tracefuse
    >>> Multinomial(10, tracefuse.tensor([1.0, 3.0])).mean
    tensor([2.5000, 7.5000])
    """

    support = COUNT

    def __init__(
        self,
        total_count: int = 1,
        probs: Optional[Tensor] = None,
        logits: Optional[Tensor] = None,
        validate_args: Optional[bool] = None,
    ):
        if not isinstance(total_count, int):
            raise NotImplementedError("inhomogeneous total_count is not supported")
        self.total_count = total_count
        self._each = Categorical(probs, logits, validate_args)
        shape = self._each.probs.shape
        super().__init__(shape[:-1], shape[-1:], validate_args)

    probs = property(lambda self: self._each.probs)
    logits = property(lambda self: self._each.logits)

    @property
    def mean(self) -> Tensor:
        """total_count * p."""
        return self.probs * self.total_count

    @property
    def variance(self) -> Tensor:
        """total_count * p * (1 - p)."""
        return self.total_count * self.probs * (1 - self.probs)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draw counts, as floats."""
        given = (
            (sample_shape,) if isinstance(sample_shape, int) else tuple(sample_shape)
        )
        drawn = self._each.sample((*given, self.total_count))
        rows = one_hot(drawn, int(self._each._count)).to(self.probs.dtype)
        return rows.sum(len(given))

    def log_prob(self, value: Tensor) -> Tensor:
        """log(n! / prod(value!)) + sum(value * log(p))."""
        self._check(value)
        factorials = _log_factorials(self.total_count).to(self.logits.dtype)
        ways = factorials[-1] - factorials[value.to(int64)].sum(-1)
        return ways + (value * self.logits).sum(-1)


def _log_factorials(n: int) -> Tensor:
    """log(k!) for k from 0 to n."""
    return log(arange(0, n + 1, dtype=float64).clamp(min=1)).cumsum(0)
