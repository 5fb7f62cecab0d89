"""What a primitive is given: tensors and numbers, as arrays and as SSA values.

(Tensors are told by their `_storage`: this file stands below the class.)
"""

from __future__ import annotations

from typing import Any

from ..tracer.elsewhere import Elsewhere
from ..tracer.graph import Value, constant
from ..tracer.record import state
from ..tracer.sizes import Dim, Int, guess, same_shape, same_size
from ..tracer.storage import tracked
from ..tracer.types import DType
from .history import tape
from .host import scalar

__all__ = ["array_of", "is_away", "is_tracked", "operand", "value_of"]


def value_of(t: Any) -> Value:
    """The SSA value of a tensor, recorded or eager."""
    rec = state.recorder
    return tape(t) if rec is None else rec.value_of(t)


def array_of(o: Any, dtype: DType) -> Any:
    """The array of a tensor as it lies there, or of a number in that type."""
    return o._array if hasattr(o, "_storage") else scalar(o, dtype.np)


def is_away(o: Any) -> bool:
    """Whether it is a tensor whose numbers do not lie in host memory."""
    return hasattr(o, "_storage") and isinstance(o._array, Elsewhere)


def is_tracked(o: Any) -> bool:
    """Whether it is an eager tensor that gradients flow into."""
    storage = getattr(o, "_storage", None)
    if storage is None or (storage.value is None and not o._steps):
        return False
    return tracked(storage, o._steps)


def operand(o: Any, dtype: DType, shape: tuple) -> Value:
    """A tensor or a number as a Value of this type and shape."""
    if hasattr(o, "_storage"):
        return _stretched(value_of(o).cast(dtype), shape)
    if isinstance(o, Dim) and guess.number is None:  # so many ones
        return constant(1, (o,), dtype).sum((-1,)).expand(shape)
    return constant(o, shape, dtype)


def _stretched(v: Value, shape: tuple) -> Value:
    """The value in a shape that it broadcasts to. An axis whose symbolic size is 1
    here (a guard) becomes one whose size is 1."""
    if any(isinstance(n, Dim) for n in v.shape) and not same_shape(v.shape, shape):
        tail = shape[len(shape) - v.ndim :]
        pairs = zip(v.shape, tail) if len(tail) == v.ndim else ()
        ones = tuple(1 if _is_one(n, wide) else n for n, wide in pairs)
        v = v.reshape(ones) if ones else v
    return v.expand(shape)


def _is_one(n: Int, wide: Int) -> bool:
    return isinstance(n, Dim) and not same_size(n, wide) and n == 1
