"""Statements for pointwise nodes: one ufunc call each, writing where it is told."""

from __future__ import annotations

from ...tracer import types
from ...tracer.graph import Value
from ..axes import elements
from .block import Block

__all__ = ["cost", "is_loud", "statements"]

UFUNCS = {
    "neg": "negative",
    "abs": "absolute",
    "floor": "floor",
    "round": "rint",
    "sqrt": "sqrt",
    "exp": "exp",
    "expm1": "expm1",
    "log": "log",
    "log1p": "log1p",
    "sin": "sin",
    "cos": "cos",
    "tanh": "tanh",
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "div": "true_divide",
    "idiv": "floor_divide",
    "rem": "remainder",
    "pow": "power",
    "atan2": "arctan2",
    "maximum": "maximum",
    "minimum": "minimum",
    "and": "bitwise_and",
    "or": "bitwise_or",
    "xor": "bitwise_xor",
    "shl": "left_shift",
    "shr": "right_shift",
    "eq": "equal",
    "ne": "not_equal",
    "lt": "less",
    "le": "less_equal",
}
# NumPy deprecates a positional `out` of these two.
_BY_NAME = ("maximum", "minimum")
# These cannot set a floating-point flag.
_SILENT = frozenset("neg abs floor round maximum minimum eq ne lt le where".split())
# From here on, choosing by bits beats copying where a mask is set.
MANY = 1024
_BITS = {1: types.int8, 2: types.int16, 4: types.int32, 8: types.int64}


def statements(
    v: Value, args: list[str], out: str, shape: tuple, block: Block, free: bool = False
) -> None:
    """Write the statements that put `v` of `args` into `out`, an array of `shape`.

    `free` says that a ufunc may make that array itself, if it is the first to write it.
    """
    name = UFUNCS.get(v.op)
    if name is None:
        _OTHERS[v.op](v, args, out, shape, block)
        return
    given = ", ".join(args)
    by_name = "out=" if name in _BY_NAME else ""
    direct = f"{name}({given})" if free else ""
    block.write(f"{name}({given}, {by_name}{out})", elementwise=True, direct=direct)


def _where(v: Value, args: list[str], out: str, shape: tuple, block: Block) -> None:
    condition, a, b = args
    many = not all(type(n) is int for n in shape) or elements(shape) >= MANY
    if not many:
        block.write(f"copyto({out}, {b})", elementwise=True)
        block.write(f'copyto({out}, {a}, "same_kind", {condition})')
        return
    mask = block.array(shape, _BITS[v.dtype.itemsize])
    if _is_zero(v.args[2]):
        block.write(f"keep_where({condition}, {a}, {out}, {mask})", elementwise=True)
    elif _is_zero(v.args[1]):
        block.write(f"drop_where({condition}, {b}, {out}, {mask})", elementwise=True)
    else:
        block.write(f"select({condition}, {a}, {b}, {out}, {mask})")


def _is_zero(v: Value) -> bool:
    while v.op == "expand":
        v = v.args[0]
    return v.op == "constant" and repr(v.attrs["value"]) in ("0", "0.0", "False")


def _cast(v: Value, args: list[str], out: str, shape: tuple, block: Block) -> None:
    block.write(f'copyto({out}, {args[0]}, "unsafe")')


def _special(v: Value, args: list[str], out: str, shape: tuple, block: Block) -> None:
    kind = "half" if v.dtype.itemsize == 2 else "tile"
    block.write(f"{v.op}_{kind}({args[0]}, {out})")


_OTHERS = {"where": _where, "cast": _cast, "erf": _special, "erfinv": _special}


_SLOW = frozenset("exp expm1 log log1p sin cos tanh where sum max min argmax".split())
_SLOWER = frozenset("pow atan2 erf erfinv idiv rem prod argmin".split())


def cost(v: Value) -> int:
    """The time `v` takes, in additions."""
    return 4 if v.op in _SLOW else 16 if v.op in _SLOWER else 1


def is_loud(v: Value) -> bool:
    """Whether NumPy may warn while it computes `v`."""
    if v.dtype is None:
        return True  # whatever it runs
    if v.op in ("idiv", "rem"):
        return True  # integers may be divided by zero
    kinds = (v.dtype, *(a.dtype for a in v.args))
    if types.bfloat16 in kinds:
        return True  # not one of NumPy's own: even comparing NaN warns
    floating = any(kind.is_floating_point for kind in kinds)
    return floating and v.op not in _SILENT
