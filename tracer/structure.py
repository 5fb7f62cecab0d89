"""Structural equality: of sizes, of attributes, of whole graphs.

Symbolic sizes are the same when their polynomials are. Nothing here compares them by
`==`, which may answer from the sizes of the example and make a guard of it.
"""

from __future__ import annotations

from typing import Any, Hashable, Iterable

from .control import GRAPHS, graphs
from .graph import Graph, Value, reachable
from .sizes import Dim
from .types import DType

__all__ = ["freeze", "graph_key", "nested", "same", "structure", "structure_key"]

_PLAIN = frozenset((int, str, DType, type(None)))


def freeze(attr: Any) -> Hashable:
    """An attribute as part of a key: 1, 1.0 and True differ, so do 0.0 and -0.0."""
    kind = type(attr)
    if kind in _PLAIN:
        return attr
    if kind is float:
        return kind, attr if attr and attr == attr else repr(attr)
    if kind is tuple:
        return tuple([a if type(a) is int else freeze(a) for a in attr])
    if kind is Dim:
        return attr.text
    if kind is Graph:
        return graph_key(attr)
    return kind.__name__, repr(attr)


def freeze_attrs(attrs: dict) -> tuple:
    """All attributes of a node, whatever order they were given in."""
    if len(attrs) == 1:
        ((name, attr),) = attrs.items()
        return (name, attr if type(attr) in _PLAIN else freeze(attr))
    return tuple([(name, freeze(attrs[name])) for name in sorted(attrs)])


def structure_key(outputs: Iterable[Value], inputs: Iterable[Value]) -> Hashable:
    """What the outputs compute from the inputs, as something to look up.

    Equal for two graphs exactly when the same nodes stand in the same order; whether
    equal constants are one node or several makes no difference. Shapes and types
    appear for inputs only: those of all others follow from them.
    """
    return structure(outputs, inputs)[0]


def structure(
    outputs: Iterable[Value], inputs: Iterable[Value]
) -> tuple[Hashable, list[Value]]:
    """The key, and the nodes that it speaks of, constants left out: those of two
    graphs with equal keys correspond, one by one."""
    outputs, inputs = tuple(outputs), tuple(inputs)
    order = list(inputs)
    place: dict[int, Hashable] = {v.id: i for i, v in enumerate(inputs)}
    key: list = [(v.dtype, freeze(v.shape)) for v in inputs]
    inside = set(place)
    nodes = reachable(outputs, inside=inside)
    for graph in _called(nodes):
        graph_key(graph)
    for v in nodes:
        if v.id in inside:
            continue
        op, attrs = v.op, v.attrs
        if op == "constant":
            place[v.id] = freeze(attrs["value"]), v.dtype, freeze(v.shape)
            continue
        place[v.id] = len(key)
        order.append(v)
        where = tuple([place[a.id] for a in v.args])
        key.append((op, where, freeze_attrs(attrs)) if attrs else (op, where))
    return (tuple(key), tuple([place[v.id] for v in outputs])), order


def graph_key(graph: Graph) -> Hashable:
    """The structure of a graph with its guards, remembered on the graph."""
    key = graph.memo.get("structure")
    if key is None:
        roots = (*graph.outputs, *(v for v, _ in graph.guards))
        outcomes = tuple(freeze(outcome) for _, outcome in graph.guards)
        key = len(graph.outputs), structure_key(roots, graph.inputs), outcomes
        graph.memo["structure"] = key
    return key


def same(a: Graph, b: Graph) -> bool:
    """Whether two graphs have the same structure (names and lines aside)."""
    return graph_key(a) == graph_key(b)


def _called(nodes: list[Value]) -> list[Graph]:
    """Graphs that the nodes call whose key is not known yet, callees first."""
    found = (g for v in nodes if v.op in GRAPHS for g in graphs(v))
    new = [g for g in found if "structure" not in g.memo]
    return [g for first in new for g in nested(first)]


def nested(graph: Graph) -> list[Graph]:
    """`graph` and all graphs it calls, callees before callers (loops only)."""
    order: dict[int, Graph] = {}
    stack = [(graph, False)]
    while stack:
        g, ready = stack.pop()
        if id(g) in order:
            continue
        if ready:
            order[id(g)] = g
            continue
        stack.append((g, True))
        calls = (v for v in g.nodes() if v.op in GRAPHS)
        inner = [inside for v in calls for inside in graphs(v)]
        stack += [(inside, False) for inside in inner if id(inside) not in order]
    return list(order.values())
