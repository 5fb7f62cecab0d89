"""Python operators, written once: graph values, Tensors and patterns share them.

A class that inherits `Algebra` says how a primitive is applied (`_apply`) and how a
Python number becomes one of its own (`_lift`); the operators and the small functions
below do the rest. Derivative rows and rewrite rules are written with these.
"""

from __future__ import annotations

from typing import Any

__all__ = ["Algebra", "exp", "log", "where"]


def _binary(op: str, flip: bool = False):
    def method(self, other: Any):
        lifted = self._lift(other)
        if lifted is NotImplemented:
            return NotImplemented
        return self._apply(op, lifted, self) if flip else self._apply(op, self, lifted)

    method.primitive = op, flip  # type: ignore[attr-defined]
    return method


def _unary(op: str):
    return lambda self: self._apply(op, self)


class Algebra:
    """Arithmetic by way of `_apply(op, *args)` and `_lift(number)`."""

    __slots__ = ()

    def _apply(self, op: str, *args: Any, **attrs: Any) -> Any:
        raise NotImplementedError

    def _lift(self, other: Any) -> Any:
        raise NotImplementedError

    __add__, __radd__ = _binary("add"), _binary("add", flip=True)
    __sub__, __rsub__ = _binary("sub"), _binary("sub", flip=True)
    __mul__, __rmul__ = _binary("mul"), _binary("mul", flip=True)
    __truediv__, __rtruediv__ = _binary("div"), _binary("div", flip=True)
    __floordiv__, __rfloordiv__ = _binary("idiv"), _binary("idiv", flip=True)
    __mod__, __rmod__ = _binary("rem"), _binary("rem", flip=True)
    __pow__, __rpow__ = _binary("pow"), _binary("pow", flip=True)
    __and__, __rand__ = _binary("and"), _binary("and", flip=True)
    __or__, __ror__ = _binary("or"), _binary("or", flip=True)
    __xor__, __rxor__ = _binary("xor"), _binary("xor", flip=True)
    __lshift__, __rlshift__ = _binary("shl"), _binary("shl", flip=True)
    __rshift__, __rrshift__ = _binary("shr"), _binary("shr", flip=True)
    __lt__, __le__ = _binary("lt"), _binary("le")
    # a > b is b < a: two comparisons are enough.
    __gt__, __ge__ = _binary("lt", flip=True), _binary("le", flip=True)
    __neg__ = _unary("neg")


def _function(op: str):
    def apply(x: Any, *args: Any) -> Any:
        return x._apply(op, x, *[x._lift(a) for a in args])

    apply.__name__ = op
    apply.__doc__ = f"The primitive `{op}` on any Algebra."
    return apply


absolute, floor, sqrt = _function("abs"), _function("floor"), _function("sqrt")
exp, expm1, log, log1p = map(_function, ("exp", "expm1", "log", "log1p"))
sin, cos, tanh, erf = map(_function, ("sin", "cos", "tanh", "erf"))
maximum, minimum = _function("maximum"), _function("minimum")
eq, ne, lt, le = map(_function, ("eq", "ne", "lt", "le"))
stop_gradient = _function("stop_gradient")


def where(condition: Any, a: Any, b: Any) -> Any:
    """`a` where the condition holds, else `b`; one of the two may be a number."""
    model = a if isinstance(a, Algebra) else b
    return condition._apply("where", condition, model._lift(a), model._lift(b))
