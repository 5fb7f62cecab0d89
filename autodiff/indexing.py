"""Rows that take more than a line: indexing, products, scans.

Conventions as in `adjoints.py`. Products never divide by a factor, so zeros need no
cases.
"""

from __future__ import annotations

from ..tracer.algebra import eq, where
from ..tracer.graph import Value, constant, make
from ..tracer.sizes import numel
from ..tracer.types import int64
from .adjoints import back, inverse, reverse, shift, zeros

# -- index


def gather(x: Value, index: Value, batch: int) -> Value:
    """Rows of `x` by number."""
    return make("gather", (x, index), batch=batch)


def scatter(x: Value, index: Value, u: Value, batch: int, mode: str) -> Value:
    """`x` with `u` set or combined into rows `index`."""
    return make("scatter", (x, index, u), batch=batch, mode=mode)


def of_gather(g: Value, _y: Value, _x: Value, index: Value, *, batch: int) -> tuple:
    """Rows read several times add up."""
    return scatter(zeros(_x), index, g, batch, "add"), None


def of_scatter_add(
    g: Value, _y: Value, _x: Value, index: Value, _u: Value, *, batch: int, mode: str
) -> tuple:
    """Both terms of a sum."""
    return g, None, gather(g, index, batch)


def of_scatter_set(
    g: Value, _y: Value, _x: Value, index: Value, _u: Value, *, batch: int, mode: str
) -> tuple:
    """Of several updates of one row the last one stands; the others count nothing."""
    rest = scatter(g, index, zeros(_u), batch, "set")
    number = numbered(index.shape)
    none = constant(0, _x.shape[: batch + 1], int64)
    stands = gather(scatter(none, index, number, batch, "set"), index, batch)
    wins = eq(stands, number)
    rows = wins.shape + (1,) * (len(_u.shape) - len(index.shape))
    wins = wins.reshape(rows).expand(_u.shape)
    return rest, None, where(wins, gather(g, index, batch), 0)


def numbered(shape: tuple) -> Value:
    """0, 1, 2, ... in row-major order."""
    flat = make("iota", (), shape=(numel(shape),), axis=-1, dtype=int64)
    return flat.reshape(shape)


def of_scatter_extremum(
    g: Value, y: Value, x: Value, index: Value, u: Value, *, batch: int, mode: str
) -> tuple:
    """Everything that attains the extremum has an even share."""
    by_x, by_u = eq(x, y), eq(u, gather(y, index, batch))
    one = by_x.cast(g.dtype)
    ties = scatter(one, index, by_u.cast(g.dtype), batch, "add")
    share = g / where(by_x | (ties > 0), ties, 1)
    return where(by_x, share, 0), None, where(by_u, gather(share, index, batch), 0)


def of_scatter_mul(
    g: Value, _y: Value, x: Value, index: Value, u: Value, *, batch: int, mode: str
) -> tuple:
    """Each factor gets the product of the others.

    Zeros are counted and left out of the product: right with any number of them,
    though a second derivative sees no product of two factors that are both zero.
    """
    zero = eq(u, 0)
    others = scatter(x, index, where(zero, 1, u), batch, "mul") * g
    count = scatter(zeros(x), index, zero.cast(u.dtype), batch, "add")
    others, count = (gather(v, index, batch) for v in (others, count))
    by_u = where(eq(count, zero.cast(u.dtype)), others / where(zero, 1, u), 0)
    return scatter(g, index, u, batch, "mul"), None, by_u


# -- products and scans


def cumulative(x: Value, axis: int, mode: str) -> Value:
    """Running add, mul, max or min along `axis`."""
    return make("cumulative", (x,), axis=axis, mode=mode)


def prod(g: Value, x: Value, axes: tuple) -> Value:
    """The product of all others, from the left and from the right: no division.

    So zeros need no cases, and the next derivative is right as well.
    """
    if not axes:
        return g
    flat, order = last(x, axes)
    others = before(flat) * reverse(before(reverse(flat, -1)), -1)
    moved = tuple(x.shape[axis] for axis in order)
    return back(g, axes, x.shape) * others.reshape(moved).permute(inverse(order))


def last(x: Value, axes: tuple) -> tuple:
    """`x` with `axes` merged into one last axis, and the order that does it."""
    n = len(x.shape)
    kept = tuple(axis for axis in range(-n, 0) if axis not in axes)
    order = kept + tuple(sorted(axes))
    x = x.permute(order)
    size = numel(x.shape[len(kept) :])
    return x.reshape(x.shape[: len(kept)] + (size,)), order


def before(x: Value, axis: int = -1) -> Value:
    """The product of all earlier elements along `axis`."""
    return cumulative(shift(x, axis, 1, 1.0), axis, "mul")


def of_cumulative_add(g: Value, _y: Value, _x: Value, *, axis: int, mode: str) -> tuple:
    """An element is in every later sum."""
    return (reverse(cumulative(reverse(g, axis), axis, "add"), axis),)


def of_cumulative_mul(g: Value, _y: Value, x: Value, *, axis: int, mode: str) -> tuple:
    """before(x)_i * s_i with s_i = g_i + x_(i+1) * s_(i+1): again no division."""
    factors = shift(reverse(x, axis), axis, 1, 0.0)
    return (before(x, axis) * reverse(recur(factors, reverse(g, axis), axis), axis),)


def recur(a: Value, b: Value, axis: int) -> Value:
    """The s with s_i = a_i * s_(i-1) + b_i, in log2(n) steps of doubling reach."""
    reach = 1
    while reach < a.shape[axis]:
        b = b + a * shift(b, axis, reach, 0.0)
        a = a * shift(a, axis, reach, 0.0)
        reach *= 2
    return b


def of_cumulative_extremum(
    g: Value, y: Value, x: Value, *, axis: int, mode: str
) -> tuple:
    """Each result's `g` goes to the latest element that attained it."""
    attained, order = last(eq(x, y), (axis,))
    g = g.permute(order)
    place = make("iota", (), shape=g.shape, axis=-1, dtype=int64)
    index = cumulative(where(attained, place, 0), -1, "max")
    to = scatter(zeros(g), index, g, len(g.shape) - 1, "add")
    return (to.permute(inverse(order)),)
