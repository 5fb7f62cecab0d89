"""Numbers of the host as parameters of kernels: a learning rate needs no memory there.

Half types come as the float32 that registers hold them in. Numbers that a loop or a
branch is given lie in memory like anything else: programs inside take arrays.
"""

from __future__ import annotations

from typing import Iterable, Sequence

from ...tracer.graph import Graph, Value, node, replace
from ...tracer.types import HALVES, float32, float64, int32, int64
from .control import is_control
from .kernel import Param, pointer

__all__ = ["fit", "is_number", "parameter", "places_of", "with_numbers"]

TYPES = {float32: "fp32", float64: "fp64", int32: "i32", int64: "i64"}
TYPES.update(dict.fromkeys(HALVES, "fp32"))


def is_number(v: Value) -> bool:
    """Whether it is an input that comes as a parameter."""
    return v.op == "input" and "number" in v.attrs


def parameter(v: Value, name: str) -> Param:
    """How a kernel is given a value: as a number, or as the place where it lies."""
    if is_number(v):
        return Param(name, TYPES[v.dtype], False)
    return Param(name, pointer(v.dtype))


def fit(graph: Graph) -> frozenset[int]:
    """The places of inputs that may come so."""
    nodes = graph.nodes()
    taken = {a.id for v in nodes if is_control(v) for a in v.args}
    return frozenset(
        n
        for n, v in enumerate(graph.inputs)
        if v.shape == () and v.dtype in TYPES and v.id not in taken
    )


def with_numbers(graph: Graph, places: Iterable[int]) -> Graph:
    """The graph whose inputs at these places come as parameters."""
    chosen = frozenset(places)
    inputs = [_marked(v) if n in chosen else v for n, v in enumerate(graph.inputs)]
    known = {v.id: new for v, new in zip(graph.inputs, inputs) if new is not v}
    return Graph(graph.name, inputs, replace(graph.outputs, known))


def _marked(v: Value) -> Value:
    new = node("input", (), {**v.attrs, "number": True}, v.shape, v.dtype)
    new.line = v.line
    return new


def places_of(inputs: Sequence[Value]) -> tuple[int, ...]:
    """Which inputs come as parameters."""
    return tuple(n for n, v in enumerate(inputs) if is_number(v))
