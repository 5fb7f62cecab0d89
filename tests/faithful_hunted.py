"""What random programs have found, each made small."""

from __future__ import annotations

import tracefuse as torch
from faithful_rows import on, row, square, vec


@row
def rows_that_are_one_here():
    f = lambda x, y: x[:-1] * y
    return f, [(torch.ones(n, 2), square(2)) for n in (3, 2, 3, 2)]


@row
def a_write_of_rows_that_are_one_here():
    def f(x, y):
        x = x * 1
        x[:2] += y[1:]
        return x

    return f, [(torch.ones(4, 2), torch.ones(n, 2)) for n in (3, 2, 3, 2)]


@row(grad=False)
def an_error_that_tells_sizes():
    f = lambda x, y: x[1:] * y
    return f, [(torch.ones(n, 2), torch.ones(7, 2)) for n in (8, 4, 5, 6)]


@row(grad=False)
def a_write_that_does_not_fit():
    def f(x, y):
        x[1:] = y

    return f, [(torch.ones(n, 2), torch.ones(7, 2)) for n in (4, 5, 6)]


@row(grad=False)
def an_index_written_down_that_nobody_needs():
    def f(x):
        y = x * 1
        y[torch.tensor([0, 2])] += 1
        x.index_fill_(0, torch.tensor([2]), 5.0)
        return x * 2

    return f, [(vec(1, 2, 3),), (vec(1, 2),), (vec(1, 2, 3, 4),), (vec(1, 2),)]


@row
def slices_of_another_type():
    def f(x):
        try:
            return x.index_add(0, torch.tensor([0, 0]), torch.tensor([1, 2]))
        except RuntimeError as error:
            return x, str(error)

    return on(f, vec(1, 2))


@row(grad=False)
def out_of_another_shape():
    y = torch.zeros(1)

    def f(x):
        return torch.add(x, 1, out=y).mul_(2)

    return f, [(vec(1, 2),), (vec(1, 2, 3),)], y


@row
def a_diagonal_of_what_is_turned():
    def f(x):
        x = x * 1
        x.T.diagonal(1).add_(5)
        return x

    return on(f, square())


@row
def everything_overwritten():
    def f(x):
        y, z = x * 2, x * 3
        y.zero_()
        z.copy_(x)
        return y, z, y.requires_grad == x.requires_grad

    return on(f, vec(1, 2))


@row
def written_behind_the_back_of_gradients():
    def f(x):
        y = x * 2
        with torch.no_grad():
            y.mul_(3)
        y.detach()[0] = 7
        return y, y * y

    return on(f, vec(1, 2))


@row
def a_gradient_by_another_result():
    h = torch.ones(2)

    def f(x, k):
        a = x.exp()
        h[k % 2] += a.sum()
        return a

    return f, [(vec(1, 2), k) for k in (2, 1, 0)], h
