"""What all distributions share: shapes, samples, checks."""

from __future__ import annotations

from typing import Any, Optional, Union

from ...tracer.record import state
from ..arrays.alike import broadcast_tensors
from ..arrays.creation import tensor
from ..arrays.repeating import expand
from ..gradmode import no_grad
from ..math.pointwise import exp
from ..size import Size
from ..tensor import Tensor
from .support import Support

__all__ = ["Distribution", "Number"]

Number = Union[Tensor, float]


class Distribution:
    """A random variable, or `batch_shape` of them, of shape `event_shape` each.

    Parameters out of range are a ValueError, values outside of the support too, unless
    `validate_args` is False; recorded code is not checked.
    """

    has_rsample = False
    support: Support
    ranges: dict[str, Support] = {}  # where the parameters have to lie

    def __init__(
        self,
        batch_shape: Any = (),
        event_shape: Any = (),
        validate_args: Optional[bool] = None,
    ):
        self._batch_shape, self._event_shape = Size(batch_shape), Size(event_shape)
        self._checked = validate_args is not False
        if self._checks:
            for name, support in self.ranges.items():
                if name in self.__dict__:
                    support.check(self.__dict__[name], f"parameter {name}", self)

    @property
    def _checks(self) -> bool:
        return self._checked and state.recorder is None

    @property
    def batch_shape(self) -> Any:
        """How many of them there are."""
        return self._batch_shape

    @property
    def event_shape(self) -> Any:
        """The shape of one sample of one of them."""
        return self._event_shape

    @property
    def mean(self) -> Tensor:
        """The expected value."""
        raise NotImplementedError(f"{type(self).__name__} has no mean here")

    @property
    def variance(self) -> Tensor:
        """The expected squared distance from the mean."""
        raise NotImplementedError(f"{type(self).__name__} has no variance here")

    @property
    def stddev(self) -> Tensor:
        """The square root of the variance."""
        return self.variance.sqrt()

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draw [*sample_shape, *batch_shape, *event_shape]; no gradient."""
        with no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Draw so that gradients reach the parameters (arXiv:1312.6114)."""
        raise NotImplementedError(f"{type(self).__name__} has no rsample")

    def sample_n(self, n: int) -> Tensor:
        """Draw n."""
        return self.sample((n,))

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density or probability at `value`."""
        raise NotImplementedError

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of at most `value`."""
        raise NotImplementedError(f"{type(self).__name__} has no cdf here")

    def icdf(self, value: Tensor) -> Tensor:
        """Where `cdf` is `value`."""
        raise NotImplementedError(f"{type(self).__name__} has no icdf here")

    def entropy(self) -> Tensor:
        """Minus the expected logarithm of the density."""
        raise NotImplementedError(f"{type(self).__name__} has no entropy here")

    def perplexity(self) -> Tensor:
        """exp(entropy)."""
        return exp(self.entropy())

    def _shape(self, sample_shape: Any) -> tuple:
        given = (sample_shape,) if isinstance(sample_shape, int) else sample_shape
        return (*given, *self._batch_shape, *self._event_shape)

    def _check(self, value: Tensor) -> None:
        if not isinstance(value, Tensor):
            raise ValueError("The value argument to log_prob must be a Tensor")
        if self._checks:
            self.support.check(value, "value", self)

    def __repr__(self) -> str:
        given = {k: v for k, v in vars(self).items() if k in self.ranges}
        told = (f"{k}: {_said(v)}" for k, v in given.items())
        return f"{type(self).__name__}({', '.join(told)})"


def _said(value: Tensor) -> str:
    if value.numel() == 1:
        return str(value.detach().reshape(()).item())
    return f"torch.Size({list(value.shape)})"


def together(*given: Number) -> list[Tensor]:
    """Numbers and tensors as tensors of one shape."""
    first = next((x for x in given if isinstance(x, Tensor)), None)
    options = {} if first is None else {"dtype": first.dtype, "device": first.device}
    made = [x if isinstance(x, Tensor) else tensor(float(x), **options) for x in given]
    return list(broadcast_tensors(*made))


def stretched(t: Tensor, shape: tuple) -> Tensor:
    """A parameter in the shape of samples."""
    return expand(t, shape)
