"""What a forward keeps for its backward, and what the backward computes again.

Reading a number back from memory costs more than most arithmetic on it. So the
forward keeps only what is dear (products, reductions, scans) and the backward runs
the pointwise and movement steps again from there.
"""

from __future__ import annotations

from typing import Iterable, NamedTuple, Sequence

from ..tracer.graph import Graph, Value, placeholder, reachable, replace
from ..tracer.ops import OPS
from .vjp import vjp

__all__ = ["Split", "split"]

_CHEAP = ("pointwise", "compare", "movement", "source")


class Split(NamedTuple):
    """A forward that keeps what its backward will read.

    `forward` returns the outputs of the graph, then what is `kept`. `wrt` are the
    values to differentiate by; among the arguments of a call of `forward` they are
    numbered from `offset`. `live` numbers the outputs that may have a cotangent.
    """

    forward: Graph
    kept: tuple[Value, ...]
    wrt: tuple[Value, ...]
    live: tuple[int, ...]
    offset: int = 0

    def backward(self, live: tuple) -> tuple[Graph, tuple]:
        """The backward from the outputs numbered `live`, and which of `wrt` it reaches.

        It takes what is kept, then their cotangents, and returns the cotangents of
        those of `wrt` that are numbered in the second result.
        """
        memo = self.forward.memo
        if ("kept", live) not in memo:
            memo["kept", live] = self._backward(live)
        return memo["kept", live]

    def _backward(self, live: tuple) -> tuple[Graph, tuple]:
        cotangents, found = _differentiate(self.forward, self.wrt, live)
        reached = tuple(i for i, g in enumerate(found) if g is not None)
        grads = [g for g in found if g is not None]
        return _from(self.forward.name, self.kept, cotangents, grads), reached


def split(graph: Graph, wrt: Sequence[Value], live: tuple) -> Split:
    """`graph` as a forward that keeps what a backward reads.

    `wrt` are values of the graph to differentiate by, `live` numbers the outputs that
    may have a cotangent.
    """
    _, found = _differentiate(graph, wrt, live)
    kept = tuple(_kept(graph, [g for g in found if g is not None]))
    forward = Graph(graph.name, graph.inputs, (*graph.outputs, *kept), graph.guards)
    return Split(forward, kept, tuple(wrt), live)


def _differentiate(graph: Graph, wrt: Sequence[Value], live: tuple) -> tuple:
    outputs = [graph.outputs[i] for i in live]
    cotangents = [placeholder(f"g{i}", y.shape, y.dtype) for i, y in zip(live, outputs)]
    return cotangents, vjp(outputs, cotangents, wrt)


def _kept(graph: Graph, grads: list[Value]) -> list[Value]:
    """The forward values that the backward starts from, in order."""
    nodes, inputs = graph.nodes(), {v.id for v in graph.inputs}
    inside = {v.id for v in nodes}
    read = {v.id: v for v in reachable(grads, lambda v: v.id in inside)}
    read = {i: v for i, v in read.items() if i in inside}
    keep = inputs | _dear(nodes, inputs, read.keys())
    # Of the inputs only those count that something computed again leads back to.
    used = reachable(read.values(), stop=lambda v: v.id in keep)
    return [v for v in used if v.id in keep]


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


def _from(
    name: str, kept: Sequence[Value], cotangents: list[Value], grads: list[Value]
) -> Graph:
    fresh = [placeholder(f"r{i}", v.shape, v.dtype) for i, v in enumerate(kept)]
    known = {v.id: new for v, new in zip(kept, fresh)}
    known |= {v.id: v for v in cotangents}
    return Graph(f"{name}_vjp", (*fresh, *cotangents), replace(grads, known))
