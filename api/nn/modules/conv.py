"""Convolutions as modules."""

from __future__ import annotations

import math
from typing import Any, Optional

from ...arrays.fill import empty
from ...tensor import Tensor
from .. import init
from ..functional import conv as F
from ..functional.padding import pad
from ..functional.sliding import each
from ..module import Module
from ..parameter import Parameter

__all__ = ["Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d"]
__all__ += ["ConvTranspose3d"]

_MODES = {"zeros", "reflect", "replicate", "circular"}


class _ConvBase(Module):
    """The weight and the options of a convolution over `dims` dimensions."""

    dims = 0
    transposed = False
    weight: Parameter
    bias: Optional[Parameter]

    def _setup(
        self,
        in_channels: int,
        out_channels: int,
        sizes: tuple,
        groups: int,
        bias: bool,
        padding_mode: str,
        options: dict,
    ) -> None:
        _check_options(in_channels, out_channels, groups, padding_mode)
        self.in_channels, self.out_channels = in_channels, out_channels
        names = ("kernel_size", "stride", "padding", "dilation")
        for name, value in zip(names, sizes):
            text = isinstance(value, str)
            setattr(self, name, value if text else each(value, self.dims, name))
        self.groups, self.padding_mode = groups, padding_mode
        self.weight = Parameter(empty(self._weight_shape(), **options))
        self.bias = Parameter(empty(out_channels, **options)) if bias else None
        self.reset_parameters()

    def _weight_shape(self) -> tuple:
        channels = [self.out_channels, self.in_channels]
        first, second = reversed(channels) if self.transposed else channels
        return (first, second // self.groups, *self.kernel_size)

    def reset_parameters(self) -> None:
        """Draw new weights, uniform within 1 / sqrt(inputs of one output)."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in = math.prod(self.weight.shape[1:])
            if fan_in:
                init.uniform_within_(self.bias, fan_in)

    def _shown(self) -> dict[str, Any]:
        """The options that `repr` writes where they differ from the default."""
        one, zero = (1,) * self.dims, (0,) * self.dims
        given = {
            "padding": (self.padding, zero),
            "dilation": (self.dilation, one),
            "output_padding": (getattr(self, "output_padding", zero), zero),
            "groups": (self.groups, 1),
            "bias": (self.bias is not None, True),
            "padding_mode": (self.padding_mode, "zeros"),
        }
        return {name: value for name, (value, usual) in given.items() if value != usual}

    def extra_repr(self) -> str:
        """As PyTorch prints it."""
        more = "".join(f", {name}={value}" for name, value in self._shown().items())
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, "
            f"stride={self.stride}{more}"
        )


def _check_options(inputs: int, outputs: int, groups: int, mode: str) -> None:
    if groups <= 0:
        raise ValueError("groups must be a positive integer")
    if inputs % groups != 0:
        raise ValueError("in_channels must be divisible by groups")
    if outputs % groups != 0:
        raise ValueError("out_channels must be divisible by groups")
    if mode not in _MODES:
        raise ValueError(
            f"padding_mode must be one of {sorted(_MODES)}, but got "
            f"padding_mode='{mode}'"
        )


class _Conv(_ConvBase):
    _function: Any

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        if isinstance(padding, str) and padding not in ("same", "valid"):
            raise ValueError(
                f"Invalid padding string '{padding}', should be one of 'valid', 'same'"
            )
        if padding == "same" and any(s != 1 for s in each(stride, self.dims, "stride")):
            raise ValueError("padding='same' is not supported for strided convolutions")
        sizes = (kernel_size, stride, padding, dilation)
        options = {"device": device, "dtype": dtype}
        rest = (groups, bias, padding_mode, options)
        self._setup(in_channels, out_channels, sizes, *rest)

    def forward(self, input: Tensor) -> Tensor:
        """[N, C, sizes...] or [C, sizes...] -> as many windows, out_channels each."""
        padding = self.padding
        if self.padding_mode != "zeros":
            input = pad(input, self._both_sides(), self.padding_mode)
            padding = 0
        options = (self.stride, padding, self.dilation, self.groups)
        return self._function(input, self.weight, self.bias, *options)

    def _both_sides(self) -> list:
        """The padding as `pad` wants it: the last dimension first."""
        if self.padding == "valid":
            return [0, 0] * self.dims
        reach = [d * (k - 1) for k, d in zip(self.kernel_size, self.dilation)]
        if self.padding == "same":
            pairs = [(r // 2, r - r // 2) for r in reach]
        else:
            pairs = [(p, p) for p in self.padding]
        return [side for pair in reversed(pairs) for side in pair]


class Conv1d(_Conv):
    """Cross-correlation over one dimension: [N, C, L] -> [N, out_channels, L']."""

    dims, _function = 1, staticmethod(F.conv1d)


class Conv2d(_Conv):
    """Cross-correlation over two dimensions: [N, C, H, W] -> [N, O, H', W'].

    >>> import tracefuse
    >>> Conv2d(1, 4, 3, padding=1)(tracefuse.zeros(2, 1, 8, 8)).shape
    tracefuse.Size([2, 4, 8, 8])
    """

    dims, _function = 2, staticmethod(F.conv2d)


class Conv3d(_Conv):
    """Cross-correlation over three dimensions: [N, C, D, H, W] -> [N, O, ...]."""

    dims, _function = 3, staticmethod(F.conv3d)


class _ConvTranspose(_ConvBase):
    transposed = True
    _function: Any

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        if padding_mode != "zeros":
            raise ValueError(
                f'Only "zeros" padding mode is supported for {type(self).__name__}'
            )
        self.output_padding = each(output_padding, self.dims, "output_padding")
        sizes = (kernel_size, stride, padding, dilation)
        options = {"device": device, "dtype": dtype}
        rest = (groups, bias, padding_mode, options)
        self._setup(in_channels, out_channels, sizes, *rest)

    def forward(self, input: Tensor, output_size: Any = None) -> Tensor:
        """The adjoint of a convolution; `output_size` chooses among possible sizes."""
        extra = self.output_padding
        if output_size is not None:
            extra = self._extra(input, tuple(output_size))
        options = (self.stride, self.padding, extra, self.groups, self.dilation)
        return self._function(input, self.weight, self.bias, *options)

    def _extra(self, input: Tensor, wanted: tuple) -> tuple:
        wanted = wanted[-self.dims :]
        sizes = input.shape[-self.dims :]
        options = zip(sizes, self.stride, self.padding, self.dilation, self.kernel_size)
        least = [(n - 1) * s - 2 * p + d * (k - 1) + 1 for n, s, p, d, k in options]
        extra = tuple(w - n for w, n in zip(wanted, least))
        if any(not 0 <= e < s for e, s in zip(extra, self.stride)):
            most = [n + s - 1 for n, s in zip(least, self.stride)]
            raise ValueError(
                f"requested an output size of {list(wanted)}, but valid sizes range "
                f"from {least} to {most} (for an input of {list(sizes)})"
            )
        return extra


class ConvTranspose1d(_ConvTranspose):
    """The adjoint of Conv1d over its input: [N, C, L] -> [N, out_channels, L']."""

    dims, _function = 1, staticmethod(F.conv_transpose1d)


class ConvTranspose2d(_ConvTranspose):
    """The adjoint of Conv2d over its input: [N, C, H, W] -> [N, O, H', W']."""

    dims, _function = 2, staticmethod(F.conv_transpose2d)


class ConvTranspose3d(_ConvTranspose):
    """The adjoint of Conv3d over its input: [N, C, D, H, W] -> [N, O, ...]."""

    dims, _function = 3, staticmethod(F.conv_transpose3d)
