"""Products that are wanted transposed are computed transposed: (a b)' = b' a'.

A matrix library reads its operands in either order at the same price, but a transposed
result has to be copied. Gradients of weights come out so: w' was used, g' x is wanted.
"""

from __future__ import annotations

from collections import Counter

from ..tracer.graph import Graph, Value, make, node

__all__ = ["transpose_products"]


def transpose_products(graph: Graph) -> Graph:
    """The graph without permutes of products that nothing else reads."""
    nodes = graph.nodes()[len(graph.inputs) :]
    readers = Counter(a.id for v in nodes for a in v.args)
    readers.update(v.id for v in graph.outputs)
    known: dict[int, Value] = {}
    for v in nodes:
        args = tuple(known.get(a.id, a) for a in v.args)
        if _swaps(v) and args[0].op == "dot" and readers[v.args[0].id] == 1:
            a, b = args[0].args
            known[v.id] = make("dot", (_swapped(b), _swapped(a)))
        elif args != v.args:
            known[v.id] = node(v.op, args, v.attrs, v.shape, v.dtype)
        if v.id in known:
            known[v.id].line = v.line
    outputs = [known.get(v.id, v) for v in graph.outputs]
    return Graph(graph.name, graph.inputs, outputs) if known else graph


def _swap(rank: int) -> tuple:
    return (*range(-rank, -2), -1, -2)


def _swaps(v: Value) -> bool:
    return v.op == "permute" and v.ndim > 1 and v.attrs["axes"] == _swap(v.ndim)


def _swapped(x: Value) -> Value:
    return x.args[0] if _swaps(x) else make("permute", (x,), axes=_swap(x.ndim))
