"""The derivatives of loops.

A `scan` is pulled back by a scan that runs the other way. The forward is replaced by a
wider one that also returns what the backward reads of each step; where both would run,
`tracer/simplifying/unite.py` makes one of them.
"""

from __future__ import annotations

from typing import NamedTuple, Sequence

from ..tracer.control import graphs
from ..tracer.graph import Graph, Value, constant, make, replace
from .adjoints import Parts, zeros
from .inside import (
    Cotangents,
    Engine,
    OpenLoop,
    closed_graph,
    cotangents_of,
    floating,
    fresh,
    items_of,
    perturbed,
)
from .kept import kept_values
from .sums import Product, products

__all__ = ["through_scan", "through_while"]


def through_while(
    v: Value, g: Parts, wanted: Sequence[bool], engine: Engine
) -> Cotangents:
    """What the backward would need of a loop of unknown length has no bound."""
    body = graphs(v)[-1]
    if perturbed(engine, body, len(body.outputs), wanted) & set(g):
        raise OpenLoop(
            "reverse-mode differentiation does not work through while_loop, nor "
            f"through fori_loop with bounds that are computed{_place(v)}: use scan, or "
            "fori_loop with bounds that are known, or forward mode (jvp)"
        )
    return [None] * len(v.args)


def _place(v: Value) -> str:
    return f" ({v.line})" if v.line else ""


class Wide(NamedTuple):
    """What the backward of a scan reads: inputs of its body by number (`xs` and
    `consts`), and what each step `made`, which the body `wide` returns as well. `items`
    are the results of the wider scans, by what these are applied to."""

    xs: list[int]
    consts: list[int]
    made: list[Value]
    wide: Graph
    items: dict


def through_scan(
    v: Value, g: Parts, wanted: Sequence[bool], engine: Engine
) -> Cotangents:
    """One scan the other way round.

    It carries the cotangents of the carry and the sums of those of the constants. Its
    rows are the cotangents of the ys, and what the forward kept of each step.
    """
    (body,) = graphs(v)
    carried = v.attrs["carry"]
    live = sorted(perturbed(engine, body, carried, wanted))
    ys = sorted(i for i in g if i >= carried)
    if not ys and not set(live) & set(g):
        return [None] * len(v.args)
    wrt = [i for i, want in enumerate(wanted) if want or i in live]
    return _Back(v, body, live, wrt, engine).run(g, ys)


def _factors(late: dict[int, list[Product]], at_hand: dict) -> list[Value]:
    """What the loop has to stack for the products after it."""
    every = [x for parts in late.values() for p in parts for x in (p.left, p.right)]
    return list({x.id: x for x in every if x.id not in at_hand}.values())


def _total(parts: list[Product], at_hand: dict[int, Value]) -> Value:
    """The sum of products, from stacked factors."""
    found = [p.total(at_hand[p.left.id], at_hand[p.right.id]) for p in parts]
    total = found[0]
    for x in found[1:]:
        total = total + x
    return total


class _Back:
    """The backward of a scan `v`, by the arguments numbered `wrt`."""

    def __init__(self, v: Value, body: Graph, live: list, wrt: list, engine: Engine):
        self.v, self.body, self.live, self.wrt = v, body, live, wrt
        self.carried, self.engine = v.attrs["carry"], engine
        self.first = self.carried + v.attrs["rows"]  # where the constants begin

    def inputs(self, numbers: Sequence[int]) -> list[Value]:
        return [self.body.inputs[i] for i in numbers]

    def args(self, numbers: Sequence[int]) -> list[Value]:
        return [self.v.args[i] for i in numbers]

    def is_row(self, i: int) -> bool:
        return self.carried <= i < self.first

    def run(self, g: Parts, ys: list[int]) -> Cotangents:
        """The cotangents of the arguments, from those of the results."""
        wide, body = self.wide(), self.body
        ct = cotangents_of(body.outputs, [*self.live, *ys])
        pulled = self.engine.pull(body.outputs, ct, self.inputs(self.wrt))
        found = {i: x for i, x in zip(self.wrt, pulled) if x is not None}
        xs = [i for i in found if self.is_row(i)]
        read = [*wide.made, *self.inputs(wide.xs), *self.inputs(wide.consts)]
        rows = [*(ct[i] for i in ys), *wide.made, *self.inputs(wide.xs)]
        stacked = [g[i] for i in ys] + self.made(wide) + self.args(wide.xs)
        at_hand = {x.id: whole for x, whole in zip(rows, stacked)}
        late = self.late(found, {x.id for x in self.inputs(wide.consts)})
        factors = _factors(late, at_hand)
        consts = [i for i in found if i >= self.first and i not in late]
        sums = fresh("s", self.inputs(consts))
        after = [found.get(i, zeros(body.inputs[i])) for i in self.live]
        after += [a + found[i] for a, i in zip(sums, consts)]
        outputs = [*after, *(found[i] for i in xs), *factors]
        kept = fresh("r", read)
        outputs = replace(outputs, {x.id: new for x, new in zip(read, kept)})
        carry = [*(ct[i] for i in self.live), *sums]
        inputs = [*carry, *(ct[i] for i in ys), *kept]
        graph, told = closed_graph(f"{body.name}_vjp", inputs, outputs, body.inputs)
        before = [g[i] if i in g else zeros(self.v.args[i]) for i in self.live]
        before += [zeros(x) for x in self.args(consts)]
        rest = [*self.args(wide.consts), *(self.example(i) for i in told)]
        node = make(
            "scan",
            (*before, *stacked, *rest),
            **{"body": graph, "length": self.v.attrs["length"]},
            **{"reverse": not self.v.attrs["reverse"]},
            **{"carry": len(before), "rows": len(stacked)},
        )
        items = items_of(node)
        at_hand |= {x.id: whole for x, whole in zip(factors, items[-len(factors) :])}
        results = dict(zip([*self.live, *consts, *xs], items))
        results |= {i: _total(parts, at_hand) for i, parts in late.items()}
        return [results.get(i) for i in range(len(self.v.args))]

    def late(self, found: dict, consts: set[int]) -> dict[int, list[Product]]:
        """Constants whose cotangents are summed after the loop, in one product."""
        every = {i: products(x) for i, x in found.items() if i >= self.first}
        return {
            i: parts
            for i, parts in every.items()
            if parts and not any({p.left.id, p.right.id} & consts for p in parts)
        }

    def wide(self) -> Wide:
        """What is kept: the same whichever results have a cotangent."""
        key = "wide", tuple(self.wrt)
        if key not in self.body.memo:
            self.body.memo[key] = self.widen()
        return self.body.memo[key]

    def widen(self) -> Wide:
        body = self.body
        at = [i for i in floating(body.outputs) if i >= self.carried or i in self.live]
        ct = cotangents_of(body.outputs, at)
        pulled = self.engine.pull(body.outputs, ct, self.inputs(self.wrt))
        grads = [x for x in pulled if x is not None]
        number = {x.id: i for i, x in enumerate(body.inputs)}
        kept = kept_values(body, grads, list(ct.values()))
        made = [x for x in kept if number.get(x.id, -1) < self.carried]
        given = [number[x.id] for x in kept if number.get(x.id, -1) >= self.carried]
        xs = [i for i in given if self.is_row(i)]
        consts = [i for i in given if not self.is_row(i)]
        wide = Graph(body.name, body.inputs, (*body.outputs, *made))
        return Wide(xs, consts, made, wide, {})

    def made(self, wide: Wide) -> list[Value]:
        """What each step of the wider scan makes for the backward, stacked."""
        v = self.v
        if not wide.made:
            return []
        key = (*(a.id for a in v.args), str(v.attrs["length"]), v.attrs["reverse"])
        if key not in wide.items:
            new = make("scan", v.args, **{**v.attrs, "body": wide.wide})
            wide.items[key] = items_of(new)[len(self.body.outputs) :]
        return wide.items[key]

    def example(self, i: int) -> Value:
        """Something of the type of an input of the body: it tells sizes."""
        x = self.v.args[i]
        return constant(0, x.shape[1:], x.dtype) if self.is_row(i) else x
