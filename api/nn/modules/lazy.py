"""Layers that learn the size of their input from the first one they see."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Iterator

from ....tracer.record import state
from ....tracer.watch import touch
from ...arrays.fill import empty
from ...tensor import Tensor
from ..module import Module
from ..parameter import UninitializedParameter
from .batchnorm import BatchNorm1d, BatchNorm2d, BatchNorm3d
from .conv import Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d
from .linear import Linear

__all__ = ["LazyLinear", "LazyConv1d", "LazyConv2d", "LazyConv3d"]
__all__ += ["LazyConvTranspose1d", "LazyConvTranspose2d", "LazyBatchNorm1d"]
__all__ += ["LazyBatchNorm2d", "LazyBatchNorm3d"]


class Lazy(Module):
    """Until the first call the parameters have no shape; then it is a `becomes`.

    `out` and `into` name the attributes with the known and the unknown size.
    """

    becomes: Any
    out, into, at = "out_channels", "in_channels", 1
    bias: Any

    def _begin(self, size: Any, bias: bool, device: Any, dtype: Any) -> None:
        setattr(self, self.out, size)
        self.weight: Any = UninitializedParameter(device=device, dtype=dtype)
        if bias:
            self.bias = UninitializedParameter(device=device, dtype=dtype)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self._initialize(args[0])
        return self(*args, **kwargs)  # whose class is `becomes` now

    def reset_parameters(self) -> None:
        """Nothing to draw before the shapes are known."""

    def has_uninitialized_params(self) -> bool:
        """Whether it still waits for its first input."""
        own = self._parameters.values()
        return any(isinstance(p, UninitializedParameter) for p in own)

    def _initialize(self, input: Tensor) -> None:
        setattr(self, self.into, int(input.shape[self.at]))
        with _eager():
            self._materialize()
            if self.has_uninitialized_params():
                raise AssertionError(f"{self._get_name()} has parameters without shape")
            self.becomes.reset_parameters(self)
        object.__setattr__(self, "__class__", self.becomes)
        touch()

    def _materialize(self) -> None:
        for p in (self.weight, self.bias):
            if isinstance(p, UninitializedParameter):
                p.materialize(self._weight_shape() if p is self.weight else self._one())

    def _one(self) -> tuple:
        return (getattr(self, self.out),)

    def _weight_shape(self) -> tuple:
        return self.becomes._weight_shape(self)


@contextmanager
def _eager() -> Iterator[None]:
    """Parameters are made outside of any program, also while one is recorded."""
    rec, state.recorder = state.recorder, None
    try:
        yield
    finally:
        state.recorder = rec


class LazyLinear(Lazy, Linear):
    """A Linear whose in_features are those of the first input.

    >>> import tracefuse
    >>> layer = LazyLinear(2)
    >>> _ = layer(tracefuse.ones(1, 3))
    >>> layer
    Linear(in_features=3, out_features=2, bias=True)
    """

    becomes = Linear
    out, into, at = "out_features", "in_features", -1

    def __init__(
        self,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__(0, 0, False, device, dtype)
        self._begin(out_features, bias, device, dtype)

    def _weight_shape(self) -> tuple:
        return (self.out_features, self.in_features)


class _LazyConv(Lazy):
    def __init__(
        self,
        out_channels: int,
        kernel_size: Any,
        *args: Any,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
        **kwargs: Any,
    ):
        options: dict = {"bias": False, "device": device, "dtype": dtype}
        self.becomes.__init__(self, 0, 0, kernel_size, *args, **kwargs, **options)
        self._begin(out_channels, bias, device, dtype)


def _lazy_conv(becomes: type) -> Any:
    """The lazy form of a convolution: in_channels are those of the first input."""
    name = f"Lazy{becomes.__name__}"
    doc = f"A {becomes.__name__} whose in_channels are those of the first input."
    body = {"becomes": becomes, "__doc__": doc, "__module__": __name__}
    return type(name, (_LazyConv, becomes), body)


LazyConv1d, LazyConv2d, LazyConv3d = map(_lazy_conv, (Conv1d, Conv2d, Conv3d))
LazyConvTranspose1d = _lazy_conv(ConvTranspose1d)
LazyConvTranspose2d = _lazy_conv(ConvTranspose2d)


class _LazyBatchNorm(Lazy):
    out = into = "num_features"

    def __init__(
        self,
        eps: float = 1e-5,
        momentum: Any = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
    ):
        options = (track_running_stats, device, dtype)
        self.becomes.__init__(self, 0, eps, momentum, False, *options)
        self.affine = affine
        if affine:
            self._begin(0, True, device, dtype)

    def _materialize(self) -> None:
        super()._materialize()
        for name in ("running_mean", "running_var"):
            known = getattr(self, name)
            if known is not None:
                known.data = empty(self.num_features, dtype=known.dtype)

    def _weight_shape(self) -> tuple:
        return self._one()


def _lazy_norm(becomes: type) -> Any:
    """The lazy form of a batch norm: num_features are those of the first input."""
    name = f"Lazy{becomes.__name__}"
    doc = f"A {becomes.__name__} whose num_features are those of the first input."
    body = {"becomes": becomes, "__doc__": doc, "__module__": __name__}
    return type(name, (_LazyBatchNorm, becomes), body)


LazyBatchNorm1d, LazyBatchNorm2d, LazyBatchNorm3d = map(
    _lazy_norm, (BatchNorm1d, BatchNorm2d, BatchNorm3d)
)
