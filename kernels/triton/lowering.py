"""The primitives in Triton: the third table, in the order of tracer/ops.py.

A pointwise row is a text for each kind of number it is defined for; a name in braces is
an argument. What Triton lacks, or does less exactly than NumPy, stands in library.py,
called `lib` in generated kernels. The other rows name what reads or writes them.

In registers, float16 and bfloat16 are float32 numbers that were rounded: an operation
computes in float32 and rounds its result unless that is exact anyway. Bool is tl.int1
in registers and a byte in memory.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple, Optional, Sequence

from ...tracer.graph import Value
from ...tracer.ops import OPS
from ...tracer.types import HALVES, DType, bool_, float32, float64, int32

__all__ = ["ROWS", "Row", "accumulator", "cast", "combine", "expression", "finish"]
__all__ += ["literal", "load_cast", "memory_type", "neutral", "reduction"]
__all__ += ["register_type", "scan", "store_cast"]


class Row(NamedTuple):
    """One primitive: its text for floats, integers and bool; "" where undefined.

    `exact` says that half types need no rounding; `wide` is the text for float64 where
    it differs.
    """

    real: str = ""
    whole: str = ""
    bit: str = ""
    exact: bool = False
    wide: str = ""


def _same(text: str, exact: bool = False) -> Row:
    """One text for numbers of all kinds."""
    return Row(text, text, text, exact)


def _most(name: str, bit: str) -> Row:
    return Row(f"lib.{name}({{0}}, {{1}})", f"tl.{name}({{0}}, {{1}})", bit, exact=True)


_ROWS: dict[str, dict[str, Any]] = {
    "pointwise": {
        "neg": Row("{0} * -1.0", "-{0}", exact=True),
        "abs": Row("tl.abs({0})", "tl.abs({0})", "{0}", exact=True),
        "floor": Row("tl.floor({0})", "{0}", "{0}", exact=True),
        "round": Row("lib.round({0})", exact=True),
        "sqrt": Row("tl.sqrt_rn({0})", wide="tl.sqrt({0})"),
        "exp": Row("lib.exp({0})"),
        "expm1": Row("lib.expm1({0})"),
        "log": Row("tl.log({0})"),
        "log1p": Row("lib.log1p({0})"),
        "sin": Row("tl.sin({0})"),
        "cos": Row("tl.cos({0})"),
        "tanh": Row("lib.tanh({0})"),
        "erf": Row("lib.erf({0})"),
        "erfinv": Row("lib.erfinv({0})"),
        "add": Row("{0} + {1}", "{0} + {1}", "{0} | {1}"),
        "sub": Row("{0} - {1}", "{0} - {1}"),
        "mul": Row("{0} * {1}", "{0} * {1}", "{0} & {1}"),
        "div": Row("tl.div_rn({0}, {1})", wide="{0} / {1}"),
        "idiv": Row("lib.floor_divide({0}, {1})", "lib.whole_divide({0}, {1})"),
        "rem": Row("lib.remainder({0}, {1})", "lib.whole_remainder({0}, {1})"),
        "pow": Row("lib.power({0}, {1})", "lib.whole_power({0}, {1})"),
        "atan2": Row("lib.atan2({0}, {1})"),
        "maximum": _most("maximum", "{0} | {1}"),
        "minimum": _most("minimum", "{0} & {1}"),
        "and": Row("", "{0} & {1}", "{0} & {1}"),
        "or": Row("", "{0} | {1}", "{0} | {1}"),
        "xor": Row("", "{0} ^ {1}", "{0} ^ {1}"),
        "shl": Row("", "lib.shift_left({0}, {1})"),
        "shr": Row("", "lib.shift_right({0}, {1})"),
        "where": _same("tl.where({0}, {1}, {2})", exact=True),
        "cast": "cast",
        "stop_gradient": _same("{0}", exact=True),
        "leaf": _same("{0}", exact=True),
        "again": _same("{0}", exact=True),
    },
    "compare": {
        "eq": _same("{0} == {1}"),
        "ne": _same("{0} != {1}"),
        "lt": _same("{0} < {1}"),
        "le": _same("{0} <= {1}"),
    },
    # How two partial results are joined, and the name of that in the library.
    "reduce": {
        "sum": ("add", "add"),
        "prod": ("mul", "multiply"),
        "max": ("maximum", "maximum"),
        "min": ("minimum", "minimum"),
        "argmax": ("argmax", "argmax"),
        "argmin": ("argmin", "argmin"),
    },
    "movement": dict.fromkeys(
        "expand reshape permute slice pad concat update_slice".split(), "read"
    ),
    "window": {"windows": "read", "fold": "read"},
    "contract": {"dot": "matmul"},
    "index": {"gather": "read", "scatter": "scatter"},
    "scan": {"cumulative": "scan", "argsort": "sort"},
    "source": {
        "input": "memory",
        "constant": "literal",
        "iota": "read",
        "random_bits": "read",
    },
    "control": dict.fromkeys("call cond while scan item".split(), "host"),
}
ROWS: dict[str, Any] = {op: row for rows in _ROWS.values() for op, row in rows.items()}


# -- types


def _name(dtype: DType) -> str:
    """Triton's name of an element type."""
    return f"tl.{'int1' if dtype is bool_ else dtype.name}"


def register_type(dtype: DType) -> str:
    """What a register that holds such elements is: half types are float32."""
    return _name(accumulated(dtype))


def memory_type(dtype: DType) -> str:
    """What such elements are in memory: bool is a byte."""
    return "tl.uint8" if dtype is bool_ else _name(dtype)


def accumulated(dtype: DType) -> DType:
    """The type in which sums and other partial results are kept."""
    return float32 if dtype in HALVES else dtype


def accumulator(dtype: DType) -> str:
    """The register type of partial results."""
    return register_type(dtype)


def load_cast(text: str, dtype: DType) -> str:
    """A loaded value as a register."""
    if dtype is bool_:
        return f"({text} != 0)"
    return f"{text}.to(tl.float32)" if dtype in HALVES else text


def store_cast(text: str, dtype: DType) -> str:
    """A register as a value to be stored."""
    if dtype is bool_ or dtype in HALVES:
        return f"{closed(text)}.to({memory_type(dtype)})"
    return text


def rounded(text: str, dtype: DType) -> str:
    """A float32 result as an element of `dtype`: half types round."""
    if dtype not in HALVES:
        return text
    return f"{closed(text)}.to({_name(dtype)}).to(tl.float32)"


def closed(text: str) -> str:
    """A text that `.to(...)` may follow."""
    depth = 0
    for c in text:
        depth += (c == "(") - (c == ")")
        if c == " " and not depth:
            return f"({text})"
    return text


# -- values


def literal(value: Any, dtype: DType) -> str:
    """A number as a register without dimensions, of exactly this type.

    >>> literal(0.1, float32)
    'tl.full((), 0.1, tl.float32)'
    >>> literal(float("-inf"), float64)
    "tl.full((), float('-inf'), tl.float64)"
    """
    kind = register_type(dtype)
    exact = accumulated(dtype).np.type(dtype.np.type(value))
    number = str(exact)  # the shortest text that reads as this number
    if dtype.is_floating_point and not math.isfinite(exact):
        number = f"float('{number}')"
    elif number == "-0.0":
        return f"(tl.full((), 0.0, {kind}) * -1.0)"  # tl.full drops the sign
    return f"tl.full((), {number}, {kind})"


def expression(v: Value, args: Sequence[str]) -> str:
    """The register of a pointwise or compare node, from those of its arguments.

    Raises KeyError for another primitive, TypeError where NumPy has no meaning either.
    """
    if v.op == "cast":
        return cast(args[0], v.args[0].dtype, v.dtype)
    row, kind = ROWS[v.op], v.args[-1].dtype
    text = (row.bit, row.whole, row.real)[kind.category]
    if kind is float64 and row.wide:
        text = row.wide
    if not text:
        raise TypeError(f"{v.op} is not defined for {kind.name}")
    text = text.format(*args)
    return text if row.exact or OPS[v.op].kind == "compare" else rounded(text, v.dtype)


def cast(text: str, old: DType, new: DType) -> str:
    """A register of type `old` as one of type `new`."""
    if old is new:
        return text
    if new is bool_:
        return f"{closed(text)} != 0"
    if new in HALVES and (old is not float64 or new.short == "bf16"):
        text = text if old in HALVES or old is float32 else f"{text}.to(tl.float32)"
        return rounded(text, new)
    if new in HALVES:
        return f"{text}.to(tl.float16).to(tl.float32)"
    return text if old in HALVES and new is float32 else f"{text}.to({_name(new)})"


# -- reductions and scans


_LEAST = {"max": -1, "argmax": -1, "maximum": -1, "min": 1, "argmin": 1, "minimum": 1}


def neutral(op: str, dtype: DType) -> str:
    """What changes no result of a reduction: masked lanes hold it."""
    return literal(_neutral(op, dtype), accumulated(dtype))


def _neutral(op: str, dtype: DType) -> Any:
    if op not in _LEAST:
        return 1 if op in ("prod", "mul") else 0
    high = _LEAST[op] > 0
    if dtype is bool_:
        return high
    if dtype.is_floating_point:
        return math.inf * _LEAST[op]
    bits = 8 * dtype.itemsize - dtype.is_signed
    return (1 << bits) - 1 if high else -(1 << bits) if dtype.is_signed else 0


def combine(op: str, dtype: DType, a: str, b: str) -> str:
    """Two partial results of a reduction (or scan) joined, in the accumulator type."""
    row = ROWS[ROWS[op][0] if op in _ROWS["reduce"] else op]
    text = (row.bit, row.whole, row.real)[dtype.category]
    return text.format(a, b)


def reduction(v: Value, text: str, axis: int, index: Optional[str] = None) -> str:
    """A register reduced over one of its dimensions, which stays as 1.

    For argmax and argmin `index` is the register of positions along that dimension;
    the result is an int64 position. The others stay in the accumulator type.
    """
    if v.op in ("argmax", "argmin"):
        text = _plain_bits(text, v.args[0].dtype)
        return f"lib.{v.op}({text}, {index}, {axis}).to(tl.int64)"
    name, dtype = ROWS[v.op][1], v.args[0].dtype
    return _over("reduce", dtype, name, text, axis, ", keep_dims=True")


def scan(v: Value, text: str, axis: int) -> str:
    """The register of a `cumulative` node, from its argument, along a dimension."""
    names = {"mul": "multiply", "max": "maximum", "min": "minimum"}
    name = names.get(v.attrs["mode"], v.attrs["mode"])
    found = _over("associative_scan", v.dtype, name, text, axis)
    return rounded(found, v.dtype)


def finish(v: Value, text: str) -> str:
    """The result of a reduction: half types round once, at the end."""
    return rounded(text, v.dtype)


def _plain_bits(text: str, dtype: DType) -> str:
    """Single bits reduce as whole registers."""
    return f"{closed(text)}.to({_name(int32)})" if dtype is bool_ else text


_OF_BITS = {"add": "maximum", "multiply": "minimum"}


def _over(
    how: str, dtype: DType, name: str, text: str, axis: int, more: str = ""
) -> str:
    if dtype is bool_:
        name, text = _OF_BITS.get(name, name), _plain_bits(text, dtype)
    found = f"tl.{how}({text}, {axis}, lib.{name}{more})"
    return f"({found} != 0)" if dtype is bool_ else found
