"""Arithmetic on Python numbers: what it does, and how it is written in Python."""

from __future__ import annotations

import math
import operator
from typing import Any, Callable

__all__ = ["ARITHMETIC", "COMPARISONS", "EXACT", "spelled"]

ARITHMETIC: dict[str, tuple[Callable, str]] = {
    "add": (operator.add, "{} + {}"),
    "sub": (operator.sub, "{} - {}"),
    "mul": (operator.mul, "{} * {}"),
    "truediv": (operator.truediv, "{} / {}"),
    "floordiv": (operator.floordiv, "{} // {}"),
    "mod": (operator.mod, "{} % {}"),
    "pow": (operator.pow, "{} ** {}"),
    "and": (operator.and_, "{} & {}"),
    "or": (operator.or_, "{} | {}"),
    "xor": (operator.xor, "{} ^ {}"),
    "lshift": (operator.lshift, "{} << {}"),
    "rshift": (operator.rshift, "{} >> {}"),
    "neg": (operator.neg, "-{}"),
    "pos": (operator.pos, "+{}"),
    "abs": (abs, "abs({})"),
    "invert": (operator.invert, "~{}"),
    "int": (int, "int({})"),
    "round": (round, "round({})"),
    "round_to": (round, "round({}, {})"),
    "floor": (math.floor, "math.floor({})"),
    "ceil": (math.ceil, "math.ceil({})"),
    "trunc": (math.trunc, "math.trunc({})"),
}
# And the primitive that answers it for tensors; a > b is b < a.
COMPARISONS: dict[str, tuple[Callable, str, str]] = {
    "eq": (operator.eq, "{} == {}", "eq"),
    "ne": (operator.ne, "{} != {}", "ne"),
    "lt": (operator.lt, "{} < {}", "lt"),
    "le": (operator.le, "{} <= {}", "le"),
    "gt": (operator.gt, "{} > {}", "lt"),
    "ge": (operator.ge, "{} >= {}", "le"),
}
# Primitives that compute in float64, bit for bit, what Python does.
EXACT = {
    "add": "add",
    "sub": "sub",
    "mul": "mul",
    "truediv": "div",
    "neg": "neg",
    "abs": "abs",
}
_SPECIAL = {"inf": "math.inf", "-inf": "-math.inf", "nan": "math.nan"}


def spelled(x: Any) -> str:
    """A plain number as an operand in an expression.

    >>> spelled(0.5), spelled(-2), spelled(float("inf"))
    ('0.5', '(-2)', '(math.inf)')
    """
    text = repr(x)
    return text if text[0].isdigit() else f"({_SPECIAL.get(text, text)})"
