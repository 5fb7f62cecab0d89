"""checkpoint: the backward computes again what it needs; nothing else differs."""

from __future__ import annotations

import gc

import numpy as np
import pytest
import tracefuse as tf
from tracefuse import nn
from tracefuse.api.history import tape
from tracefuse.func import grad as func_grad
from tracefuse.utils.checkpoint import checkpoint, checkpoint_sequential


def network(lib=tf):
    lib.manual_seed(0)
    layers = [lib.nn.Linear(4, 16), lib.nn.GELU(), lib.nn.Dropout(0.5)]
    return lib.nn.Sequential(*layers, lib.nn.Linear(16, 16), lib.nn.Tanh())


def gradients(net, x, loss):
    net.zero_grad()
    x = x.detach().requires_grad_()
    tf.manual_seed(7)
    value = loss(x)
    value.backward()
    return [value.detach(), x.grad, *(p.grad for p in net.parameters())]


def same(a, b):
    for s, t in zip(a, b):
        np.testing.assert_allclose(s.numpy(), t.numpy(), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("jitted", [False, True])
def test_the_same_numbers_and_the_same_mask(jitted):
    net, x = network(), tf.arange(8.0).reshape(2, 4)
    plain = gradients(net, x, lambda x: (net(x) ** 2).sum())

    def loss(x):
        return (checkpoint(net, x, use_reentrant=False) ** 2).sum()

    f = tf.jit(loss) if jitted else loss
    for _ in range(3):
        same(plain, gradients(net, x, f))


def test_a_whole_jitted_step():
    net, x = network(), tf.arange(8.0).reshape(2, 4)

    def step(x, f):
        net.zero_grad()
        tf.manual_seed(7)
        (f(x) ** 2).sum().backward()

    plain = tf.jit(lambda x: step(x, net))
    again = tf.jit(lambda x: step(x, tf.checkpoint(net)))
    found = []
    for run in (plain, again, again):
        run(x)
        found.append([p.grad.clone() for p in net.parameters()])
    same(found[0], found[1])
    same(found[0], found[2])


def count(graph, op):
    return sum(v.op == op for v in graph.nodes())


def test_the_repetition_survives_sharing():
    def step(x, f):
        x = x.detach().requires_grad_()
        y = f(x).sum()
        y.backward()
        return y.detach(), x.grad

    def chain(x):
        return x.sin().exp().sin()

    x = tf.ones(3)
    plain = tf.jit(lambda x: step(x, chain)).lower(x).graph
    twice = tf.jit(lambda x: step(x, tf.checkpoint(chain))).lower(x).graph
    assert (count(plain, "exp"), count(twice, "exp")) == (1, 2)
    assert (count(plain, "again"), count(twice, "again")) == (0, 1)


def residuals(root):
    """The arrays that a history keeps, each once."""
    stack, seen, arrays = [tape(root)], set(), {}
    while stack:
        v = stack.pop()
        if v.id not in seen:
            seen.add(v.id)
            stack.extend(v.args)
            for entry in v.data if isinstance(v.data, list) else ():
                arrays[id(entry[1])] = entry[1]
    return sum(a.nbytes for a in arrays.values())


@pytest.mark.parametrize("jitted", [False, True])
def test_fewer_bytes_are_kept(jitted):
    def deep(x):
        for _ in range(10):
            x = (x @ w).tanh()
        return x

    w = tf.randn(64, 64, requires_grad=True)
    x = tf.randn(32, 64, requires_grad=True)
    wrap = tf.jit if jitted else lambda f: f
    plain = residuals(wrap(deep)(x))
    less = residuals(wrap(lambda x: checkpoint(deep, x))(x))
    given = (w.numel() + x.numel()) * 4
    assert plain >= given + 10 * x.numel() * 4
    assert less <= given


def test_dropout_keeps_no_mask():
    x = tf.ones(1000, requires_grad=True)
    drop = nn.Dropout(0.5)
    y = checkpoint(lambda x: drop(x) * 2, x)
    assert residuals(y) <= x.numel() * 4 + 64
    y.sum().backward()
    assert x.grad.tolist() == y.tolist()  # the same elements were dropped


def test_second_derivatives():
    exact = func_grad(func_grad(lambda x: (x**4).sin()))
    found = func_grad(func_grad(tf.checkpoint(lambda x: (x**4).sin())))
    x = tf.tensor(0.7, dtype=tf.float64)
    np.testing.assert_allclose(found(x).numpy(), exact(x).numpy())
    x = tf.tensor(0.7, dtype=tf.float64, requires_grad=True)
    (g,) = tf.autograd.grad(checkpoint(lambda x: (x**4).sin(), x), x, create_graph=True)
    (h,) = tf.autograd.grad(g, x)
    np.testing.assert_allclose(h.numpy(), exact(x.detach()).numpy())


def test_nested():
    def inner(x):
        return x.sin().exp()

    def outer(x):
        return checkpoint(inner, x).cos()

    x = tf.tensor(0.3, dtype=tf.float64)
    expected = func_grad(lambda x: inner(x).cos())(x)
    np.testing.assert_allclose(
        func_grad(lambda x: checkpoint(outer, x))(x).numpy(), expected.numpy()
    )


def test_several_results_and_plain_ones():
    def f(x, y, scale=1):
        return {"a": x * y * scale, "n": 3, "b": (y.exp(), None)}

    x, y = (tf.ones(2, requires_grad=True) for _ in range(2))
    out = checkpoint(f, x, y, scale=4, use_reentrant=False)
    assert out["n"] == 3 and out["b"][1] is None
    (out["a"].sum() + out["b"][0].sum()).backward()
    assert x.grad.tolist() == [4.0, 4.0]
    np.testing.assert_allclose(y.grad.numpy(), 4 + np.exp([1.0, 1.0]), rtol=1e-6)


def test_buffers_are_updated_once():
    norm = nn.BatchNorm1d(3)
    x = tf.randn(8, 3).requires_grad_()
    checkpoint(norm, x).sum().backward()
    assert norm.num_batches_tracked.item() == 1


def test_functions_with_backwards_of_their_own():
    class Cube(tf.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, g):
            return 100 * g * ctx.saved_tensors[0]

    def f(x):
        return checkpoint(lambda x: Cube.apply(x.sin()).exp().sum(), x)

    x = tf.tensor([0.5], dtype=tf.float64, requires_grad=True)
    s = np.sin(0.5)
    for run in (f, tf.jit(f)):
        (g,) = tf.autograd.grad(run(x), x)
        np.testing.assert_allclose(
            g.numpy(), np.exp(s**3) * 100 * s * np.cos(0.5), rtol=1e-9
        )


def test_python_may_look_at_numbers():
    def f(x):
        return x.sin() if x.sum() > 0 else x.cos()

    for sign in (1.0, -1.0):
        x = tf.full((2,), sign, requires_grad=True)
        y = tf.full((2,), sign, requires_grad=True)
        checkpoint(f, x).sum().backward()
        f(y).sum().backward()
        np.testing.assert_allclose(x.grad.numpy(), y.grad.numpy())


def test_a_second_backward():
    x = tf.ones(2, requires_grad=True)
    y = checkpoint(lambda x: x.exp(), x).sum()
    y.backward(retain_graph=True)
    y.backward()
    with pytest.raises(RuntimeError, match="a second time"):
        y.backward()


def test_without_gradients():
    assert not checkpoint(lambda x: x * 2, tf.ones(2)).requires_grad
    with tf.no_grad():
        assert not checkpoint(
            lambda x: x * 2, tf.ones(2).requires_grad_()
        ).requires_grad


@pytest.mark.parametrize("segments", [1, 2, 3, 5])
def test_sequential(segments):
    net, x = network(), tf.arange(8.0).reshape(2, 4)
    plain = gradients(net, x, lambda x: net(x).sum())

    def loss(x):
        return checkpoint_sequential(net, segments, x, use_reentrant=False).sum()

    same(plain, gradients(net, x, loss))
    same(plain, gradients(net, x, tf.jit(loss)))


def test_too_many_segments():
    with pytest.raises(ValueError, match="6 segments of 5 functions"):
        checkpoint_sequential(network(), 6, tf.ones(1, 4))


def test_errors_pass_through():
    def broken(x):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        checkpoint(broken, tf.ones(1, requires_grad=True))


def test_nothing_leaks():
    x = tf.ones(1000, requires_grad=True)
    checkpoint(lambda x: x.exp(), x).sum().backward()
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(20):
        checkpoint(lambda x: x.exp(), x).sum().backward()
    gc.collect()
    assert len(gc.get_objects()) - before < 200


@pytest.fixture
def budget():
    """Sets how much may be kept; afterwards as much as there is."""

    def set_to(count):
        tf.config.memory_budget = count

    yield set_to
    tf.config.memory_budget = None


def test_a_memory_budget(budget):
    w = tf.randn(8, 8, dtype=tf.float64).requires_grad_()
    x = tf.randn(32, 8, dtype=tf.float64).requires_grad_()
    given, layer = (w.numel() + x.numel()) * 8, 32 * 8 * 8

    def deep(x):
        for _ in range(6):
            x = (x @ w).tanh()
        return x.sum()

    found = []
    for count in (None, 3 * layer, layer, 0):
        budget(count)
        y = tf.jit(deep)(x)
        kept = residuals(y) - given
        assert kept <= (6 * layer if count is None else count) + 64
        assert kept >= 0.9 * min(6 * layer, 10**9 if count is None else count) - 64
        found.append(tf.autograd.grad(y, [w, x]))
    for grads in found[1:]:
        same(found[0], grads)


def test_a_budget_that_is_none(budget):
    with pytest.raises(ValueError, match="memory_budget must be None or at least 0"):
        budget(-1)
