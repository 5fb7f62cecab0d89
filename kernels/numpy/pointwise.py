"""Statements for pointwise nodes: one ufunc call each, writing where it is told."""

from __future__ import annotations

from typing import Callable

from ...tracer.graph import Value

__all__ = ["UFUNCS", "statements"]

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

Write = Callable[..., None]


def statements(
    v: Value, args: list[str], out: str, write: Write, allocate: bool = False
) -> None:
    """Write the statements that put `v` of `args` into `out`.

    `allocate` says that a ufunc may make that array itself, if it is the first to
    write it.
    """
    name = UFUNCS.get(v.op)
    if name is None:
        _OTHERS[v.op](v, args, out, write)
        return
    given = ", ".join(args)
    by_name = "out=" if name in _BY_NAME else ""
    direct = f"{name}({given})" if allocate else ""
    write(f"{name}({given}, {by_name}{out})", elementwise=True, direct=direct)


def _where(v: Value, args: list[str], out: str, write: Write) -> None:
    condition, a, b = args
    write(f"copyto({out}, {b})", elementwise=True)
    write(f'copyto({out}, {a}, "same_kind", {condition})')


def _cast(v: Value, args: list[str], out: str, write: Write) -> None:
    write(f'copyto({out}, {args[0]}, "unsafe")')


def _special(v: Value, args: list[str], out: str, write: Write) -> None:
    if v.dtype.itemsize == 2:
        write(f"{v.op}_half({args[0]}, {out})")
    else:
        write(f"{v.op}_tile({args[0]}, {out})")


_OTHERS = {"where": _where, "cast": _cast, "erf": _special, "erfinv": _special}


def is_loud(v: Value) -> bool:
    """Whether NumPy may warn while it computes `v`."""
    if v.op in ("idiv", "rem"):
        return True  # integers may be divided by zero
    floating = v.dtype.is_floating_point or any(
        a.dtype.is_floating_point for a in v.args
    )
    return floating and v.op not in _SILENT
