"""Exceptions, and results of every kind."""

from __future__ import annotations

import functools
import operator

import tracefuse as torch
from faithful_rows import Box, neg, pos, row, vec


@row(saved="has no recording to save")
def an_exception_after_a_python_write():
    log = []

    def f(x, bad):
        log.append(bad)
        if bad:
            raise KeyError("bad")
        return x * len(log)

    return f, [(vec(1, 2), b) for b in (False, True, False)], log


@row(saved=True)
def an_exception_of_its_own():
    class Mine(Exception):
        pass

    def f(x):
        if x.sum() < 0:
            raise Mine(x.shape[0])
        return x * 2

    return f, [pos(), neg(), pos()]


@row(saved=True)
def an_exception_by_the_value_of_a_tensor():
    def f(x):
        if x.min() < 0:
            raise ValueError(f"least is {x.min().item():.1f}")
        return x.sqrt()

    return f, [pos(), neg(), (vec(-7, 1),), pos()]


@row(saved=True)
def an_index_out_of_range():
    return (lambda x, i: x[i] * 2), [(vec(1, 2), i) for i in (0, 1, 2, -1, -3, 0)]


@row(saved=True)
def an_index_tensor_out_of_range():
    f = lambda x, i: x[i] * 2
    return f, [(vec(1, 2), torch.tensor([i])) for i in (0, 1, 5, -1, -9, 0)]


@row(saved=True)
def a_key_that_is_missing():
    return (lambda x, d: x * d["k"]), [
        (vec(1), {"k": 1}),
        (vec(1), {}),
        (vec(1), {"k": 2}),
    ]


@row(saved=True)
def reduce_and_map():
    f = lambda x: functools.reduce(operator.mul, map(lambda v: v + 1, x))
    return f, [pos(), neg(), pos()]


@row(saved=True)
def star_arguments():
    f = lambda *xs, **ks: sum(xs) * sum(ks.values(), 1)
    return f, [(vec(1),), (vec(1), vec(2)), (vec(1), 2.0), (vec(1),)]


@row(saved="has no recording to save")
def results_of_every_kind():
    f = lambda x: {"t": (x, [x + 1, None]), "s": "text", "n": 1.5, "e": ..., "b": True}
    return f, [pos(), neg()]


@row(saved="has no recording to save")
def an_object_returned():
    f = lambda x: Box(y=x * 2, n=x.shape[0])
    return f, [pos(), neg()]


@row(saved="has no recording to save")
def a_function_returned():
    made = []

    def f(x):
        made.append(lambda y: y * x)
        return made[-1](x)

    return f, [pos(), neg()]


@row(saved=True)
def a_class_made_inside():
    def f(x):
        class Local:
            k = x.shape[0]

        return x * Local.k, Local.__name__

    return f, [pos(), (vec(1, 2),)]


@row(saved="has no recording to save")
def nothing_returned():
    log = Box(last=None)

    def f(x):
        log.last = x * 2

    return f, [pos(), neg()], log


@row
def grad_inside():
    c = Box(k=1.0)
    f = lambda x: torch.grad(lambda y: (y**3 * c.k).sum())(x)
    return f, [pos(), lambda: setattr(c, "k", c.k + 1), neg()]


@row(saved=True)
def vmap_inside():
    f = lambda x, k: torch.vmap(lambda v: v * k + v.sum())(x.reshape(3, 1))
    return f, [(vec(1, 2, 3), k) for k in (1, 2.0, 3, 1)]
