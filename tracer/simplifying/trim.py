"""Loops and branches without what nobody reads.

What a graph runs inside is asked from its end: results that no item names go, with
what only they needed; a carry goes when nothing but itself reads it; what a loop hands
on as it is becomes a constant of the loop.
"""

from __future__ import annotations

from typing import Iterable, Sequence

from ..control import GRAPHS, count, graphs
from ..graph import Graph, Value, node, reachable
from ..recording.declare import declaring

__all__ = ["trim"]


def trim(graph: Graph) -> Graph:
    """The same results from smaller loops. The graph is simplified already."""
    nodes = graph.nodes()[len(graph.inputs) :]
    if not any(v.op in _TRIMMED for v in nodes):
        return graph
    smaller, wanted = _asked(graph, nodes)
    known: dict[int, Value] = {}
    for v in nodes:
        if v.id in smaller:
            smaller[v.id].build(known)
        elif v.id in wanted - known.keys() and any(a.id in known for a in v.args):
            args = tuple([known.get(a.id, a) for a in v.args])
            known[v.id] = new = node(v.op, args, v.attrs, v.shape, v.dtype)
            new.line = v.line
    outputs = [known.get(v.id, v) for v in graph.outputs]
    guards = [(known.get(v.id, v), want) for v, want in graph.guards]
    return Graph(graph.name, graph.inputs, outputs, guards)


def _asked(graph: Graph, nodes: list[Value]) -> tuple[dict[int, _Loop], set[int]]:
    """From the end to the beginning: the loops that are needed, each as it shall be,
    and the ids of all that is needed."""
    wanted = {v.id for v in (*graph.outputs, *(v for v, _ in graph.guards))}
    items: dict[int, list[Value]] = {}
    found: dict[int, _Loop] = {}
    for v in reversed(nodes):
        if v.id not in wanted:
            continue
        if v.op == "item":
            items.setdefault(v.args[0].id, []).append(v)
        if v.op in _TRIMMED:
            found[v.id] = loop = _TRIMMED[v.op](v, items.get(v.id, []))
            wanted.update(v.args[i].id for i in (*loop.operands, *loop.same.values()))
        else:
            wanted.update(a.id for a in v.args)
    return found, wanted


class _Loop:
    """A node that runs graphs, cut down to what `items` name of it."""

    def __init__(self, v: Value, items: list[Value]):
        self.v, self.items = v, items
        self.first = _firsts(v)
        self.outputs = sorted({self.first[item.attrs["index"]] for item in items})
        self.operands: list[int] = []
        self.same: dict[int, int] = {}  # results that are operands, as they are
        self.settle()

    def settle(self) -> None:
        """Find out which `outputs` and `operands` are needed."""
        raise NotImplementedError

    def attrs(self) -> dict:
        """The attributes of the smaller node."""
        raise NotImplementedError

    def build(self, known: dict[int, Value]) -> None:
        """Enter the smaller node and its items into `known`."""
        v = self.v
        args = [known.get(a.id, a) for a in v.args]
        chosen = tuple(args[i] for i in self.operands)
        attrs = self.attrs()
        new = node(v.op, chosen, attrs, v.shape, v.dtype)
        new.line = v.line
        place = {index: n for n, index in enumerate(self.outputs)}
        made: dict[int, Value] = {}
        for item in reversed(self.items):
            index = self.first[item.attrs["index"]]
            if index in self.same:
                known[item.id] = args[self.same[index]]
                continue
            if index not in made:
                attr = {"index": place[index]}
                made[index] = node("item", (new,), attr, item.shape, item.dtype)
                made[index].line = item.line
            known[item.id] = made[index]


def _firsts(v: Value) -> list[int]:
    """For each result the first one that is the same (a carry is one of its own)."""
    start = v.attrs["carry"] if v.op == "scan" else count(v) if v.op == "while" else 0
    seen: dict[tuple, int] = {}
    every = enumerate(zip(*(g.outputs for g in graphs(v)[v.op == "while" :])))
    marks = [(i, i if i < start else tuple(y.id for y in ys)) for i, ys in every]
    return [seen.setdefault(mark, i) for i, mark in marks]  # type: ignore[arg-type]


def _cut(graph: Graph, inputs: Iterable[int], outputs: Iterable[int]) -> Graph:
    """Some outputs of a graph, as a function of some inputs; remembered."""
    key = "cut", tuple(inputs), tuple(outputs)
    if key not in graph.memo:
        chosen = [graph.outputs[i] for i in key[2]]
        cut = Graph(graph.name, [graph.inputs[i] for i in key[1]], chosen)
        graph.memo[key] = trim(cut)
    return graph.memo[key]


def _read(graph: Graph, outputs: Iterable[int]) -> set[int]:
    """Which inputs of a graph, by number, some of its outputs depend on."""
    cut = _cut(graph, range(len(graph.inputs)), outputs)
    own = {v.id for v in cut.inputs}
    seen = {v.id for v in reachable(cut.outputs, lambda v: v.id in own)}
    return {i for i, v in enumerate(graph.inputs) if v.id in seen}


def _with_sizes(graph: Graph, read: set[int], outputs: Iterable[int]) -> set[int]:
    """What is read, and the inputs that alone tell a size."""
    cut = _cut(graph, range(len(graph.inputs)), outputs)
    own = [v for i, v in enumerate(graph.inputs) if i in read]
    told = declaring([*cut.nodes()[len(cut.inputs) :], *own], own, graph.inputs)
    ids = {v.id for v in told}
    return read | {i for i, v in enumerate(graph.inputs) if v.id in ids}


class _Cond(_Loop):
    def settle(self) -> None:
        read: set[int] = set()
        for graph in graphs(self.v):
            read |= _read(graph, self.outputs)
        for graph in graphs(self.v):
            read |= _with_sizes(graph, read, self.outputs)
        self.inputs = sorted(read)
        self.operands = [0, *(i + 1 for i in self.inputs)]

    def attrs(self) -> dict:
        pair = (_cut(g, self.inputs, self.outputs) for g in graphs(self.v))
        return dict(zip(GRAPHS["cond"], pair))


class _Carrying(_Loop):
    """Loops: `carried` results go round, `asks` are graphs read whole."""

    carried: int
    asks: Sequence[Graph] = ()

    def settle(self) -> None:
        body = graphs(self.v)[-1]
        self.fixed = {
            i for i in range(self.carried) if body.outputs[i] is body.inputs[i]
        }
        self.same = {i: i for i in self.outputs if i in self.fixed}
        outputs = set(self.outputs) - self.fixed
        asked = {i for g in self.asks for i in _read(g, range(len(g.outputs)))}
        while True:
            read = asked | _read(body, sorted(outputs))
            more = {i for i in read if i < self.carried} - self.fixed
            if more <= outputs:
                break
            outputs |= more
        self.outputs = sorted(outputs)
        moving = {i for i in outputs if i < self.carried}
        read = _with_sizes(body, read | moving, self.outputs)
        for graph in self.asks:
            read |= _with_sizes(graph, read, range(len(graph.outputs)))
        carry = [i for i in range(self.carried) if i in moving]
        rows = [i for i in range(self.carried, self.rows_end()) if i in read]
        rest = [i for i in range(len(body.inputs)) if i in read]
        rest = [i for i in rest if i not in moving and i not in rows]
        self.size = len(carry), len(rows)
        self.operands = [*carry, *rows, *rest]

    def rows_end(self) -> int:
        return self.carried


class _Scan(_Carrying):
    def settle(self) -> None:
        self.carried = self.v.attrs["carry"]
        super().settle()

    def rows_end(self) -> int:
        return self.carried + self.v.attrs["rows"]

    def attrs(self) -> dict:
        body = _cut(graphs(self.v)[0], self.operands, self.outputs)
        carry, rows = self.size
        return {**self.v.attrs, "body": body, "carry": carry, "rows": rows}


class _While(_Carrying):
    def settle(self) -> None:
        self.carried = count(self.v)
        self.asks = graphs(self.v)[:1]
        super().settle()

    def attrs(self) -> dict:
        test, body = graphs(self.v)
        test = _cut(test, self.operands, range(1))
        return {"test": test, "body": _cut(body, self.operands, self.outputs)}


_TRIMMED = {"cond": _Cond, "while": _While, "scan": _Scan}
