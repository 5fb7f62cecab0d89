"""jit: NumPy arrays of the outside are inputs, or their numbers are compared."""

from __future__ import annotations

import numpy as np
import pytest
import tracefuse as torch
from tracefuse.tracer.watching.consumers import only_taken_by

TABLE = np.array([1.0, 2.0, 3.0], np.float32)


class Box:
    def __init__(self, **given):
        vars(self).update(given)


def floats(*values):
    return np.array(values, np.float32)


ROWS = {}


def row(make):
    """Register `make() -> (function, its array)`."""
    ROWS[make.__name__] = make
    return make


@row
def in_a_global():
    return (lambda x: x * torch.tensor(TABLE)), TABLE


@row
def in_a_cell():
    a = floats(1, 2, 3)
    return (lambda x: x + torch.from_numpy(a)), a


@row
def of_another_type():
    a = np.array([1, 2, 3])
    return (lambda x: x + torch.as_tensor(a, dtype=torch.float64)), a


@row
def in_an_attribute():
    box = Box(inner=Box(a=floats(1, 2, 3)))
    return (lambda x: x + torch.tensor(box.inner.a) * 2), box.inner.a


@row
def in_a_module():
    class Scale(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.table = floats(1, 2, 3)

        def forward(self, x):
            return x * torch.tensor(self.table, dtype=x.dtype)

    m = Scale()
    return m, m.table


@row
def as_an_operand():
    a = floats(1, 2, 3)
    return (lambda x: x * a - a), a


@row
def as_an_index():
    a = np.array([2, 0, 1])
    return (lambda x: x[a]), a


@row
def in_a_function_within():
    a = floats(1, 2, 3)

    def f(x):
        def inner(y):
            return y + torch.tensor(a)

        return inner(x) * inner(x * 2)

    return f, a


def check(f, a, changes, limit):
    fast, x = torch.jit(f), torch.tensor([1.0, 2.0, 3.0])
    old = a.copy()
    for change in [lambda: None, *changes]:
        change()
        for _ in range(3):
            assert fast(x).tolist() == f(x).tolist(), fast.explain()
    a[...] = old
    assert fast.cache_info()["recordings"] <= limit, fast.explain()
    return fast


@pytest.mark.parametrize("name", ROWS)
def test_an_array_is_an_input(name):
    f, a = ROWS[name]()
    turn = lambda: a.__setitem__(slice(None), np.roll(a, 1))
    check(f, a, [turn, turn, turn], limit=1)


def test_numbers_that_python_reads_are_compared():
    a = floats(1, 2, 3)
    f = lambda x: x * float(a[1]) + np.sin(a).sum() * torch.tensor(a)
    up = lambda: a.__iadd__(1)
    fast = check(f, a, [up], limit=4)
    assert "an array of NumPy's" in fast.explain()


def test_numbers_that_never_rest_are_not_compared():
    a = floats(1, 2, 3)
    up = lambda: a.__iadd__(1)
    fast = check(lambda x: x * float(a[1]), a, [up] * 20, limit=99)
    assert "the numbers of an array of shape (3,)" in fast.explain()


def test_a_function_that_changes_an_array_is_not_kept():
    def f(x):
        np.add(a, 1, out=a)
        return x * float(a[0])

    a = floats(0, 0, 0)
    fast, x = torch.jit(f), torch.ones(1)
    assert [fast(x).item() for _ in range(4)] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "read",
    [
        lambda a: next(iter(vars(a).values())),
        lambda a: getattr(a, "table"),  # noqa: B009
        lambda a: a.table,
    ],
)
def test_an_array_read_in_two_ways_is_compared(read):
    box = Box(table=floats(1, 2, 3))
    f = lambda x: x * torch.tensor(box.table) + float(read(box)[0])
    check(f, box.table, [lambda: box.table.__iadd__(1)] * 2, limit=9)


def test_a_container_of_arrays():
    bag = {"a": floats(1, 2, 3)}
    f = lambda x: x * torch.tensor(bag["a"]) + sum(v.sum() for v in bag.values())
    check(f, bag["a"], [lambda: bag["a"].__iadd__(1)] * 2, limit=9)


def test_another_array_or_shape_in_its_place():
    box = Box(a=floats(1, 2, 3))
    swap = lambda new: lambda: setattr(box, "a", new)
    changes = [swap(floats(3, 2, 1)), swap(floats(5)), swap(np.ones(3))]
    check(lambda x: x * torch.tensor(box.a), box.a, changes, limit=4)


def test_an_array_that_it_makes_itself_is_its_own_each_time():
    def f(x):
        t = torch.from_numpy(np.zeros(3, np.float32))
        return t.add_(x)

    fast, x = torch.jit(f), torch.ones(3)
    first = fast(x)
    assert [fast(x).tolist() for _ in range(3)] == [[1, 1, 1]] * 3
    assert first.tolist() == [1, 1, 1]


def test_numbers_made_by_numpy_are_kept():
    fast = torch.jit(lambda x: x * torch.tensor(np.arange(3, dtype=np.float32)))
    for _ in range(3):
        assert fast(torch.ones(3)).tolist() == [0, 1, 2]
    assert fast.cache_info()["recordings"] == 1


def test_a_shared_tensor_that_is_returned_is_new_each_time():
    a = floats(1, 2, 3)
    fast, x = torch.jit(lambda x: (x, torch.from_numpy(a))), torch.ones(1)
    results = [fast(x)[1] for _ in range(3)]
    a[0] = 7
    assert all(t.tolist() == [7, 2, 3] for t in results)
    assert len(set(map(id, results))) == 3


def test_writing_through_a_shared_tensor():
    a = floats(1, 2, 3)
    fast, x = torch.jit(lambda x: torch.from_numpy(a).add_(x).sum()), torch.ones(3)
    assert [fast(x).item() for _ in range(4)] == [9, 12, 15, 18]
    assert a.tolist() == [5, 6, 7]


def test_who_takes_a_name():
    def f(g, table):
        return g(table.k, 1) + table.k

    def h(x):
        return torch.tensor(table.k, dtype=x.dtype) + torch.add(x, x)

    every = {(code, at) for code in (f.__code__, h.__code__) for at in range(200)}
    once = [f.__code__]
    assert only_taken_by(every, "k", [f.__code__], once)
    assert not only_taken_by(every, "k", [f.__code__])  # g may be another next time
    assert not only_taken_by(set(), "k", [f.__code__], once)
    assert not only_taken_by(every, "other", [f.__code__], once)
    assert only_taken_by(every, "k", [h.__code__])


table = Box(k=1.0)


def test_one_place_where_numpy_and_tensors_meet_the_array():
    a = floats(1, 2, 3)

    def twice(v):
        return v * a

    f = lambda x: twice(x) * float(twice(np.ones(3, np.float32)).sum())
    check(f, a, [lambda: a.__iadd__(1)] * 2, limit=6)


def test_one_place_that_calls_several_functions():
    a = floats(1, 2, 3)

    def call(g):
        return g(a)

    f = lambda x: x * call(torch.tensor) * float(call(np.sum))
    check(f, a, [lambda: a.__iadd__(1)] * 2, limit=6)


def test_a_loop_in_which_numpy_and_tensors_meet_the_array():
    a = floats(1, 2, 3)

    def f(x):
        k = 1.0
        for v in (x, np.ones(3, np.float32)):
            w = v * a
            k = float(w.sum()) if isinstance(w, np.ndarray) else k
            x = x if isinstance(w, np.ndarray) else w
        return x * k

    check(f, a, [lambda: a.__iadd__(1)] * 2, limit=6)


def test_an_array_among_the_arguments_is_read_each_time():
    fast, x = torch.jit(lambda x, a: x * float(a[0]) + torch.tensor(a)), torch.ones(2)
    for k in (1, 2, 3, 3, 2):
        a = floats(k, k + 1)
        assert fast(x, a).tolist() == [2 * k, 2 * k + 1]
        a += 1
        assert fast(x, a).tolist() == [2 * k + 2, 2 * k + 3]
