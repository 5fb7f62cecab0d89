"""Rows that take more than a line: movement and windows, and the words they use.

The functions `of_...` are rows of `derivatives.py` and follow its conventions:
`(g, y, *args, **attrs)` to a tuple of cotangents, an underscore before what is looked
at for shape and type only.
"""

from __future__ import annotations

from typing import Optional

from ..tracer.graph import Value, constant, make
from ..tracer.sizes import Dim, Int, same_size


class Parts(dict):
    """The cotangents of a call's results by number; adding merges them."""

    def __add__(self, other: Parts) -> Parts:
        both = self.keys() & other.keys()
        return Parts({**self, **other, **{i: self[i] + other[i] for i in both}})


def zeros(like: Value) -> Value:
    """Zero everywhere, in the shape and element type of `like`."""
    return constant(0, like.shape, like.dtype)


def cast_back(g: Value, x: Value) -> Optional[Value]:
    """`g` in the element type of `x`; nothing where that holds no derivatives."""
    return g.cast(x.dtype) if x.dtype.is_floating_point else None


# -- shapes: sizes are compared by algebra alone, so that no guard comes of it


def back(g: Value, axes: tuple, shape: tuple) -> Value:
    """Undo the drop of `axes`: every element of a reduced slice gets its `g`."""
    kept = list(shape)
    for axis in axes:
        kept[axis] = 1
    return g.reshape(tuple(kept)).expand(shape)


def unexpand(g: Value, shape: tuple) -> Value:
    """The adjoint of `expand`: the sum over new and stretched axes."""
    new = len(g.shape) - len(shape)
    pairs = enumerate(zip(g.shape[new:], shape), new)
    stretched = [i for i, (a, b) in pairs if _stretches(b, a)]
    axes = tuple(i - len(g.shape) for i in (*range(new), *stretched))
    return g.sum(axes).reshape(shape)


def _stretches(old: Int, new: Int) -> bool:
    """Whether an axis was stretched: else the forward asked for the same size, which
    may go by two names."""
    seen = old.hint if isinstance(old, Dim) else old
    return not same_size(old, new) and (seen is None or seen == 1)


def inverse(axes: tuple) -> tuple:
    """The permutation that undoes `axes`."""
    n = len(axes)
    order = sorted(range(n), key=lambda i: axes[i])
    return tuple(i - n for i in order)


def turn(x: Value) -> Value:
    """The last two axes exchanged."""
    n = len(x.shape)
    return x.permute((*range(-n, -2), -1, -2))


def dot(a: Value, b: Value) -> Value:
    """The batched matrix product."""
    return make("dot", (a, b))


def cut(x: Value, axis: int, start: Int, length: Int, step: Int = 1) -> Value:
    """The slice start, start + step, ... along `axis`."""
    return make("slice", (x,), axis=axis, start=start, length=length, step=step)


def reverse(x: Value, axis: int) -> Value:
    """`x` back to front along `axis`."""
    n = x.shape[axis]
    return cut(x, axis, n - 1, n, -1)


def pad(x: Value, axis: int, low: Int, high: Int, interior: Int, value: float) -> Value:
    """`value` before, behind and between the elements along one axis."""
    pads: list = [(0, 0, 0)] * len(x.shape)
    pads[axis] = (low, high, interior)
    return make("pad", (x,), pads=tuple(pads), value=value)


def shift(x: Value, axis: int, by: int, fill: float) -> Value:
    """Element i becomes i + by; `fill` comes in at the front."""
    return cut(pad(x, axis, by, 0, 0, fill), axis, 0, x.shape[axis])


# -- movement


def of_slice(
    g: Value, _y: Value, _x: Value, *, axis: int, start: Int, length: Int, step: int
) -> tuple:
    """Zeros around and between what was taken."""
    n = _x.shape[axis]
    if isinstance(length, int) and length == 0:
        return (zeros(_x),)
    if step < 0:
        start, step, g = start + (length - 1) * step, -step, reverse(g, axis)
    high = n - start - (length - 1) * step - 1
    whole = same_size(start, 0) and same_size(high, 0) and step == 1
    return (g if whole else pad(g, axis, start, high, step - 1, 0.0),)


def of_pad(g: Value, _y: Value, _x: Value, *, pads: tuple, value: float) -> tuple:
    """What came from `x` is taken out again, axis by axis."""
    for axis, (low, high, interior) in enumerate(pads, -len(pads)):
        if not all(same_size(n, 0) for n in (low, high, interior)):
            g = cut(g, axis, low, _x.shape[axis], interior + 1)
    return (g,)


def of_concat(g: Value, _y: Value, *_parts: Value, axis: int) -> tuple:
    """Each part takes its piece."""
    pieces, start = [], 0
    for part in _parts:
        pieces.append(cut(g, axis, start, part.shape[axis]))
        start = start + part.shape[axis]
    return tuple(pieces)


def of_update_slice(
    g: Value, _y: Value, _x: Value, _u: Value, *, axis: int, start: Int, step: int
) -> tuple:
    """The slice belongs to `u`, the rest to `x`."""
    rest = make("update_slice", (g, zeros(_u)), axis=axis, start=start, step=step)
    return rest, cut(g, axis, start, _u.shape[axis], step)


# -- window


def of_windows(
    g: Value, _y: Value, _x: Value, *, size: tuple, stride: tuple, dilation: tuple
) -> tuple:
    """Every window goes back to where it was read."""
    shape = _x.shape[len(_x.shape) - len(size) :]
    return (make("fold", (g,), shape=shape, stride=stride, dilation=dilation),)


def of_fold(
    g: Value, _y: Value, _x: Value, *, shape: tuple, stride: tuple, dilation: tuple
) -> tuple:
    """The windows of `g`, as many as there were."""
    k = len(shape)
    size = _x.shape[len(_x.shape) - k :]
    g = make("windows", (g,), size=size, stride=stride, dilation=dilation)
    for axis in range(-2 * k, -k):
        count = _x.shape[axis]
        g = g if same_size(g.shape[axis], count) else cut(g, axis, 0, count)
    return (g,)
