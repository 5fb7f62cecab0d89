"""Element types and the rules by which they combine.

PyTorch's rules: a *category* (bool < integer < float) is decided first, then the
width inside it. Python numbers are weak: they choose a category, never a width.
"""

from __future__ import annotations

import ml_dtypes
import numpy as np

from .sizes import Dim

__all__ = ["DType", "DTYPES", "BY_NUMPY", "BY_SHORT", "promote_types", "from_numpy"]


class DType:
    """One element type. Compare with ``is`` or ``==``; there is one object of each.

    >>> float32.itemsize, float32.is_floating_point, float32.short
    (4, True, 'f32')
    """

    __slots__ = ("name", "short", "np", "itemsize", "category", "is_floating_point")

    def __init__(self, name: str, short: str, dtype: object, category: int):
        self.name, self.short, self.np = name, short, np.dtype(dtype)  # type: ignore
        self.itemsize: int = self.np.itemsize
        self.category = category  # 0 bool, 1 integer, 2 float
        self.is_floating_point = category == 2

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


bool_ = DType("bool", "bool", np.bool_, 0)
uint8 = DType("uint8", "u8", np.uint8, 1)
uint16 = DType("uint16", "u16", np.uint16, 1)
uint32 = DType("uint32", "u32", np.uint32, 1)
uint64 = DType("uint64", "u64", np.uint64, 1)
int8 = DType("int8", "i8", np.int8, 1)
int16 = DType("int16", "i16", np.int16, 1)
int32 = DType("int32", "i32", np.int32, 1)
int64 = DType("int64", "i64", np.int64, 1)
float16 = DType("float16", "f16", np.float16, 2)
bfloat16 = DType("bfloat16", "bf16", ml_dtypes.bfloat16, 2)
float32 = DType("float32", "f32", np.float32, 2)
float64 = DType("float64", "f64", np.float64, 2)

DTYPES = {
    t.name: t
    for t in (
        *(bool_, uint8, uint16, uint32, uint64, int8, int16, int32, int64),
        *(float16, bfloat16, float32, float64),
    )
}
BY_NUMPY = {t.np: t for t in DTYPES.values()}
BY_SHORT = {t.short: t for t in DTYPES.values()}
HALVES = (float16, bfloat16)


def from_numpy(dtype: object) -> DType:
    """The DType of a NumPy dtype; TypeError when there is none (complex, object).

    >>> from_numpy("float32")
    tracefuse.float32
    """
    found = BY_NUMPY.get(np.dtype(dtype))  # type: ignore[arg-type]
    if found is None:
        known = ", ".join(DTYPES)
        raise TypeError(f"no tensor has the element type {dtype}; known: {known}")
    return found


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
