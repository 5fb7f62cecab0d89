"""The pass as a whole: it changes no bit, and what it keeps."""

from __future__ import annotations

import numpy as np
import pytest
from graphs import bits_equal, feeds, graphs, size
from hypothesis import given, settings
from tracefuse.tracer.algebra import absolute as abs_
from tracefuse.tracer.algebra import (
    stop_gradient,
)
from tracefuse.tracer.graph import Graph, here, make, placeholder
from tracefuse.tracer.interpret import interpret
from tracefuse.tracer.simplifying.rewrite import Rule, Rules, c, x, y
from tracefuse.tracer.simplifying.simplify import simplify
from tracefuse.tracer.sizes import Dim, guess
from tracefuse.tracer.structure import graph_key, same, structure_key
from tracefuse.tracer.types import (
    bool_,
    float32,
    int32,
    int64,
)
from values import INPUTS, S, f, g, neg, ops, part, splat


@pytest.fixture(autouse=True)
def no_line(monkeypatch):
    """Other tests leave the last user's line behind."""
    monkeypatch.setattr(here, "line", None)


@settings(max_examples=150, deadline=None)
@given(graphs())
def test_random_graphs_keep_their_bits(graph):
    after = simplify(graph).verify()
    assert size(after) <= size(graph)
    assert same(after, simplify(after))
    for a, b in zip(interpret(graph, feeds(graph)), interpret(after, feeds(graph))):
        assert bits_equal(a, b)


# -- the pass


def test_equal_nodes_become_one_and_unequal_constants_do_not():
    twice = Graph("twice", INPUTS, [(f + g) * (g + f), f + 1.0, f + 1.0])
    after = simplify(twice)
    assert ops(after) == ["add", "mul", "add"]
    assert after.outputs[1] is after.outputs[2]
    zeros = Graph("zeros", INPUTS, [splat(0.0), splat(-0.0), splat(0, S, int32)])
    assert len(set(simplify(zeros).outputs)) == 3
    nans = Graph("nans", INPUTS, [splat(float("nan")), splat(float("nan"))])
    assert len(set(simplify(nans).outputs)) == 1


def test_a_constant_is_the_shortest_of_its_type():
    folded = simplify(Graph("f", [f], [splat(0.1) * splat(3.0), splat(0.1) + 0.0]))
    assert [v.attrs["value"] for v in folded.outputs] == [0.3, 0.1]
    assert np.float32(0.3) == np.float32(0.1) * np.float32(3.0)


def test_marks_of_differentiation_stay_until_the_end():
    a, b = make("leaf", (f,)), make("leaf", (f,))
    marked = Graph("marked", [f], [a * 1.0 + b, stop_gradient(a), stop_gradient(f)])
    kept, final = simplify(marked, final=False), simplify(marked)
    assert ops(kept) == ["leaf", "leaf", "add", "stop_gradient"]
    assert kept.outputs[0].live and kept.outputs[2] is kept.inputs[0]
    assert ops(final) == ["add"] and not final.outputs[0].live
    assert final.outputs[1] is final.outputs[2] is final.inputs[0]


def test_nodes_keep_the_first_line():
    here.line = "model.py:1"
    first = f + g
    here.line = "model.py:2"
    second = (f + g) * f**2.0
    here.line = None
    after = simplify(Graph("lines", INPUTS, [first * second]))
    lines = [v.line for v in after.nodes()[len(INPUTS) :]]
    assert lines == ["model.py:1", "model.py:2", "model.py:2", None]
    assert here.line is None


def called(graph, *args):
    call = make("call", args, graph=graph)
    return [make("item", (call,), index=n) for n in range(len(graph.outputs))]


def test_calls_are_inlined_however_deep():
    inner = Graph("inner", [f, g], [f + g, f * g])
    graph = inner
    for _ in range(2000):
        total, product = called(graph, g, f)
        graph = Graph("outer", [f, g], [total, neg(neg(product))])
    after = simplify(graph)
    assert ops(after) == ["add", "mul"]
    assert isinstance(graph_key(graph), tuple)


def test_the_symbols_of_a_call_take_the_callers_names():
    n, b = Dim("n"), Dim("b")
    inner_x = placeholder("x", (n, 3), float32)
    inner = Graph("inner", [inner_x], [inner_x.reshape((n * 3,)) + 1.0])
    outer_x = placeholder("x", (b, 2, 3), float32)
    (result,) = called(inner, outer_x.reshape((b * 2, 3)))
    assert str(result.shape) == "(6*b,)"
    after = simplify(Graph("outer", [outer_x], [result])).verify()
    assert str(after.outputs[0].shape) == "(6*b,)"
    assert ops(after) == ["reshape", "add"]


def test_guards_are_kept():
    guarded = Graph("guarded", INPUTS, [f], [((f * 1.0).sum((-1, -2)) < 0.0, True)])
    ((value, outcome),) = simplify(guarded).guards
    assert value.op == "lt" and outcome is True


def test_an_input_may_be_a_computed_value():
    middle = -f
    cut = Graph("cut", [middle], [-middle])
    after = simplify(cut).verify()
    assert ops(after) == ["neg"] and after.inputs[0].op == "input"


def test_no_symbolic_size_is_guessed(monkeypatch):
    monkeypatch.setattr(guess, "watcher", lambda *told: pytest.fail(f"told {told}"))
    b = Dim("b")
    v = placeholder("v", (b, 4), float32)
    flat = v.reshape((b * 4,)).reshape((b, 4)).permute((-1, -2)).permute((-1, -2))
    both = make("concat", (flat, v), axis=-2)
    cut = part(part(both, b, b, 1, -2), 0, b, 1, -2)
    graph = Graph(
        "symbols", [v], [cut + part(v, 0, b // 2, 1, -2).sum((-2,)).expand((b, 4))]
    )
    assert ops(simplify(graph)) == ["slice", "sum", "expand", "add"]


def test_an_index_that_is_needed_anyway_is_used():
    index = make("argmax", (f,), axis=-1)
    value = make("gather", (f, index), batch=1)
    assert ops(simplify(Graph("both", INPUTS, [value, index]))) == ["argmax", "gather"]


def test_a_long_program_is_no_burden():
    v = f
    for n in range(7000):
        v = v * 1.5 + (g if n % 3 else f * g)
    graph = Graph("long", INPUTS, [v])
    after = simplify(graph)
    assert len(after.nodes()) == 14000 + 2 + len(INPUTS)
    assert structure_key(after.outputs, after.inputs) == structure_key(
        *(lambda again: (again.outputs, again.inputs))(simplify(after))
    )


def test_keys_tell_kinds_apart():
    keys = {
        structure_key([splat(value, S, dtype)], [])
        for value, dtype in [(1, int32), (1, int64), (1.0, float32), (True, bool_)]
        + [(0.0, float32), (-0.0, float32)]
    }
    assert len(keys) == 6
    assert structure_key([f + g], [f, g]) == structure_key([f + g], [f, g])
    assert structure_key([f - g], [f, g]) != structure_key([f - g], [g, f])


# -- the pattern language


def test_a_repeated_variable_is_one_value():
    rule = Rule("twice", x + x, x * 2.0)
    assert rule(f + g) is None
    assert rule(f + f).op == "mul"


def test_operands_match_either_way_round_where_that_is_the_same():
    rules = Rules([Rule("found", (x * y) + c, y)])
    assert rules(splat(3.0) + f * g) is not None
    assert Rules([Rule("found", 3.0 - x, x)])(f - 3.0) is None


def test_a_result_is_built_as_written():
    built = Rule("r", abs_(x), 1.0 / (x * x + 2.0))(abs_(f))
    plain = Graph("r", [f], [1.0 / (f * f + 2.0)])
    assert same(Graph("r", [f], [built]), plain)
