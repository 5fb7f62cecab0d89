"""Every rule fires, and changes no bit of the result."""

from __future__ import annotations

import numpy as np
import pytest
from graphs import bits_equal, feeds, size
from tracefuse.tracer.algebra import absolute as abs_
from tracefuse.tracer.algebra import (
    eq,
    floor,
    le,
    lt,
    maximum,
    minimum,
    ne,
    stop_gradient,
    where,
)
from tracefuse.tracer.graph import Graph, make
from tracefuse.tracer.interpret import interpret
from tracefuse.tracer.simplifying.rewrite import Rules
from tracefuse.tracer.simplifying.simplify import RULES, simplify
from tracefuse.tracer.structure import same
from tracefuse.tracer.types import (
    bool_,
    float16,
    float32,
    float64,
    int8,
    int32,
    int64,
)
from values import (
    INPUTS,
    S,
    by_index,
    f,
    g,
    h,
    i,
    j,
    joined,
    neg,
    one,
    ops,
    p,
    padded,
    part,
    reduced,
    round_,
    splat,
    update,
)

CASES = {
    "double negation": [neg(neg(f)), neg(neg(i))],
    "plus zero": [i + 0, 0 + i],
    "plus minus zero": [f + -0.0, -0.0 + f],
    "minus zero": [f - 0.0, i - 0],
    "zero minus": [0 - i],
    "minus itself": [i - i],
    "plus negative": [f + -g, -f + g],
    "minus negative": [f - -g],
    "times one": [f * 1.0, 1 * i],
    "times minus one": [f * -1.0, i * -1],
    "times zero": [i * 0],
    "negative times negative": [-f * -g],
    "over one": [f / 1.0],
    "over a power of two": [f / 4.0, f / -0.5, h / 8.0],
    "whole division by one": [i // 1],
    "power zero": [f**0.0, i**0],
    "power one": [f**1.0, i**1],
    "square": [i**2],
    "cube": [i**3],
    "fourth power": [i**4],
    "abs of abs": [abs_(abs_(f))],
    "abs of negative": [abs_(-f)],
    "floor of floor": [floor(floor(f))],
    "floor of round": [floor(round_(f))],
    "round of round": [round_(round_(f))],
    "round of floor": [round_(floor(f))],
    "maximum of one": [maximum(f, f)],
    "minimum of one": [minimum(f, f)],
    "shift by nothing": [i << 0],
    "shift back by nothing": [i >> 0],
    "cast to itself": [make("cast", (f,), dtype=float32)],
    "cast of cast": [
        f.cast(float64).cast(float16),
        i.cast(int64).cast(int8),
        p.cast(float32).cast(bool_),
        i.cast(float64).cast(int32),
    ],
    "stopped twice": [stop_gradient(f)],
    "and true": [p & True],
    "and false": [p & False, i & 0],
    "and itself": [p & p],
    "or false": [p | False, i | 0],
    "or true": [p | True],
    "or itself": [i | i],
    "xor false": [p ^ False, i ^ 0],
    "xor itself": [p ^ p],
    "not not": [(p ^ True) ^ True],
    "not equal": [eq(f, g) ^ True],
    "not different": [ne(f, g) ^ True],
    "not less": [lt(i, j) ^ True],
    "not above": [le(i, j) ^ True],
    "equal itself": [eq(i, i)],
    "different from itself": [ne(i, i)],
    "less than itself": [lt(f, f)],
    "a place below zero": [
        lt(make("argmax", (f,), axis=-1), 0),
        lt(make("iota", (), shape=S, axis=-1, dtype=int64).cast(int32), 0),
    ],
    "at most itself": [le(i, i)],
    "where true": [where(splat(True, S, bool_), f, g)],
    "where false": [where(splat(False, S, bool_), f, g)],
    "where either": [where(p, f, f)],
    "where not": [where(p ^ True, f, g)],
    "where true else false": [where(p, splat(True, S, bool_), False)],
    "where false else true": [where(p, splat(False, S, bool_), True)],
    "relu": [where(le(f, 0.0), 0.0, f), where(le(i, 0), 0, i)],
    "reshape to itself": [make("reshape", (f,), shape=S)],
    "reshape of reshape": [f.reshape((144,)).reshape((4, 36))],
    "permute in order": [make("permute", (f,), axes=(-2, -1))],
    "permute of permute": [
        f.reshape((2, 6, 12)).permute((-2, -1, -3)).permute((-2, -3, -1))
    ],
    "expand to itself": [make("expand", (f,), shape=S)],
    "expand of expand": [one.expand((3, 5)).expand((2, 3, 5))],
    "expand of reshape": [one.reshape((1, 1, 3, 1)).expand((4, 2, 3, 7))],
    "slice of everything": [part(f, 0, 12)],
    "slice of slice": [
        part(part(f, 1, 5, 2), 4, 3, -2),
        part(part(f, 11, 9, -1), 2, 3, 2),
    ],
    "slice of expand": [
        part(one.expand((3, 5)), 1, 2),
        part(one.expand((2, 3, 5)), 4, 1),
    ],
    "slice of concat": [part(joined(f, g), 12, 12), part(joined(f, g), 14, 3, -1)],
    "slice of pad": [part(padded(f, 2, 1), 2, 12), part(padded(f, 1, 0, 2), 1, 12, 3)],
    "slice of update": [
        part(update(f, part(g, 0, 3), 4, 2), 4, 3, 2),
        part(update(f, part(g, 0, 3), 4, 2), 0, 4),
    ],
    "update of everything": [update(f, g, 0)],
    "pad by nothing": [padded(f, 0, 0)],
    "pad of the same": [padded(splat(0.0), 1, 2)],
    "concat of the same": [joined(f), joined(splat(2.0), splat(2.0))],
    "reshape of a constant": [splat(3.0).reshape((144,))],
    "permute of a constant": [splat(3.0).permute((-1, -2))],
    "expand of a constant": [splat(3.0, ()).expand(S)],
    "slice of a constant": [part(splat(3.0), 1, 3)],
    "windows of a constant": [
        make("windows", (splat(3.0),), size=(2, 2), stride=(1, 1), dilation=(1, 1))
    ],
    "sum of one": [reduced("sum", one, -1), reduced("sum", i.reshape((144, 1)), -1)],
    "prod of one": [reduced("prod", one, -1)],
    "max of one": [reduced("max", one, -1)],
    "min of one": [reduced("min", one, -1)],
    "argmax of one": [make("argmax", (one,), axis=-1)],
    "argmin of one": [make("argmin", (one,), axis=-1)],
    "sum of a constant": [
        reduced("sum", splat(0.25), -1, -2),
        reduced("sum", splat(100, S, int8), -1),
    ],
    "prod of a constant": [
        reduced("prod", splat(1.0), -1),
        reduced("prod", splat(7, S, int8), -1),
    ],
    "max of a constant": [reduced("max", splat(float("nan")), -1)],
    "min of a constant": [reduced("min", splat(-0.0), -1)],
    "max of copies": [
        reduced("max", one.expand((4, 3, 7)), -1, -3),
        reduced("max", one.expand((4, 3, 7)), -1),
    ],
    "min of copies": [reduced("min", one.expand((3, 7)), -1)],
    "argmax by its index": [by_index("argmax", f)],
    "argmin by its index": [by_index("argmin", i)],
}
# Within a rounding of `pow`, or the other sign of a zero: compared as numbers.
CLOSE = {
    "square": [f**2.0, h**2.0],
    "cube": [f**3.0],
    "fourth power": [f**4.0],
    "power minus one": [f**-1.0],
    "power minus two": [f**-2.0],
    "power one half": [abs_(f) ** 0.5],
    "power minus one half": [abs_(f) ** -0.5],
}
UNTOUCHED = {
    "plus zero turns -0.0": f + 0.0,
    "times zero keeps NaN": f * 0.0,
    "minus itself keeps NaN": f - f,
    "no power of two": f / 3.0,
    "equal itself is false for NaN": eq(f, f),
    "not less is not at least": lt(f, g) ^ True,
    "cast loses": f.cast(float16).cast(float32),
    "cast loses range": i.cast(float32).cast(int64),
    "relu of half": where(le(h, 0.0), 0.0, h),
    "sum rounds": reduced("sum", splat(0.1), -1),
    "sum of copies rounds": reduced("sum", one.expand((3, 7)), -1),
    "slice reaches two": part(joined(f, g), 10, 4),
    "slice overlaps": part(update(f, part(g, 0, 3), 4), 3, 3),
    "pad of another": padded(splat(0.0), 1, 2, 0, -0.0),
    "index along another axis": make(
        "gather", (f, make("argmax", (f,), axis=-2)), batch=1
    ),
}


def named(cases):
    return [
        pytest.param(name, v, id=f"{name} {n}")
        for name, values in cases.items()
        for n, v in enumerate(values)
    ]


def ran(graph):
    return interpret(graph, feeds(graph))[0]


def fires(name, v):
    """Whether a rule of this name has an answer for some node behind `v`."""
    for rule in (r for r in all_rules() if r.name == name):
        for node in Graph("", INPUTS, [v]).nodes():
            only = Rules([rule])
            if only(node) is not None:
                return True
    return False


def all_rules():
    return {id(r): r for rows in RULES.by_op.values() for _, r, _ in rows}.values()


@pytest.mark.parametrize("name, v", named(CASES))
def test_a_rule_fires_and_changes_no_bit(name, v):
    assert fires(name, v)
    before = Graph("before", INPUTS, [v])
    after = simplify(before)
    assert size(after.verify()) <= size(before) + (v.op == "pow")
    assert bits_equal(ran(before), ran(after))
    assert same(after, simplify(after))


@pytest.mark.parametrize("name, v", named(CLOSE))
def test_small_powers_are_products(name, v):
    assert fires(name, v)
    before = Graph("before", INPUTS, [v])
    after = simplify(before).verify()
    assert not any(node.op == "pow" for node in after.nodes())
    tolerance = 2e-3 if v.dtype is float16 else 1e-6
    np.testing.assert_allclose(ran(before), ran(after), rtol=tolerance)


@pytest.mark.parametrize("v", UNTOUCHED.values(), ids=UNTOUCHED)
def test_what_is_not_exact_stays(v):
    before = Graph("before", INPUTS, [v])
    assert ops(before) == ops(simplify(before))


def test_every_rule_has_a_case():
    assert {rule.name for rule in all_rules()} == {*CASES, *CLOSE}
