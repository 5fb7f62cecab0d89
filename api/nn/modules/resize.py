"""Padding, interpolation and windows as modules."""

from __future__ import annotations

from typing import Any, Optional

from ...tensor import Tensor
from ..functional import resize as F
from ..functional.padding import pad
from ..functional.sliding import each
from ..module import Module

__all__ = ["Upsample", "PixelShuffle", "PixelUnshuffle", "Unfold", "Fold"]
__all__ += ["ConstantPad1d", "ConstantPad2d", "ConstantPad3d"]
__all__ += ["ZeroPad1d", "ZeroPad2d", "ZeroPad3d", "ReflectionPad1d", "ReflectionPad2d"]
__all__ += ["ReplicationPad1d", "ReplicationPad2d", "CircularPad1d", "CircularPad2d"]


class Upsample(Module):
    """`functional.interpolate` as a module."""

    def __init__(
        self,
        size: Any = None,
        scale_factor: Any = None,
        mode: str = "nearest",
        align_corners: Optional[bool] = None,
        recompute_scale_factor: Optional[bool] = None,
    ):
        super().__init__()
        if isinstance(scale_factor, (tuple, list)):
            scale_factor = tuple(float(factor) for factor in scale_factor)
        elif scale_factor is not None:
            scale_factor = float(scale_factor)
        self.size, self.scale_factor, self.mode = size, scale_factor, mode
        self.align_corners = align_corners
        self.recompute_scale_factor = recompute_scale_factor

    def forward(self, input: Tensor) -> Tensor:
        """The input in another size."""
        options = (self.align_corners, self.recompute_scale_factor)
        return F.interpolate(input, self.size, self.scale_factor, self.mode, *options)

    def extra_repr(self) -> str:
        """As PyTorch prints it."""
        name = "size" if self.scale_factor is None else "scale_factor"
        return f"{name}={getattr(self, name)!r}, mode={self.mode!r}"


class PixelShuffle(Module):
    """[*, C * r * r, H, W] -> [*, C, H * r, W * r]."""

    def __init__(self, upscale_factor: int):
        super().__init__()
        self.upscale_factor = upscale_factor

    def forward(self, input: Tensor) -> Tensor:
        """Channels to pixels."""
        return F.pixel_shuffle(input, self.upscale_factor)

    def extra_repr(self) -> str:
        """As PyTorch prints it."""
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Module):
    """[*, C, H * r, W * r] -> [*, C * r * r, H, W]."""

    def __init__(self, downscale_factor: int):
        super().__init__()
        self.downscale_factor = downscale_factor

    def forward(self, input: Tensor) -> Tensor:
        """Pixels to channels."""
        return F.pixel_unshuffle(input, self.downscale_factor)

    def extra_repr(self) -> str:
        """As PyTorch prints it."""
        return f"downscale_factor={self.downscale_factor}"


class Unfold(Module):
    """Every window as a column: [N, C, H, W] -> [N, C * kh * kw, windows]."""

    def __init__(
        self, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
    ):
        super().__init__()
        self.kernel_size, self.dilation = kernel_size, dilation
        self.padding, self.stride = padding, stride

    def forward(self, input: Tensor) -> Tensor:
        """The columns."""
        options = (self.dilation, self.padding, self.stride)
        return F.unfold(input, self.kernel_size, *options)

    def extra_repr(self) -> str:
        """As PyTorch prints it."""
        return (
            f"kernel_size={self.kernel_size}, dilation={self.dilation}, "
            f"padding={self.padding}, stride={self.stride}"
        )


class Fold(Module):
    """The adjoint of Unfold: columns added back to where they came from."""

    def __init__(
        self,
        output_size: Any,
        kernel_size: Any,
        dilation: Any = 1,
        padding: Any = 0,
        stride: Any = 1,
    ):
        super().__init__()
        self.output_size, self.kernel_size = output_size, kernel_size
        self.dilation, self.padding, self.stride = dilation, padding, stride

    def forward(self, input: Tensor) -> Tensor:
        """The sum of all columns at their places."""
        options = (self.dilation, self.padding, self.stride)
        return F.fold(input, self.output_size, self.kernel_size, *options)

    def extra_repr(self) -> str:
        """As PyTorch prints it."""
        return (
            f"output_size={self.output_size}, kernel_size={self.kernel_size}, "
            f"dilation={self.dilation}, padding={self.padding}, stride={self.stride}"
        )


# -- padding: (before, after) of the last dimension first


class _Pad(Module):
    dims = 0
    mode = "constant"
    value: Any = None

    def __init__(self, padding: Any):
        super().__init__()
        self.padding = each(padding, 2 * self.dims, "padding")

    def forward(self, input: Tensor) -> Tensor:
        """More numbers around."""
        return pad(input, self.padding, self.mode, self.value)

    def extra_repr(self) -> str:
        """As PyTorch prints it."""
        return str(self.padding)


class _ConstantPad(_Pad):
    def __init__(self, padding: Any, value: float):
        super().__init__(padding)
        self.value = value

    def extra_repr(self) -> str:
        """As PyTorch prints it."""
        return f"padding={self.padding}, value={self.value}"


def _pads(base: type, name: str, dims: int, mode: str, what: str) -> Any:
    """The padding module of one mode over the last `dims` dimensions."""
    body = {"dims": dims, "mode": mode, "__module__": __name__}
    body["__doc__"] = f"{what} around the last {dims} dimension(s); see `pad`."
    return type(f"{name}Pad{dims}d", (base,), body)


ConstantPad1d, ConstantPad2d, ConstantPad3d = (
    _pads(_ConstantPad, "Constant", dims, "constant", "A value") for dims in (1, 2, 3)
)
ZeroPad1d, ZeroPad2d, ZeroPad3d = (
    _pads(_Pad, "Zero", dims, "constant", "Zeros") for dims in (1, 2, 3)
)
ReflectionPad1d, ReflectionPad2d = (
    _pads(_Pad, "Reflection", dims, "reflect", "A mirror image") for dims in (1, 2)
)
ReplicationPad1d, ReplicationPad2d = (
    _pads(_Pad, "Replication", dims, "replicate", "The edge") for dims in (1, 2)
)
CircularPad1d, CircularPad2d = (
    _pads(_Pad, "Circular", dims, "circular", "The other end") for dims in (1, 2)
)
