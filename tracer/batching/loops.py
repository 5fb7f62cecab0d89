"""vmap of loops and branches.

cond    on a shared predicate: a cond. On one for each example: both, and `where`.
while   until all are done; who is done keeps what it has.
scan    a scan over steps of all examples; the axis of examples is the second of
        its rows.
"""

from __future__ import annotations

from typing import Any, Iterable, Sequence

from ..control import count, graphs
from ..errors import TraceError
from ..graph import Graph, Value, constant, make, placeholder
from ..recording.closing import advanced
from ..sizes import Int
from ..types import int64
from .draws import origin, states, stretched
from .graphs import inside
from .rules import Rule

__all__ = ["ROWS"]


class _Walk:
    """The graphs of one node, with an axis of examples where they differ."""

    def __init__(self, b: Any, v: Value):
        self.b, self.v, self.lead = b, v, int(v.op == "cond")
        self.flags = [a.id in b.known for a in v.args]
        every = [(g, states(g)) for g in graphs(v)]
        self.states = {
            i for g, ids in every for i, x in enumerate(g.inputs) if x.id in ids
        }

    def args(self, flags: Sequence[bool]) -> list[Value]:
        """The operands, with the axis where they are flagged to have it."""
        pairs = zip(self.v.args, flags)
        args = [self.b.all(a) if f else self.b.known.get(a.id, a) for a, f in pairs]
        if self.b.draws is not None:
            for i in self.states:
                args[i + self.lead] = self._state(self.v.args[i + self.lead])
        return args

    def _state(self, state: Value) -> Value:
        draws, first = self.b.draws, origin(state)
        if first.id not in draws.starts:
            raise TraceError("vmap: the state of a random generator differs by example")
        start = advanced(first, draws.starts[first.id])
        return stretched(state, start, draws.total)

    def differ(self, graph: Graph, flags: Iterable[bool]) -> list[bool]:
        """Which results differ where the flagged inputs do."""
        found = {x.id for x, f in zip(graph.inputs, flags) if f}
        draws = self.b.draws is not None
        for v in graph.nodes():
            drawn = draws and (v.op == "random_bits" or any(map(states, graphs(v))))
            if drawn or any(a.id in found for a in v.args):
                found.add(v.id)
        return [y.id in found for y in graph.outputs]

    def settled(self, carried: int) -> list[bool]:
        """The flags once those of the carry do not spread further."""
        flags = list(self.flags)
        while True:
            after = self.differ(graphs(self.v)[-1], flags)[:carried]
            if not any(new and not f for new, f in zip(after, flags)):
                return flags
            flags[:carried] = [a or b for a, b in zip(flags, after)]

    def graph(
        self,
        graph: Graph,
        flags: Sequence[bool],
        outs: Sequence[bool],
        carried: int = 0,
    ) -> Graph:
        """A graph for all examples: inputs and results as flagged. The first so many
        inputs are carried: results take their place."""
        size = inside(self.b.size, graph, flags) if any(flags) else self.b.size
        inputs = [_wide(x, size) if f else x for x, f in zip(graph.inputs, flags)]
        pairs = zip(graph.inputs, inputs)
        mapped = {x.id: new for x, new in pairs if x is not new}
        draws = self.b.draws
        if draws is not None:
            starts = {graph.inputs[i].id: 0 for i in self.states}
            draws = draws._replace(starts=starts, since=-1)
        walk = type(self.b)(size, mapped, draws)
        walk.run(graph.outputs)
        outputs = [walk.all(y) if out else y for y, out in zip(graph.outputs, outs)]
        for i in self.states if draws is not None else ():
            if i < carried:
                outputs[i] = stretched(outputs[i], inputs[i], draws.total)
        return Graph(graph.name, inputs, outputs)

    def done(self, node: Value, outs: Sequence[bool]) -> Value:
        """The new node; `outs` says which of its results have the axis."""
        self.b.outs[node.id] = outs
        return node


def _wide(x: Value, size: Int) -> Value:
    new = placeholder(x.attrs.get("name", "x"), (size, *x.shape), x.dtype)
    new.live = x.live
    return new


def _scan(b: Any, v: Value) -> Value:
    walk, (body,), carried = _Walk(b, v), graphs(v), v.attrs["carry"]
    flags = walk.settled(carried)
    outs = flags[:carried] + walk.differ(body, flags)[carried:]
    args = walk.args(flags)
    for i in range(carried, carried + v.attrs["rows"]):
        args[i] = swapped(args[i]) if flags[i] else args[i]
    new = make(
        "scan",
        tuple(args),
        **{**v.attrs, "body": walk.graph(body, flags, outs, carried)},
    )
    return walk.done(new, outs)


def swapped(x: Value) -> Value:
    """The first two axes exchanged."""
    n = x.ndim
    return x.permute((-n + 1, -n, *range(-n + 2, 0)))


def _while(b: Any, v: Value) -> Value:
    walk, (test, body), carried = _Walk(b, v), graphs(v), count(v)
    flags = walk.settled(carried)
    (apart,) = walk.differ(test, flags)
    if apart:
        flags[:carried] = [i not in walk.states for i in range(carried)]
    outs = flags[:carried]
    tested = walk.graph(test, flags, [apart])
    stepped = walk.graph(body, flags, outs, carried)
    if apart:
        tested, stepped = _until_all(tested, stepped, outs)
    node = make("while", tuple(walk.args(flags)), test=tested, body=stepped)
    return walk.done(node, outs)


def _until_all(test: Graph, body: Graph, outs: Sequence[bool]) -> tuple[Graph, Graph]:
    """A test of all examples at once, and a body that leaves alone who is done.

    What examples share (`outs` says what they do not) are states of generators: those
    move on as long as anybody draws.
    """
    (asked,) = _called(test, test.inputs)
    count = asked.cast(int64).sum((-1,))
    some = make("ne", (count, constant(0, (), int64)))
    (asked,) = _called(test, body.inputs)
    triples = zip(body.inputs, body.outputs, outs)
    kept = [chosen(asked, y, x) if out else y for x, y, out in triples]
    return Graph(test.name, test.inputs, [some]), Graph(body.name, body.inputs, kept)


def _called(graph: Graph, args: Sequence[Value]) -> list[Value]:
    node = make("call", tuple(args), graph=graph)
    return [make("item", (node,), index=i) for i in range(len(graph.outputs))]


def chosen(flags: Value, a: Value, b: Value) -> Value:
    """Of `a` where the flag of an example is set, else of `b`."""
    shape = flags.shape + (1,) * (a.ndim - 1)
    return make("where", (flags.reshape(shape).expand(a.shape), a, b))


def _cond(b: Any, v: Value) -> Value:
    walk, pair = _Walk(b, v), graphs(v)
    flags = walk.flags[1:]
    apart = walk.flags[0]
    if apart:
        return _both(walk, pair)
    outs = [x or y for x, y in zip(*(walk.differ(g, flags) for g in pair))]
    then, other = (walk.graph(g, flags, outs) for g in pair)
    node = make("cond", tuple(walk.args(walk.flags)), then=then, other=other)
    return walk.done(node, outs)


def _both(walk: _Walk, pair: Sequence[Graph]) -> Value:
    """Both branches for all examples, called as one graph of the same operands."""
    flags = walk.flags[1:]
    outs = [True] * len(pair[0].outputs)
    args = walk.args(walk.flags)
    inputs = [placeholder(f"x{i}", a.shape, a.dtype) for i, a in enumerate(args)]
    for x, a in zip(inputs, args):
        x.live = a.live
    sides = [_called(walk.graph(g, flags, outs), inputs[1:]) for g in pair]
    outputs = [chosen(inputs[0], x, y) for x, y in zip(*sides)]
    return walk.done(
        make("call", tuple(args), graph=Graph("cond", inputs, outputs)), outs
    )


def _item(b: Any, v: Value) -> Value:
    node, index = b.known[v.args[0].id], v.attrs["index"]
    new = make("item", (node,), index=index)
    if node.id not in b.outs:
        return new
    if not b.outs[node.id][index]:
        return new.expand((b.size, *new.shape))
    is_row = node.op == "scan" and index >= node.attrs["carry"]
    return swapped(new) if is_row else new


ROWS: dict[str, Rule] = {"scan": _scan, "while": _while, "cond": _cond, "item": _item}
