"""A jitted step holds no more memory at its peak than the same step by hand."""

from __future__ import annotations

import gc
import tracemalloc

import numpy as np
import pytest
import tracefuse
from tracefuse import nn
from tracefuse.kernels.fusion import plan
from tracefuse.kernels.numpy import fresh
from tracefuse.kernels.numpy.order import ordered
from tracefuse.tracer import algebra as al
from tracefuse.tracer.graph import Graph, make, placeholder
from tracefuse.tracer.types import float32

BATCH, WIDE, HIDDEN, OUT = 256, 784, 256, 10
WARM = 6  # calls, after which everything that stays is there
SLACK = 20_000  # small arrays, and what is no array


def held() -> int:
    """Bytes of NumPy's arrays that are alive, large results held back included."""
    domain = tracemalloc.DomainFilter(True, np.lib.tracemalloc_domain)
    traces = tracemalloc.take_snapshot().filter_traces([domain]).traces
    return sum(trace.size for trace in traces) + sum(map(len, fresh._kept))


def peak_of(make) -> int:
    """The most that one call of a step holds beyond its data and parameters."""
    fresh.forget()
    tracemalloc.start()
    try:
        step, data = make()
        for _ in range(WARM):
            step()
        gc.collect()
        stays, before = held() - data, tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        step()
        return stays + tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


def given() -> list:
    rng = np.random.default_rng(0)
    shapes = (WIDE, HIDDEN), (HIDDEN,), (HIDDEN, OUT), (OUT,)
    params = [rng.standard_normal(s, np.float32) * np.float32(0.05) for s in shapes]
    return [rng.random((BATCH, WIDE), np.float32), rng.integers(0, OUT, BATCH), *params]


def by_hand(update, states: int):
    """The step as one writes it with NumPy: one function, each array by its name."""
    arrays = given()
    memory = [[np.zeros_like(w) for _ in range(states)] for w in arrays[2:]]

    def step():
        x, y, w1, b1, w2, b2 = arrays
        h = x @ w1 + b1
        a = np.maximum(h, 0)
        z = a @ w2 + b2
        z -= z.max(1, keepdims=True)
        p = np.exp(z)
        p /= p.sum(1, keepdims=True)
        p[np.arange(BATCH), y] -= 1
        p /= BATCH
        da = p @ w2.T
        da[h <= 0] = 0
        grads = x.T @ da, da.sum(0), a.T @ p, p.sum(0)
        for w, g, own in zip(arrays[2:], grads, memory):
            update(w, g, *own)

    return step, sum(a.nbytes for a in (*arrays, *(m for own in memory for m in own)))


def sgd(w, g):
    w -= np.float32(0.1) * g


def adam(w, g, m, v):
    m += np.float32(0.1) * (g - m)
    v += np.float32(0.001) * (g * g - v)
    w -= np.float32(0.001) * m / (np.sqrt(v) + np.float32(1e-8))


def jitted(optimizer, states: int, **options):
    """The step under jit; `states` is how many arrays each parameter has beside it."""
    arrays = given()
    model = nn.Sequential(nn.Linear(WIDE, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, OUT))
    opt = optimizer(model.parameters(), **options)
    x, y = map(tracefuse.from_numpy, arrays[:2])

    @tracefuse.jit
    def step():
        opt.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        opt.step()
        return loss

    own = sum(a.nbytes for a in arrays[2:])
    return step, sum(a.nbytes for a in arrays[:2]) + (1 + states) * own


UPDATES = {"SGD": (sgd, 0), "Adam": (adam, 2)}


@pytest.mark.parametrize("name", UPDATES)
def test_a_jitted_step_holds_no_more_than_one_by_hand(name):
    update, states = UPDATES[name]
    theirs = peak_of(lambda: by_hand(update, states))
    ours = peak_of(lambda: jitted(getattr(tracefuse.optim, name), states, lr=0.01))
    assert ours <= theirs + SLACK


def test_what_frees_memory_runs_before_what_takes_some():
    x, w, v = (placeholder(n, (512, 512), float32) for n in "xwv")
    h = al.exp(x)
    a = make("dot", (h, w)).sum((-1,)).reshape((512, 1))
    big = make("dot", (v, al.tanh(v) * a.expand(v.shape)))
    last = make("dot", (h.permute((-1, -2)), a))
    graph = Graph("f", [x, w, v], [big.sum((-2, -1)), last])
    regions = [r.nodes[0] for r in ordered(plan(graph), graph).regions]
    assert regions.index(last) < regions.index(big)
    assert {v.id for v in regions} == {r.nodes[0].id for r in plan(graph).regions}
