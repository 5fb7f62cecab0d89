"""Aliases: results, out=, .data, slots, and writes that an exception follows."""

from __future__ import annotations

import tracefuse as torch
from faithful_rows import Box, on, row, square, vec


@row(saved=True)
def out_arguments():
    f = lambda x, out: torch.mul(x, 2, out=out)
    return on(f, vec(1, 2), vec(0, 0))


@row(saved=True)
def out_that_is_an_input():
    f = lambda x: torch.add(x, x, out=x)
    return on(f, vec(1, 2))


@row(saved=True)
def out_that_overlaps_an_input():
    x = torch.arange(5.0)
    return (lambda x: torch.neg(x[:4].clone(), out=x[1:])), [(x,)]


@row
def data_of_a_variable():
    w = vec(1, 2).requires_grad_()

    def f(x):
        w.data.add_(x)
        return (w * 2).detach()

    return f, [(vec(1, 1),)], w


@row
def data_assigned():
    w = vec(1, 2).requires_grad_()

    def f(x):
        return (w * x).detach()

    def change():
        w.data = w.data + 1

    return f, [(vec(1, 1),), change, (vec(1, 1),)], w


@row
def data_assigned_inside():
    w = vec(1, 2).requires_grad_()

    def f(x):
        w.data = w.data + x
        return (w * 2).detach()

    return f, [(vec(1, 1),)], w


@row
def data_of_another_size():
    w = vec(1, 2)

    def change():
        w.data = torch.ones(len(w) + 1)

    return (lambda x: w * x), [(vec(2),), change, (vec(2),), change, (vec(2),)], w


@row()
def resized_outside():
    w = vec(1, 2)

    def change():
        w.resize_(1 if len(w) == 2 else 2)

    return (lambda x: w[:1] * x + len(w)), [(vec(2),), change, (vec(2),)]


@row
def a_write_seen_by_an_older_view():
    x = square()
    view = x[0]

    def f(y):
        x.mul_(2)
        return view + y

    return f, [(vec(1, 1, 1),)], x, view


@row(saved=True)
def a_clone_is_another():
    def f(x):
        y = x.clone()
        x.zero_()
        return y

    return on(f, vec(1, 2))


@row(saved=True)
def a_detached_tensor_shares():
    def f(x):
        y = x.detach()
        y.add_(1)
        return x * 1

    return on(f, vec(1, 2))


@row(saved=True)
def contiguous_sometimes_copies():
    def f(x):
        y = x.contiguous()
        y.add_(1)
        return x.sum()

    a, b = square(), square().T
    return f, [(a,), (b,), (a,), (b,)]


@row(saved=True)
def reshape_sometimes_copies():
    def f(x):
        x.reshape(-1)[0] = 100.0
        return x * 1

    a, b = square(), square().T[:2]
    return f, [(a,), (b,), (a,)]


@row(saved=True)
def expanded_then_cloned_and_written():
    def f(x):
        y = x.expand(3, 2).clone()
        y[0] = 9
        return y, x

    return on(f, vec(1, 2))


@row(saved=True)
def an_augmented_assignment_rebinds_or_writes():
    def f(x, k):
        y = x
        y += 1
        k += 1
        return y is x, k

    return on(f, vec(1, 2), 3)


@row(saved="tensors that overlap")
def a_list_of_tensors_written():
    def f(xs):
        for x in xs:
            x.mul_(2)
        return sum(xs)

    x = vec(1, 2)
    return f, [([x, vec(3, 4)],), ([x, x],), ([x[:1], x[1:]],)]


@row(saved=True)
def a_write_under_a_branch():
    def f(x):
        if x.sum() > 10:
            x.zero_()
        else:
            x.add_(3)
        return x.max()

    return on(f, vec(1, 2))


@row(saved=True)
def a_write_in_a_loop():
    def f(x):
        for i in range(len(x)):
            x[i] = x[i - 1] + 1
        return x

    return on(f, torch.zeros(4))


@row
def a_write_before_an_exception():
    def f(x, bad):
        x.add_(1)
        if bad:
            raise ValueError("after the write")
        return x * 2

    x = vec(1, 2)
    return f, [(x, False), (x, True), (x, False), (x, True)]


@row
def a_write_before_a_bad_shape():
    def f(x, y):
        x.add_(1)
        return x + y

    x = vec(1, 2)
    return f, [(x, vec(1)), (x, vec(1, 2, 3)), (x, vec(1, 1))]


@row(saved=True)
def a_write_before_a_failed_assert():
    def f(x):
        x.mul_(2)
        assert x.sum() < 20, "too large"
        return x

    return on(f, vec(1, 2))


@row(saved="has no recording to save")
def a_slot_assigned():
    c = Box(h=vec(0, 0))

    def f(x):
        c.h = c.h * 0.5 + x
        return c.h

    return f, [(vec(1, 1),), (vec(2, 2),)], c


@row(saved="has no recording to save")
def a_slot_swapped():
    c = Box(a=vec(1, 1), b=vec(2, 2))

    def f(x):
        c.a, c.b = c.b, c.a + x
        return c.a * 1

    return f, [(vec(1, 1),)], c


@row(saved="has no recording to save")
def a_dict_entry_assigned():
    bag = {}

    def f(x):
        bag["last"] = bag.get("last", 0) + x
        return bag["last"] * 2

    return f, [(vec(1, 1),)], bag


@row(saved=True)
def fill_and_copy_of_another_type():
    def f(x, i):
        x.copy_(i)
        i.fill_(7)
        return x + i

    return on(f, vec(1, 2), torch.tensor([3, 4]))


@row(saved="has no recording to save")
def an_int_tensor_refuses_a_float():
    return on(lambda i: i.add_(0.5), torch.tensor([1, 2]))


@row(saved="has no recording to save")
def a_leaf_that_needs_gradients_refuses_a_write():
    return on(lambda w: w.add_(1), vec(1, 2).requires_grad_())


@row(saved=True)
def sort_into_an_argument():
    def f(x):
        x.copy_(x.sort(descending=True)[0])
        return x[0]

    return on(f, vec(1, 3, 2))


@row(saved=True)
def cumsum_in_place():
    return on(lambda x: x.cumsum_(0) if x.sum() < 100 else x.fill_(1), vec(1, 1, 1))


@row(saved=True)
def random_in_place():
    return on(lambda x: x.uniform_() * 1, vec(1, 2, 3))


@row(saved="tensors that overlap")
def memory_shared_by_two_captured_tensors():
    base = torch.zeros(4)
    left, right = base[:3], base[1:]

    def f(x):
        left.add_(x)
        right.mul_(2)
        return base * 1

    return f, [(vec(1),)], base, left, right
