"""What a graph becomes before it is divided into kernels.

A sum of products over a batch is one product, and so is a fold of them. Then products
become what there are templates for (`product/`). Short axes are sorted by counting, in
sums and comparisons: every element in parallel, and stable.
"""

from __future__ import annotations

import math
from typing import Callable, Optional, Sequence

from ...tracer.graph import Graph, Value, constant, here, make, node
from ...tracer.types import HALVES, float32, int32, int64
from .picking import picked
from .product.aligning import aligned_product
from .product.channels import ChannelsLast
from .product.dividing import divided_product
from .special.scattering import multiplied, of_one_in_a_row
from .special.sorting import sorted_places

__all__ = ["prepared", "rebuilt"]

Rule = Callable[[Value, tuple], Optional[Value]]


def prepared(graph: Graph) -> Graph:
    """The graph in terms of what there are templates for."""
    for rule in (_first, ChannelsLast(), _aligned, _then):
        graph = rebuilt(graph, rule)
    return graph


def _aligned(v: Value, args: tuple) -> Optional[Value]:
    return aligned_product(v, args) if v.op == "dot" else None


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


def _scattered(v: Value, args: Sequence[Value]) -> Optional[Value]:
    """A product over rows as loops; else only the row numbers change."""
    wide = _wide_rows(v, args)
    args = args if wide is None else wide.args
    one = of_one_in_a_row(v, args)
    if one is None and v.attrs["mode"] == "mul":
        return multiplied(v, args)
    return wide if one is None else one


def _of_nothing(v: Value, args: tuple) -> Optional[Value]:
    """What comes of nothing: the neutral element, or what nothing was added to."""
    if v.op == "scatter":
        return args[0]
    neutral = {"sum": 0, "dot": 0, "fold": 0, "prod": 1}.get(v.op)
    return None if neutral is None else constant(neutral, v.shape, v.dtype)


def _then(v: Value, args: tuple) -> Optional[Value]:
    rule = _RULES.get(v.op)
    return rule(v, args) if rule else None


def rebuilt(graph: Graph, rule: Rule) -> Graph:
    """The graph with `rule(v, args)` in place of `v`, wherever it gives a value."""
    known: dict[int, Value] = {}
    inside = {v.id for v in graph.inputs}
    for v in graph.nodes():
        if v.id in inside:
            continue
        args = tuple(known.get(a.id, a) for a in v.args)
        here.line = v.line  # of all that the rule makes
        new = rule(v, args)
        if new is None and any(a is not b for a, b in zip(args, v.args)):
            new = node(v.op, args, v.attrs, v.shape, v.dtype)
        if new is not None:
            new.line = v.line
            known[v.id] = new
    outputs = [known.get(v.id, v) for v in graph.outputs]
    return Graph(graph.name, graph.inputs, outputs)


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


_FIRST: dict[str, Callable] = {
    "sum": _sum,
    "fold": _fold,
    "gather": _wide_rows,
    "scatter": _scattered,
}
_RULES = {
    "dot": divided_product,
    "gather": picked,
    "argsort": sorted_places,
}
