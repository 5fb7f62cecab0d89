"""Which values of a forward a backward starts from: what is dear to compute again."""

from __future__ import annotations

from typing import Iterable, Optional, Sequence

from ..tracer.graph import Graph, Value, reachable
from ..tracer.ops import OPS
from .budget import within

__all__ = ["kept_values"]

_CHEAP = ("pointwise", "compare", "movement", "source")


def kept_values(
    graph: Graph,
    grads: Sequence[Value],
    cotangents: Sequence[Value],
    budget: Optional[int] = None,
) -> list[Value]:
    """The forward values that the backward starts from, in order.

    With a `budget`, what is kept beside inputs takes no more bytes than that.

    Among them may be results of loops that only the backward asks for, where nothing
    in them depends on a cotangent: they belong to the forward too.
    """
    nodes, inputs = graph.nodes(), {v.id for v in graph.inputs}
    nodes += _early(grads, {v.id for v in nodes}, {v.id for v in cotangents})
    nodes = sorted({v.id: v for v in nodes}.values(), key=lambda v: v.id)
    inside = {v.id for v in nodes}
    behind = reachable(grads, lambda v: v.id in inside)
    read = {v.id: v for v in behind if v.id in inside}
    dear = _dear(nodes, inputs, read.keys())
    if budget is not None:
        dear = within(budget, [v for v in nodes if v.id in dear])
    keep = inputs | dear
    # Of the inputs only those count that something computed again leads back to.
    used = reachable(read.values(), stop=lambda v: v.id in keep)
    return [v for v in used if v.id in keep]


def _early(grads: Sequence[Value], inside: set, cotangents: set) -> list[Value]:
    """Results of calls and loops that wait for no cotangent, and what is behind."""
    behind = reachable(grads, lambda v: v.id in inside)
    late = set(cotangents)
    for v in behind:
        if any(a.id in late for a in v.args):
            late.add(v.id)
    known = [v for v in behind if v.op == "item" and v.id not in late]
    return reachable(known, lambda v: v.id in inside)


def _dear(nodes: list[Value], inputs: set, read: Iterable[int]) -> set[int]:
    """What is read and cannot be computed again cheaply from what is kept."""
    at_hand, keep = set(inputs), set()
    for v in nodes:
        if v.id in at_hand:
            continue
        cheap = OPS[v.op].kind in _CHEAP and v.op != "random_bits"
        if cheap and all(arg.id in at_hand for arg in v.args):
            at_hand.add(v.id)
        elif v.id in read:
            at_hand.add(v.id)
            keep.add(v.id)
    return keep
