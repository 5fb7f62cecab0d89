"""Elementwise arithmetic of tensors and numbers.

Operands broadcast against each other and meet in PyTorch's result type; one of them
may be a Python number. ShapeError (a RuntimeError) where shapes do not fit, TypeError
where an operand is neither tensor nor number.
"""

from __future__ import annotations

from typing import Any, Callable, Optional

from ...tracer.record import state
from ..amp.ruled import ruled
from ..promotion import result_type
from ..tensor import Tensor, is_away, method, pointwise
from .composite import Operand, Out, cast, into
from .pointwise import trunc

__all__ = ["add", "sub", "subtract", "rsub", "mul", "multiply", "div", "divide"]
__all__ += ["true_divide", "floor_divide", "remainder", "fmod", "pow", "atan2"]
__all__ += ["arctan2"]


def _scaled(other: Operand, alpha: Operand, to: Any) -> Operand:
    if isinstance(alpha, int) and alpha == 1:
        return other
    if isinstance(alpha, float) and result_type(to, other).category < 2:
        raise RuntimeError(
            "For integral input tensors, argument alpha must not be a floating point "
            f"number, got {alpha}."
        )
    return other * alpha


@method
def add(input: Operand, other: Operand, *, alpha: Any = 1, out: Out = None) -> Tensor:
    """input + alpha * other.

    >>> import tracefuse
    >>> tracefuse.add(tracefuse.tensor([1.0, 2.0]), 3, alpha=2)
    tensor([7., 8.])
    """
    return into(out, pointwise("add", input, _scaled(other, alpha, input)))


@method
def sub(input: Operand, other: Operand, *, alpha: Any = 1, out: Out = None) -> Tensor:
    """input - alpha * other. RuntimeError for bool tensors."""
    return into(out, pointwise("sub", input, _scaled(other, alpha, input)))


def rsub(input: Tensor, other: Operand, *, alpha: Any = 1) -> Tensor:
    """other - alpha * input."""
    return pointwise("sub", other, _scaled(input, alpha, other))


def _primitive(op: str, what: str) -> Callable[..., Tensor]:
    def function(input: Operand, other: Operand, *, out: Out = None) -> Tensor:
        return into(out, pointwise(op, input, other))

    function.__name__ = function.__qualname__ = op
    function.__doc__ = what
    return method(function)


mul = _primitive("mul", "input * other.")
atan2 = _primitive("atan2", "The angle of the point (x=other, y=input), in radians.")


# -- division


@method
def div(
    input: Operand,
    other: Operand,
    *,
    rounding_mode: Optional[str] = None,
    out: Out = None,
) -> Tensor:
    """input / other, rounded towards 0 ("trunc") or down ("floor") if so asked.

    Unrounded, integers become floats. RuntimeError for another `rounding_mode`.

    >>> import tracefuse
    >>> tracefuse.div(tracefuse.tensor([-7, 7]), 2, rounding_mode="trunc")
    tensor([-3,  3])
    """
    if rounding_mode not in _ROUNDED:
        raise RuntimeError(
            "div expected rounding_mode to be one of None, 'trunc', or 'floor' but "
            f"found '{rounding_mode}'"
        )
    return into(out, _ROUNDED[rounding_mode](input, other))


def _true_divide(input: Operand, other: Operand) -> Tensor:
    return pointwise("div", input, other)


def _trunc_divide(a: Any, b: Any) -> Tensor:
    if result_type(a, b).category == 2:
        return trunc(pointwise("div", a, b))
    _check_divisor(a, b)
    return pointwise("idiv", a - fmod(a, b), b)


def _floor_divide(a: Any, b: Any) -> Tensor:
    _check_divisor(a, b)
    return pointwise("idiv", a, b)


_ROUNDED: dict = {None: _true_divide, "trunc": _trunc_divide, "floor": _floor_divide}


def _check_divisor(a: Any, b: Any) -> None:
    """Integers have no infinity; a recorded tensor's numbers are not known here."""
    if isinstance(b, Tensor):
        here = state.recorder is None and not is_away(b)
        zero = here and b.dtype.category < 2 and not b._array.all()
    else:
        zero = b == 0
    if zero and result_type(a, b).category < 2:
        raise RuntimeError("ZeroDivisionError: integer division or modulo by zero")


@method
def true_divide(input: Operand, other: Operand, *, out: Out = None) -> Tensor:
    """input / other in floating point."""
    return into(out, pointwise("div", input, other))


@method
def floor_divide(input: Operand, other: Operand, *, out: Out = None) -> Tensor:
    """The quotient rounded down. RuntimeError for integers divided by 0."""
    return into(out, _floor_divide(input, other))


@method
def remainder(input: Operand, other: Operand, *, out: Out = None) -> Tensor:
    """What floor division leaves: it has the sign of `other`."""
    _check_divisor(input, other)
    return into(out, pointwise("rem", input, other))


@method
def fmod(input: Tensor, other: Operand, *, out: Out = None) -> Tensor:
    """What division rounded towards 0 leaves: it has the sign of `input`."""
    _check_divisor(input, other)
    if not result_type(input, other).is_signed:
        return into(out, pointwise("rem", input, other))
    sign = cast(pointwise("where", input < 0, -1, 1), input.dtype)
    size = pointwise("abs", other) if isinstance(other, Tensor) else abs(other)
    return into(out, pointwise("rem", input * sign, size) * sign)


# -- powers


@method
def pow(input: Operand, exponent: Operand, *, out: Out = None) -> Tensor:
    """input to the power of exponent.

    RuntimeError for an integer tensor to the power of a negative integer.

    >>> import tracefuse
    >>> tracefuse.pow(tracefuse.tensor([2.0, 3.0]), 2)
    tensor([4., 9.])
    """
    return into(out, _pow(input, exponent))


def _pow(x: Any, p: Any) -> Tensor:
    if isinstance(p, Tensor) or not isinstance(x, Tensor):
        whole = result_type(x, p).category < 2 and p.dtype.is_signed
        return _whole_power(x, p) if whole else pointwise("pow", x, p)
    category = x.dtype.category
    if category == 2 and p == 0.5:
        return pointwise("sqrt", x)
    if category and isinstance(p, int) or category == 2:
        if p == 2:
            return pointwise("mul", x, x)
        if p == 3:
            return pointwise("mul", pointwise("mul", x, x), x)
    if category < 2 and isinstance(p, int) and p < 0:
        raise RuntimeError("Integers to negative integer powers are not allowed.")
    return pointwise("pow", x, p)


def _whole_power(x: Any, p: Tensor) -> Tensor:
    """Integers to integer powers; to negative ones only 1 and -1 leave something."""
    below = p < 0
    y = pointwise("pow", x, pointwise("where", below, p & 1, p))
    return pointwise("where", below & (x * x != 1), 0, y)


# -- the same under other names, and Python's operators

subtract, multiply, divide, arctan2 = sub, mul, div, atan2
for _name in ("subtract", "multiply", "divide", "arctan2"):
    setattr(Tensor, _name, globals()[_name])


def _operator(function: Callable, flip: bool = False) -> Callable:
    def method(self: Tensor, other: Any) -> Any:
        lifted = self._lift(other)
        if lifted is NotImplemented:
            return NotImplemented
        return function(lifted, self) if flip else function(self, lifted)

    return method


# These three say more than the primitives that `Algebra` would apply.
for _sign, _function in (("pow", _pow), ("mod", remainder), ("floordiv", floor_divide)):
    setattr(Tensor, f"__{_sign}__", _operator(_function))
    setattr(Tensor, f"__r{_sign}__", _operator(_function, flip=True))

# Operators that autocast's table names.
for _name in ("__pow__", "__rpow__", "__rtruediv__"):
    setattr(Tensor, _name, ruled(getattr(Tensor, _name), _name))
