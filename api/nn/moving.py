"""Casting and moving a module: every parameter and buffer below it."""

from __future__ import annotations

from typing import Any, Callable, Optional, TypeVar

from ...tracer.types import DType, bfloat16, float16, float32, float64
from ..dtypes import as_dtype
from ..tensor import Tensor
from .parameter import Parameter

__all__ = ["Moving"]

M = TypeVar("M", bound="Moving")


class Moving:
    """The part of a module that changes where and in which type its numbers lie."""

    modules: Callable

    def to(self: M, *args: Any, **kwargs: Any) -> M:
        """Move or cast in place: `to(device)`, `to(dtype)`, `to(device, dtype)`,
        `to(tensor)`. Only floating parameters and buffers change their type.

        TypeError for a type that is not floating.
        """
        where, dtype = _destination(args, kwargs)

        def move(t: Tensor) -> Tensor:
            cast = dtype is not None and t.dtype.is_floating_point
            return t.to(*where, dtype if cast else t.dtype)  # type: ignore

        return self._apply(move)

    def _apply(self: M, fn: Callable[[Tensor], Tensor]) -> M:
        """Replace the numbers of every parameter and buffer by `fn` of them."""
        for module in self.modules():
            for p in module._parameters.values():
                if p is not None:
                    _replace_data(p, fn)
            for name, buffer in module._buffers.items():
                if buffer is not None:
                    module._put(module._buffers, name, fn(buffer))
        return self

    def type(self: M, dst_type: Any) -> M:
        """Cast all parameters and buffers to a type."""
        wanted = as_dtype(dst_type)
        return self._apply(lambda t: t.to(wanted))  # type: ignore[attr-defined]

    def float(self: M) -> M:
        """Cast floating parameters and buffers to float32."""
        return self.to(float32)

    def double(self: M) -> M:
        """Cast floating parameters and buffers to float64."""
        return self.to(float64)

    def half(self: M) -> M:
        """Cast floating parameters and buffers to float16."""
        return self.to(float16)

    def bfloat16(self: M) -> M:
        """Cast floating parameters and buffers to bfloat16."""
        return self.to(bfloat16)

    def cpu(self: M) -> M:
        """Move to the CPU."""
        return self.to("cpu")

    def cuda(self: M, device: Any = None) -> M:
        """Move to a GPU; DeviceError where there is none."""
        return self.to("cuda" if device is None else device)


def _destination(args: tuple, kwargs: dict) -> tuple[list, Optional[DType]]:
    """([device] or [], dtype or None) of the arguments of `to`."""
    where, dtype = (
        [kwargs["device"]] if kwargs.get("device") else [],
        kwargs.get("dtype"),
    )
    for given in args:
        if isinstance(given, Tensor):
            dtype, where = given.dtype, [given.device]
        elif isinstance(given, DType):
            dtype = given
        elif given is not None and not isinstance(given, bool):
            where.append(given)
    if dtype is not None and not dtype.is_floating_point:
        raise TypeError(
            "nn.Module.to only accepts floating point or complex dtypes, but got "
            f"desired dtype={dtype}"
        )
    return where, dtype


def _replace_data(p: Parameter, fn: Callable[[Tensor], Tensor]) -> None:
    old = p.detach()  # type: ignore[attr-defined]
    new = fn(old)
    if new is not old:
        p.data = new  # type: ignore[attr-defined]
    if p._grad is not None:
        p._grad = fn(p._grad)
