"""Custom derivative rules are Python: what a graph means where they are not."""

from __future__ import annotations

from typing import Any

from ...tracer.graph import Graph, Value, node

__all__ = ["arithmetic"]


def arithmetic(graph: Graph, names: list[str]) -> Graph:
    """The graph with each result of a rule as it was computed, so that its gradient is
    that of the arithmetic. `names` receives the functions whose rules were left out."""
    nodes = graph.nodes()
    ruled = {v.id: v for v in nodes if _rule(v) is not None}
    inside = {v.id: _inside(v, names) for v in nodes if _graphs(v)}
    if not ruled and all(new is None for new in inside.values()):
        return graph
    names += [_rule(v).name.removesuffix("Backward") for v in ruled.values()]
    seen = {a.id for v in ruled.values() for a in _before(v)}
    known: dict[int, Value] = {v.id: v for v in graph.inputs}
    for v in nodes:
        if v.id not in known:
            known[v.id] = _renewed(v, ruled, inside, seen, known)
    return Graph(
        graph.name,
        graph.inputs,
        [known[v.id] for v in graph.outputs],
        [(known[v.id], outcome) for v, outcome in graph.guards],
    )


def _renewed(v: Value, ruled: dict, inside: dict, seen: set, known: dict) -> Value:
    if v.op == "item" and v.args[0].id in ruled:
        call = v.args[0]
        came = call.args[_rule(call).count + v.attrs["index"]]
        return known[came.args[0].id if came.op == "stop_gradient" else came.id]
    if v.op == "stop_gradient" and v.args[0].id in seen:
        return known[v.args[0].id]  # what a rule computes with, no gradient enters
    args = tuple(known[a.id] for a in v.args)
    new = node(v.op, args, inside.get(v.id) or v.attrs, v.shape, v.dtype)
    new.line = v.line
    return new


def _before(v: Value) -> tuple:
    return v.args[: _rule(v).count]


def _graphs(v: Value) -> list[str]:
    return [key for key, attr in v.attrs.items() if isinstance(attr, Graph)]


def _inside(v: Value, names: list[str]) -> Any:
    """New attributes of a loop or branch with rules inside, or None."""
    if _rule(v) is not None:
        return None
    made = {key: arithmetic(v.attrs[key], names) for key in _graphs(v)}
    if all(made[key] is v.attrs[key] for key in made):
        return None
    return {**v.attrs, **made}


def _rule(v: Value) -> Any:
    """The rule of a call; one that only computes again (a checkpoint) is none."""
    rule = v.attrs["graph"].memo.get("rule") if v.op == "call" else None
    return rule if isinstance(getattr(rule, "count", None), int) else None
