"""Attention without its matrix of scores: what becomes of a graph that has some.

The online softmax of FlashAttention (Dao et al., 2022, arXiv:2205.14135) and the
division of its backward of FlashAttention-2 (Dao, 2023, arXiv:2307.08691), for
whatever is done to the scores element by element. Every sink of virtual values (see
attention_find.py) becomes a result of a *pass* over the scores (attention_passes.py),
and a pass is a kernel (attention_pass.py).
"""

from __future__ import annotations

from ....tracer.graph import Graph
from .delta import with_deltas
from .find import cores, find, readers
from .region import Builder
from .selection import plain_masks
from .walks import Pass, is_even, passes

__all__ = ["attended"]

# The longest inner axis: float32 fills the registers, most of all without tensor cores.
WIDEST = {"half": 256, "tf32": 128, "ieee": 64}


def attended(graph: Graph, precision: str = "ieee") -> Graph:
    """The graph with a node `attention` for each pass, its results by `item`.

    `precision` is that of float32 products, "ieee" or "tf32".
    """
    if not any(v.op == "exp" for v in graph.nodes()):
        return graph
    graph = plain_masks(graph)
    founds = [group[0].found for group in _all(graph, precision)]
    graph = with_deltas(graph, founds)
    todo = [p for group in _all(graph, precision) for p in group]
    while todo:
        made, stuck = Builder(graph, todo).build()
        if made is not None:
            return made
        gone = {id(p.found) for p in stuck}  # they wait for one another
        todo = [p for p in todo if id(p.found) not in gone]
    return graph


def _all(graph: Graph, precision: str) -> list[list[Pass]]:
    """The passes of each attention of a graph."""
    found: list[list[Pass]] = []
    taken: set[int] = set()
    users = readers(graph)
    for core in cores(graph.nodes()):
        one = None if core.p.id in taken else find(graph, core, users)
        if one is None or one.width > WIDEST["half" if one.is_half else precision]:
            continue
        group = passes(one)
        if not taken & set(one.turned) and all(map(is_even, group)):
            taken.update(one.turned)
            found.append(group)
    return found
