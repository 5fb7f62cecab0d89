"""Element types and the rules by which they combine.

PyTorch's rules: a *category* (bool < integer < float) is decided first, then the
width inside it. Python numbers are weak: they choose a category, never a width.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .later import Later
from .sizes import Dim

__all__ = ["DType", "DTYPES", "BY_NUMPY", "BY_SHORT", "promote_types", "from_numpy"]

ml_dtypes = Later("ml_dtypes")


class DType:
    """One element type. Compare with ``is`` or ``==``; there is one object of each.

    >>> float32.itemsize, float32.is_floating_point, float32.short
    (4, True, 'f32')
    """

    __slots__ = ("name", "short", "np", "itemsize", "category", "is_floating_point")

    np: np.dtype

    def __init__(self, name: str, short: str, itemsize: int, category: int):
        self.name, self.short, self.itemsize = name, short, itemsize
        self.category = category  # 0 bool, 1 integer, 2 float
        self.is_floating_point = category == 2
        if name != "bfloat16":
            self.np = np.dtype(name)

    def __getattr__(self, name: str) -> Any:
        """What defines bfloat16 is not NumPy: it is imported when first asked for."""
        if name != "np":
            raise AttributeError(f"DType has no attribute {name!r}")
        self.np = np.dtype(ml_dtypes.bfloat16)
        return self.np

    @property
    def is_signed(self) -> bool:
        """Whether negative numbers have a place in it."""
        return self.category == 2 or self.short[0] == "i"

    @property
    def is_complex(self) -> bool:
        """Always False: there are no complex types here."""
        return False

    def __repr__(self) -> str:
        return f"tracefuse.{self.name}"

    def __reduce__(self) -> tuple:
        return _named, (self.name,)


def _named(name: str) -> DType:
    return DTYPES[name]


class _ByNumpy(dict):
    def __missing__(self, dtype: np.dtype) -> DType:
        if dtype.name != "bfloat16":
            raise KeyError(dtype)
        self[bfloat16.np] = bfloat16
        return self[dtype]


bool_ = DType("bool", "bool", 1, 0)
uint8 = DType("uint8", "u8", 1, 1)
uint16 = DType("uint16", "u16", 2, 1)
uint32 = DType("uint32", "u32", 4, 1)
uint64 = DType("uint64", "u64", 8, 1)
int8 = DType("int8", "i8", 1, 1)
int16 = DType("int16", "i16", 2, 1)
int32 = DType("int32", "i32", 4, 1)
int64 = DType("int64", "i64", 8, 1)
float16 = DType("float16", "f16", 2, 2)
bfloat16 = DType("bfloat16", "bf16", 2, 2)
float32 = DType("float32", "f32", 4, 2)
float64 = DType("float64", "f64", 8, 2)

DTYPES = {
    t.name: t
    for t in (
        *(bool_, uint8, uint16, uint32, uint64, int8, int16, int32, int64),
        *(float16, bfloat16, float32, float64),
    )
}
BY_NUMPY: dict[Any, DType] = _ByNumpy(
    (t.np, t) for t in DTYPES.values() if t is not bfloat16
)
BY_SHORT = {t.short: t for t in DTYPES.values()}
HALVES = (float16, bfloat16)


def from_numpy(dtype: object) -> DType:
    """The DType of a NumPy dtype; TypeError when there is none (complex, object).

    >>> from_numpy("float32")
    tracefuse.float32
    """
    if dtype == "bfloat16":
        return bfloat16
    try:
        return BY_NUMPY[np.dtype(dtype)]  # type: ignore[call-overload]
    except KeyError:
        known = ", ".join(DTYPES)
        message = f"no tensor has the element type {dtype}; known: {known}"
        raise TypeError(message) from None


def promote_types(a: DType, b: DType) -> DType:
    """The type in which `a` and `b` meet.

    >>> promote_types(uint8, int8), promote_types(float16, bfloat16)
    (tracefuse.int16, tracefuse.float32)
    """
    if a is b:
        return a
    if a.category != b.category:
        return a if a.category > b.category else b
    if a.is_floating_point:
        return (
            a if a.itemsize > b.itemsize else b if b.itemsize > a.itemsize else float32
        )
    return _meet_integers(a, b)


def _meet_integers(a: DType, b: DType) -> DType:
    if a.itemsize < b.itemsize:
        a, b = b, a
    if a.is_signed == b.is_signed or (a.is_signed and a.itemsize > b.itemsize):
        return a
    wider = {1: int16, 2: int32, 4: int64, 8: int64}  # unsigned meets signed
    return wider[a.itemsize]


def weak_type(number: object, default: DType) -> DType:
    """The type that a number asks for when it stands alone; TypeError for others."""
    if isinstance(number, (bool, np.bool_)):
        return bool_
    if isinstance(number, (int, np.integer, Dim)):
        return int64
    if isinstance(number, (float, np.floating)):
        return default
    raise TypeError(f"expected a Tensor or a number, got {type(number).__name__}")
