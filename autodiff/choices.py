"""The derivative of a branch: a branch again, on the same predicate.

What a branch's backward reads of it, the forward returns beside its results: values of
one type share a slot, and where only the other branch fills it, zeros stand there.
"""

from __future__ import annotations

from typing import NamedTuple, Optional, Sequence

from ..tracer.control import call_sizes, graphs
from ..tracer.graph import Graph, Value, make, replace
from ..tracer.splice import Splice
from .adjoints import Parts, zeros
from .inside import (
    Cotangents,
    Engine,
    closed_graph,
    cotangents_of,
    floating,
    fresh,
    items_of,
)
from .kept import kept_values

__all__ = ["through_cond"]


class Slots(NamedTuple):
    """What the backward of a cond reads: operands by number (`given`), and for each
    branch what it makes, in slots like `models`. The forward `wide` returns the slots
    as well; `items` are its results, by what it is applied to."""

    given: list[int]
    made: list[list[Optional[Value]]]
    models: list[Value]
    wide: list[Graph]
    items: dict


def through_cond(
    v: Value, g: Parts, wanted: Sequence[bool], engine: Engine
) -> Cotangents:
    """Each branch is pulled back by what it kept."""
    wrt = [i for i, want in enumerate(wanted[1:]) if want]
    pair = _twins(v)
    inputs = pair[0].inputs
    slots = _slots(pair, wrt, engine) if wrt else None
    ct = cotangents_of(pair[0].outputs, g)
    found = [engine.pull(b.outputs, ct, [inputs[i] for i in wrt]) for b in pair]
    reached = [n for n in range(len(wrt)) if any(f[n] is not None for f in found)]
    if slots is None or not reached:
        return [None] * len(v.args)
    given = [inputs[i] for i in slots.given]
    operands, kept = fresh("r", given), fresh("m", slots.models)
    outputs = []
    for f, made in zip(found, slots.made):
        known = {x.id: new for x, new in zip(given, operands)}
        known |= {x.id: new for x, new in zip(made, kept) if x is not None}
        grads = [zeros(inputs[wrt[n]]) if f[n] is None else f[n] for n in reached]
        outputs.append(replace(grads, known))  # type: ignore[arg-type]
    own = [*operands, *kept, *ct.values()]
    _, told = closed_graph("", own, [y for ys in outputs for y in ys], inputs)
    own += [inputs[i] for i in told]
    back = [Graph(f"{b.name}_vjp", own, ys) for b, ys in zip(pair, outputs)]
    args = [v.args[1 + i] for i in slots.given] + _made(v, slots)
    args += [*(g[i] for i in ct), *(v.args[1 + i] for i in told)]
    node = make("cond", (v.args[0], *args), then=back[0], other=back[1])
    results = {1 + wrt[n]: item for n, item in zip(reached, items_of(node))}
    return [results.get(i) for i in range(len(v.args))]


def _twins(v: Value) -> list[Graph]:
    """The branches as graphs of the same inputs."""
    then, other = graphs(v)
    if then.inputs == other.inputs:
        return [then, other]
    known = then.memo.get(("twin", id(other)))
    if known is None:
        same = {x.id: y for x, y in zip(other.inputs, then.inputs)}
        outputs = Splice(same, call_sizes(other.inputs, then.inputs)).values(
            other.outputs
        )
        twin = Graph(other.name, then.inputs, outputs)
        known = then.memo["twin", id(other)] = (other, twin)  # other: lives as long
    return [then, known[1]]


def _slots(pair: list[Graph], wrt: list[int], engine: Engine) -> Slots:
    memo, key = pair[0].memo, ("slots", id(pair[1]), tuple(wrt))
    if key not in memo:
        memo[key] = pair[1], _widen(pair, wrt, engine)
    return memo[key][1]


def _widen(pair: list[Graph], wrt: list[int], engine: Engine) -> Slots:
    """What both branches keep, the same whichever results have a cotangent."""
    inputs = pair[0].inputs
    number = {x.id: i for i, x in enumerate(inputs)}
    kept = []
    for b in pair:
        ct = cotangents_of(b.outputs, floating(b.outputs))
        pulled = engine.pull(b.outputs, ct, [inputs[i] for i in wrt])
        grads = [x for x in pulled if x is not None]
        kept.append(kept_values(b, grads, list(ct.values())))
    given = sorted({number[x.id] for k in kept for x in k if x.id in number})
    own = [[x for x in k if x.id not in number] for k in kept]
    models, made = _aligned(own)
    wide = []
    for b, row in zip(pair, made):
        slots = [zeros(m) if x is None else x for m, x in zip(models, row)]
        wide.append(Graph(b.name, inputs, (*b.outputs, *slots)))
    return Slots(given, made, models, wide, {})


def _aligned(lists: list[list[Value]]) -> tuple[list, list]:
    """Models of the slots, and each list spread over them."""
    models: list[Value] = []
    made: list[list] = []
    for values in lists:
        row: list = [None] * len(models)
        for x in values:
            free = (n for n, m in enumerate(models) if row[n] is None and _alike(m, x))
            at = next(free, len(models))
            if at == len(models):
                models.append(x)
                row.append(None)
            row[at] = x
        made.append(row)
    return models, [row + [None] * (len(models) - len(row)) for row in made]


def _alike(a: Value, b: Value) -> bool:
    return a.dtype is b.dtype and [*map(str, a.shape)] == [*map(str, b.shape)]


def _made(v: Value, slots: Slots) -> list[Value]:
    """The slots that the wider cond fills."""
    if not slots.models:
        return []
    key = tuple(a.id for a in v.args)
    if key not in slots.items:
        new = make("cond", v.args, then=slots.wide[0], other=slots.wide[1])
        slots.items[key] = items_of(new)[-len(slots.models) :]
    return slots.items[key]
