"""Results written over what they replace: in kernels, and by jitted functions."""

from __future__ import annotations

import os
import signal
import threading

import numpy as np
import pytest
import tracefuse
from tracefuse.kernels.numpy.compile import compile
from tracefuse.kernels.tail import divide
from tracefuse.tracer import algebra as al
from tracefuse.tracer.graph import Graph, make, placeholder
from tracefuse.tracer.types import float32, int64

RNG = np.random.default_rng(0)
SHAPES = [(5,), (10, 10), (256, 300), (1000, 784)]


def whole(x):
    return tuple(range(-len(x.shape), 0))


def adam(p, g, m, v):
    m, v = m * 0.9 + g * 0.1, v * 0.99 + g * g * 0.01
    return [p - 0.1 * m / (al.sqrt(v) + 1e-8), m, v]


def by_rows(p, g):
    total = p.sum((-1,)).reshape((*p.shape[:-1], 1))
    return [p / total.expand(p.shape) + g]


def by_columns(p, g):
    total = p.sum((-2,)).reshape((*p.shape[:-2], 1, p.shape[-1]))
    return [p / total.expand(p.shape) + g]


# Name: (the outputs, which output goes over which input, least rank).
CASES = {
    "sgd": (lambda p, g: [p - 0.1 * g], [(0, 0)], 1),
    "adam": (adam, [(0, 0), (1, 2), (2, 3)], 1),
    "two that read each other": (lambda a, b: [a + b, a - b], [(0, 0), (1, 1)], 1),
    "a swap": (lambda a, b: [b * 1.0, a + 0.5], [(0, 0), (1, 1)], 1),
    "nothing but a swap": (lambda a, b: [b, a], [(0, 0), (1, 1)], 1),
    "old one read later": (lambda a, b: [a + b, (a * b).sum(whole(a))], [(0, 0)], 1),
    "old one handed out": (lambda a, b: [a + b, a], [(0, 0)], 1),
    "one result twice": (lambda a, b: [a + b, a + b], [(0, 0), (1, 1)], 1),
    "where": (lambda a, b: [al.where(al.lt(a, b), a, b * 2.0)], [(0, 0)], 1),
    "where, then more": (lambda a, b: [al.where(al.lt(a, b), b, a) + a], [(0, 0)], 1),
    "rows": (by_rows, [(0, 0)], 2),
    "columns": (by_columns, [(0, 0)], 2),
    "transposed": (
        lambda a, b: [a + a.permute((-1, -2))] if a.shape[0] == a.shape[1] else [a + b],
        [(0, 0)],
        2,
    ),
    "product": (
        lambda a, b: [
            a - make("dot", (make("dot", (a, b.permute((-1, -2)))), b)) * 0.01
        ],
        [(0, 0)],
        2,
    ),
}


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("order", "CF")
def test_the_same_as_into_fresh_arrays(name, shape, order):
    build, inplace, rank = CASES[name]
    if len(shape) < rank:
        pytest.skip("needs a matrix")
    count = build.__code__.co_argcount
    inputs = [placeholder(f"x{i}", shape, float32) for i in range(count)]
    graph = Graph("update", inputs, build(*inputs))
    arrays = [RNG.random(shape, np.float32) + 0.5 for _ in inputs]
    expected = compile(graph, cache=False).run(*map(np.copy, arrays))
    ours = [np.array(a, order=order) for a in arrays]
    results = list(compile(graph, inplace=inplace, cache=False).run(*ours))
    for k, i in inplace:
        results[k] = ours[i]
    for got, want in zip(results, expected):
        np.testing.assert_array_equal(got, want)
    written = {i for _, i in inplace}
    for i, (now, before) in enumerate(zip(ours, arrays)):
        assert i in written or np.array_equal(now, before)


# -- programs in two parts


def parameters(dtype=float32):
    return [placeholder(n, (8, 4), dtype) for n in "pg"]


def test_an_update_is_the_last_part():
    p, g = parameters()
    loss = (p * g).sum((-2, -1))
    graph = Graph("step", [p, g], [loss, p - 0.1 * g])
    parts = divide(graph, {1: p})
    assert (parts.late, parts.handed) == ((1,), ())
    assert [v.op for v in parts.first.outputs] == ["sum"]
    assert parts.inplace == ((0, parts.last.inputs.index(p)),)


def test_what_another_result_reads_is_not_in_the_last_part():
    p, g = parameters()
    new = p - 0.1 * g
    assert divide(Graph("step", [p, g], [new, new.sum((-1,))]), {0: p}) is None


def test_what_would_take_memory_is_not_in_the_last_part():
    p, g = parameters()
    wide = al.exp(g)
    graph = Graph("step", [p, g], [p - wide, wide.sum((-2, -1))])
    assert divide(graph, {0: p}) is None


def test_what_can_fail_is_not_in_the_last_part():
    p, g = parameters(int64)
    assert divide(Graph("step", [p, g], [p - g]), {0: p}) is None


def test_what_shares_memory_is_not_read_in_the_last_part():
    p, g = parameters()
    assert divide(Graph("step", [p, g], [p - g]), {0: p}, shared=[g]) is None


# -- jitted functions


@pytest.fixture
def update():
    @tracefuse.jit
    def update(p, g):
        p -= 0.5 * g
        return (g * g).sum()

    update(tracefuse.ones(300, 200), tracefuse.ones(300, 200))
    return update


def test_everybody_who_looks_at_a_tensor_sees_the_write(update):
    p, g = tracefuse.ones(300, 200), tracefuse.ones(300, 200)
    seen, row = p.numpy(), p[7]
    update(p, g)
    assert p.numpy() is seen or np.shares_memory(p.numpy(), seen)
    assert (seen == 0.5).all() and (row == 0.5).all()
    assert p._storage.version == 1


def test_a_tensor_may_be_its_own_update(update):
    p = tracefuse.ones(300, 200)
    update(p, p)
    assert (p == 0.5).all()


def test_a_transposed_tensor_is_updated_where_it_lies(update):
    base = tracefuse.ones(200, 300)
    update(base.T, tracefuse.ones(300, 200))
    assert (base == 0.5).all()


def test_what_cannot_be_written_changes_nothing(update):
    array = np.ones((300, 200), np.float32)
    p = tracefuse.from_numpy(array)
    array.flags.writeable = False
    p._array.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        update(p, tracefuse.ones(300, 200))
    assert (array == 1).all()


def test_an_error_before_the_commit_changes_nothing():
    @tracefuse.jit
    def step(p, rows):
        p += p.gather(0, rows)

    p, rows = tracefuse.ones(3, 2), tracefuse.zeros(3, 2, dtype=tracefuse.int64)
    step(p, rows)
    assert (p == 2).all()
    rows[1, 1] = 7
    with pytest.raises(IndexError):
        step(p, rows)
    assert (p == 2).all()


def test_two_views_of_one_tensor():
    @tracefuse.jit
    def shift(a, b):
        a += b

    for _ in range(2):
        base = tracefuse.arange(10.0)
        shift(base[1:], base[:-1])
        assert base.tolist() == [0, 1, 3, 5, 7, 9, 11, 13, 15, 17]


@pytest.fixture
def interrupts():
    """Ctrl-C interrupts: jobs in the background begin with it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_an_interrupt_leaves_all_written_or_nothing(interrupts):
    @tracefuse.jit
    def step(p, q):
        p += 1
        q += 1

    p, q = tracefuse.zeros(700, 300), tracefuse.zeros(700, 300)
    step(p, q)
    for k in range(1, 16):
        interrupt = os.getpid(), signal.SIGINT
        timer = threading.Timer(0.0007 * k, os.kill, interrupt)
        with pytest.raises(KeyboardInterrupt):
            timer.start()
            while True:
                step(p, q)
        assert (p == q).all() and (p == p[0, 0]).all()
