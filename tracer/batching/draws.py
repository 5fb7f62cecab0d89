"""vmap of loops and branches that draw random numbers.

Their generators are carried: each step draws from the state it is given and hands the
state on, some blocks further. For all examples it moves as many times as far, and the
draws of a step lie side by side in what it skips, as they do outside of loops.
"""

from __future__ import annotations

from ..control import graphs
from ..errors import TraceError
from ..graph import Graph, Value
from ..sizes import Dim, Int
from .rules import state_of

__all__ = ["draws_inside", "origin", "states", "stretched"]


def draws_inside(v: Value) -> bool:
    """Whether the graphs of a loop or branch draw random numbers."""
    return v.op in ("scan", "while", "cond") and any(states(g) for g in graphs(v))


def origin(v: Value) -> Value:
    """The state of a generator that `v` lies so many blocks behind."""
    v = state_of(v)
    while v.op == "add":
        v = state_of(v.args[0])
    return v


def states(graph: Graph) -> set[int]:
    """The ids of those inputs that are the states of generators drawn from."""
    if "states" not in graph.memo:
        found = {i for v in graph.nodes() for i in _drawn_from(v)}
        graph.memo["states"] = found & {x.id for x in graph.inputs}
    return graph.memo["states"]


def _drawn_from(v: Value) -> list[int]:
    if v.op == "random_bits":
        return [origin(v.args[0]).id]
    given = v.args[1:] if v.op == "cond" else v.args
    return [
        origin(arg).id
        for graph in graphs(v)
        for x, arg in zip(graph.inputs, given)
        if x.id in states(graph)
    ]


def stretched(state: Value, start: Value, total: Int) -> Value:
    """A state that lies `total` times as far behind `start`."""
    if isinstance(total, Dim):
        raise TraceError("vmap: random numbers in a loop, for a symbolic batch size")
    return start + (state - start) * total
