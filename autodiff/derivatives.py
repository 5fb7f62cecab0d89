"""The page of calculus: how each primitive changes.

One row per primitive, in the order and under the headings of `tracer/ops.py`. A row
is a function `(g, y, *args, **attrs)` from the cotangent `g` of the result `y` to the
cotangents of the arguments (None where there is none). Rows are written with the
primitives themselves, so that a derivative can be differentiated again. The row None
stops the flow: nothing floating comes out, or by definition nothing passes.

A parameter that starts with an underscore is looked at for its shape and element type
only, never its numbers: eager autograd keeps no more than a row `reads`.

At kinks and edges the rows say what PyTorch says: ties of maximum share evenly, the
slope of abs at 0 is 0, `where` hands an exact zero to the branch not taken.
"""

from __future__ import annotations

import inspect
import math
from functools import cache
from typing import Any, Callable, Optional

from ..tracer.algebra import cos, eq, exp, log, sin, where
from ..tracer.graph import Value, make, placeholder, reachable
from ..tracer.types import float32
from . import adjoints as adj
from . import indexing as idx
from .adjoints import zeros

__all__ = ["DERIVATIVES", "Row", "row", "reads"]

Row = Callable[..., tuple]


def _abs(g: Value, _y: Value, x: Value) -> tuple:
    return (where(x > 0, g, where(x < 0, -g, zeros(g))),)


def _div(g: Value, y: Value, _a: Value, b: Value) -> tuple:
    by_a = g / b
    return by_a, -by_a * y


def _pow(g: Value, y: Value, a: Value, b: Value) -> tuple:
    # The ones stand where the other factor is an exact 0: 0 * inf must not appear.
    by_base = g * b * where(eq(b, 0), 1, a) ** (b - 1)
    by_exponent = g * y * log(where(eq(a, 0) & (b >= 0), 1, a))
    return by_base, by_exponent


def _atan2(g: Value, _y: Value, a: Value, b: Value) -> tuple:
    square = a * a + b * b
    turn = where(eq(square, 0), 0, g / where(eq(square, 0), 1, square))
    return turn * b, -turn * a


def _maximum(g: Value, _y: Value, a: Value, b: Value) -> tuple:
    share = where(eq(a, b), g * 0.5, g)
    return where(a < b, 0, share), where(b < a, 0, share)


def _minimum(g: Value, _y: Value, a: Value, b: Value) -> tuple:
    share = where(eq(a, b), g * 0.5, g)
    return where(b < a, 0, share), where(a < b, 0, share)


def _extremum(g: Value, y: Value, x: Value, *, axes: tuple) -> tuple:
    attained = eq(x, adj.back(y, axes, x.shape))
    ties = attained.cast(g.dtype).sum(axes)
    return (where(attained, adj.back(g / ties, axes, x.shape), 0),)


_ROWS: dict[str, dict[str, Any]] = {
    "pointwise": {
        "neg": lambda g, _y, _x: (-g,),
        "abs": _abs,
        "floor": lambda g, _y, _x: (zeros(g),),
        "round": lambda g, _y, _x: (zeros(g),),
        "sqrt": lambda g, y, _x: (g * 0.5 / y,),
        "exp": lambda g, y, _x: (g * y,),
        "expm1": lambda g, y, _x: (g * (y + 1),),
        "log": lambda g, _y, x: (g / x,),
        "log1p": lambda g, _y, x: (g / (x + 1),),
        "sin": lambda g, _y, x: (g * cos(x),),
        "cos": lambda g, _y, x: (g * -sin(x),),
        "tanh": lambda g, y, _x: (g * (1 - y * y),),
        "erf": lambda g, _y, x: (g * exp(-(x * x)) * (2 / math.sqrt(math.pi)),),
        "erfinv": lambda g, y, _x: (g * exp(y * y) * (math.sqrt(math.pi) / 2),),
        "add": lambda g, _y, _a, _b: (g, g),
        "sub": lambda g, _y, _a, _b: (g, -g),
        "mul": lambda g, _y, a, b: (g * b, g * a),
        "div": _div,
        "idiv": lambda g, _y, _a, _b: (zeros(g), zeros(g)),
        "rem": lambda g, _y, a, b: (g, -g * (a // b)),
        "pow": _pow,
        "atan2": _atan2,
        "maximum": _maximum,
        "minimum": _minimum,
        "and": None,
        "or": None,
        "xor": None,
        "shl": None,
        "shr": None,
        "where": lambda g, _y, c, _a, _b: (None, where(c, g, 0), where(c, 0, g)),
        "cast": lambda g, _y, _x, *, dtype: (adj.cast_back(g, _x),),
        "stop_gradient": None,
        "leaf": lambda g, _y, _x: (g,),
        "again": lambda g, _y, _x: (g,),
    },
    "compare": {
        "eq": None,
        "ne": None,
        "lt": None,
        "le": None,
    },
    "reduce": {
        "sum": lambda g, _y, _x, *, axes: (adj.back(g, axes, _x.shape),),
        "prod": lambda g, _y, x, *, axes: (idx.prod(g, x, axes),),
        "max": _extremum,
        "min": _extremum,
        "argmax": None,
        "argmin": None,
    },
    "movement": {
        "expand": lambda g, _y, _x, *, shape: (adj.unexpand(g, _x.shape),),
        "reshape": lambda g, _y, _x, *, shape: (g.reshape(_x.shape),),
        "permute": lambda g, _y, _x, *, axes: (g.permute(adj.inverse(axes)),),
        "slice": adj.of_slice,
        "pad": adj.of_pad,
        "concat": adj.of_concat,
        "update_slice": adj.of_update_slice,
    },
    "window": {
        "windows": adj.of_windows,
        "fold": adj.of_fold,
    },
    "contract": {
        "dot": lambda g, _y, a, b: (adj.dot(g, adj.turn(b)), adj.dot(adj.turn(a), g)),
    },
    "index": {
        "gather": idx.of_gather,
        "scatter": {
            "set": idx.of_scatter_set,
            "add": idx.of_scatter_add,
            "mul": idx.of_scatter_mul,
            "max": idx.of_scatter_extremum,
            "min": idx.of_scatter_extremum,
        },
    },
    "scan": {
        "cumulative": {
            "add": idx.of_cumulative_add,
            "mul": idx.of_cumulative_mul,
            "max": idx.of_cumulative_extremum,
            "min": idx.of_cumulative_extremum,
        },
        "argsort": None,
    },
    "source": {
        "input": None,
        "constant": None,
        "iota": None,
        "random_bits": None,
    },
    # The derivative of a call is a call: its row is `vjp.through_call`, since it takes
    # the engine itself. The cotangents of its items meet there as {index: cotangent}.
    "control": {
        "item": lambda g, _y, _call, *, index: (adj.Parts({index: g}),),
    },
}

DERIVATIVES: dict[str, Any] = {k: r for rows in _ROWS.values() for k, r in rows.items()}


def row(op: str, attrs: dict) -> Optional[Row]:
    """The row of one node: primitives with a mode have one row for each mode."""
    found = DERIVATIVES[op]
    return found[attrs["mode"]] if isinstance(found, dict) else found


@cache
def reads(
    op: str,
    count: int = 1,
    mode: Optional[str] = None,
    live: Optional[tuple] = None,
) -> tuple:
    """What the derivative of `op` reads: (its result?, each argument?).

    `count` is the number of arguments where that is free (concat, call); without a
    `mode` the answer holds for all of them. A call reads all its arguments. `live`
    says to which arguments gradients flow: without it, to all.

    >>> reads("tanh"), reads("mul"), reads("concat", 3)
    ((True, (False,)), (False, (True, True)), (False, (False, False, False)))
    """
    if op in _PRODUCTS and live is not None and not all(live):
        return _reads_for(op, live)
    found = DERIVATIVES.get(op, _reads_all)
    rows = list(found.values()) if isinstance(found, dict) else [found]
    if mode is not None:
        rows = [found[mode]]
    each = [_read_by(r, count) for r in rows if r is not None]
    flags = [any(flag) for flag in zip(*each)] or [False] * (count + 1)
    return flags[0], tuple(flags[1:])


# Where what one argument gets depends on the others: to be asked one by one.
_PRODUCTS = frozenset("mul div pow atan2 maximum minimum rem dot".split())


def _reads_for(op: str, live: tuple) -> tuple:
    """The same, found by looking at the cotangents of the `live` arguments."""
    shape = (1, 1) if op == "dot" else ()
    args = [placeholder("x", shape, float32) for _ in live]
    y = make(op, tuple(args))
    parts = DERIVATIVES[op](placeholder("g", shape, float32), y, *args)
    wanted = [p for p, flows in zip(parts, live) if flows and p is not None]
    read = {v.id for v in reachable(wanted, stop=lambda v: v is y)}
    return y.id in read, tuple(a.id in read for a in args)


def _reads_all(g: Value, _y: Value, *args: Value) -> tuple:
    return args


def _read_by(rule: Row, count: int) -> list[bool]:
    flags: list[bool] = []
    for p in list(inspect.signature(rule).parameters.values())[1:]:
        if p.kind is not p.KEYWORD_ONLY:
            many = count if p.kind is p.VAR_POSITIONAL else 1
            flags += [not p.name.startswith("_")] * many
    return flags
