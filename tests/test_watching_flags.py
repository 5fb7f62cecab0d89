"""jit: `requires_grad_()` of an argument is replayed; of anything else it is seen."""

from __future__ import annotations

import pytest
import tracefuse as torch
from tracefuse import nn


def slope_of(net, x):
    x.requires_grad_()
    u = net(x)
    (du,) = torch.autograd.grad(u.sum(), x, create_graph=True)
    return u, du


def test_a_network_of_its_own_derivative():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1))
    f = lambda x: [t.detach() for t in slope_of(net, x)]
    f(torch.ones(2, 1))  # what is imported late is imported
    fast = torch.jit(f)
    for n in (5, 5, 7, 9):
        a, b = (torch.linspace(0, 1, n).reshape(-1, 1) for _ in range(2))
        for got, want in zip(fast(a), f(b)):
            assert torch.allclose(got, want, atol=1e-6)
        assert a.requires_grad and a.is_leaf
    assert fast.cache_info()["recordings"] == 2, fast.explain()


def test_the_gradient_arrives_from_outside():
    fast = torch.jit(lambda x: (x.requires_grad_() * 3).sum())
    for _ in range(3):
        x = torch.ones(2)
        fast(x).backward()
        assert x.grad.tolist() == [3, 3]
    assert fast.cache_info()["recordings"] == 1


def test_the_gradient_arrives_inside():
    @torch.jit
    def step(x):
        x.requires_grad = True
        (x * x).sum().backward()

    for k in (1, 2, 3):
        x = torch.full((2,), float(k))
        step(x)
        assert x.grad.tolist() == [2 * k, 2 * k]
    assert step.cache_info()["recordings"] == 1


def test_it_may_be_a_variable_already():
    fast = torch.jit(lambda x: (x.requires_grad_() * 3).sum())
    for ready in (False, True, False, True):
        x = torch.ones(2, requires_grad=ready)
        fast(x).backward()
        assert x.grad.tolist() == [3, 3]
    assert fast.cache_info()["recordings"] == 2


def test_a_variable_that_is_none_any_more():
    fast = torch.jit(lambda x: x.requires_grad_(False) * 2)
    for _ in range(3):
        x = torch.ones(2, requires_grad=True)
        assert not fast(x).requires_grad and not x.requires_grad
    assert fast.cache_info()["recordings"] == 1


def test_who_captured_the_argument_hears_of_it():
    w = torch.ones(2)
    other = torch.jit(lambda x: x * w)
    fast = torch.jit(lambda x: x.requires_grad_() * 2)
    fast(torch.ones(2)), other(torch.ones(2)), fast(torch.ones(2))
    assert not other(torch.ones(2)).requires_grad
    fast(w)
    assert other(torch.ones(2)).requires_grad


def test_a_captured_tensor_becomes_a_variable_once():
    w = torch.ones(2)
    fast = torch.jit(lambda x: x * w.requires_grad_())
    for _ in range(4):
        assert fast(torch.ones(2)).requires_grad
    assert fast.cache_info()["paths"] == 1


def test_nothing_has_happened_when_it_fails():
    x = torch.ones(2)
    with pytest.raises(RuntimeError):
        torch.jit(lambda x: x.requires_grad_().reshape(7))(x)
    assert x.requires_grad  # what Python raises comes after what it did
