"""`jit(f, verify=True)`: agrees where all is well, names the line where it is not."""

from __future__ import annotations

import numpy as np
import pytest
import tracefuse as tf
from gpu_tools import gpu  # noqa: F401
from tracefuse import jit
from tracefuse.api.verify import verified
from tracefuse.kernels.numpy import opaque, pointwise

NAMES = iter(range(10**6))


def named(function):
    """The function under a name that no kernel was ever compiled for."""
    function.__name__ = f"{function.__name__}_{next(NAMES)}"
    return function


def line_of(function, text):
    """ "file.py:12" of the line of a function that holds a text."""
    import inspect

    lines, first = inspect.getsourcelines(function)
    at = next(i for i, line in enumerate(lines) if text in line)
    return f"{inspect.getsourcefile(function).rsplit('/', 1)[-1]}:{first + at}"


def training():
    tf.manual_seed(3)
    net = tf.nn.Sequential(tf.nn.Linear(4, 3), tf.nn.Tanh(), tf.nn.BatchNorm1d(3))
    adam = tf.optim.Adam(net.parameters(), lr=0.1)

    def step(x):
        adam.zero_grad()
        loss = (tf.nn.functional.dropout(net(x)) ** 2).mean()
        loss.backward()
        adam.step()
        return loss

    return net, step


@pytest.mark.parametrize("verify", [True, "float64"])
def test_a_training_step_advances_once(verify):
    results = []
    for wrap in (lambda f: f, lambda f: jit(named(f), verify=verify)):
        net, step = training()
        run = wrap(step)
        losses = [run(tf.randn(5, 4)).item() for _ in range(4)]
        results.append((losses, [t.tolist() for t in net.state_dict().values()]))
    np.testing.assert_allclose(results[0][0], results[1][0], rtol=1e-5)
    for a, b in zip(results[0][1], results[1][1]):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_python_state_advances_once():
    class Box:
        calls = 0

    box, seen, total, rows = Box(), [], 0, {"n": tf.zeros(2)}

    @jit(verify=True)
    def f(x):
        nonlocal total
        box.calls += 1
        seen.append(box.calls)
        total += 1
        rows["n"] += x
        rows[box.calls] = x * 2
        return x * total

    for i in range(1, 4):
        assert f(tf.ones(2)).tolist() == [i, i]
    assert (box.calls, seen, total) == (3, [1, 2, 3], 3)
    assert rows["n"].tolist() == [3.0, 3.0] and list(rows) == ["n", 1, 2, 3]


def test_random_numbers_are_alike_and_drawn_once():
    @jit(verify=True)
    def f(x):
        return x + tf.rand(3)

    tf.manual_seed(1)
    got = [f(tf.zeros(3)) for _ in range(3)]
    tf.manual_seed(1)
    assert all(tf.equal(a, tf.rand(3)) for a in got)


def test_arguments_that_are_written():
    @jit(verify=True)
    def f(x, y):
        x[0] += y.sum()
        y.mul_(2)
        return x

    x, y = tf.ones(3), tf.ones(2)
    assert f(x, y) is x
    assert x.tolist() == [3.0, 1.0, 1.0] and y.tolist() == [2.0, 2.0]


def test_an_exception_is_the_same():
    @jit(verify=True)
    def f(x):
        x += 1
        if x.sum() > 2:
            raise KeyError("too large")
        return x

    x = tf.zeros(2)
    f(x)
    with pytest.raises(KeyError, match="too large"):
        f(x)
    assert x.tolist() == [2.0, 2.0]


def test_a_broken_kernel_is_named_with_its_line(monkeypatch):
    def f(x):
        y = x * 2
        z = tf.tanh(y)
        return (z + 1).sum()

    good, x = jit(named(f), verify=True), tf.tensor([0.5, 0.25])
    good(x)
    monkeypatch.setitem(pointwise.UFUNCS, "tanh", "sin")
    broken = jit(named(f), verify=True)
    with pytest.raises(tf.VerifyError) as caught:
        broken(x)
    text = str(caught.value)
    assert f"tanh at {line_of(f, 'tf.tanh')}" in text
    assert text.startswith(f"{f.__name__}: the result differs in 1 of 1 elements")


def test_nothing_is_changed_where_it_differs(monkeypatch):
    monkeypatch.setitem(pointwise.UFUNCS, "expm1", "exp")
    count = []

    @named
    def f(x):
        count.append(1)
        x.copy_(tf.expm1(x))

    x, broken = tf.tensor([0.5, 0.25]), jit(f, verify=True)
    for _ in range(2):
        with pytest.raises(tf.VerifyError, match="argument 0 differs in 2 of 2"):
            broken(x)
    assert x.tolist() == [0.5, 0.25] and count == []


def test_a_broken_kernel_in_the_backward(monkeypatch):
    w = tf.full((2,), 0.5, requires_grad=True)

    @named
    def f(x):
        y = tf.sin(x * w)
        y.sum().backward()

    monkeypatch.setitem(pointwise.UFUNCS, "cos", "exp")
    with pytest.raises(tf.VerifyError, match=r"(?s)w.grad differs.*cos at test_verify"):
        jit(f, verify=True)(tf.ones(2))
    assert w.grad is None


def test_a_broken_product(monkeypatch):
    def wrong(p, v):
        dot(p, v)
        p.write(f"{p.stored[v.id].text}[...] += 1")

    dot = opaque.EMITTERS["dot"]
    monkeypatch.setitem(opaque.EMITTERS, "dot", wrong)

    @named
    def f(a):
        b = tf.relu(a @ a)
        return b

    with pytest.raises(tf.VerifyError, match="dot at test_verify.py"):
        jit(f, verify=True)(tf.ones(3, 3))


def test_a_stale_program_is_noticed(monkeypatch):
    factor = [2.0]

    @named
    def f(x):
        y = x + 1
        return y * factor[0]

    run, x = jit(f, verify=True), tf.ones(2)
    for _ in range(3):
        run(x)
    assert run.cache_info()["paths"] >= 1
    for entry in run._all():  # what a hole in the watching of Python would do
        first = entry.call
        monkeypatch.setattr(
            entry, "call", lambda args, kwargs, go=first: stale(factor, go, args)
        )
    factor[0] = 5.0
    with pytest.raises(tf.VerifyError, match="differs in 2 of 2 elements"):
        run(x)


def stale(factor, go, args):
    now, factor[0] = factor[0], 2.0
    try:
        return go(args, {})
    finally:
        factor[0] = now


def test_a_wrong_result_type_or_structure(monkeypatch):
    def f(x):
        return x, 3

    run = jit(named(f), verify=True)
    monkeypatch.setattr(type(run).__mro__[1], "__call__", lambda self, x: (x, 4))
    with pytest.raises(tf.VerifyError, match="is 3 in plain Python, 4 compiled"):
        run(tf.ones(1))
    monkeypatch.setattr(type(run).__mro__[1], "__call__", lambda self, x: (x.half(), 3))
    with pytest.raises(tf.VerifyError, match="float32.1. in plain Python, float16.1."):
        run(tf.ones(1))

    def fails(self, x):
        raise ZeroDivisionError

    monkeypatch.setattr(type(run).__mro__[1], "__call__", fails)
    with pytest.raises(tf.VerifyError, match="returns, the compiled function raises Z"):
        run(tf.ones(1))


def test_a_float64_reference_sees_what_tolerances_allow(monkeypatch):
    def f(x):
        return tf.exp(x) * 1e-3

    x = tf.full((4,), 1.0)
    off = 1 + 6e-5  # within what float32 results may differ
    monkeypatch.setitem(pointwise.UFUNCS, "exp", "exp")
    jit(named(f), verify="float64")(x)
    run, g = jit(named(f), verify=True), jit(named(f), verify="float64")
    for checked in (run, g):
        monkeypatch.setattr(
            type(checked).__mro__[1], "__call__", lambda self, x: f(x) * off
        )
    run(x)
    with pytest.raises(tf.VerifyError, match="further from a float64 reference"):
        g(x)


def test_what_verify_may_be():
    with pytest.raises(ValueError, match="True or 'float64', not 'float16'"):
        jit(lambda x: x, verify="float16")
    f = jit(lambda x: x + 1, verify=False)
    assert type(f) is jit.Jitted if hasattr(jit, "Jitted") else f(tf.ones(1)) == 2


def test_inside_another_call_it_is_part_of_that():
    @jit(verify=True)
    def inner(x):
        return x * 2

    outer = jit(lambda x: inner(x) + 1)
    assert [outer(tf.ones(1)).item() for _ in range(2)] == [3.0, 3.0]


@pytest.mark.parametrize("verify", [True, "float64"])
def test_on_a_gpu_a_training_step_advances_once(gpu, verify):  # noqa: F811
    pytest.importorskip("triton")
    results = []
    for wrap, place in ((named, "cpu"), (lambda f: jit(named(f), verify=verify), gpu)):
        net, step = training()
        net.to("cpu" if place == "cpu" else "cuda")
        run = wrap(step)
        inputs = [tf.randn(5, 4).to("cpu" if place == "cpu" else "cuda")] * 4
        tf.manual_seed(5)
        losses = [run(x).item() for x in inputs]
        results.append((losses, [t.tolist() for t in net.state_dict().values()]))
    np.testing.assert_allclose(results[0][0], results[1][0], rtol=1e-4)
    for a, b in zip(results[0][1], results[1][1]):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)


def test_on_a_gpu_plain_python_runs_no_kernel(gpu):  # noqa: F811
    """The reference shares nothing with what is verified."""
    pytest.importorskip("triton")
    x = tf.ones(2, device="cuda", requires_grad=True)
    before = gpu.count("launch")
    with verified._plainly():
        y = (tf.tanh(x) + x).sum()
        y.backward()
    assert gpu.count("launch") == before
    assert y.is_cuda and x.grad.is_cuda
    assert (tf.tanh(x) + x).sum().item() == pytest.approx(y.item())
    assert gpu.count("launch") > before


def test_on_a_gpu_a_broken_kernel_is_named(gpu, monkeypatch):  # noqa: F811
    pytest.importorskip("triton")
    lowering = pytest.importorskip("tracefuse.kernels.triton.lowering")

    @named
    def f(x):
        y = tf.tanh(x * 2)
        x += 1
        return y

    x = tf.tensor([0.5, 0.25], device="cuda")
    monkeypatch.setitem(lowering.ROWS, "tanh", lowering.ROWS["sin"])
    with pytest.raises(tf.VerifyError) as caught:
        jit(f, verify=True)(x)
    assert f"tanh at {line_of(f, 'tf.tanh')}" in str(caught.value)
    assert x.tolist() == [0.5, 0.25]
