"""What a forward keeps for its backward, and what the backward computes again.

Reading a number back from memory costs more than most arithmetic on it. So the
forward keeps only what is dear (products, reductions, scans) and the backward runs
the pointwise and movement steps again from there.
"""

from __future__ import annotations

from typing import NamedTuple, Optional, Sequence

from ..tracer.graph import Graph, Value, placeholder, reachable, replace
from ..tracer.recording.declare import declaring
from .adjoints import zeros
from .kept import kept_values
from .vjp import between, vjp

__all__ = ["Split", "differentiate", "split"]


class Split(NamedTuple):
    """A forward that keeps what its backward will read.

    `forward` returns the outputs of the graph, then what is `kept`. `wrt` are the
    values to differentiate by; among the arguments of a call of `forward` they are
    numbered from `offset`. `live` numbers the outputs that may have a cotangent.
    `joint` are the cotangents from all of them, and what they come to: kept where
    Python took part in it, which is not asked twice.
    """

    forward: Graph
    kept: tuple[Value, ...]
    wrt: tuple[Value, ...]
    live: tuple[int, ...]
    offset: int = 0
    joint: Optional[tuple] = None

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
        cotangents, found = self._cotangents(live)
        reached = tuple(i for i, g in enumerate(found) if g is not None)
        grads = [g for g in found if g is not None]
        return _from(self.forward.name, self.kept, cotangents, grads), reached

    def _cotangents(self, live: tuple) -> tuple[list, list]:
        if self.joint is None:
            return differentiate(self.forward.outputs, self.wrt, live)
        cotangents, found = self.joint
        pairs = list(zip(self.live, cotangents))
        absent = {g.id: zeros(g) for i, g in pairs if i not in live}
        path = between(self.wrt, [self.forward.outputs[i] for i in live])
        at = [
            None if g is None or v.id not in path else g
            for v, g in zip(self.wrt, found)
        ]
        new = iter(replace([g for g in at if g is not None], absent))
        given = [g for i, g in pairs if i in live]
        return given, [None if g is None else next(new) for g in at]


def split(
    graph: Graph,
    wrt: Sequence[Value],
    live: tuple,
    joint: Optional[tuple] = None,
    budget: Optional[int] = None,
) -> Split:
    """`graph` as a forward that keeps what a backward reads.

    `wrt` are values of the graph to differentiate by, `live` numbers the outputs that
    may have a cotangent; `joint` is what `differentiate` said of them, if it is known.
    No more than `budget` bytes are kept beside the inputs, if it is given.
    """
    cotangents, found = joint or differentiate(graph.outputs, wrt, live)
    grads = [g for g in found if g is not None]
    kept = tuple(kept_values(graph, grads, cotangents, budget))
    given = (*kept, *cotangents) if len(live) == 1 else kept  # any may be missing
    kept += _telling(graph, given, grads)
    forward = Graph(graph.name, graph.inputs, (*graph.outputs, *kept), graph.guards)
    return Split(forward, kept, tuple(wrt), live, 0, joint)


def _telling(graph: Graph, given: tuple, grads: Sequence[Value]) -> tuple:
    """Inputs that a backward takes for their sizes, which nothing given tells it."""
    ids = {v.id for v in given}
    nodes = reachable(grads, lambda v: v.id in ids)
    return tuple(declaring(nodes, given, graph.inputs))


def differentiate(
    results: Sequence[Value], wrt: Sequence[Value], live: tuple
) -> tuple[list, list]:
    """Cotangents for the results numbered `live`, and what comes of them for `wrt`."""
    outputs = [results[i] for i in live]
    cotangents = [placeholder(f"g{i}", y.shape, y.dtype) for i, y in zip(live, outputs)]
    return cotangents, vjp(outputs, cotangents, wrt)


def _from(
    name: str, kept: Sequence[Value], cotangents: list[Value], grads: list[Value]
) -> Graph:
    fresh = [placeholder(f"r{i}", v.shape, v.dtype) for i, v in enumerate(kept)]
    known = {v.id: new for v, new in zip(kept, fresh)}
    known |= {v.id: v for v in cotangents}
    return Graph(f"{name}_vjp", (*fresh, *cotangents), replace(grads, known))
