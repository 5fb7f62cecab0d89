"""The sum over `p * dp` in the gradient of a softmax, without either.

With `o = p v` and `dp = do v'`, the sum over the columns of `p * dp` is that over the
width of `do * o` (FlashAttention-2, Dao, 2023, arXiv:2307.08691), whatever factors
(dropout) stand between the softmax and the product.
"""

from __future__ import annotations

from typing import Callable, Iterable, Optional

from ....tracer.graph import Graph, Value, make, node, reachable
from ....tracer.types import float32
from .chain import chain
from .find import Core, Found, Sink, by_row, swapped

__all__ = ["again", "with_deltas"]


def with_deltas(graph: Graph, founds: Iterable[Found]) -> Graph:
    recipes = {}
    for found in founds:
        for sink in found.sinks:
            recipe = _delta(found, sink)
            if recipe is not None:
                recipes[sink.value.id] = recipe
    return _renewed(graph, recipes) if recipes else graph


def _renewed(graph: Graph, recipes: dict[int, Callable]) -> Graph:
    known: dict[int, Value] = {}

    def get(v: Value) -> Value:
        return known.get(v.id, v)

    for v in graph.nodes():
        new = recipes[v.id](get) if v.id in recipes else again(v, get)
        if new is not v:
            known[v.id], new.line = new, v.line
    return Graph(graph.name, graph.inputs, [get(v) for v in graph.outputs])


def again(v: Value, get: Callable[[Value], Value]) -> Value:
    args = tuple(map(get, v.args))
    if all(a is b for a, b in zip(args, v.args)):
        return v
    return node(v.op, args, v.attrs, v.shape, v.dtype)


def _delta(found: Found, sink: Sink) -> Optional[Callable]:
    """How a sum over `p * (g / total)` comes from the output, of gradient `g`."""
    parts = _quotient(found.core, sink)
    dot = _gradient(found, parts[0]) if parts is not None else None
    if parts is None or dot is None:
        return None
    g, negative = parts
    weights = _weights(found, g, dot)
    if weights is None or weights.shape[:-2] != dot.shape[:-2]:
        return None

    def recipe(get: Callable[[Value], Value]) -> Value:
        do, vt = map(get, dot.args)
        v = swapped(vt)
        if v is None:
            v = make("permute", (vt,), axes=_swap(vt))
        o = _output(found, weights, v, get)
        if o is None:
            o = make("dot", (get(weights), v))
        sums = (do.cast(float32) * o.cast(float32)).sum((-1,))
        delta = sums.reshape(found.core.total.shape) / get(found.core.total)
        return -delta if negative else delta

    return recipe


def _quotient(core: Core, sink: Sink) -> Optional[tuple[Value, bool]]:
    """`g` of a sum over `p * (g / total)`, and whether that is negative."""
    if sink.value.op != "sum" or sink.kept or sink.virtual.op != "mul":
        return None
    a, b = sink.virtual.args
    other = b if a is core.p else a
    if core.p is not a and core.p is not b:
        return None
    negative = other.op == "neg"
    other = other.args[0] if negative else other
    if other.op != "div" or by_row(other.args[1]) is not core.total:
        return None
    return other.args[0], negative


def _swap(v: Value) -> tuple:
    return (*range(-len(v.shape), -2), -1, -2)


def _gradient(found: Found, g: Value) -> Optional[Value]:
    """The product that `g` is a multiple of, element by element."""
    for v in reachable([g], stop=lambda v: v.id not in found.turned):
        if v.id in found.dots and not found.turned[v.id]:
            if chain(g, v) is not None:
                return v
    return None


def _weights(found: Found, g: Value, dot: Value) -> Optional[Value]:
    """What weighed the output: the softmax times what its gradient is multiplied by."""
    factors = chain(g, dot)
    for sink in found.sinks:
        v = sink.virtual
        if sink.solid is None or chain(v, found.core.p) != factors:
            continue
        other = swapped(v) if found.turned[v.id] else None
        v = v if other is None else other
        if not found.turned[v.id]:
            return v
    return None


def _output(found: Found, weights: Value, v: Value, get: Callable) -> Optional[Value]:
    """The output, if the graph has it."""
    for sink in found.sinks:
        if sink.virtual is weights and sink.value.op == "dot" and sink.rows:
            if sink.solid is not None and get(sink.solid) is v:
                return get(sink.value)
    return None
