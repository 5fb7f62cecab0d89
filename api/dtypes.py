"""Element types under the names that programs use, and what each can hold."""

from __future__ import annotations

import builtins
from typing import Any, Optional

import numpy as np

from ..tracer.later import Later
from ..tracer.types import (
    DType,
    bfloat16,
    float16,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    uint8,
    uint16,
    uint32,
    uint64,
)
from ..tracer.types import bool_ as bool
from ..tracer.types import promote_types as promote_types
from .defaults import defaults
from .defaults import get_default_dtype as get_default_dtype
from .defaults import set_default_dtype as set_default_dtype
from .promotion import result_type as result_type
from .tensor import Tensor

__all__ = ["bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32"]
__all__ += ["int64", "float16", "bfloat16", "float32", "float64", "float", "double"]
__all__ += ["half", "long", "int", "short", "dtype", "promote_types", "result_type"]
__all__ += ["can_cast", "is_floating_point", "is_complex", "finfo", "iinfo"]
__all__ += ["set_default_dtype", "get_default_dtype"]

ml_dtypes = Later("ml_dtypes")
dtype = DType
float, double, half = float32, float64, float16
long, int, short = int64, int32, int16

_PYTHON = {builtins.bool: bool, builtins.int: int64, builtins.float: float64}

# The names of PyTorch's legacy tensor types, which its messages use.
LEGACY = {
    **{float32: "Float", float64: "Double", float16: "Half", bfloat16: "BFloat16"},
    **{int64: "Long", int32: "Int", int16: "Short", int8: "Char", uint8: "Byte"},
    **{uint16: "UInt16", uint32: "UInt32", uint64: "UInt64", bool: "Bool"},
}


def as_dtype(given: Any) -> DType:
    """A DType from one, or from `float`, `int`, `bool`; TypeError otherwise."""
    if isinstance(given, DType):
        return given
    found = _PYTHON.get(given) if isinstance(given, type) else None
    if found is None:
        raise TypeError(f"dtype must be a tracefuse dtype, not {given!r}")
    return found


def is_floating_point(input: Tensor) -> builtins.bool:
    """Whether a tensor holds floating-point numbers."""
    return input.dtype.is_floating_point


def is_complex(input: Tensor) -> builtins.bool:
    """Always False: there are no complex tensors here."""
    return False


Tensor.is_floating_point = is_floating_point  # type: ignore
Tensor.is_complex = is_complex  # type: ignore


def can_cast(from_: DType, to: DType) -> builtins.bool:
    """Whether PyTorch's rules let a result of one type be stored as another.

    >>> can_cast(float64, float32), can_cast(float32, int64)
    (True, False)
    """
    return from_.category <= to.category


_float = builtins.float


class finfo:
    """The limits of a floating-point type (default: the default dtype).

    >>> finfo(float32).eps, finfo(float16).max
    (1.1920928955078125e-07, 65504.0)
    """

    def __init__(self, type: Optional[DType] = None):
        kind = defaults.dtype if type is None else as_dtype(type)
        if not kind.is_floating_point:
            raise TypeError(f"finfo() requires a floating point type, not {kind}")
        limits = ml_dtypes.finfo(kind.np)
        self.dtype, self.bits = kind.name, kind.itemsize * 8
        self.eps, self.resolution = _float(limits.eps), _float(limits.resolution)
        self.min, self.max = _float(limits.min), _float(limits.max)
        self.tiny = self.smallest_normal = _float(limits.smallest_normal)

    def __repr__(self) -> str:
        names = ("resolution", "min", "max", "eps", "smallest_normal", "tiny")
        shown = (f"{name}={getattr(self, name):g}" for name in names)
        return f"finfo({', '.join(shown)}, dtype={self.dtype})"


class iinfo:
    """The limits of an integer type.

    >>> iinfo(int8).min, iinfo(uint8).max
    (-128, 255)
    """

    def __init__(self, type: DType):
        kind = as_dtype(type)
        if kind.category != 1:
            raise TypeError(f"iinfo() requires an integer type, not {kind}")
        limits = np.iinfo(kind.np)
        self.dtype, self.bits = kind.name, kind.itemsize * 8
        self.min, self.max = builtins.int(limits.min), builtins.int(limits.max)

    def __repr__(self) -> str:
        return f"iinfo(min={self.min:g}, max={self.max:g}, dtype={self.dtype})"
