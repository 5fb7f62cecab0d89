"""In which element type tensors and numbers meet."""

from __future__ import annotations

from typing import Any

from ..tracer.errors import DTypeError
from ..tracer.types import BY_NUMPY, DType, promote_types, weak_type
from .defaults import defaults

__all__ = ["common_type", "result_type"]

# Functions whose results are no integers.
_WIDE = frozenset("div atan2 sqrt exp expm1 log log1p sin cos tanh erf erfinv".split())


def common_type(op: str, operands: tuple) -> DType:
    """The element type in which a pointwise primitive computes."""
    dtypes = [
        o.dtype if o._array is None else BY_NUMPY[o._array.dtype]  # at once
        for o in operands
        if hasattr(o, "_storage")
    ]
    if not dtypes and op != "where":
        given = ", ".join(type(o).__name__ for o in operands)
        raise TypeError(f"{op}: one argument must be a Tensor, got {given}")
    whole = len(dtypes) < len(operands) and dtypes and dtypes[0].category < 2
    if not dtypes or whole or any(d is not dtypes[0] for d in dtypes):
        dtype = result_type(*operands)
    else:
        dtype = dtypes[0]  # Python numbers change nothing beside floats
    barred, why = _BARRED.get(op, _FREE)
    if dtype.category in barred:
        raise DTypeError(why.format(op=op, dtype=dtype))
    return defaults.dtype if op in _WIDE and dtype.category < 2 else dtype


_FREE: tuple = ((), "")
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
