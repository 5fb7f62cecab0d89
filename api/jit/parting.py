"""What a program keeps for its backward outside, worked out once for each structure.

A function that records at every call mostly records the same. Its derivative says what
to keep (residuals.py) and which backwards exclude each other (freed.py); both follow
from the structure, so a program of a known one is not differentiated again.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Optional, Sequence

from ...autodiff.residuals import split
from ...tracer.control import GRAPHS
from ...tracer.graph import Graph, Value, node, placeholder
from ...tracer.structure import structure
from ..autograd.freed import Groups, groups_of
from ..config import config

__all__ = ["Parting", "part"]

# Structures remembered, and nodes of all of them; the oldest are forgotten first.
_MOST, _NODES = 256, 50_000


class Parting(NamedTuple):
    """A graph that returns its outputs and what is `kept` of it (Values of the one
    that was given, or their numbers among its nodes), and the groups of its nodes."""

    forward: Graph
    kept: tuple
    groups: Groups


_known: dict[tuple, tuple[Parting, int]] = {}  # and how many nodes it has


def part(
    rec: Any, graph: Graph, leaves: Sequence[Value], live: tuple, joint: Optional[tuple]
) -> Parting:
    """How a recorded graph, whose last inputs are `leaves`, parts from its backward.

    `live` numbers the outputs that have a history; `joint` is the derivative where
    Python takes part in it: then it is like no other.
    """
    key, nodes = structure(graph.outputs, graph.inputs)
    if joint is not None or any(v.op in GRAPHS for v in nodes):
        return _parting(rec, graph, graph, leaves, live, joint)
    numbers = tuple([i.kind in ("number", "scalar") for i in rec.inputs])
    lines = tuple([v.line for v in nodes])
    key = (key, lines, graph.name, live, numbers, config.memory_budget)
    known = _known.get(key)
    if known is None:
        known = _numbered(rec, graph, nodes, leaves, live), len(nodes)
        _remember(key, known)
    kept = tuple([nodes[i] for i in known[0].kept])
    return known[0]._replace(kept=kept)


def _remember(key: tuple, found: tuple[Parting, int]) -> None:
    _known[key] = found
    while len(_known) > _MOST or sum(n for _, n in [*_known.values()]) > _NODES:
        _known.pop(next(iter(_known)), None)


def _parting(
    rec: Any, graph: Graph, own: Graph, leaves: Sequence, live: tuple, joint: Any
) -> Parting:
    first = len(graph.inputs) - len(leaves)
    wrt = own.inputs[first:]
    parts = split(own, wrt, live, joint, config.memory_budget)
    parts.forward.memo["split"] = parts._replace(offset=first)
    groups = groups_of(rec, graph.outputs, live, [*leaves], first)
    return Parting(parts.forward, parts.kept, groups)


def _numbered(
    rec: Any, graph: Graph, nodes: list[Value], leaves: Sequence, live: tuple
) -> Parting:
    """For a graph of its own, which holds nothing of the recording."""
    own = _copy(graph)
    found = _parting(rec, graph, own, leaves, live, None)
    _, copies = structure(own.outputs, own.inputs)
    number = {v.id: i for i, v in enumerate(copies)}
    return found._replace(kept=tuple([number[v.id] for v in found.kept]))


def _copy(graph: Graph) -> Graph:
    known: dict[int, Value] = {}
    inputs = {v.id for v in graph.inputs}
    for v in sorted(graph.nodes(), key=lambda v: v.id):
        if v.id in inputs:
            new = placeholder("x", v.shape, v.dtype)
            new.live = v.live
        else:
            args = tuple([known[a.id] for a in v.args])
            new = node(v.op, args, v.attrs, v.shape, v.dtype)
        known[v.id], new.line = new, v.line
    own = [known[v.id] for v in graph.inputs]
    return Graph(graph.name, own, [known[v.id] for v in graph.outputs])
