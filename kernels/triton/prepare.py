"""What a graph becomes before it is divided into kernels.

Tensor cores know float16, bfloat16 and float32, and blocks of at least 16 rows and
columns. A product of other types, or with a vector, is a sum of products: a loop like
any other, which then fuses with its neighbours. A product of few tiles is divided; a
sum of products is one. Short axes are sorted by counting, in sums and comparisons:
every element in parallel, and stable.
"""

from __future__ import annotations

import math
from typing import Callable, Optional, Sequence

from ...tracer.algebra import eq, where
from ...tracer.graph import Graph, Value, constant, make, node
from ...tracer.types import HALVES, float32, int32, int64

__all__ = ["prepared", "rebuilt"]

Rule = Callable[[Value, tuple], Optional[Value]]


# The longest axis that is sorted by counting: the work is its square.
LONGEST = 4096
# A product of fewer than FULL tiles leaves multiprocessors idle: its inner axis is
# divided, as long as SHORTEST of it remain.
FULL, TILE, SHORTEST = 64, 128, 512


def prepared(graph: Graph) -> Graph:
    """The graph in terms of what there are templates for."""
    return rebuilt(rebuilt(graph, _first), _then)


def _first(v: Value, args: tuple) -> Optional[Value]:
    if any(0 in a.shape for a in args) and 0 not in v.shape:
        return _of_nothing(v, args)
    rule = _FIRST.get(v.op)
    return rule(v, args) if rule else None


def _wide_rows(v: Value, args: Sequence[Value]) -> Optional[Value]:
    """Row numbers of a type that holds all rows, and negative ones."""
    x, rows, *rest = args
    if rows.dtype in (int32, int64):
        return None
    return node(v.op, (x, rows.cast(int64), *rest), v.attrs, v.shape, v.dtype)


def _of_nothing(v: Value, args: tuple) -> Optional[Value]:
    """What comes of nothing: the neutral element, or what nothing was added to."""
    if v.op == "scatter":
        return args[0]
    neutral = {"sum": 0, "dot": 0, "fold": 0, "prod": 1}.get(v.op)
    return None if neutral is None else constant(neutral, v.shape, v.dtype)


def _then(v: Value, args: tuple) -> Optional[Value]:
    rule = _RULES.get(v.op)
    return rule(v, args) if rule else None


def _of_one_in_a_row(v: Value, args: Sequence[Value]) -> Optional[Value]:
    """One element of each row is written: a comparison finds it, in any loop."""
    x, rows, u = args
    batch, n = v.attrs["batch"], x.shape[-1]
    if batch != len(x.shape) - 1 or v.attrs["mode"] not in ("add", "set"):
        return None
    if math.prod(rows.shape[batch:]) != 1:
        return None
    lines = (*x.shape[:-1], 1)
    rows = node("checked", (rows,), {"size": n}, rows.shape, rows.dtype)
    row = make("reshape", (rows,), shape=lines)
    row = where(row < 0, row + n, row).expand(x.shape)
    value = make("reshape", (u,), shape=lines).expand(x.shape)
    place = make("iota", (), shape=x.shape, axis=-1, dtype=rows.dtype)
    new = value if v.attrs["mode"] == "set" else x + value
    return where(eq(place, row), new, x)


def rebuilt(graph: Graph, rule: Rule) -> Graph:
    """The graph with `rule(v, args)` in place of `v`, wherever it gives a value."""
    known: dict[int, Value] = {}
    inside = {v.id for v in graph.inputs}
    for v in graph.nodes():
        if v.id in inside:
            continue
        args = tuple(known.get(a.id, a) for a in v.args)
        new = rule(v, args)
        if new is None and any(a is not b for a, b in zip(args, v.args)):
            new = node(v.op, args, v.attrs, v.shape, v.dtype)
        if new is not None:
            new.line = v.line
            known[v.id] = new
    outputs = [known.get(v.id, v) for v in graph.outputs]
    return Graph(graph.name, graph.inputs, outputs)


def _product(v: Value, args: Sequence[Value]) -> Optional[Value]:
    sizes = (*v.shape[-2:], args[0].shape[-1])
    if v.dtype in (*HALVES, float32) and min(sizes) > 1:
        return _split(v, args)
    return _as_sum(v, args)


def _split(v: Value, args: Sequence[Value]) -> Optional[Value]:
    """A product of few tiles and a long inner axis, as a sum of products (split-K)."""
    x, y = args
    *batch, m, k = x.shape
    tiles = math.prod(batch) * -(-m // TILE) * -(-y.shape[-1] // TILE)
    parts = 1
    while k % (2 * parts) == 0 and tiles * parts < FULL:
        if k // (2 * parts) < SHORTEST:
            break
        parts *= 2
    if parts == 1:
        return None
    wide = float32 if v.dtype in HALVES else v.dtype
    a = make("reshape", (x,), shape=(*batch, m, parts, k // parts))
    a = a.permute((*range(-len(a.shape), -3), -2, -3, -1))
    b = make("reshape", (y,), shape=(*batch, parts, k // parts, y.shape[-1]))
    shape = (*batch, parts, m, y.shape[-1])
    products = node("dot", (a, b), {}, shape, wide)  # not rounded before they are added
    return products.sum((-3,)).cast(v.dtype)


def _sum(v: Value, args: Sequence[Value]) -> Optional[Value]:
    """The sum of products over a batch is one product: the batch joins the inner axis.

    So the gradient of a convolution's weight is one matrix product.
    """
    (d,) = args
    if d.op != "dot" or len(d.shape) < 3 or min(d.shape[-2:]) == 1:
        return None
    gone = tuple(range(-len(d.shape), -2))
    if set(v.attrs["axes"]) != set(gone) or v.dtype not in (*HALVES, float32):
        return None
    a, b = d.args
    m, n = d.shape[-2:]
    k = math.prod(d.shape[:-2]) * a.shape[-1]
    left = make("reshape", (a.permute((-2, *gone, -1)),), shape=(m, k))
    return make("dot", (left, make("reshape", (b,), shape=(k, n))))


def _fold(v: Value, args: Sequence[Value]) -> Optional[Value]:
    """A fold of products is one product: the window offsets join the inner axis.

    So the gradient of a convolution's input, and a transposed convolution, read the
    gradient where the windows were instead of adding up what each window gives.
    """
    turned, k = args[0], len(v.attrs["shape"])
    split_ = turned.args[0] if turned.op == "permute" else turned
    axes = tuple(range(-k, 0)), tuple(range(-2 * k, -k))
    lead = tuple(range(-len(turned.shape), -2 * k))
    if turned.op != "permute" or turned.attrs["axes"] != (*lead, *axes[0], *axes[1]):
        return None
    if split_.op != "reshape" or split_.args[0].op != "dot":
        return None
    a, b = split_.args[0].args
    size, counts = turned.shape[-k:], turned.shape[-2 * k : -k]
    batch, rows, n, inner = a.shape[:-2], a.shape[-2], b.shape[-1], a.shape[-1]
    if n != math.prod(counts) or rows % math.prod(size):
        return None
    long = math.prod(size) * inner
    left = make("reshape", (a,), shape=(*batch, rows // math.prod(size), long))
    ones = (1,) * k
    g = make("reshape", (b,), shape=(*batch, inner, *counts, *ones))
    g = g.expand((*batch, inner, *counts, *size))
    attrs = {key: v.attrs[key] for key in ("stride", "dilation")}
    shape = (*batch, inner, *v.attrs["shape"], *size)
    g = node("folded", (g,), {**attrs, "size": size}, shape, v.dtype)
    g = g.permute((*range(-len(shape), -2 * k - 1), *axes[0], -2 * k - 1, *axes[1]))
    g = make("reshape", (g,), shape=(*batch, long, math.prod(v.attrs["shape"])))
    return make("reshape", (make("dot", (left, g)),), shape=v.shape)


def _as_sum(v: Value, args: Sequence[Value]) -> Value:
    x, y = args
    wide = float32 if v.dtype in HALVES else v.dtype
    *batch, m, k = x.shape
    space = (*batch, m, y.shape[-1], k)
    a = x.cast(wide).reshape((*batch, m, 1, k)).expand(space)
    axes = (*range(-len(y.shape), -2), -1, -2)
    b = y.cast(wide).permute(axes).reshape((*batch, 1, space[-2], k)).expand(space)
    return make("sum", (a * b,), axes=(-1,)).cast(v.dtype)


def _sorted_by_counting(v: Value, args: Sequence[Value]) -> Optional[Value]:
    """The place of an element is how many come before it; the order is the inverse."""
    (x,), axis = args, v.attrs["axis"]
    n = x.shape[axis]
    if not 2 <= n <= LONGEST:
        return None
    order = (*(a for a in range(-len(x.shape), 0) if a != axis), axis)
    lines = x.permute(order)
    space = (*lines.shape, n)
    here = make("reshape", (lines,), shape=(*lines.shape, 1)).expand(space)
    there = make("reshape", (lines,), shape=(*lines.shape[:-1], 1, n)).expand(space)
    if v.attrs["descending"]:
        before = _less(here, there)
    else:
        before = _less(there, here)
    same = _not(_less(here, there) | _less(there, here))
    i, j = (make("iota", (), shape=space, axis=a, dtype=int32) for a in (-2, -1))
    earlier = same & (j < i)
    rank = (before | earlier).cast(int32).sum((-1,))
    ranks = make("reshape", (rank,), shape=(*lines.shape[:-1], 1, n)).expand(space)
    found = where(eq(ranks, i), j, constant(0, space, int32)).sum((-1,)).cast(int64)
    back = tuple(order.index(a) - len(order) for a in range(-len(order), 0))
    return found.permute(back)


def _less(a: Value, b: Value) -> Value:
    """Whether `a` comes before `b`: a NaN comes last."""
    if not a.dtype.is_floating_point:
        return a < b
    return (a < b) | (eq(a, a) & _not(eq(b, b)))


def _not(a: Value) -> Value:
    return make("xor", (a, constant(True, a.shape, a.dtype)))


_FIRST: dict[str, Callable] = {
    "sum": _sum,
    "fold": _fold,
    "gather": _wide_rows,
    "scatter": _wide_rows,
}
_RULES = {
    "dot": _product,
    "argsort": _sorted_by_counting,
    "scatter": _of_one_in_a_row,
}
