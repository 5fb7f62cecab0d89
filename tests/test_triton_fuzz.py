"""Random graphs as Triton kernels, in the interpreter: equal to the NumPy backend."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tracefuse.kernels.numpy.compile import compile as compile_numpy
from tracefuse.kernels.triton.compile import compile as compile_triton
from tracefuse.kernels.triton.interpreter.on_cpu import Interpreter
from tracefuse.tracer import types as ty
from triton_maker import Maker
from triton_steps import STEPS

pytest.importorskip("triton")
EPS = {ty.float16: 2e-3, ty.bfloat16: 2e-2, ty.float32: 2e-6, ty.float64: 1e-13}


def arrays_for(graph, seed):
    """Small whole numbers for every input; negative ones where the type has them."""
    rng = np.random.default_rng(seed)
    return [array_for(v, rng) for v in graph.inputs]


def array_for(v, rng):
    if v.dtype is ty.bool_:
        return rng.random(v.shape) < 0.5
    low = -4 if v.dtype.is_signed and v.attrs["name"][:5] != "state" else 0
    return np.asarray(rng.integers(low, 5, v.shape)).astype(v.dtype.np)


def compare(maker, v, got, want):
    assert (got.shape, got.dtype) == (want.shape, want.dtype)
    got, want = (np.asarray(a, np.float64) for a in (got, want))
    if v.id not in maker.rough:
        np.testing.assert_array_equal(got, want)
        return
    worst = max(EPS[w.dtype] for w in seen(v) if w.dtype in EPS)
    most = max(map(maker.bound, seen(v)))
    np.testing.assert_allclose(got, want, rtol=worst * 30, atol=worst * most * 4)


def seen(v):
    """What `v` is computed from, itself included."""
    found, stack = {}, [v]
    while stack:
        w = stack.pop()
        if w.id not in found:
            found[w.id] = w
            stack.extend(w.args)
    return list(found.values())


def check(maker, graph, donated=(), seed=0):
    """Both backends on the same arrays; results are fresh, or the donated buffers."""
    graph.verify()
    arrays = arrays_for(graph, seed)
    with np.errstate(all="ignore"):
        want = compile_numpy(graph, cache=False).run(*arrays)
    before = [a.copy() for a in arrays]
    buffers = [np.empty_like(want[k]) for k in donated]
    got = compile_triton(graph, Interpreter(), donated).run(*arrays, *buffers)
    assert len(got) == len(want)
    for v, g, w in zip(graph.outputs, got, want):
        compare(maker, v, g, w)
    for k, buffer in zip(donated, buffers):
        assert got[k] is buffer
    for a, b in zip(arrays, before):
        np.testing.assert_array_equal(a.astype(float), b.astype(float))
    assert_apart(got, arrays)


def assert_apart(results, arrays):
    for i, a in enumerate(results):
        for b in [*results[:i], *arrays]:
            assert not np.shares_memory(a, b)


def run(pick, length):
    maker = Maker(pick)
    graph = maker.graph(STEPS, length)
    donated = tuple(k for k in range(len(graph.outputs)) if maker.maybe(4))
    check(maker, graph, donated)


usual = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


@usual
@given(st.data(), st.integers(1, 12))
def test_graphs_equal_numpy(data, length):
    run(lambda n: data.draw(st.integers(0, n - 1)), length)


@pytest.mark.parametrize("seed", range(60))
def test_seeded_graphs_equal_numpy(seed):
    rng = np.random.default_rng(seed)
    run(lambda n: int(rng.integers(n)), int(rng.integers(2, 25)))
