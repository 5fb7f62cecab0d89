"""Activations as modules: each is a function of `functional` and its options."""

from __future__ import annotations

from typing import Any, Callable

from ...arrays.fill import full
from ...tensor import Tensor
from ..functional import activation as F
from ..module import Module
from ..parameter import Parameter

__all__ = ["ReLU", "ReLU6", "LeakyReLU", "ELU", "SELU", "CELU", "GELU", "SiLU", "Mish"]
__all__ += ["Softplus", "Hardtanh", "Hardswish", "Hardsigmoid", "Sigmoid", "Tanh"]
__all__ += ["LogSigmoid", "Softsign", "Tanhshrink", "Hardshrink", "Softshrink"]
__all__ += ["Threshold", "GLU", "PReLU", "Softmax", "LogSoftmax", "Softmin"]
__all__ += ["Softmax2d"]

_REQUIRED = object()


class Activation(Module):
    """A function of `functional` whose options are attributes of the module."""

    _function: Callable
    _options: dict[str, Any] = {}
    _hidden: tuple = ()  # options that `repr` leaves out

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__()
        name, options = type(self).__name__, self._options
        if len(args) > len(options):
            raise TypeError(
                f"{name}() takes at most {len(options)} arguments, {len(args)} given"
            )
        given = dict(zip(options, args))
        for key in kwargs:
            if key not in options or key in given:
                raise TypeError(f"{name}() got an unexpected keyword argument {key!r}")
        for key, value in {**options, **given, **kwargs}.items():
            if value is _REQUIRED:
                raise TypeError(f"{name}() missing 1 required argument: {key!r}")
            setattr(self, key, value)

    def forward(self, input: Tensor) -> Tensor:
        """The function of the input."""
        own = self.__dict__
        return self._function(input, **{key: own[key] for key in self._options})

    def extra_repr(self) -> str:
        """As PyTorch prints it."""
        shown = [key for key in self._options if key not in self._hidden]
        values = ((key, getattr(self, key)) for key in shown)
        return ", ".join(
            f"{key}={value!r}" for key, value in values if (key, value) != _NOT_SHOWN
        )


_NOT_SHOWN = ("inplace", False)


def _module(name: str, function: Callable, hidden: tuple = (), **options: Any) -> Any:
    doc = f"`functional.{function.__name__}` as a module."
    body = dict(_function=staticmethod(function), _options=options, _hidden=hidden)
    return type(name, (Activation,), {**body, "__doc__": doc, "__module__": __name__})


ReLU = _module("ReLU", F.relu, inplace=False)
ReLU6 = _module("ReLU6", F.relu6, inplace=False)
LeakyReLU = _module("LeakyReLU", F.leaky_relu, negative_slope=1e-2, inplace=False)
ELU = _module("ELU", F.elu, alpha=1.0, inplace=False)
SELU = _module("SELU", F.selu, inplace=False)
CELU = _module("CELU", F.celu, alpha=1.0, inplace=False)
GELU = _module("GELU", F.gelu, approximate="none")
SiLU = _module("SiLU", F.silu, inplace=False)
Mish = _module("Mish", F.mish, inplace=False)
Softplus = _module("Softplus", F.softplus, beta=1.0, threshold=20.0)
Hardtanh = _module("Hardtanh", F.hardtanh, min_val=-1.0, max_val=1.0, inplace=False)
Hardswish = _module("Hardswish", F.hardswish, ("inplace",), inplace=False)
Hardsigmoid = _module("Hardsigmoid", F.hardsigmoid, ("inplace",), inplace=False)
Sigmoid = _module("Sigmoid", F.sigmoid)
Tanh = _module("Tanh", F.tanh)
LogSigmoid = _module("LogSigmoid", F.logsigmoid)
Softsign = _module("Softsign", F.softsign)
Tanhshrink = _module("Tanhshrink", F.tanhshrink)
Threshold = _module(
    "Threshold", F.threshold, threshold=_REQUIRED, value=_REQUIRED, inplace=False
)
GLU = _module("GLU", F.glu, dim=-1)


class _Shrink(Activation):
    def extra_repr(self) -> str:
        """As PyTorch prints it."""
        return str(self.lambd)


class Hardshrink(_Shrink):
    """`functional.hardshrink` as a module."""

    _function, _options = staticmethod(F.hardshrink), {"lambd": 0.5}


class Softshrink(_Shrink):
    """`functional.softshrink` as a module."""

    _function, _options = staticmethod(F.softshrink), {"lambd": 0.5}


class PReLU(Module):
    """`functional.prelu` with a slope that is learnt: one, or one for each channel."""

    weight: Parameter

    def __init__(
        self,
        num_parameters: int = 1,
        init: float = 0.25,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        self.num_parameters, self.init = num_parameters, init
        weight = full((num_parameters,), float(init), device=device, dtype=dtype)
        self.weight = Parameter(weight)

    def forward(self, input: Tensor) -> Tensor:
        """x above 0, else x times the slope."""
        return F.prelu(input, self.weight)

    def extra_repr(self) -> str:
        """As PyTorch prints it."""
        return f"num_parameters={self.num_parameters}"


class _AlongDim(Activation):
    """`dim` left out means 0 for inputs of 0, 1 or 3 dimensions and 1 for others."""

    _options = {"dim": None}

    def forward(self, input: Tensor) -> Tensor:
        """Along `dim`."""
        dim = self.dim
        if dim is None:
            dim = 0 if input.ndim in (0, 1, 3) else 1
        return self._function(input, dim)


class Softmax(_AlongDim):
    """`functional.softmax` as a module."""

    _function = staticmethod(F.softmax)


class LogSoftmax(_AlongDim):
    """`functional.log_softmax` as a module."""

    _function = staticmethod(F.log_softmax)


class Softmin(_AlongDim):
    """`functional.softmin` as a module."""

    _function = staticmethod(F.softmin)


class Softmax2d(Module):
    """`functional.softmax` over the channels of [N, C, H, W] or [C, H, W].

    RuntimeError for other numbers of dimensions.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Along the channels."""
        if input.ndim not in (3, 4):
            raise RuntimeError(
                f"Softmax2d: expected input to be 3D or 4D, got {input.ndim}D instead"
            )
        return F.softmax(input, -3)
