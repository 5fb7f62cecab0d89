"""What holds when nothing is said: default dtype and device."""

from __future__ import annotations

from ..tracer.types import DType, float32
from ..tracer.watch import touch

__all__ = ["defaults", "set_default_dtype", "get_default_dtype"]


class Defaults:
    """The process-wide defaults."""

    dtype: DType = float32
    touch = staticmethod(touch)


defaults = Defaults()


def set_default_dtype(dtype: DType) -> None:
    """The float type of new tensors and of Python floats (float32 at first).

    TypeError when `dtype` is not a floating-point type.
    """
    if not isinstance(dtype, DType) or not dtype.is_floating_point:
        raise TypeError(f"only floating-point types can be the default, not {dtype}")
    defaults.dtype = dtype
    touch()


def get_default_dtype() -> DType:
    """The float type of new tensors.

    >>> get_default_dtype()
    tracefuse.float32
    """
    return defaults.dtype
