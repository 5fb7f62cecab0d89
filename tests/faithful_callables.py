"""Every kind of callable, jit inside jit, recursion, caches, contexts."""

from __future__ import annotations

import contextlib
import functools

import tracefuse as torch
from faithful_rows import Box, neg, pos, row, vec


@row
def jit_in_jit_that_changes():
    c = Box(k=1.0)
    inner = torch.jit(lambda x: x * c.k)
    f = lambda x: inner(x) + inner(x * 2)
    return f, [pos(), lambda: setattr(c, "k", c.k + 1), pos()], c


@row(saved=True)
def jit_in_jit_that_branches():
    inner = torch.jit(lambda x: x * 2 if x.sum() > 0 else x - 1)
    return (lambda x: inner(inner(x))), [pos(), neg(), pos()]


@row(saved=True)
def one_jitted_function_in_and_out():
    inner = torch.jit(lambda x: x + 1)

    def warm():
        inner(vec(1, 2, 3)), inner(vec(1))

    return (lambda x: inner(x) * 2), [pos(), warm, pos()]


@row(saved=True)
def jit_in_jit_that_writes():
    @torch.jit
    def inner(x):
        y = x * 1
        y.add_(1)
        return y

    return (lambda x: inner(x) * inner(x + 1)), [pos(), neg()]


@row(saved=True)
def recursion_by_value():
    def f(x):
        return x if x.sum() < 1 else f(x / 2) + 1

    return f, [pos(), neg(), (vec(50, 1),), pos()]


@row(saved=True)
def recursion_by_depth():
    def f(x, n):
        return x if n == 0 else f(x * 2, n - 1) + n

    return f, [(vec(1, 2), n) for n in (3, 0, 2, 3)]


@row(saved=True)
def mutual_recursion():
    even = lambda x, n: x if n == 0 else odd(x + 1, n - 1)
    odd = lambda x, n: -x if n == 0 else even(x * 2, n - 1)
    return even, [(vec(1, 2), n) for n in (3, 4, 3, 0)]


@row(saved=True)
def a_bound_method_of_two_instances():
    class C:
        def __init__(self, k):
            self.k = k

        def go(self, x):
            return x * self.k

    a, b = C(1.0), C(2.0)
    f = lambda x, which: (a if which else b).go(x)
    return f, [(vec(1, 2), w) for w in (True, False, True)]


@row
def a_method_jitted_in_the_class():
    class C:
        def __init__(self, k):
            self.k = k

        @torch.jit
        def go(self, x):
            return x * self.k

    a, b = C(1.0), C(2.0)
    f = lambda x: (a.go(x), b.go(x))
    return f, [pos(), lambda: setattr(a, "k", a.k + 1), pos()]


@row
def a_partial_whose_function_reads():
    c = Box(k=1.0)
    f = functools.partial(lambda k, x: x * k * c.k, 2.0)
    return f, [pos(), lambda: setattr(c, "k", c.k + 1), pos()]


@row(saved="has no recording to save")
def a_callable_object_with_state():
    class C:
        n = 0

        def __call__(self, x):
            self.n += 1
            return x * self.n

    c = C()
    return c, [pos(), pos()], c


@row(saved="has no recording to save")
def a_decorator_that_counts():
    c = Box(n=0)

    def counted(g):
        @functools.wraps(g)
        def wrapper(*args):
            c.n += 1
            return g(*args)

        return wrapper

    return counted(lambda x: x * 2), [pos(), pos()], c


@row
def a_function_replaced():
    c = Box(g=torch.relu)
    swap = lambda: setattr(c, "g", torch.tanh if c.g is torch.relu else torch.relu)
    return (lambda x: c.g(x)), [neg(), swap, neg(), swap, neg()]


@row
def a_table_of_functions():
    table = {"a": torch.relu, "b": lambda x: x * 2}
    f = lambda x, name: table[name](x)
    change = lambda: table.update(a=torch.exp)
    return f, [(vec(1, -2), "a"), (vec(1, -2), "b"), change, (vec(1, -2), "a")]


@row
def a_method_replaced_on_the_instance():
    class C:
        def go(self, x):
            return x * 2

    c = C()

    def change():
        if "go" in vars(c):
            del c.go
        else:
            c.go = lambda x: x * 3

    return (lambda x: c.go(x)), [pos(), change, pos(), change, pos()]


@row(saved="has no recording to save")
def a_cache_of_python():
    calls = []

    @functools.cache
    def factor(k):
        calls.append(k)
        return k * 2.0

    f = lambda x, k: x * factor(k)
    return f, [(vec(1, 2), k) for k in (1, 2, 1, 3)], calls


@row
def a_cache_by_hand():
    memo = {}

    def f(x, k):
        if k not in memo:
            memo[k] = torch.arange(3.0) * k
        return x + memo[k]

    return f, [(vec(1, 2, 3), k) for k in (1, 2, 1, 3)], memo


@row(saved="has no recording to save")
def a_generator_kept_between_calls():
    def numbers():
        n = 0
        while True:
            n += 1
            yield n

    stream = numbers()
    return (lambda x: x * next(stream)), [pos(), pos()]


@row(saved="has no recording to save")
def an_iterator_that_ends():
    stream = iter([1.0, 2.0, 3.0])
    return (lambda x: x * next(stream)), [pos(), pos()]


@row(saved="has no recording to save")
def an_iterator_over_a_list():
    c = Box(it=iter(range(100)))
    return (lambda x: x + next(c.it)), [pos(), pos()]


@row
def a_context_that_restores():
    c = Box(depth=0)

    @contextlib.contextmanager
    def deeper():
        c.depth += 1
        try:
            yield c.depth
        finally:
            c.depth -= 1

    def f(x):
        with deeper() as a, deeper() as b:
            return x * a + b

    up = lambda: setattr(c, "depth", c.depth + 1)
    return f, [pos(), up, pos()], c
