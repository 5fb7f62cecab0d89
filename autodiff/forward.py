"""Forward mode through loops and branches: tangents go along with what they belong to.

The rest of forward mode is reverse mode applied twice, which a loop of unknown length
does not have. So the program is cut at its loops: the results of one are variables
for what follows.
"""

from __future__ import annotations

from typing import Any, Callable, NamedTuple, Optional, Sequence

from ..tracer.control import graphs
from ..tracer.graph import Graph, Value, make, placeholder, reachable, replace
from .adjoints import zeros
from .inside import Engine, fresh, items_of, perturbed

__all__ = ["by_parts", "loops_between"]

Tangents = list[Optional[Value]]
Push = Callable[..., Tangents]


def loops_between(path: dict[int, Value]) -> list[Value]:
    """The loops and branches of a path, in order."""
    return [v for v in path.values() if v.op in _RULES]


def by_parts(
    push: Push,
    engine: Engine,
    loops: Sequence[Value],
    outputs: Sequence[Value],
    wrt: Sequence[Value],
    tangents: Sequence[Optional[Value]],
) -> Tangents:
    """The tangents of the outputs; `push(outputs, wrt, tangents)` is forward mode."""
    wrt, tangents = list(wrt), list(tangents)
    known = {v.id: v for v in wrt}
    items = [v for v in reachable(outputs) if v.op == "item"]
    stands: dict[int, Value] = {}
    for v in loops:
        given = push(replace(v.args, dict(known)), wrt, tangents)
        found = _RULES[v.op](v, given, push, engine)
        for item in items:
            if item.args[0] is not v:
                continue
            stand = placeholder("y", item.shape, item.dtype)
            known[item.id], stands[stand.id] = stand, item
            if found.get(item.attrs["index"]) is not None:
                wrt.append(stand)
                tangents.append(found[item.attrs["index"]])
    results = push(replace(outputs, dict(known)), wrt, tangents)
    new = iter(replace([t for t in results if t is not None], dict(stands)))
    return [None if t is None else next(new) for t in results]


class Dual(NamedTuple):
    """A graph with tangents: of the inputs numbered in `at`, which are `inputs`, and
    of the outputs (None: zero)."""

    inputs: dict[int, Value]
    outputs: Tangents


def _dual(graph: Graph, at: Sequence[int], push: Push) -> Dual:
    inputs = dict(zip(at, fresh("t", [graph.inputs[i] for i in at])))
    wrt = [graph.inputs[i] for i in at]
    return Dual(inputs, push(graph.outputs, wrt, list(inputs.values())))


def _beside(
    values: Sequence[Any], tangents: dict[int, Any], start: int, end: int
) -> list:
    """Values start to end, then the tangents that some of them have."""
    own = [tangents[i] for i in range(start, end) if i in tangents]
    return [*values[start:end], *own]


def _moving(
    v: Value, carried: int, given: Tangents, engine: Engine
) -> dict[int, Value]:
    """The tangents of the operands; a carry that gets one on the way starts at zero."""
    wanted = [t is not None for t in given]
    live = perturbed(engine, graphs(v)[-1], carried, wanted)
    found = {i: t for i, t in enumerate(given) if t is not None}
    found |= {i: zeros(v.args[i]) for i in live if i not in found}
    return found


def _after(graph: Graph, dual: Dual, carried: int) -> list[Value]:
    """The tangents of the carry after a step."""
    at = [i for i in range(carried) if i in dual.inputs]
    return [_or_zero(dual.outputs[i], graph.outputs[i]) for i in at]


def _or_zero(t: Optional[Value], y: Value) -> Value:
    return zeros(y) if t is None else t


def _scan(v: Value, given: Tangents, push: Push, engine: Engine) -> dict[int, Any]:
    (body,), carried = graphs(v), v.attrs["carry"]
    ends = (0, carried, carried + v.attrs["rows"], len(v.args))
    tangents = _moving(v, carried, given, engine)
    dual = _dual(body, sorted(tangents), push)
    parts = list(zip(ends, ends[1:]))
    inputs = [_beside(body.inputs, dual.inputs, *part) for part in parts]
    args = [_beside(v.args, tangents, *part) for part in parts]
    made = [i for i in range(carried, len(body.outputs)) if dual.outputs[i] is not None]
    outputs = [*body.outputs[:carried], *_after(body, dual, carried)]
    outputs += [dual.outputs[i] for i in made]
    graph = Graph(f"{body.name}_jvp", [x for xs in inputs for x in xs], outputs)
    sizes = {"carry": len(args[0]), "rows": len(args[1])}
    attrs = {**v.attrs, "body": graph, **sizes}
    node = make("scan", tuple(x for xs in args for x in xs), **attrs)
    moved = [i for i in range(carried) if i in tangents]
    return dict(zip([*moved, *made], items_of(node)[carried:]))


def _while(v: Value, given: Tangents, push: Push, engine: Engine) -> dict[int, Any]:
    test, body = graphs(v)
    carried = len(body.outputs)
    tangents = _moving(v, carried, given, engine)
    dual = _dual(body, sorted(tangents), push)
    ends = ((0, carried), (carried, len(v.args)))
    args = [x for part in ends for x in _beside(v.args, tangents, *part)]
    both = [
        [x for part in ends for x in _beside(g.inputs, dual.inputs, *part)]
        for g in (test, body)
    ]
    outputs = [*body.outputs, *_after(body, dual, carried)]
    graph = Graph(f"{body.name}_jvp", both[1], outputs)
    asked = Graph(test.name, both[0], test.outputs)
    node = make("while", tuple(args), test=asked, body=graph)
    moved = [i for i in range(carried) if i in tangents]
    return dict(zip(moved, items_of(node)[carried:]))


def _cond(v: Value, given: Tangents, push: Push, engine: Engine) -> dict[int, Any]:
    pair = graphs(v)
    tangents = {i - 1: t for i, t in enumerate(given) if i and t is not None}
    duals = [_dual(b, sorted(tangents), push) for b in pair]
    pairs = enumerate(zip(*(d.outputs for d in duals)))
    made = [i for i, ts in pairs if any(t is not None for t in ts)]
    if not made:
        return {}
    new = []
    for b, d in zip(pair, duals):
        outputs = [_or_zero(d.outputs[i], b.outputs[i]) for i in made]
        new.append(Graph(f"{b.name}_jvp", [*b.inputs, *d.inputs.values()], outputs))
    args = (*v.args, *(tangents[i] for i in sorted(tangents)))
    node = make("cond", args, then=new[0], other=new[1])
    return dict(zip(made, items_of(node)))


_RULES = {"scan": _scan, "while": _while, "cond": _cond}
