"""Tensors that look at other memory from some line on: `.data =`, set_, resize_, t_."""

from __future__ import annotations

import tracefuse as torch
from faithful_rows import on, row, vec


@row
def data_shared_from_there_on():
    a = vec(0, 0)

    def f(x):
        t = a.data * 2 + x
        a.data = t
        t.add_(1)
        return t

    return on(f, vec(1, 2), seen=[a])


@row
def data_assigned_beside_an_older_view():
    a = vec(0, 0)
    view = a.view(2, 1)

    def f(x):
        a.data = a + x
        return view * 1

    return on(f, vec(1, 2), seen=[a, view])


@row
def data_written_then_assigned():
    a = vec(0, 0)
    view = a.view(-1)

    def f(x):
        a.add_(x)
        a.data = a * 2
        a.add_(1)
        return view * 1

    return on(f, vec(1, 2), seen=[a, view])


@row
def data_assigned_and_the_older_view_returned():
    a = vec(0, 0)

    def f(x):
        view = a.view(1, 2)
        a.data = a + x
        view.add_(5)
        return view

    return on(f, vec(1, 2), seen=[a])


@row(grad=False)
def data_swapped():
    a, b = vec(1, 2), vec(3, 4)

    def f(x):
        a.data, b.data = b.data, a.data
        return a.add_(x) * 1

    return on(f, vec(1, 2), seen=[a, b])


@row(grad=False)
def data_that_grows():
    a = vec(1)

    def f(x):
        a.data = torch.cat([a, x])
        return a.sum()

    return on(f, vec(1, 2), seen=[a])


@row(grad=False)
def data_of_an_argument():
    def f(x):
        x.data = x * 2
        x.add_(1)
        return x

    return on(f, vec(1, 2))


@row
def a_step_by_data():
    p = vec(1, 2).requires_grad_()

    def f(x):
        loss = ((p - x.detach()) ** 2).sum()
        loss.backward()
        p.data = p.data - 0.1 * p.grad
        p.grad = None
        return loss.detach()

    return f, [(vec(3, 4),), (vec(5, 6),)], p


@row
def data_assigned_behind_a_result():
    p = vec(1, 2).requires_grad_()

    def f(x):
        y = (p * x).sum()
        p.data = p.data * 0.5
        return y

    return on(f, vec(1, 2), seen=[p])


@row
def data_assigned_in_a_branch():
    a = vec(0, 0)

    def f(x):
        if x.sum() > 0:
            a.data = a + x
        return a * 2

    return f, [(vec(1, 2),), (vec(-1, -2),), (vec(3, 2),)], a


@row
def data_assigned_before_it_raises():
    a = vec(0, 0)

    def f(x):
        a.data = a + x
        if a.sum() > 10:
            raise ValueError("too much")
        return a * 2

    return on(f, vec(1, 2), seen=[a])


@row(grad=False)
def set_to_an_argument():
    a = vec(0, 0)

    def f(x):
        a.set_(x)
        return a.mul_(2)

    return f, [(vec(1, 2),), (vec(3, 4),)], a


@row(grad=False)
def resized_inside():
    a = vec(1, 2, 3, 4)

    def f(x, n):
        a.resize_(n, 2)
        return a * x

    return f, [(vec(1, 2), 2), (vec(1, 2), 1), (vec(3, 2), 3)], a


@row
def a_new_one_resized():
    def f(x):
        y = x * 2
        y = y.detach()
        y.resize_(1)
        return y, torch.empty(0).resize_(2, 2).fill_(3)

    return on(f, vec(1, 2))


@row(grad=False)
def a_view_resized_beyond_it():
    a = vec(1, 2, 3, 4)

    def f(x):
        a[1:2].resize_(3).mul_(x)
        return a * 1

    return on(f, vec(1, 2, 1), seen=[a])


@row(grad=False)
def transposed_in_place():
    a = torch.arange(6.0).reshape(2, 3)

    def f(x):
        a.t_()
        return a + x

    return on(f, vec(1), seen=[a])


@row
def data_assigned_after_a_look():
    def f(x, y):
        t = x * 2
        if y.sum() > 0:
            x.data = y
        return t

    return f, [(vec(1, 2), vec(3, 4)), (vec(1, 2), vec(3, -4))]
