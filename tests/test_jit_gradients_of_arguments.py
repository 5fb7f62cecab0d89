"""jit: the .grad that a program reads and writes is that of the tensor it was given."""

from __future__ import annotations

import tracefuse as torch


def leaf(*numbers):
    return torch.tensor(numbers, requires_grad=True)


def recordings(f):
    return f.cache_info()["recordings"]


def test_the_gradient_goes_to_the_argument_of_this_call():
    @torch.jit
    def f(a):
        (a * a).sum().backward()

    first = leaf(1.0, 2.0)
    f(first)
    first.grad = None  # now its place looks as it did when it was recorded
    for number in (3.0, 4.0, 5.0):
        other = leaf(number, 0.0)
        f(other)
        assert first.grad is None and other.grad.tolist() == [2 * number, 0.0]
    assert recordings(f) == 1


def test_it_accumulates_in_the_argument_of_this_call():
    @torch.jit
    def f(a):
        (a * a).sum().backward()

    for _ in range(3):
        x, y = leaf(1.0), leaf(2.0)
        for count in (1, 2, 3):
            f(x)
            f(y)
            assert x.grad.item() == 2 * count and y.grad.item() == 4 * count
    assert recordings(f) <= 3


def test_gradients_of_different_ways_through_the_function():
    @torch.jit
    def f(a):
        b = a * 2
        while b.norm() < 100:
            b = b * 2
        b.sum().backward()
        return b

    for number in (3.0, -40.0, 70.0, 3.0, 0.5, -40.0):
        a = leaf(number, number)
        b = f(a)
        assert a.grad.tolist() == (b / a).tolist()
    assert recordings(f) == 3  # none, four and seven doublings


def test_one_tensor_as_two_arguments():
    @torch.jit
    def f(a, b):
        (a * b * b).sum().backward()

    for _ in range(2):
        x, y = leaf(2.0), leaf(3.0)
        f(x, x)
        assert x.grad.item() == 12.0
        x.grad = None
        f(x, y)
        assert x.grad.item() == 9.0 and y.grad.item() == 12.0


def test_an_update_of_parameters_that_are_arguments():
    @torch.jit
    @torch.no_grad()
    def update(params, lr):
        for p in params:
            p -= lr * p.grad
            p.grad.zero_()

    for scale in (1.0, 2.0):
        params = [leaf(1.0, 2.0), leaf(3.0)]
        for step in (1, 2):
            sum((scale * p).sum() for p in params).backward()
            update(params, 0.5)
            moved = 0.5 * scale * step
            assert params[0].tolist() == [1 - moved, 2 - moved]
            assert params[1].tolist() == [3 - moved]
            assert not any(p.grad.any() for p in params)
    assert recordings(update) == 1


def test_a_gradient_that_the_function_clears():
    @torch.jit
    def f(a):
        a.grad = None
        (a * 3).sum().backward()
        return a.grad * 2

    for _ in range(4):
        a = leaf(1.0)
        a.grad = torch.ones(1)
        assert f(a).item() == 6.0 and a.grad.item() == 3.0
    assert recordings(f) <= 2
