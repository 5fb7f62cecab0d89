"""The edges of calculus: kinks, zeros, ties, infinities, as PyTorch answers there."""

import itertools
import math

import numpy as np
import pytest
from derivative_tools import gradients, ones, variables
from tracefuse.autodiff.vjp import vjp
from tracefuse.tracer.algebra import (
    absolute,
    exp,
    log,
    maximum,
    minimum,
    sqrt,
    stop_gradient,
    where,
)
from tracefuse.tracer.graph import Graph, make, placeholder
from tracefuse.tracer.interpret import interpret
from tracefuse.tracer.types import int64

NAN, INF = math.nan, math.inf


def evaluate(outputs, inputs, arrays):
    """The numbers of `outputs`."""
    return interpret(Graph("test", inputs, outputs).verify(), arrays)


EDGES = {
    "abs": (absolute, [[0.0, -2, 3]], [[0, -1, 1]]),
    "sqrt": (sqrt, [[0.0, 4]], [[INF, 0.25]]),
    "log": (log, [[0.0]], [[INF]]),
    "maximum": (maximum, [[1.0, 2, 3], [1.0, 3, 2]], [[0.5, 0, 1], [0.5, 1, 0]]),
    "minimum": (minimum, [[1.0, 2, 3], [1.0, 3, 2]], [[0.5, 1, 0], [0.5, 0, 1]]),
    "pow": (
        lambda a, b: a**b,
        [[0.0, 0, 2, 0, NAN, 1e-320], [0.0, 2, 0, 0.5, 0, 0]],
        [[0, 0, 0, INF, 0, 0], [0, 0, math.log(2), 0, NAN, math.log(1e-320)]],
    ),
    "square of negatives": (lambda a: a**2, [[-3.0, 0]], [[-6, 0]]),
    "atan2": (
        lambda a, b: make("atan2", (a, b)),
        [[0.0, 0, 1], [0.0, 1, 0]],
        [[0, 1, 0], [0, 0, -1]],
    ),
    "div": (lambda a, b: a / b, [[0.0, 1], [2.0, 0]], [[0.5, INF], [0, -INF]]),
    "rem": (lambda a, b: a % b, [[5.0, -5], [3.0, 3]], [[1, 1], [-1, 2]]),
    "where": (lambda x: where(x > 0, log(x), 0), [[2.0, -1]], [[0.5, 0]]),
    "max": (lambda x: make("max", (x,), axes=(-1,)), [[2.0, 1, 2]], [[0.5, 0, 0.5]]),
    "min": (lambda x: make("min", (x,), axes=(-1,)), [[1.0, 1, 2]], [[0.5, 0.5, 0]]),
    "prod": (lambda x: make("prod", (x,), axes=(-1,)), [[0.0, 2, 3]], [[6, 0, 0]]),
    "prod of zeros": (
        lambda x: make("prod", (x,), axes=(-1,)),
        [[0.0, 2, 0]],
        [[0] * 3],
    ),
    "cumulative max": (
        lambda x: make("cumulative", (x,), axis=-1, mode="max"),
        [[1.0, 1, 0, 1]],
        [[1, 2, 0, 1]],
    ),
    "cumulative mul": (
        lambda x: make("cumulative", (x,), axis=-1, mode="mul"),
        [[2.0, 0, 3, 0]],
        [[1, 8, 0, 0]],
    ),
}


@pytest.mark.parametrize("name", EDGES)
def test_edges(name):
    build, arrays, expected = EDGES[name]
    for got, want in zip(gradients(build, arrays), expected):
        np.testing.assert_allclose(got, want)


def test_infinities_in_the_branch_not_taken_stay_there():
    # The cotangent of the dead branch is an exact zero, chosen and not multiplied.
    g = gradients(lambda x, z: where(x > 0, x, z), [[1.0], [INF]], lambda y: y / 0)
    assert g[0] == [INF] and g[1] == [0]


def test_powers_at_zero_have_a_second_derivative():
    x, n = variables([np.zeros(3), np.zeros(3)])
    y = x**n
    (g,) = vjp([y], [ones(y)], [x])
    second = vjp([g], [ones(g)], [x, n])
    at = [np.array([0.0, 0, 2]), np.array([2.0, 3, 2])]
    np.testing.assert_allclose(evaluate(second[:1], [x, n], at)[0], [2, 0, 2])


def scattered(mode, x, index, u):
    """The gradients of a scatter along one axis."""
    place = placeholder("index", (len(index),), int64)
    inputs = (*variables([np.array(x), np.array(u)]), place)
    attrs = {"batch": 0, "mode": mode}
    y = make("scatter", (inputs[0], place, inputs[1]), **attrs)
    found = vjp([y], [ones(y)], inputs[:2])
    return [list(a) for a in evaluate(found, inputs, [*map(np.array, (x, u, index))])]


def test_scatter_with_repeats_and_ties():
    assert scattered("set", [1.0, 2], [0, 0], [5.0, 6]) == [[0, 1], [0, 1]]
    assert scattered("add", [1.0, 2], [0, 0], [5.0, 6]) == [[1, 1], [1, 1]]
    assert scattered("max", [5.0, 2], [0, 0], [5.0, 4]) == [[0.5, 1], [0.5, 0]]
    assert scattered("min", [5.0, 2], [0, 1], [5.0, 4]) == [[0.5, 1], [0.5, 0]]
    assert scattered("mul", [3.0, 2], [0, 0], [0.0, 4]) == [[0, 1], [12, 0]]
    assert scattered("mul", [3.0, 2], [0, 0], [0.0, 0]) == [[0, 1], [0, 0]]


def test_log_softmax_of_large_numbers():
    def log_softmax(x):
        top = stop_gradient(make("max", (x,), axes=(-1,)).reshape((1,)).expand(x.shape))
        shifted = x - top
        total = log(exp(shifted).sum((-1,)))
        picked = make("slice", (shifted,), axis=-1, start=0, length=1, step=1)
        return picked.reshape(()) - total

    (g,) = gradients(log_softmax, [np.array([1e4, 0.0, -1e4])])
    np.testing.assert_allclose(g, [0, 0, 0], atol=1e-12)


# -- the same questions to PyTorch, where it is installed

GRID = [-INF, -2.0, -1, -0.5, -0.0, 0, 0.5, 1, 2, 3, INF, NAN]
ONE = "neg abs floor round sqrt exp expm1 log log1p sin cos tanh erf erfinv".split()
TWO = "add sub mul div rem pow atan2 maximum minimum".split()


def peer_gradients(name, arrays):
    torch = pytest.importorskip("torch")
    function = getattr(torch, {"rem": "remainder"}.get(name, name))
    tensors = [torch.tensor(a, requires_grad=True) for a in arrays]
    function(*tensors).sum().backward()
    return [t.grad.numpy() for t in tensors]


@pytest.mark.parametrize("op", ONE + TWO)
def test_pointwise_edges_agree_with_torch(op):
    pairs = np.array(list(itertools.product(GRID, GRID)))
    arrays = [np.array(GRID)] if op in ONE else [pairs[:, 0].copy(), pairs[:, 1].copy()]
    expected = peer_gradients(op, arrays)
    for got, want in zip(gradients(lambda *v: make(op, v), arrays), expected):
        np.testing.assert_allclose(got, want, rtol=1e-12)


@pytest.mark.parametrize("mode", ["cummax", "cummin", "cumprod", "cumsum"])
def test_scans_agree_with_torch(mode):
    torch = pytest.importorskip("torch")
    x = np.array([[1.0, 1, 0, 2, 0, 2], [0, -1, 0.5, 0.5, 3, 0]])
    t = torch.tensor(x, requires_grad=True)
    y = getattr(torch, mode)(t, 1)
    (y[0] if mode in ("cummax", "cummin") else y).square().sum().backward()
    short = {"cumprod": "mul", "cumsum": "add"}.get(mode, mode[3:])

    def build(v):
        y = make("cumulative", (v,), axis=-1, mode=short)
        return y * y

    np.testing.assert_allclose(gradients(build, [x])[0], t.grad.numpy())


@pytest.mark.parametrize("op", ["max", "min", "prod"])
def test_reductions_with_ties_and_zeros_agree_with_torch(op):
    torch = pytest.importorskip("torch")
    peer = {"max": torch.amax, "min": torch.amin, "prod": torch.prod}[op]
    x = np.array([[1.0, 3, 3], [0, 2, 0], [0, 2, 5]])
    t = torch.tensor(x, requires_grad=True)
    peer(t, 1).sum().backward()
    (g,) = gradients(lambda v: make(op, (v,), axes=(-1,)), [x])
    np.testing.assert_allclose(g, t.grad.numpy())
