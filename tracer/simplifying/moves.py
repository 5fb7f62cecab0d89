"""The rules of movement: what is moved twice, moved nowhere, or cut from its source.

No rule asks whether symbolic sizes happen to be equal; where algebra cannot tell, the
value stays as it is. What replaces a value has its very bits, except that the largest
of -0.0 and 0.0 may come out as the other one in "largest by its index".
"""

from __future__ import annotations

import math
from typing import Any, Iterator, Optional

import numpy as np

from ..graph import Value, constant, node
from ..sizes import Int, numel, same_shape, same_size
from .rewrite import Rule, apply, c, x, y

__all__ = ["MOVEMENT", "REDUCTION"]


def _as(v: Value, op: str, x: Value, **attrs: Any) -> Value:
    """`op` on `x` with the shape and type of `v` (no rule has to be asked)."""
    return node(op, (x,), attrs, v.shape, v.dtype)


def _again(v: Value, x: Value) -> Value:
    return _as(v, v.op, x, **v.attrs)


def _unmoved(v: Value, x: Value) -> Optional[Value]:
    return x if same_shape(v.shape, x.shape) else None


def _splat(v: Value, c: Value) -> Value:
    return constant(c.attrs["value"], v.shape, v.dtype)


# -- permute


def _in_order(v: Value, x: Value) -> Optional[Value]:
    return x if v.attrs["axes"] == tuple(range(-x.ndim, 0)) else None


def _permute_twice(v: Value, x: Value) -> Value:
    first = v.args[0].attrs["axes"]
    return _as(v, "permute", x, axes=tuple(first[axis] for axis in v.attrs["axes"]))


# -- expand


def _expand_reshaped(v: Value, x: Value) -> Optional[Value]:
    """A reshape that only puts ones in front is what expand does anyway."""
    shape = v.args[0].shape
    lead = len(shape) - x.ndim
    ones = lead > 0 and all(type(n) is int and n == 1 for n in shape[:lead])
    return _again(v, x) if ones and same_shape(shape[lead:], x.shape) else None


# -- slice and what is written by slices


def _part(v: Value) -> tuple:
    return tuple(v.attrs.get(name) for name in ("axis", "start", "length", "step"))


def _slice_all(v: Value, x: Value) -> Optional[Value]:
    axis, start, length, step = _part(v)
    whole = same_size(start, 0) and step == 1 and same_size(length, x.shape[axis])
    return x if whole else None


def _slice_twice(v: Value, x: Value) -> Optional[Value]:
    axis, start, length, step = _part(v)
    other, begin, _, stride = _part(v.args[0])
    if axis != other:
        return None
    place = {"start": begin + start * stride, "step": step * stride}
    return _as(v, "slice", x, axis=axis, length=length, **place)


def _slice_expanded(v: Value, x: Value) -> Optional[Value]:
    """A slice along an axis that was stretched: stretch it less."""
    axis = v.attrs["axis"]
    stretched = -axis > x.ndim or not same_size(x.shape[axis], v.args[0].shape[axis])
    return _as(v, "expand", x, shape=v.shape) if stretched else None


def _slice_concat(v: Value) -> Optional[Value]:
    """A slice that reads one operand only is a slice of that one."""
    joined = v.args[0]
    axis, start, length, step = _part(v)
    if joined.attrs["axis"] != axis:
        return None
    for arg, low in _offsets(joined, axis):
        if _within(start - low, length, step, arg.shape[axis]):
            return _as(v, "slice", arg, **{**v.attrs, "start": start - low})
    return None


def _offsets(joined: Value, axis: int) -> Iterator[tuple[Value, Int]]:
    low: Int = 0
    for arg in joined.args:
        yield arg, low
        low = low + arg.shape[axis]


def _within(start: Int, length: Int, step: Int, size: Int) -> bool:
    """Whether such a slice certainly stays inside an axis of that size."""
    if same_size(start, 0) and same_size(length, size) and step == 1:
        return True
    if any(type(n) is not int for n in (start, length, step, size)) or length < 1:
        return False
    ends = start, start + (length - 1) * step
    return 0 <= min(ends) and max(ends) < size


def _slice_pad(v: Value, x: Value) -> Optional[Value]:
    """The slice that cuts away what the pad put along the axis, and no more."""
    axis, start, length, step = _part(v)
    pads = list(v.args[0].attrs["pads"])
    low, _, interior = pads[axis]
    pads[axis] = (0, 0, 0)
    if any(not same_size(n, 0) for pad in pads for n in pad):
        return None
    exact = same_size(start, low) and same_size(length, x.shape[axis])
    return x if exact and same_size(step, interior + 1) else None


def _slice_update(v: Value, x: Value, y: Value) -> Optional[Value]:
    """A slice of what was just written there, or of what was not written at all."""
    axis, start, length, step = _part(v)
    other, begin, _, stride = _part(v.args[0])
    if axis != other:
        return None
    size = y.shape[axis]
    if same_size(start, begin) and same_size(length, size) and same_size(step, stride):
        return y
    apart = _apart(_span(start, length, step), _span(begin, size, stride))
    return _again(v, x) if apart else None


def _span(start: Int, length: Int, step: Int) -> Optional[tuple]:
    if any(type(n) is not int for n in (start, length, step)) or length < 1:
        return None
    ends = start, start + (length - 1) * step
    return min(ends), max(ends)


def _apart(a: Optional[tuple], b: Optional[tuple]) -> bool:
    return a is not None and b is not None and (a[1] < b[0] or b[1] < a[0])


def _update_all(v: Value, x: Value, y: Value) -> Optional[Value]:
    axis, start, _, step = _part(v)
    whole = same_size(y.shape[axis], x.shape[axis])
    return y if whole and same_size(start, 0) and step == 1 else None


def _pad_nothing(v: Value, x: Value) -> Optional[Value]:
    nothing = all(same_size(n, 0) for pad in v.attrs["pads"] for n in pad)
    return x if nothing else None


def _pad_alike(v: Value, c: Value) -> Optional[Value]:
    value = c.attrs["value"]
    alike = repr(type(value)(v.attrs["value"])) == repr(value)
    return constant(value, v.shape, v.dtype) if alike else None


def _concat_alike(v: Value) -> Optional[Value]:
    """One operand, or the same constant again and again."""
    first = v.args[0]
    if len(v.args) == 1:
        return first
    values = {a.op == "constant" and repr(a.attrs["value"]) for a in v.args}
    return _splat(v, first) if len(values) == 1 and False not in values else None


MOVEMENT = [
    Rule("reshape to itself", apply("reshape", x), _unmoved),
    Rule("reshape of reshape", apply("reshape", apply("reshape", x)), _again),
    Rule("permute in order", apply("permute", x), _in_order),
    Rule("permute of permute", apply("permute", apply("permute", x)), _permute_twice),
    Rule("expand to itself", apply("expand", x), _unmoved),
    Rule("expand of expand", apply("expand", apply("expand", x)), _again),
    Rule("expand of reshape", apply("expand", apply("reshape", x)), _expand_reshaped),
    Rule("slice of everything", apply("slice", x), _slice_all),
    Rule("slice of slice", apply("slice", apply("slice", x)), _slice_twice),
    Rule("slice of expand", apply("slice", apply("expand", x)), _slice_expanded),
    Rule("slice of concat", apply("slice", apply("concat")), _slice_concat),
    Rule("slice of pad", apply("slice", apply("pad", x)), _slice_pad),
    Rule("slice of update", apply("slice", apply("update_slice", x, y)), _slice_update),
    Rule("update of everything", apply("update_slice", x, y), _update_all),
    Rule("pad by nothing", apply("pad", x), _pad_nothing),
    Rule("pad of the same", apply("pad", c), _pad_alike),
    Rule("concat of the same", apply("concat"), _concat_alike),
    *(
        Rule(f"{op} of a constant", apply(op, c), _splat)
        for op in ("reshape", "permute", "expand", "slice", "windows")
    ),
]


# -- reductions


def _dropped(v: Value) -> list[Int]:
    return [v.args[0].shape[axis] for axis in v.attrs["axes"]]


def _single(v: Value, x: Value) -> Optional[Value]:
    """A reduction over axes of size one only renames them."""
    if not all(type(n) is int and n == 1 for n in _dropped(v)):
        return None
    flat = _as(v, "reshape", x, shape=v.shape)
    # NumPy's sum starts from 0.0: the sum of one -0.0 is 0.0.
    signed = v.op == "sum" and v.dtype.is_floating_point
    return flat + 0.0 if signed else flat


def _only_index(v: Value, x: Value) -> Optional[Value]:
    size = x.shape[v.attrs["axis"]]
    single = type(size) is int and size == 1
    return constant(0, v.shape, v.dtype) if single else None


def _largest_of_copies(v: Value, x: Value) -> Optional[Value]:
    """All reduced axes were stretched by `expand`: drop them before it."""
    copies = v.args[0]
    for axis in v.attrs["axes"]:
        size, had = copies.shape[axis], 1 if -axis > x.ndim else x.shape[axis]
        if type(size) is not int or size < 1 or not same_size(had, 1):
            return None
    kept = [i for i in range(-copies.ndim, 0) if i not in v.attrs["axes"]]
    shape = tuple(x.shape[i] for i in kept if -i <= x.ndim)
    flat = node("reshape", (x,), {"shape": shape}, shape, x.dtype)
    return _as(v, "expand", flat, shape=v.shape)


def _of_constant(v: Value, c: Value) -> Optional[Value]:
    """The reduction of a splat, where no order of rounding can show."""
    count, value = numel(tuple(_dropped(v))), c.attrs["value"]
    if type(count) is not int or count < 1 or (v.op == "sum" and not _sums(c, count)):
        return None
    if v.op == "prod":
        exact = value in (0, 1) or not v.dtype.is_floating_point
        value = value**count if exact and count < 64 else None
    elif v.op == "sum":
        value = value * count
    return None if value is None else _wrapped(value, v)


def _sums(c: Value, count: int) -> bool:
    """Whether all partial sums are numbers of the type."""
    value = c.attrs["value"]
    if not c.dtype.is_floating_point:
        return c.dtype.category == 1
    if not math.isfinite(value) or repr(value) == "-0.0":
        return False
    significand, _ = float(value).as_integer_ratio()
    while significand and not significand % 2:
        significand //= 2
    bits = 53 if c.dtype.itemsize == 8 else 24  # half types are summed in float32
    small = abs(value) * count < 1e30 and (value == 0 or abs(value) > 1e-30)
    return abs(significand) * count <= 2**bits and small


def _wrapped(value: Any, v: Value) -> Value:
    """A constant, wrapped around or rounded as the type does."""
    if v.dtype.category == 1:
        bits = v.dtype.itemsize * 8
        value %= 1 << bits
        value -= (value >> bits - 1 << bits) if v.dtype.is_signed else 0
    elif v.dtype.is_floating_point:
        with np.errstate(all="ignore"):
            value = float(np.asarray(value, v.dtype.np))
    return constant(value, v.shape, v.dtype)


def _by_index(v: Value, x: Value) -> Optional[Value]:
    """x[argmax(x)] along the last axis."""
    last = v.args[1].attrs["axis"] == -1 and v.attrs["batch"] == x.ndim - 1
    op = "max" if v.args[1].op == "argmax" else "min"
    return _as(v, op, x, axes=(-1,)) if last else None


_REDUCE = ("sum", "prod", "max", "min")

REDUCTION = [
    *(Rule(f"{op} of one", apply(op, x), _single) for op in _REDUCE),
    *(Rule(f"{op} of a constant", apply(op, c), _of_constant) for op in _REDUCE),
    *(Rule(f"{op} of one", apply(op, x), _only_index) for op in ("argmax", "argmin")),
    *(
        Rule(f"{op} of copies", apply(op, apply("expand", x)), _largest_of_copies)
        for op in ("max", "min")
    ),
    *(
        Rule(f"{op} by its index", apply("gather", x, apply(op, x)), _by_index, True)
        for op in ("argmax", "argmin")
    ),
]
