"""The rules of arithmetic and logic, each one line of algebra.

All are exact: what replaces a value has its very bits, infinities, NaN and the sign
of zero included, so that a compiled program agrees with plain evaluation. (Hence no
`x + 0.0`, which turns -0.0 into 0.0, and no `x * 0.0`.) Powers are the one exception:
small ones are products, as PyTorch computes them, within a rounding of `pow`.
"""

from __future__ import annotations

import math
from typing import Optional

from ..algebra import absolute as abs_
from ..algebra import eq, floor, le, lt, maximum, minimum, ne, sqrt, where
from ..graph import Value, constant, node
from ..types import DType, float32, float64
from .rewrite import Rule, apply, c, number, x, y, z

__all__ = ["ARITHMETIC", "LOGIC"]

_PRECISION = {"f16": 11, "bf16": 8, "f32": 24, "f64": 53}  # bits of the significand


def _is_float(v: Value) -> bool:
    return v.dtype.is_floating_point


def _whole(v: Value, fill: object) -> Optional[Value]:
    """`fill` everywhere, for types that have no NaN."""
    return None if _is_float(v.args[0]) else constant(fill, v.shape, v.dtype)


def _reciprocal(x: Value, c: Value) -> Optional[Value]:
    """x * (1/c) where 1/c is exact: a power of two, far from the ends of the type."""
    value = c.attrs["value"]
    if not _is_float(c) or not math.isfinite(value) or abs(math.frexp(value)[0]) != 0.5:
        return None
    inside = abs(math.frexp(value)[1]) < (15 if c.dtype.short == "f16" else 126)
    return x * (1 / value) if inside else None


def _lossless(a: DType, b: DType) -> bool:
    """Whether every number of type `a` survives in type `b`."""
    if a is b or a.category == 0:
        return True
    if a.category > b.category:
        return False
    if b.is_floating_point:
        wide = _PRECISION[a.short] if a.is_floating_point else a.itemsize * 8
        return wide <= _PRECISION[b.short] and b.itemsize >= 4
    if a.is_signed:
        return b.is_signed and a.itemsize <= b.itemsize
    return a.itemsize + b.is_signed <= b.itemsize


def _cast_of_cast(v: Value, x: Value) -> Optional[Value]:
    # What a float too large for an integer becomes may depend on the float's type.
    vague = _is_float(x) and not _is_float(v)
    if vague or not _lossless(x.dtype, v.args[0].dtype):
        return None
    return node("cast", (x,), v.attrs, v.shape, v.dtype)


def _relu(v: Value, x: Value) -> Optional[Value]:
    # Half types: NumPy's maximum there keeps -0.0, which the pattern turns into 0.0.
    exact = not _is_float(v) or v.dtype in (float32, float64)
    return maximum(x, 0) if exact else None


_ZERO, _ONE, _MINUS = number(0, 0.0), number(1, 1.0), number(-1, -1.0)
_SQUARE, _CUBE, _FOURTH = number(2, 2.0), number(3, 3.0), number(4, 4.0)


def _as_it_is(v: Value, x: Value) -> Optional[Value]:
    return x if v.dtype is x.dtype else None


ARITHMETIC = [
    Rule("double negation", -(-x), x),  # noqa: B002
    Rule("plus zero", x + 0, x),
    Rule("plus minus zero", x + -0.0, x),
    Rule("minus zero", x - _ZERO, x),
    Rule("zero minus", 0 - x, -x),
    Rule("minus itself", x - x, lambda v: _whole(v, 0)),
    Rule("plus negative", x + -y, x - y),
    Rule("minus negative", x - -y, x + y),
    Rule("times one", x * _ONE, x),
    Rule("times minus one", x * _MINUS, -x),
    Rule("times zero", x * 0, lambda v: _whole(v, 0)),
    Rule("negative times negative", -x * -y, x * y),
    Rule("over one", x / 1.0, x),
    Rule("over a power of two", x / c, _reciprocal),
    Rule("whole division by one", x // 1, x),
    Rule("power zero", x ** number(0, 0.0), lambda v: constant(1, v.shape, v.dtype)),
    Rule("power one", x**_ONE, x),
    Rule("square", x**_SQUARE, x * x),
    Rule("cube", x**_CUBE, x * x * x),
    Rule("fourth power", x**_FOURTH, (x * x) * (x * x)),
    Rule("power minus one", x**-1.0, 1.0 / x),
    Rule("power minus two", x**-2.0, 1.0 / (x * x)),
    Rule("power one half", x**0.5, sqrt(x)),
    Rule("power minus one half", x**-0.5, 1.0 / sqrt(x)),
    Rule("abs of abs", abs_(abs_(x)), abs_(x)),
    Rule("abs of negative", abs_(-x), abs_(x)),
    Rule("floor of floor", floor(floor(x)), floor(x)),
    Rule("floor of round", floor(apply("round", x)), apply("round", x)),
    Rule("round of round", apply("round", apply("round", x)), apply("round", x)),
    Rule("round of floor", apply("round", floor(x)), floor(x)),
    Rule("maximum of one", maximum(x, x), x),
    Rule("minimum of one", minimum(x, x), x),
    Rule("shift by nothing", x << 0, x),
    Rule("shift back by nothing", x >> 0, x),
    Rule("cast to itself", apply("cast", x), _as_it_is),
    Rule("cast of cast", apply("cast", apply("cast", x)), _cast_of_cast),
    Rule("stopped twice", apply("stop_gradient", x), lambda x: None if x.live else x),
]


_PLACES = frozenset("argmax argmin argsort iota".split())
_MOVED = frozenset("reshape permute expand slice gather cast".split())


def _never_below(v: Value, x: Value) -> Optional[Value]:
    """Positions are not negative, wherever they are moved to."""
    while x.op in _MOVED and not _is_float(x):
        x = x.args[0]
    return constant(False, v.shape, v.dtype) if x.op in _PLACES else None


LOGIC = [
    Rule("and true", x & True, x),
    Rule("and false", x & number(False, 0), lambda v: constant(0, v.shape, v.dtype)),
    Rule("and itself", x & x, x),
    Rule("or false", x | number(False, 0), x),
    Rule("or true", x | True, lambda v: constant(True, v.shape, v.dtype)),
    Rule("or itself", x | x, x),
    Rule("xor false", x ^ number(False, 0), x),
    Rule("xor itself", x ^ x, lambda v: _whole(v, 0)),
    Rule("not not", (x ^ True) ^ True, x),
    Rule("not equal", eq(x, y) ^ True, ne(x, y)),
    Rule("not different", ne(x, y) ^ True, eq(x, y)),
    Rule("not less", lt(x, y) ^ True, lambda x, y: None if _is_float(x) else le(y, x)),
    Rule("not above", le(x, y) ^ True, lambda x, y: None if _is_float(x) else lt(y, x)),
    Rule("equal itself", eq(x, x), lambda v: _whole(v, True)),
    Rule("different from itself", ne(x, x), lambda v: _whole(v, False)),
    Rule("less than itself", lt(x, x), lambda v: constant(False, v.shape, v.dtype)),
    Rule("a place below zero", lt(x, number(0, 0.0)), _never_below),
    Rule("at most itself", le(x, x), lambda v: _whole(v, True)),
    Rule("where true", apply("where", True, x, y), x),
    Rule("where false", apply("where", False, x, y), y),
    Rule("where either", apply("where", y, x, x), x),
    Rule("where not", apply("where", x ^ True, y, z), where(x, z, y)),
    Rule("where true else false", apply("where", x, True, False), x),
    Rule("where false else true", apply("where", x, False, True), x ^ True),
    Rule("relu", apply("where", le(x, _ZERO), number(0, 0.0), x), _relu),
]
