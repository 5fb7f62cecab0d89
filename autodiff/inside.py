"""What the rules of loops and branches have in common: they look inside graphs."""

from __future__ import annotations

from typing import Any, Callable, Iterable, NamedTuple, Optional, Sequence

from ..tracer.control import count
from ..tracer.errors import TraceError
from ..tracer.graph import Graph, Value, make, placeholder, reachable
from ..tracer.recording.declare import declaring

__all__ = ["Cotangents", "Engine", "OpenLoop", "closed_graph", "cotangents_of"]
__all__ += ["floating", "fresh", "items_of", "perturbed"]

Cotangents = list[Optional[Value]]


class OpenLoop(TraceError):
    """A backward through a loop of unknown length: what it would need has no bound."""


class Engine(NamedTuple):
    """The engine of reverse mode, for rules that differentiate what is inside."""

    vjp: Callable[..., list]
    between: Callable[..., dict]

    def pull(
        self, outputs: Sequence[Value], g: dict[int, Value], wrt: Iterable[Value]
    ) -> Cotangents:
        """The cotangents of `wrt`, from those of the outputs by number."""
        return self.vjp([outputs[i] for i in g], list(g.values()), list(wrt))


def items_of(v: Value) -> list[Value]:
    """All results of a node."""
    return [make("item", (v,), index=i) for i in range(count(v))]


def fresh(letter: str, values: Iterable[Value]) -> list[Value]:
    """New inputs of the types of some values."""
    return [placeholder(f"{letter}{i}", v.shape, v.dtype) for i, v in enumerate(values)]


def cotangents_of(values: Sequence[Value], at: Iterable[int]) -> dict[int, Value]:
    """An input for the cotangent of each value numbered in `at`."""
    at = sorted(at)
    return dict(zip(at, fresh("g", [values[i] for i in at])))


def floating(values: Sequence[Value]) -> list[int]:
    """The numbers of the values that may have a cotangent."""
    return [i for i, v in enumerate(values) if v.dtype.is_floating_point]


def perturbed(
    engine: Any, graph: Graph, carried: int, wanted: Sequence[bool]
) -> set[int]:
    """The carried inputs that depend on what is wanted, after some number of steps."""
    found = {i for i in range(carried) if wanted[i]}
    others = [x for x, want in zip(graph.inputs[carried:], wanted[carried:]) if want]
    while True:
        wrt = [*(graph.inputs[i] for i in found), *others]
        path = engine.between(wrt, graph.outputs)
        new = found | {i for i in range(carried) if graph.outputs[i].id in path}
        if new == found:
            return found
        found = new


def closed_graph(
    name: str,
    inputs: Sequence[Value],
    outputs: Sequence[Value],
    candidates: Sequence[Value],
) -> tuple[Graph, list[int]]:
    """A graph; which candidates, by number, are inputs too, to tell it its sizes."""
    own = {v.id for v in inputs}
    nodes = [*reachable(outputs, lambda v: v.id in own), *inputs]
    told = declaring(nodes, inputs, candidates)
    ids = {v.id for v in told}
    numbers = [i for i, v in enumerate(candidates) if v.id in ids]
    return Graph(name, [*inputs, *(candidates[i] for i in numbers)], outputs), numbers
