"""The engine of reverse mode: paths, sums, orders, calls, and the edges of calculus."""

import math

import numpy as np
import pytest
from derivative_tools import check, gradients, ones
from tracefuse.autodiff.residuals import split
from tracefuse.autodiff.vjp import backward_graph, vjp
from tracefuse.tracer.algebra import (
    erf,
    exp,
    sin,
    stop_gradient,
    tanh,
    where,
)
from tracefuse.tracer.errors import DTypeError, ShapeError
from tracefuse.tracer.graph import Graph, constant, here, make, placeholder
from tracefuse.tracer.interpret import interpret
from tracefuse.tracer.sizes import Dim, guess
from tracefuse.tracer.types import float16, float32, float64, int64

NAN, INF = math.nan, math.inf


def evaluate(outputs, inputs, arrays):
    """The numbers of `outputs`."""
    return interpret(Graph("test", inputs, outputs).verify(), arrays)


def scalar(name="x", dtype=float64):
    """An input without axes."""
    return placeholder(name, (), dtype)


# -- paths


def test_what_is_not_reached_is_none():
    x, z = scalar("x"), scalar("z")
    y = sin(x)
    assert vjp([y], [ones(y)], [z]) == [None]
    assert vjp([y], [None], [x]) == [None]
    assert vjp([], [], [x]) == [None]
    assert vjp([y], [ones(y)], []) == []


def test_an_output_that_is_asked_for_gets_its_own_cotangent():
    x = scalar()
    g = ones(x)
    assert vjp([x], [g], [x]) == [g]


def test_several_outputs_and_repeated_arguments_add_up():
    x = scalar()
    y = x * x
    total = vjp([y, y, x], [ones(x)] * 3, [x, x])
    assert total[0] is total[1]
    assert evaluate(total[:1], [x], [np.array(3.0)])[0] == 13


def test_values_in_between_are_free_variables():
    x = scalar()
    u = x * 3
    y = u * u
    by_u, by_x = vjp([y], [ones(y)], [u, x])
    got = evaluate([by_u, by_x], [x], [np.array(2.0)])
    assert [float(g) for g in got] == [12, 36]
    assert evaluate(vjp([y], [ones(y)], [u]), [x], [np.array(2.0)])[0] == 12


def test_two_leaves_of_one_value_are_two_variables():
    x = scalar()
    a, b = make("leaf", (x,)), make("leaf", (x,))
    y = a * a * b
    got = evaluate(vjp([y], [ones(y)], [a, b, x]), [x], [np.array(2.0)])
    assert [float(g) for g in got] == [8, 4, 12]


def test_nothing_passes_stop_gradient_integers_and_comparisons():
    x = scalar()
    stopped = stop_gradient(x)
    y = (
        stopped * 2
        + x.cast(int64).cast(float64)
        + where(x > 0, 1, constant(0, (), float64))
    )
    assert vjp([y], [ones(y)], [x]) == [None]
    # ... yet the stopped value itself is a variable like any other.
    assert vjp([y], [ones(y)], [stopped])[0] is not None


def test_a_step_function_has_slope_zero_not_none():
    (g,) = gradients(lambda x: make("floor", (x,)) * x, [np.array([1.5])])
    assert g == [1.0]


def test_the_backward_carries_the_source_lines_of_the_forward():
    x = scalar()
    here.line = "model.py:3"
    y = sin(x)
    here.line = "model.py:9"
    try:
        (g,) = vjp([y], [ones(y)], [x])
        assert g.line == "model.py:3" and here.line == "model.py:9"
    finally:
        here.line = None


def test_a_long_chain_is_walked_without_recursion():
    x = v = scalar()
    for _ in range(20_000):
        v = v + x
    (g,) = vjp([v], [ones(v)], [x])
    assert evaluate([g], [x], [np.array(1.0)])[0] == 20_001


def test_what_is_older_than_the_variables_is_not_walked():
    x = scalar()
    old = sin(x)
    leaf = make("leaf", (old,))
    y = leaf * leaf
    old.args = None  # so that looking behind it fails
    assert vjp([y], [ones(y)], [leaf])[0] is not None


@pytest.mark.parametrize("shape, dtype", [((3,), float32), ((2,), float64)])
def test_a_cotangent_that_does_not_fit_is_named(shape, dtype):
    x = placeholder("x", (2,), float32)
    with pytest.raises((ShapeError, DTypeError), match="cotangent"):
        vjp([x * 2], [constant(1, shape, dtype)], [x])


def test_half_types_stay_half():
    x = placeholder("x", (2,), float16)
    y = (tanh(x) * 3).cast(float32)
    (g,) = vjp([y], [ones(y)], [x])
    assert g.dtype is float16


def test_symbolic_sizes_are_differentiated_without_a_guess(monkeypatch):
    told = []
    monkeypatch.setattr(guess, "watcher", lambda text, _: told.append(text))
    b = Dim("b").bind(4)
    x, w = placeholder("x", (b, 3), float32), placeholder("w", (3, 2), float32)
    bias = placeholder("bias", (2,), float32)
    h = make("expand", (bias,), shape=(b, 2))
    y = tanh(make("dot", (x, w)) + h)
    y = make("concat", (y, y), axis=-2)
    y = make("slice", (y,), axis=-2, start=0, length=b, step=1)
    y = y * make("max", (y,), axes=(-1,)).reshape((b, 1)).expand((b, 2))
    y = make("windows", (y,), size=(2,), stride=(1,), dilation=(1,))
    loss = y.sum((-1,)).sum((-2, -1))
    told.clear()
    found = vjp([loss], [ones(loss)], [x, w, bias])
    assert [g.shape for g in found] == [x.shape, w.shape, bias.shape]
    assert told == []


# -- order


def test_third_order_by_repetition():
    y = x = scalar()
    y = x * x * x * x
    for _ in range(3):
        (y,) = vjp([y], [ones(y)], [x])
    assert evaluate([y], [x], [np.array(2.0)])[0] == 48


def test_a_small_network_to_the_second_order():
    rng = np.random.default_rng(3)
    shapes = [(3, 2), (2, 4), (4,), (4, 1)]

    def network(x, w, bias, v):
        h = make("dot", (x, w)) + bias.expand((3, 4))
        h = h * 0.5 * (1 + erf(h * math.sqrt(0.5)))
        return tanh(make("dot", (h, v)))

    check(network, [rng.standard_normal(s) for s in shapes])


# -- calls


def square_and_sum():
    """(x, z, n) -> (x * z, sin(x), n): the last one an integer."""
    x, z, n = scalar("x"), scalar("z"), scalar("n", int64)
    return Graph("inner", [x, z, n], [x * z, sin(x), n])


def called(graph, args):
    call = make("call", args, graph=graph)
    return [make("item", (call,), index=i) for i in range(len(graph.outputs))]


def test_the_derivative_of_a_call_is_one_call():
    x, n = scalar("x"), scalar("n", int64)
    u, v, _ = called(square_and_sum(), (x, x * 2, n))
    y = u * v
    (g,) = vjp([y], [ones(y)], [x])
    nodes = Graph("outer", [x, n], [g]).nodes()
    assert sum(v.op == "call" for v in nodes) == 2
    at = 0.7
    expected = 4 * at * math.sin(at) + 2 * at**2 * math.cos(at)
    got = evaluate([g], [x, n], [np.array(at), np.array(1)])[0]
    np.testing.assert_allclose(got, expected)


def test_calls_to_the_second_order_and_nested():
    inner = square_and_sum()
    x, n = scalar("x"), constant(1, (), int64)
    outer = Graph("outer", [x], [called(inner, (sin(x), x, n))[0]])
    check(lambda v: called(outer, (v,))[0] * v, [np.array(0.3)], order=3)


def test_arguments_a_call_does_not_use_are_not_reached():
    x, z = scalar("x"), scalar("z")
    u, v, _ = called(square_and_sum(), (x, z, constant(0, (), int64)))
    by_x, by_z = vjp([v], [ones(v)], [x, z])
    assert by_z is None and by_x is not None
    assert vjp([v], [ones(v)], [z]) == [None]


def test_backward_graphs_are_made_once():
    graph = square_and_sum()
    backward, reached = backward_graph(graph, (0, 1), (1,))
    assert reached == (0,) and len(backward.inputs) == 4
    assert backward_graph(graph, (0, 1), (1,))[0] is backward
    backward.verify()


# -- residuals


def layer():
    """x @ w, then a chain of pointwise steps."""
    x, w = placeholder("x", (3, 4), float64), placeholder("w", (4, 2), float64)
    h = make("dot", (x, w))
    return Graph("layer", [x, w], [tanh(sin(h) * exp(h)), h.sum((-1,))])


def test_a_split_forward_and_backward_agree_with_vjp():
    graph, rng = layer(), np.random.default_rng(5)
    arrays = [rng.standard_normal(v.shape) for v in graph.inputs]
    gs = [rng.standard_normal(v.shape) for v in graph.outputs]
    cut = split(graph, graph.inputs, (0, 1))
    results = interpret(cut.forward.verify(), arrays)
    for live in ((0, 1), (0,), (1,)):
        some = [gs[i] for i in live]
        backward, _ = cut.backward(live)
        got = interpret(backward.verify(), [*results[2:], *some])
        whole, _ = backward_graph(graph, (0, 1), live)
        for a, b in zip(got, interpret(whole, [*arrays, *some])):
            np.testing.assert_allclose(a, b)


def kept(graph, wrt, live):
    return [v.op for v in split(graph, wrt, live).forward.outputs[2:]]


def test_pointwise_steps_are_computed_again():
    graph = layer()
    assert kept(graph, graph.inputs, (0, 1)) == ["input", "input", "dot"]
    assert kept(graph, graph.inputs[1:], (1,)) == ["input"]


def test_a_split_knows_what_it_reaches():
    graph = layer()
    other = scalar("other")
    cut = split(graph, [other, graph.inputs[1]], (0,))
    assert cut.backward((0,))[1] == (1,) and cut.live == (0,)
