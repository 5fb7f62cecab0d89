"""Writes into arguments and their views: what the caller holds afterwards."""

from __future__ import annotations

import tracefuse as torch
from faithful_rows import on, row, square, vec


@row(saved=True)
def an_argument_written():
    return on(lambda x: x.add_(1) * 1, square())


@row(saved=True)
def a_view_of_a_view_written():
    def f(x):
        x[1:][0][1:].mul_(-1)
        return x.sum()

    return on(f, square())


@row(saved=True)
def a_transposed_view_written():
    def f(x):
        x.T[0] = x.T[1]
        x.t().reshape(3, 3).add_(1)
        return x.diagonal()

    return on(f, square())


@row(saved=True)
def the_diagonal_written():
    def f(x):
        x.diagonal().zero_()
        return x + 1

    return on(f, square())


@row(saved=True)
def overlapping_slices():
    def f(x):
        x[1:] += x[:-1].clone()
        x[:2].copy_(x[1:3].clone())
        return x

    return on(f, torch.arange(5.0))


@row(saved=True)
def a_swap_of_rows():
    def f(x):
        x[0], x[1] = x[1].clone(), x[0].clone()
        x[[0, 2]] = x[[2, 0]]
        return x * 1

    return on(f, square())


@row(saved=True)
def a_masked_write_of_a_number():
    def f(x):
        x[x > 4] = -1
        return x

    return on(f, square())


@row(saved=True)
def a_masked_write_of_a_tensor():
    def f(x, v):
        x[x > 4] = v[: int((x > 4).sum())]
        return x * 1

    return on(f, square(), torch.arange(10.0) - 5)


@row(saved=True)
def repeats_that_are_written():
    def f(x, i):
        x[i] += 1
        return x

    return on(f, torch.zeros(4), torch.tensor([0, 0, 2]))


@row(saved=True)
def repeats_that_are_added():
    f = lambda x, i: x.index_add_(0, i, torch.ones(3)) * 1
    return on(f, torch.zeros(4), torch.tensor([0, 0, 2]))


@row(saved=True)
def index_put_accumulates():
    f = lambda x, i: x.index_put_((i,), torch.tensor(2.0), accumulate=True).clone()
    return on(f, torch.zeros(4), torch.tensor([1, 1, 3]))


@row(saved=True)
def a_scatter_into_an_argument():
    f = lambda x, i: x.scatter_add_(0, i, torch.ones(3)).sum()
    return on(f, torch.zeros(4), torch.tensor([3, 3, 3]))


@row(saved=True)
def one_tensor_twice():
    x, y = vec(1, 2), vec(1, 2)

    def f(a, b):
        a.add_(1)
        return a * b

    return f, [(x, x), (x, y), (x, x), (y, x)]


@row(saved="tensors that overlap")
def a_tensor_and_its_view():
    x, y = torch.arange(4.0), torch.ones(2)

    def f(a, b):
        b.mul_(2)
        return a.sum() + b

    return f, [(x, x[:2]), (x, y), (x, x[1:3]), (x, x[::2])]


@row(saved=True)
def an_input_returned():
    return on(lambda x, y: (x, y.T, x), vec(1, 2), square())


@row(saved=True)
def an_input_written_and_returned():
    return on(lambda x: (x.add_(1), x, x[0]), vec(1, 2))


@row(grad=False)
def a_view_of_an_input_returned_and_written_outside():
    x = square()
    kept = []

    def f(x):
        kept.append(x[1])
        return kept[-1]

    change = lambda: kept[-1].add_(10)
    return f, [(x,), change, (x,)], kept


@row(saved=True)
def a_result_written_outside():
    kept = []

    def f(x):
        return x * 2

    def call(x):
        return f(x)

    x = vec(1, 2)

    def change():
        kept.append(call(x).zero_())

    return call, [(x,), change, (x,)], kept


@row(saved=True)
def two_equal_results_are_two():
    def f(x):
        a, b = x * 2, x * 2
        a.add_(1)
        return a, b

    return on(f, vec(1, 2))


@row(saved=True)
def one_result_twice():
    def f(x):
        y = x * 2
        return y, y, {"y": y}

    return on(f, vec(1, 2))


@row
def a_constant_result_is_new_each_time():
    kept = []

    def f(x):
        kept.append(torch.zeros(2))
        return kept[-1]

    return f, [(vec(1),), lambda: kept[-1].add_(1), (vec(1),)], kept
