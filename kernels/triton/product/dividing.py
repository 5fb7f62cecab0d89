"""Products that tensor cores do not suit as they are: of few tiles, or with a vector.

A product of few tiles leaves multiprocessors idle: its inner axis is divided, and the
parts are added up by whatever reads the result (split-K). A product with a vector, or
of types that tensor cores do not know, is a sum of products: a loop like any other,
which fuses with its neighbours and reads the matrix once, in the order of its memory.
"""

from __future__ import annotations

from functools import reduce
from math import prod
from operator import add
from typing import Optional, Sequence

from ....tracer.graph import Value, make, node
from ....tracer.types import HALVES, DType, float32
from .laying import swap, swapped

__all__ = ["divided_product"]

# Fewer than FULL tiles are too few, as long as SHORTEST of the inner axis remain. More
# than MANY parts are a reduction, not additions.
FULL, TILE, SHORTEST, MANY = 64, 128, 512, 16


def divided_product(v: Value, args: Sequence[Value]) -> Optional[Value]:
    """A product in terms of what there are templates for; None where it is one."""
    sizes = (*v.shape[-2:], args[0].shape[-1])
    if v.dtype in (*HALVES, float32) and min(sizes) > 1:
        return _split(v, args)
    return _as_sum(v, args)


def _split(v: Value, args: Sequence[Value]) -> Optional[Value]:
    """A sum of products over parts of the inner axis."""
    x, y = args
    *batch, m, k = x.shape
    tiles = prod(batch) * -(-m // TILE) * -(-y.shape[-1] // TILE)
    parts = _parts(tiles, k, v.attrs.get("inner", 0))
    if parts == 1:
        return None
    a = make("reshape", (x,), shape=(*batch, m, parts, k // parts))
    a = a.permute((*range(-len(a.shape), -3), -2, -3, -1))
    b = make("reshape", (y,), shape=(*batch, parts, k // parts, y.shape[-1]))
    shape = (*batch, parts, m, y.shape[-1])
    # Not rounded before they are added.
    return _added(node("dot", (a, b), v.attrs, shape, _wide(v))).cast(v.dtype)


def _parts(tiles: int, k: int, run: int) -> int:
    """How many parts the inner axis is divided into, none of which cuts a run."""
    parts, least = 1, SHORTEST // 2 if run else SHORTEST
    for n in range(2, k // least + 1):
        fits = k // run % n == 0 if run else k % n == 0 and n & (n - 1) == 0
        if fits and tiles * parts < FULL:
            parts = n
    return parts


def _added(products: Value) -> Value:
    """The sum over axis -3: additions, so that it is one loop with what follows."""
    parts = products.shape[-3]
    if parts > MANY:
        return products.sum((-3,))
    attrs = {"axis": -3, "length": 1, "step": 1}
    each = (make("slice", (products,), start=n, **attrs) for n in range(parts))
    shape = (*products.shape[:-3], *products.shape[-2:])
    return reduce(add, (make("reshape", (x,), shape=shape) for x in each))


def _as_sum(v: Value, args: Sequence[Value]) -> Value:
    """A product with a vector from the left, or one that can be written so."""
    x, y = args
    if y.shape[-1] == 1 < x.shape[-2]:
        found = _summed(v, swapped(y), swapped(x))
        return make("reshape", (found,), shape=v.shape)
    return _summed(v, x, y)


def _summed(v: Value, x: Value, y: Value) -> Value:
    """The sum over the inner axis, which is innermost where that is so in memory."""
    m, k, n = *x.shape[-2:], y.shape[-1]
    a = x.reshape((*x.shape[:-2], m, 1, k))
    b = swapped(y).reshape((*y.shape[:-2], 1, n, k))
    axis = -1
    if m == 1 and not _is_turned(y):
        a, b, axis = swapped(a), swapped(b), -2
    sizes = (q if p == 1 else p for p, q in zip(a.shape[-3:], b.shape[-3:]))
    space, wide = (*x.shape[:-2], *sizes), _wide(v)
    product = a.expand(space).cast(wide) * b.expand(space).cast(wide)
    return make("sum", (product,), axes=(axis,)).cast(v.dtype)


def _is_turned(x: Value) -> bool:
    """Whether rows lie in memory as columns."""
    while x.op in ("expand", "cast", "stop_gradient", "leaf"):
        x = x.args[0]
    return x.op == "permute" and x.attrs["axes"] == swap(x)


def _wide(v: Value) -> DType:
    """What sums of it are computed in."""
    return float32 if v.dtype in HALVES else v.dtype
