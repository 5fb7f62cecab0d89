"""One loop where two would do the same: the narrower is part of the wider.

Differentiation asks for a loop that returns more (what the backward reads) beside the
one that the program has. Where both take the same operands and the results of one are
the first of the other, the wider one serves for both.
"""

from __future__ import annotations

from typing import Iterable, Optional, Sequence

from ..control import GRAPHS, graphs
from ..graph import Graph, Value, node
from ..structure import freeze, graph_key

__all__ = ["unite"]


def unite(graph: Graph, loops: dict[int, Value]) -> Graph:
    """The graph with one loop for each family.

    `loops` gives for the id of a loop the node that it was simplified from: of these,
    the graphs inside can be compared.
    """
    present = [v for v in graph.nodes() if v.id in loops]
    widest = _widest(present, loops)
    if not widest:
        return graph
    known: dict[int, Value] = {}
    made: dict = {}
    for v in graph.nodes()[len(graph.inputs) :]:
        args = tuple([known.get(a.id, a) for a in v.args])
        if v.id in widest:
            mark: tuple = (widest[v.id].id,)
        elif args != v.args:
            mark = (v.id,) if v.op != "item" else (args[0].id, v.attrs["index"])
        else:
            continue
        if mark not in made:
            like = widest.get(v.id, v)
            made[mark] = node(v.op, args, like.attrs, v.shape, v.dtype)
            made[mark].line = v.line
        known[v.id] = made[mark]
    outputs = [known.get(v.id, v) for v in graph.outputs]
    guards = [(known.get(v.id, v), want) for v, want in graph.guards]
    return Graph(graph.name, graph.inputs, outputs, guards)


def _widest(present: Sequence[Value], loops: dict[int, Value]) -> dict[int, Value]:
    """For each loop of a family of several: the widest of them."""
    families: dict = {}
    for v in present:
        plain = [(k, freeze(a)) for k, a in v.attrs.items() if k not in GRAPHS[v.op]]
        mark = (v.op, *(a.id for a in v.args), *plain)
        families.setdefault(mark, []).append(v)
    found: dict[int, Value] = {}
    for family in families.values():
        heads: list[Value] = []
        for v in sorted(family, key=lambda v: -len(graphs(v)[-1].outputs)):
            head = _containing(v, heads, loops)
            if head is None:
                heads.append(v)
            else:
                found[v.id] = found[head.id] = head
    return found


def _containing(v: Value, heads: Iterable[Value], loops: dict) -> Optional[Value]:
    narrow = graphs(loops[v.id])
    for head in heads:
        wide = graphs(loops[head.id])
        if all(map(_begins, wide, narrow)):
            return head
    return None


def _begins(wide: Graph, narrow: Graph) -> bool:
    """Whether the results of one graph are the first of another."""
    first = wide.outputs[: len(narrow.outputs)]
    return graph_key(Graph("", wide.inputs, first)) == graph_key(narrow)
