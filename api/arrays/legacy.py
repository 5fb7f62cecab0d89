"""PyTorch's older constructors: `Tensor(2, 3)`, `FloatTensor([1, 2])`, `LongTensor`."""

from __future__ import annotations

from typing import Any

from ...tracer.types import (
    DType,
    bfloat16,
    bool_,
    float16,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    uint8,
)
from ..defaults import defaults
from ..math.axes import sizes
from ..placing import placed
from ..tensor import Tensor, view
from .creation import tensor
from .fill import filled

__all__ = ["FloatTensor", "DoubleTensor", "HalfTensor", "BFloat16Tensor", "LongTensor"]
__all__ += ["IntTensor", "ShortTensor", "CharTensor", "ByteTensor", "BoolTensor"]


def _made(given: tuple, dtype: DType) -> Tensor:
    """`given` is nothing, sizes, or one sequence, array or tensor."""
    if len(given) == 1 and not isinstance(given[0], (int, tuple)):
        data = given[0]
        if isinstance(data, Tensor) and data.dtype is dtype:
            return view(data, "stop_gradient")
        return tensor(data, dtype=dtype)
    if len(given) == 1 and isinstance(given[0], tuple):
        return tensor(given[0], dtype=dtype)
    return filled(0, sizes(given) if given else (0,), dtype)


@placed
def _new(cls: type, *data: Any, device: Any = None) -> Tensor:
    made = _made(data, defaults.dtype)
    if cls is not Tensor:
        made = _as_class(made, cls)
    return made


def _as_class(t: Tensor, cls: type) -> Tensor:
    new: Any = object.__new__(cls)
    for slot in ("_storage", "_steps", "_array", "_value", "_seen", "_grad"):
        setattr(new, slot, getattr(t, slot))
    return new


Tensor.__new__ = staticmethod(_new)  # type: ignore


class _Legacy(type):
    """Calling makes a tensor; `isinstance(t, FloatTensor)` asks for its type."""

    legacy_dtype: DType

    @placed
    def __call__(cls, *data: Any, device: Any = None) -> Tensor:
        return _made(data, cls.legacy_dtype)

    def __instancecheck__(cls, t: Any) -> bool:
        return isinstance(t, Tensor) and t.dtype is cls.legacy_dtype


def _legacy(name: str, dtype: DType) -> Any:
    doc = f"{dtype.name}: `{name}(2, 3)` by sizes, `{name}([1, 2])` by data."
    return _Legacy(name, (), {"legacy_dtype": dtype, "__doc__": doc})


FloatTensor = _legacy("FloatTensor", float32)
DoubleTensor = _legacy("DoubleTensor", float64)
HalfTensor = _legacy("HalfTensor", float16)
BFloat16Tensor = _legacy("BFloat16Tensor", bfloat16)
LongTensor = _legacy("LongTensor", int64)
IntTensor = _legacy("IntTensor", int32)
ShortTensor = _legacy("ShortTensor", int16)
CharTensor = _legacy("CharTensor", int8)
ByteTensor = _legacy("ByteTensor", uint8)
BoolTensor = _legacy("BoolTensor", bool_)
