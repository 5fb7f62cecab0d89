"""Comparison, logic and bits, elementwise.

Operands broadcast and are promoted as in arithmetic; one of them may be a number.
Comparisons and logic return bool tensors.
"""

from __future__ import annotations

import math
from typing import Any, Callable

from ...tracer.types import bool_
from ..arrays.searching import nonzero
from ..dtypes import LEGACY
from ..placing import beside
from ..tensor import Tensor, method, pointwise
from .composite import Operand, Out, constant, into
from .reductions import all as _every

__all__ = ["eq", "ne", "not_equal", "lt", "less", "le", "less_equal", "gt", "greater"]
__all__ += ["ge", "greater_equal", "equal", "isclose", "allclose", "logical_and"]
__all__ += ["logical_or", "logical_xor", "logical_not", "bitwise_and", "bitwise_or"]
__all__ += ["bitwise_xor", "bitwise_not", "bitwise_left_shift", "bitwise_right_shift"]
__all__ += ["isnan", "isinf", "isposinf", "isneginf", "isfinite", "isreal", "where"]


def _primitive(
    name: str, op: str, what: str, flip: bool = False
) -> Callable[..., Tensor]:
    def function(input: Operand, other: Operand, *, out: Out = None) -> Tensor:
        pair = (other, input) if flip else (input, other)
        return into(out, pointwise(op, *pair))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = what
    return method(function)


eq = _primitive("eq", "eq", "Whether input = other.")
ne = _primitive("ne", "ne", "Whether they differ (NaN differs from itself).")
lt = _primitive("lt", "lt", "Whether input < other.")
le = _primitive("le", "le", "Whether input <= other.")
gt = _primitive("gt", "lt", "Whether input > other.", flip=True)
ge = _primitive("ge", "le", "Whether input >= other.", flip=True)
bitwise_and = _primitive("bitwise_and", "and", "The bits that both have.")
bitwise_or = _primitive("bitwise_or", "or", "The bits that either has.")
bitwise_xor = _primitive("bitwise_xor", "xor", "The bits that just one has.")
bitwise_left_shift = _primitive("bitwise_left_shift", "shl", "input * 2^other.")
bitwise_right_shift = _primitive(
    "bitwise_right_shift", "shr", "input / 2^other, rounded down."
)
less, less_equal, greater, greater_equal, not_equal = lt, le, gt, ge, ne


@method
def bitwise_not(input: Tensor, *, out: Out = None) -> Tensor:
    """Every bit turned round; for bools, not. DTypeError for floats."""
    dtype = input.dtype
    ones = -1 if dtype.is_signed else 2 ** (8 * dtype.itemsize) - 1
    return into(out, pointwise("xor", input, True if dtype is bool_ else ones))


def _truth(x: Tensor) -> Tensor:
    return x if x.dtype is bool_ else pointwise("ne", x, 0)


@method
def logical_and(input: Tensor, other: Tensor, *, out: Out = None) -> Tensor:
    """Whether both are other than 0."""
    return into(out, pointwise("and", _truth(input), _truth(other)))


@method
def logical_or(input: Tensor, other: Tensor, *, out: Out = None) -> Tensor:
    """Whether either is other than 0."""
    return into(out, pointwise("or", _truth(input), _truth(other)))


@method
def logical_xor(input: Tensor, other: Tensor, *, out: Out = None) -> Tensor:
    """Whether just one is other than 0."""
    return into(out, pointwise("xor", _truth(input), _truth(other)))


@method
def logical_not(input: Tensor, *, out: Out = None) -> Tensor:
    """Whether it is 0."""
    return into(out, pointwise("eq", input, 0))


# -- kinds of numbers


@method
def isnan(input: Tensor) -> Tensor:
    """Whether it is not a number."""
    return pointwise("ne", input, input)


@method
@beside
def isfinite(input: Tensor) -> Tensor:
    """Whether it is neither NaN nor infinite."""
    if not input.dtype.is_floating_point:
        return constant(True, input.shape, bool_)
    return pointwise("lt", pointwise("abs", input), math.inf)


@method
@beside
def isinf(input: Tensor) -> Tensor:
    """Whether it is infinite."""
    if not input.dtype.is_floating_point:
        return constant(False, input.shape, bool_)
    return pointwise("eq", pointwise("abs", input), math.inf)


@method
def isposinf(input: Tensor, *, out: Out = None) -> Tensor:
    """Whether it is +inf."""
    return into(out, pointwise("eq", input, math.inf))


@method
def isneginf(input: Tensor, *, out: Out = None) -> Tensor:
    """Whether it is -inf."""
    return into(out, pointwise("eq", input, -math.inf))


@method
@beside
def isreal(input: Tensor) -> Tensor:
    """True everywhere: there are no complex tensors here."""
    return constant(True, input.shape, bool_)


# -- whole tensors


@method
def equal(input: Tensor, other: Tensor) -> bool:
    """Whether two tensors have the same shape and the same numbers.

    >>> import tracefuse
    >>> tracefuse.equal(tracefuse.tensor([1, 2]), tracefuse.tensor([1, 2]))
    True
    """
    same = tuple(input.shape) == tuple(other.shape)
    return same and bool(_every(pointwise("eq", input, other)))


@method
def isclose(
    input: Tensor,
    other: Tensor,
    rtol: float = 1e-05,
    atol: float = 1e-08,
    equal_nan: bool = False,
) -> Tensor:
    """Whether |input - other| <= atol + rtol * |other| (equal infinities are close).

    RuntimeError when the element types differ.
    """
    if input.dtype is not other.dtype:
        raise RuntimeError(f"{LEGACY[input.dtype]} did not match {LEGACY[other.dtype]}")
    close = pointwise("eq", input, other)
    if equal_nan:
        close = close | (isnan(input) & isnan(other))
    if input.dtype is bool_ or not (rtol or atol):
        return close
    gap = pointwise("abs", input - other)
    allowed = pointwise("abs", other * rtol) + atol
    return close | (isfinite(gap) & pointwise("le", gap, allowed))


@method
def allclose(
    input: Tensor,
    other: Tensor,
    rtol: float = 1e-05,
    atol: float = 1e-08,
    equal_nan: bool = False,
) -> bool:
    """Whether every element `isclose`."""
    return bool(_every(isclose(input, other, rtol, atol, equal_nan)))


# -- choice


def where(condition: Tensor, input: Any = None, other: Any = None) -> Any:
    """`input` where the condition holds, else `other`; both tensors or numbers.

    With the condition alone: the indices where it holds, one tensor per dimension.
    The branch not taken gets a gradient of exactly 0. RuntimeError for a condition
    that is not bool.

    >>> import tracefuse
    >>> tracefuse.where(tracefuse.tensor([True, False]), 1, tracefuse.tensor([5, 6]))
    tensor([1, 6])
    """
    if input is None and other is None:
        return nonzero(condition, as_tuple=True)
    if condition.dtype is not bool_:
        raise RuntimeError(
            "where expected condition to be a boolean tensor, but got a tensor with "
            f"dtype {condition.dtype}"
        )
    return pointwise("where", condition, input, other)


def _where_method(self: Tensor, condition: Tensor, other: Operand) -> Tensor:
    return where(condition, self, other)


Tensor.where = _where_method  # type: ignore


def _invert(self: Tensor) -> Tensor:
    if self.dtype.is_floating_point:
        raise TypeError(
            "~ (operator.invert) is only implemented on integer and Boolean-type "
            f"tensors, not {self.dtype}"
        )
    return bitwise_not(self)


Tensor.__invert__ = _invert  # type: ignore
for _name in ("less", "less_equal", "greater", "greater_equal", "not_equal"):
    setattr(Tensor, _name, globals()[_name])
