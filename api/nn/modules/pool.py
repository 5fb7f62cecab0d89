"""Pooling as modules."""

from __future__ import annotations

from typing import Any, Optional

from ...tensor import Tensor
from ..functional import pool as F
from ..functional.sliding import each
from ..module import Module

__all__ = ["MaxPool1d", "MaxPool2d", "MaxPool3d", "AvgPool1d", "AvgPool2d"]
__all__ += ["AvgPool3d", "AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveAvgPool3d"]
__all__ += ["AdaptiveMaxPool1d", "AdaptiveMaxPool2d"]


class _MaxPool(Module):
    _function: Any

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
    ):
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding, self.dilation, self.ceil_mode = padding, dilation, ceil_mode

    def forward(self, input: Tensor) -> Tensor:
        """The largest of every window."""
        options = (self.stride, self.padding, self.dilation, self.ceil_mode)
        return self._function(input, self.kernel_size, *options)

    def extra_repr(self) -> str:
        """As PyTorch prints it."""
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, "
            f"padding={self.padding}, dilation={self.dilation}, "
            f"ceil_mode={self.ceil_mode}"
        )


class MaxPool1d(_MaxPool):
    """The largest of every window of [N, C, L]."""

    _function = staticmethod(F.max_pool1d)


class MaxPool2d(_MaxPool):
    """The largest of every window of [N, C, H, W].

    >>> import tracefuse
    >>> MaxPool2d(2)(tracefuse.arange(4.0).reshape(1, 1, 2, 2))
    tensor([[[[3.]]]])
    """

    _function = staticmethod(F.max_pool2d)


class MaxPool3d(_MaxPool):
    """The largest of every window of [N, C, D, H, W]."""

    _function = staticmethod(F.max_pool3d)


class _AvgPool(Module):
    _function: Any

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: Optional[int] = None,
    ):
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding, self.ceil_mode = padding, ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def forward(self, input: Tensor) -> Tensor:
        """The mean of every window."""
        options = (self.stride, self.padding, self.ceil_mode, self.count_include_pad)
        return self._function(input, self.kernel_size, *options, self.divisor_override)

    def extra_repr(self) -> str:
        """As PyTorch prints it."""
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, "
            f"padding={self.padding}"
        )


class AvgPool1d(_AvgPool):
    """The mean of every window of [N, C, L]."""

    _function = staticmethod(F.avg_pool1d)

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ):
        size = each(kernel_size, 1, "kernel_size")
        stride = size if stride is None else each(stride, 1, "stride")
        padding = each(padding, 1, "padding")
        super().__init__(size, stride, padding, ceil_mode, count_include_pad)


class AvgPool2d(_AvgPool):
    """The mean of every window of [N, C, H, W]."""

    _function = staticmethod(F.avg_pool2d)


class AvgPool3d(_AvgPool):
    """The mean of every window of [N, C, D, H, W]."""

    _function = staticmethod(F.avg_pool3d)


class _Adaptive(Module):
    _function: Any

    def __init__(self, output_size: Any):
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        """As many windows as asked for."""
        return self._function(input, self.output_size)

    def extra_repr(self) -> str:
        """As PyTorch prints it."""
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(_Adaptive):
    """The means of `output_size` windows of [N, C, L]."""

    _function = staticmethod(F.adaptive_avg_pool1d)


class AdaptiveAvgPool2d(_Adaptive):
    """The means of `output_size` windows of [N, C, H, W]."""

    _function = staticmethod(F.adaptive_avg_pool2d)


class AdaptiveAvgPool3d(_Adaptive):
    """The means of `output_size` windows of [N, C, D, H, W]."""

    _function = staticmethod(F.adaptive_avg_pool3d)


class AdaptiveMaxPool1d(_Adaptive):
    """The largest of `output_size` windows of [N, C, L]."""

    _function = staticmethod(F.adaptive_max_pool1d)


class AdaptiveMaxPool2d(_Adaptive):
    """The largest of `output_size` windows of [N, C, H, W]."""

    _function = staticmethod(F.adaptive_max_pool2d)
