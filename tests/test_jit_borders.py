"""Where jitted results meet eager gradients: several results, several orders."""

from __future__ import annotations

import pytest
import tracefuse as torch
from tracefuse import nn


def test_backward_of_one_result_after_the_other():
    f = torch.jit(lambda x: (x.sin(), x.cos()))
    for _ in range(3):
        x = torch.tensor([0.5], requires_grad=True)
        a, b = f(x)
        a.sum().backward()
        b.sum().backward()
        want = x.detach().cos() - x.detach().sin()
        assert x.grad.tolist() == pytest.approx(want.tolist())
        with pytest.raises(RuntimeError, match="second time"):
            a.sum().backward()


def test_a_path_that_is_not_there_gives_no_gradient():
    f = torch.jit(lambda x, y: (x * 2, y * 2))
    for _ in range(3):
        x = torch.ones(1, requires_grad=True)
        y = torch.ones(1, requires_grad=True)
        a, _ = f(x, y)
        a.sum().backward()
        assert x.grad.tolist() == [2.0] and y.grad is None


def test_second_order_where_the_forward_keeps_its_result():
    f = torch.jit(lambda x: x.exp())
    for _ in range(3):
        x = torch.tensor([0.5], requires_grad=True)
        b = f(x)
        (g,) = torch.autograd.grad((b * b).sum(), x, create_graph=True)
        (h,) = torch.autograd.grad((g**2).sum(), x)
        # g = 2 e^2x, g^2 = 4 e^4x, its slope 16 e^4x
        want = 16 * (x.detach() * 4).exp()
        assert h.tolist() == pytest.approx(want.tolist(), rel=1e-5)


def test_an_argument_and_a_captured_leaf_with_a_backward_inside():
    p = torch.tensor([2.0], requires_grad=True)
    x = torch.tensor([3.0], requires_grad=True)

    @torch.jit
    def f(x):
        (p * x).sum().backward()

    for i in range(1, 5):
        f(x)
        assert p.grad.tolist() == [3.0 * i] and x.grad.tolist() == [2.0 * i]


def test_a_parameter_written_and_then_used():
    p = nn.Parameter(torch.arange(4.0))

    @torch.jit
    def f(x):
        with torch.no_grad():
            p.add_(x)
        return (p * p).sum()

    for _ in range(3):
        out = f(torch.tensor(2.0))
        (g,) = torch.autograd.grad(out, p)
        assert g.tolist() == (p.detach() * 2).tolist()


def test_a_gradient_that_is_no_scalar_says_so():
    inner = torch.grad(lambda x: (x**3).sum())
    for f in (torch.grad(inner), torch.jit(torch.grad(inner))):
        with pytest.raises(RuntimeError, match="scalar"):
            f(torch.tensor([3.0]))


def test_a_gradient_by_a_value_in_between_uses_up_only_its_way():
    x = torch.tensor([2.0], requires_grad=True)
    a = x * x
    b, c = a * 3, a * 4
    assert torch.autograd.grad(b.sum(), a)[0].tolist() == [3.0]
    assert torch.autograd.grad(c.sum(), a)[0].tolist() == [4.0]
    assert torch.autograd.grad(a.sum(), x)[0].tolist() == [4.0]
    with pytest.raises(RuntimeError, match="second time"):
        torch.autograd.grad(a.sum(), x)
