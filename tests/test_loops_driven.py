"""Loops that Python drives: pieces compiled once, memory flat, gradients in pieces."""

from __future__ import annotations

import gc
import tracemalloc
import warnings

import numpy as np
import pytest
import tracefuse as torch
from tracefuse.api import engine


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def beside(x, n):
    """A sum that the test does not read is computed as well, not put off."""
    total, k = torch.zeros(()), 0
    while x < n:
        x, total, k = x + 1, total * 0.5 + x, k + 1
    return x, total, k


def smooth(w, n):
    x, c, k = w.sin(), w * 2, 0
    while k < n and x.norm() < 1e9:
        x = (x * 1.5 + c).tanh() + w * 0.1
        c = c * 0.99 + x.exp() * 0.01
        k += 1
    return (x * c).sum()


def peak(work):
    gc.collect()
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_ten_thousand_turns_grow_nothing():
    f = torch.jit(beside)

    def run(n):
        return f(torch.tensor(0.0), torch.tensor(n))

    run(300.0)
    before, least = len(engine._cache), peak(lambda: run(300.0))
    x, total, k = run(10_000.0)
    assert (x.item(), k) == (10_000, 10_000)
    want = beside(torch.tensor(9_900.0), torch.tensor(10_000.0))[1]
    assert total.item() == pytest.approx(want.item(), rel=1e-6)
    assert len(engine._cache) == before
    assert peak(lambda: run(3000.0)) < least + 50_000


def test_what_is_written_is_no_chain_either():
    total = torch.zeros(())

    @torch.jit
    def f(x, n):
        k = 0
        while x < n:
            x, k = x + 1, k + 1
            total.add_(x)
        return k

    assert f(torch.tensor(0.0), torch.tensor(300.0)) == 300
    before = len(engine._cache)
    assert f(torch.tensor(0.0), torch.tensor(1000.0)) == 1000
    assert total.item() == 300 * 301 / 2 + 1000 * 1001 / 2
    assert len(engine._cache) == before


def slope(f, scale, turns, times=1):
    w = torch.full((3,), scale, requires_grad=True)
    for _ in range(times):
        f(w * 1.5, turns).backward()
    return w.grad.tolist()


@pytest.mark.parametrize("turns", [3, 80, 300])
def test_gradients_through_many_turns(turns):
    f = torch.jit(smooth)
    for scale in (0.3, -0.2):
        np.testing.assert_allclose(
            slope(f, scale, turns), slope(smooth, scale, turns), rtol=1e-4
        )
        np.testing.assert_allclose(
            slope(f, scale, turns, 2), slope(smooth, scale, turns, 2), rtol=1e-4
        )


def test_a_long_backward_in_pieces_is_that_of_one_piece(monkeypatch):
    from tracefuse.api.autograd import python

    pieces = slope(smooth, 0.3, 700)
    monkeypatch.setattr(python, "_PIECE", 10**9)
    np.testing.assert_allclose(pieces, slope(smooth, 0.3, 700), rtol=1e-5)


def test_pieces_of_a_backward_are_shared():
    f = torch.jit(smooth)
    for g in (f, smooth):
        slope(g, 0.3, 600), slope(g, 0.3, 660)
        before = len(engine._cache)
        slope(g, 0.3, 1500)
        assert len(engine._cache) <= before + 3  # the ends of the way


def test_used_up_and_kept():
    f = torch.jit(smooth)
    w = torch.full((3,), 0.3, requires_grad=True)
    y = f(w, 100)
    y.backward(retain_graph=True)
    once = w.grad.tolist()
    y.backward()
    np.testing.assert_allclose(w.grad.tolist(), [2 * g for g in once], rtol=1e-6)
    with pytest.raises(RuntimeError, match="second time"):
        y.backward()


def test_a_second_derivative_through_many_turns():
    found = []
    for f in (torch.jit(smooth), smooth):
        w = torch.full((3,), 0.3, requires_grad=True)
        (g,) = torch.autograd.grad(f(w, 100), w, create_graph=True)
        (g * g).sum().backward()
        found.append(w.grad.tolist())
    np.testing.assert_allclose(*found, rtol=1e-3)


def test_a_write_between_the_call_and_its_backward_is_noticed():
    f = torch.jit(lambda x, w, n: smooth(x * w, n))
    x, w = torch.ones(3), torch.full((3,), 0.3, requires_grad=True)
    y = f(x, w, 100)
    x.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


def test_a_hook_sees_the_gradient():
    f, seen = torch.jit(smooth), []
    w = torch.full((3,), 0.3, requires_grad=True)
    w.register_hook(lambda g: seen.append(g.tolist()))
    f(w, 100).backward()
    assert seen == [w.grad.tolist()]


def test_gradients_where_tensors_are_written_as_well():
    def make():
        total = torch.zeros(3)

        def f(w, n):
            x, c, k = torch.zeros(()), w * 1, 0
            while x < n:
                x, k = x + 1, k + 1
                total.add_(x)
                c = c * 1.01 + w * x.sin()
            return (c * total).sum()

        return f

    plain, fast = make(), torch.jit(make())
    for n in (5.0, 100.0, 70.0):
        found = []
        for f in (plain, fast):
            w = torch.full((3,), 0.5, requires_grad=True)
            f(w, torch.tensor(n)).backward()
            found.append(w.grad.tolist())
        np.testing.assert_allclose(*found, rtol=1e-5)
