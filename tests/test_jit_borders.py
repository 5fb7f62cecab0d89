"""Where jitted results meet eager gradients: several results, several orders."""

from __future__ import annotations

import itertools

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


TWICE = {
    "keeps nothing": lambda x, w: x.sum() + 2 * w.mean(),
    "a product": lambda x, w: (x * w).sum(),
    "a product beside a sum": lambda x, w: ((x * x).sum(), x.sum()),
    "a shared product": lambda x, w: ((x * x).sum(), (x * x + w).sum(), w * 3),
    "one of two variables": lambda x, w: (x.exp() + w).sum(),
    "a view": lambda x, w: (x[:2], x[1:] * w[1:]),
    "an index": lambda x, w: (x[torch.tensor([0, 0])], w / 2, 2 / w),
    "shared behind": lambda x, w: (lambda y: (y.sum(), y.mean(), x + w))(x.exp()),
}


@pytest.mark.parametrize("name", TWICE)
def test_a_second_backward_raises_where_plain_raises(name):
    plain, compiled = twice(TWICE[name]), twice(torch.jit(TWICE[name]))
    assert compiled == plain and len(plain) >= 9


def twice(f):
    """What two gradients after each other give, of any results by any variables."""
    choices = [(i, by) for i in range(count(f)) for by in ("x", "w", "xw")]
    found = {}
    for pair in itertools.product(choices, choices):
        given = {c: torch.ones(3, requires_grad=True) for c in "xw"}
        results = as_tuple(f(*given.values()))
        found[pair] = [slope(results[i], [given[c] for c in by]) for i, by in pair]
    return found


def count(f):
    return len(as_tuple(f(torch.ones(3), torch.ones(3))))


def as_tuple(results):
    return results if isinstance(results, tuple) else (results,)


def slope(y, variables):
    try:
        found = torch.autograd.grad(y.sum(), variables, allow_unused=True)
    except RuntimeError as error:
        return str(error)
    return [None if g is None else g.tolist() for g in found]


def test_what_a_call_kept_goes_with_the_last_backward_that_reads_it():
    f = torch.jit(lambda x: (x.exp(), x.sum()))
    for _ in range(3):
        x = torch.ones(1000, requires_grad=True)
        y, total = f(x)
        call = y._storage.value.args[0]
        y.sum().backward()
        assert isinstance(call.data, list)  # total can have its backward any time
        total.backward()
        total.backward()
        g = torch.jit(lambda x: (x.exp(), x.sin()))
        y, z = g(x)
        call = y._storage.value.args[0]
        y.sum().backward()
        assert isinstance(call.data, list)
        z.sum().backward()
        assert not isinstance(call.data, list)


def test_one_of_several_results_tells_too_little_of_the_sizes():
    f = torch.jit(lambda x, y: (x.view(-1) % 2, y * 1 + x))
    for n in (2, 3, 4, 5):
        x, y = (torch.ones(n, 3, requires_grad=True) for _ in "xy")
        f(x, y)[0].sum().backward()
        assert x.grad.shape == (n, 3) and y.grad is None


@pytest.mark.parametrize("wrap", [lambda f: f, torch.jit])
def test_two_views_of_what_has_a_history(wrap):
    def f(x, y):
        a, u = y * 2, x.view(-1)
        y.add_(1)
        return a, u * 3, x * y.sum()

    f = wrap(f)
    for _ in range(3):
        leaf = torch.arange(4.0).reshape(2, 2).requires_grad_()
        x = leaf * 1
        a, b, c = f(x, x[1:])
        (a.sum() + b.sum() + (c * c).sum()).backward()
        # c = 7 x: of b 3, of a 2, of c 2 * 49 x, and by the sum 2 * 7 * |x|^2
        assert x.tolist() == [[0, 1], [3, 4]]
        assert leaf.grad.tolist() == [[3, 101], [663, 761]]
