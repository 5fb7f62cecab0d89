"""What each primitive takes: attributes, number of operands, and what fits inside.

The shape rules ask whether operands agree; they trust whoever calls them to count
axes and to slice within bounds, as recording does. A graph that comes from a file has
earned no trust: `check` asks the rest.
"""

from __future__ import annotations

import functools
import math
from typing import Any, Callable, NamedTuple, Optional

import numpy as np

from ..control import GRAPHS, count, misfit
from ..graph import Graph, Value
from ..meaning import window_counts
from ..ops import OPS
from ..sizes import Dim, Int, same_shape, same_size
from ..types import DType, int64

__all__ = ["ATTRS", "check", "operands"]

MOST_AXES, MOST_TERMS, LARGEST = 64, 8, 2**63 - 1


class Attr(NamedTuple):
    """A kind of attribute: how an error names it, and how it is recognised."""

    what: str
    fits: Callable[[Any], bool]


def is_size(a: Any) -> bool:
    """Whether `a` is an integer of 64 bits, or symbolic and not too long.

    The limits keep products of sizes small whatever a text makes of them.
    """
    if not isinstance(a, Dim):
        return type(a) is int and abs(a) <= LARGEST
    degree = max(map(len, a.terms))
    short = len(a.terms) <= MOST_TERMS and degree <= 6 and len(a.text) <= 1000
    return short and all(abs(n) <= LARGEST for n in a.terms.values())


def is_shape(a: Any) -> bool:
    """Whether `a` is a tuple of sizes of which none is certainly negative."""
    if type(a) is not tuple or len(a) > MOST_AXES or not all(map(is_size, a)):
        return False
    terms = math.prod(len(n.terms) for n in a if isinstance(n, Dim))
    return terms <= 4096 and all(isinstance(n, Dim) or n >= 0 for n in a)


def _is_axis(a: Any) -> bool:
    return type(a) is int and -MOST_AXES <= a < 0


def _are_axes(a: Any) -> bool:
    distinct = type(a) is tuple and len(set(map(repr, a))) == len(a)
    return distinct and all(map(_is_axis, a))


def _are_counts(a: Any) -> bool:
    return is_shape(a) and all(type(n) is int and n > 0 for n in a)


def _are_pads(a: Any) -> bool:
    return type(a) is tuple and all(is_shape(pad) and len(pad) == 3 for pad in a)


def _one_of(*words: str) -> Attr:
    return Attr(" or ".join(map(repr, words)), lambda a: a in words)


SIZE = Attr("a size", is_size)
STEP = Attr("a step other than 0", lambda a: type(a) is int and a != 0 and is_size(a))
COUNT = Attr("a count", lambda a: type(a) is int and 0 <= a <= MOST_AXES)
LENGTH = Attr("a size of at least 0", lambda a: is_shape((a,)))
INDEX = Attr("an index", lambda a: type(a) is int and a >= 0)
SHAPE = Attr("a shape", is_shape)
COUNTS = Attr("a tuple of positive integers", _are_counts)
AXIS = Attr("a negative axis", _is_axis)
AXES = Attr("a tuple of negative axes, none twice", _are_axes)
PADS = Attr("a tuple of (low, high, interior)", _are_pads)
NUMBER = Attr("a number", lambda a: type(a) in (bool, int, float))
DTYPE = Attr("an element type", lambda a: isinstance(a, DType))
FLAG = Attr("True or False", lambda a: type(a) is bool)
GRAPH = Attr("a graph defined above", lambda a: isinstance(a, Graph))

_REDUCE = {"axes": AXES}
_INDEX = {"axis": AXIS}
_SHAPE = {"shape": SHAPE}
_PLACE = {"axis": AXIS, "start": SIZE}
_STRIDES = {"stride": COUNTS, "dilation": COUNTS}

ATTRS: dict[str, dict[str, Attr]] = {
    **{name: {} for name in OPS},
    "cast": {"dtype": DTYPE},
    **dict.fromkeys(("sum", "prod", "max", "min"), _REDUCE),
    **dict.fromkeys(("argmax", "argmin", "concat"), _INDEX),
    **dict.fromkeys(("expand", "reshape"), _SHAPE),
    "permute": _REDUCE,
    "slice": {**_PLACE, "length": SIZE, "step": STEP},
    "update_slice": {**_PLACE, "step": STEP},
    "pad": {"pads": PADS, "value": NUMBER},
    "windows": {"size": COUNTS, **_STRIDES},
    "fold": {"shape": SHAPE, **_STRIDES},
    "gather": {"batch": COUNT},
    "scatter": {"batch": COUNT, "mode": _one_of("set", "add", "mul", "max", "min")},
    "cumulative": {"axis": AXIS, "mode": _one_of("add", "mul", "max", "min")},
    "argsort": {"axis": AXIS, "descending": FLAG},
    "constant": {"value": NUMBER, "shape": SHAPE, "dtype": DTYPE},
    "iota": {"axis": AXIS, "shape": SHAPE, "dtype": DTYPE},
    "random_bits": {"skip": SIZE, "shape": SHAPE},
    "call": {"graph": GRAPH},
    "cond": {"then": GRAPH, "other": GRAPH},
    "while": {"test": GRAPH, "body": GRAPH},
    "scan": {
        **{"body": GRAPH, "length": LENGTH, "reverse": FLAG},
        **{"carry": INDEX, "rows": INDEX},
    },
    "item": {"index": INDEX},
}


@functools.cache
def operands(op: str) -> Optional[int]:
    """How many operands a primitive has; None is any number."""
    meaning = OPS[op].meaning
    if op in GRAPHS or op == "concat":
        return None
    if meaning is None:
        return 1 if op == "item" else 0
    if isinstance(meaning, np.ufunc):
        return meaning.nin
    if op == "where":
        return 3
    code = meaning.__code__
    return sum(name not in ATTRS[op] for name in code.co_varnames[: code.co_argcount])


# -- what the shape rules take on trust


def check(v: Value) -> str:
    """What is wrong with a node, "" when nothing is."""
    shape = v.shape if v.op == "iota" else v.args[0].shape if v.args else ()
    axes = v.attrs.get("axes", (v.attrs["axis"],) if "axis" in v.attrs else ())
    if any(-axis > len(shape) for axis in axes):
        return f"axis {min(axes)} of a value with {len(shape)} axes"
    return _check_type(v) or _CHECKS.get(v.op, lambda v: "")(v)


def _check_type(v: Value) -> str:
    if OPS[v.op].kind != "pointwise" or v.op in ("where", "cast"):
        return ""
    return "" if _closed(v.op, v.dtype) else f"{v.op} of {v.dtype.name}"


@functools.cache
def _closed(op: str, dtype: DType) -> bool:
    """Whether NumPy can do this to the type, and stays inside it."""
    ones = [np.ones(1, dtype.np)] * (operands(op) or 0)
    try:
        return OPS[op].meaning(*ones).dtype == dtype.np
    except TypeError:
        return False


def _outside(start: Int, length: Int, step: Int, size: Int) -> bool:
    """Whether a slice certainly leaves its axis."""
    if type(length) is int and length < 0:
        return True
    if any(type(n) is not int for n in (start, length, step, size)):
        return type(start) is int and start < 0
    ends = (start, start + (length - 1) * step) if length else (0,)
    return min(ends) < 0 or (length > 0 and max(ends) >= size)


def _check_slice(v: Value) -> str:
    x, a = v.args[0], v.attrs
    length = a.get("length", v.args[-1].shape[a["axis"]])
    out = _outside(a["start"], length, a["step"], x.shape[a["axis"]])
    return f"a slice that leaves {list(x.shape)}" if out else ""


def _check_update(v: Value) -> str:
    x, u = v.args
    return "an update of another rank" if x.ndim != u.ndim else _check_slice(v)


def _check_concat(v: Value) -> str:
    ranks = {a.ndim for a in v.args}
    return "operands of several ranks" if len(ranks) != 1 else ""


def _check_pad(v: Value) -> str:
    same = len(v.attrs["pads"]) == v.ndim
    return "" if same else f"{len(v.attrs['pads'])} pads for {v.ndim} axes"


def _check_windows(v: Value) -> str:
    sizes = {len(v.attrs[name]) for name in ("size", "stride", "dilation")}
    return "" if len(sizes) == 1 and max(sizes) <= v.args[0].ndim else "uneven windows"


def _check_fold(v: Value) -> str:
    x, a = v.args[0], v.attrs
    k = len(a["shape"])
    if not len(a["stride"]) == len(a["dilation"]) == k or x.ndim < 2 * k or not k:
        return "uneven windows"
    counts = window_counts(a["shape"], x.shape[-k:], a["stride"], a["dilation"])
    given = x.shape[-2 * k : -k]
    room = all(same_size(n, m) or _is_less(n, m) for n, m in zip(given, counts))
    return "" if room else "windows that leave the shape"


def _is_less(n: Int, m: Int) -> bool:
    return type(n) is int and type(m) is int and n < m


def _check_index(v: Value) -> str:
    x, index, batch = v.args[0], v.args[1], v.attrs["batch"]
    fits = batch < x.ndim and batch <= index.ndim
    return "" if fits else f"{batch} batch axes of {x!r} and {index!r}"


def _check_bits(v: Value) -> str:
    state = v.args[0]
    fits = state.dtype is int64 and same_shape(state.shape, (2,))
    return "" if fits else f"a state {state!r}, not i64[2]"


def _check_item(v: Value) -> str:
    (call,) = v.args
    if call.op not in GRAPHS:
        return f"an item of {call!r}, which is no call"
    return "" if v.attrs["index"] < count(call) else "no such item"


_CHECKS: dict[str, Callable[[Value], str]] = {
    "slice": _check_slice,
    "update_slice": _check_update,
    "concat": _check_concat,
    "pad": _check_pad,
    "windows": _check_windows,
    "fold": _check_fold,
    "gather": _check_index,
    "scatter": _check_index,
    "random_bits": _check_bits,
    "item": _check_item,
    **dict.fromkeys(GRAPHS, misfit),
    "dot": lambda v: "" if v.args[0].ndim >= 2 else "a dot of vectors",
}
