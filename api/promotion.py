"""In which element type tensors and numbers meet."""

from __future__ import annotations

from typing import Any, Optional

from ..tracer.errors import DTypeError
from ..tracer.types import BY_NUMPY, DType, promote_types, weak_type
from .defaults import defaults

__all__ = ["common_type", "result_type"]

# Functions whose results are no integers.
_WIDE = frozenset("div atan2 sqrt exp expm1 log log1p sin cos tanh erf erfinv".split())


def common_type(op: str, operands: tuple) -> DType:
    """The element type in which a pointwise primitive computes."""
    dtype = _shared_type(operands) or result_type(*_any_tensor(op, operands))
    category = dtype.category
    if op in _BARRED and category in _BARRED[op][0]:
        raise DTypeError(_BARRED[op][1].format(op=op, dtype=dtype))
    return defaults.dtype if category < 2 and op in _WIDE else dtype


def _shared_type(operands: tuple) -> Optional[DType]:
    """The type of all tensors, unless they or numbers beside them need the rules."""
    found, numbers = None, False
    for o in operands:
        if hasattr(o, "_storage"):
            array = o._array
            dtype = o.dtype if array is None else BY_NUMPY[array.dtype]
            if found is not None and found is not dtype:
                return None
            found = dtype
        else:
            numbers = True
    # Python numbers change nothing beside floats.
    return None if found is None or (numbers and found.category < 2) else found


def _any_tensor(op: str, operands: tuple) -> tuple:
    if op != "where" and not any(hasattr(o, "_storage") for o in operands):
        given = ", ".join(type(o).__name__ for o in operands)
        raise TypeError(f"{op}: one argument must be a Tensor, got {given}")
    return operands


_BITS = "{op} is for bool and integer tensors, not {dtype}"
_COUNTS = "{op} is not defined for {dtype} tensors"
# Primitive -> (categories it does not take, why): bool 0, integer 1, float 2.
_BARRED: dict[str, tuple] = {
    "neg": (
        (0,),
        "Negation, the `-` operator, on a bool tensor is not supported. If you are "
        "trying to invert a mask, use the `~` or `logical_not()` operator instead.",
    ),
    "sub": (
        (0,),
        "Subtraction, the `-` operator, with two bool tensors is not supported. Use "
        "the `^` or `logical_xor()` operator instead.",
    ),
    **dict.fromkeys(("and", "or", "xor"), ((2,), _BITS)),
    **dict.fromkeys(("shl", "shr"), ((0, 2), _BITS)),
    **dict.fromkeys(("idiv", "rem", "pow"), ((0,), _COUNTS)),
}


def result_type(*operands: Any) -> DType:
    """The type of arithmetic between these tensors and numbers.

    Tensors with axes decide before 0-d tensors, and those before Python numbers: a
    later one only counts where its category is higher.

    >>> import tracefuse
    >>> tracefuse.result_type(tracefuse.ones(2, dtype=tracefuse.float16), 2.0)
    tracefuse.float16
    """
    levels: list = [None, None, None]
    for o in operands:
        if hasattr(o, "_storage"):
            level, dtype = (0 if o.ndim else 1), o.dtype
        else:
            level, dtype = 2, weak_type(o, defaults.dtype)
        known = levels[level]
        levels[level] = dtype if known is None else promote_types(known, dtype)
    return _combine(_combine(levels[0], levels[1]), levels[2])


def _combine(higher: Any, lower: Any) -> Any:
    if higher is None or lower is None:
        return lower if higher is None else higher
    return promote_types(higher, lower) if lower.category > higher.category else higher
