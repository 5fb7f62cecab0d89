"""vmap of the nodes that run graphs: the graph they run is batched.

A rule makes the node anew around batched graphs. Every result of such a node counts
as different for each example.
"""

from __future__ import annotations

from typing import Any, Sequence

from ..errors import TraceError
from ..graph import Graph, Value, make, placeholder, replace
from ..sizes import Dim, Int, hint
from .rules import Rule, state_of

__all__ = ["ROWS", "batched_graph", "inside", "passed"]


def batched_graph(
    b: Any, graph: Graph, flags: Sequence[bool], size: Int, draws: Any = None
) -> Graph:
    """`graph` for `size` examples: the inputs flagged, and all results, have a new
    first axis."""
    key = ("batched", tuple(flags), size if type(size) is int else str(size))
    if draws is not None:  # they begin elsewhere each time
        return _batched_graph(b, graph, flags, size, draws)
    if key not in graph.memo:
        graph.memo[key] = _batched_graph(b, graph, flags, size, None)
    return graph.memo[key]


def passed(v: Value, graph: Graph, starts: dict[int, Int]) -> dict[int, Int]:
    """`starts` for a graph that a node runs."""
    given = v.args[1:] if v.op == "cond" else v.args
    pairs = [(x, state_of(arg)) for x, arg in zip(graph.inputs, given)]
    return {x.id: starts[state.id] for x, state in pairs if state.id in starts}


def _batched_graph(
    b: Any, graph: Graph, flags: Sequence[bool], size: Int, draws: Any
) -> Graph:
    inputs = [_input(x, flag, size) for x, flag in zip(graph.inputs, flags)]
    known = {x.id: new for x, new in zip(graph.inputs, inputs)}
    mapped = {x.id: known[x.id] for x, flag in zip(graph.inputs, flags) if flag}
    walk = type(b)(size, mapped, draws)
    walk.run(graph.outputs)
    return Graph(graph.name, inputs, map(walk.all, graph.outputs))


def _input(x: Value, flag: bool, size: Int) -> Value:
    if not flag:
        return x
    new = placeholder(x.attrs.get("name", "x"), (size, *x.shape), x.dtype)
    new.live = x.live
    return new


def _call(b: Any, v: Value) -> Value:
    graph = v.attrs["graph"]
    flags = [arg.id in b.known for arg in v.args]
    size = inside(b.size, graph, flags)
    draws = b.draws
    starts = passed(v, graph, draws.starts) if draws else {}
    inner = draws._replace(starts=starts, since=-1) if starts else None
    if inner and size is not b.size:
        raise TraceError("vmap: random numbers in a call, for a symbolic batch size")
    args = tuple(b.known.get(arg.id, arg) for arg in v.args)
    if "rule" not in graph.memo:
        return make("call", args, graph=batched_graph(b, graph, flags, size, inner))
    new = _batched_graph(b, graph, flags, size, inner)
    new.memo["rule"] = _Batched(b, v, args)
    return make("call", args, graph=new)


def inside(size: Int, graph: Graph, flags: Sequence[bool]) -> Int:
    """The batch size as the called graph names it: its symbols are its own."""
    if not isinstance(size, Dim):
        return size
    if not any(flags):
        raise TraceError("vmap: a call of which no argument has the symbolic size")
    taken = {str(n) for x in graph.inputs for n in x.shape}
    number = 0
    while f"examples{number}" in taken:
        number += 1
    return Dim(f"examples{number}").bind(hint(size))


def _item(b: Any, v: Value) -> Value:
    return make("item", (b.known[v.args[0].id],), index=v.attrs["index"])


# -- calls with a derivative of their own


class _Batched:
    """The derivative of a batched call: that of one example's call `v`, batched.

    The rule of a call may look behind its operands, so it is asked about the very call
    that was recorded; what it says is carried over to `args`, and to what stands in
    their place should the batched call have been copied.
    """

    def __init__(self, b: Any, v: Value, args: tuple):
        self.b, self.v, self.args = b, v, args
        self.rule = v.attrs["graph"].memo["rule"]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.rule, name)  # its name, and what it keeps

    def __call__(self, call: Value, parts: Any, wanted: Sequence[bool]) -> list:
        one = {i: _example(g) for i, g in parts.items()}
        found = self.rule(self.v, type(parts)(one), wanted)
        mapped = {**self.b.known, **{one[i].id: g for i, g in parts.items()}}
        walk = type(self.b)(self.b.size, mapped, self.b.draws)
        walk.run(g for g in found if g is not None)
        found = [
            None if g is None else _gathered(walk.all(g), arg.id in self.b.known)
            for g, arg in zip(found, self.v.args)
        ]
        known = {old.id: new for old, new in zip(self.args, call.args)}
        new = iter(replace([g for g in found if g is not None], known))
        return [None if g is None else next(new) for g in found]


def _example(v: Value) -> Value:
    new = placeholder("example", v.shape[1:], v.dtype)
    new.live = v.live
    return new


def _gathered(g: Value, own: bool) -> Value:
    """What an argument gets: its own part, or the sum over examples if it is shared."""
    return g if own else g.sum((-g.ndim,))


ROWS: dict[str, Rule] = {"call": _call, "item": _item}
