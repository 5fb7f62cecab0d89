"""Run generated code and the oracle on the same arrays, and compare."""

from __future__ import annotations

import numpy as np
from tracefuse.kernels.numpy.compile import compile
from tracefuse.tracer import types as ty
from tracefuse.tracer.interpret import interpret
from tracefuse.tracer.sizes import Dim

FLOATS = (ty.float32, ty.float64, ty.float16, ty.bfloat16)
INTS = (ty.uint8, ty.int8, ty.int16, ty.int32, ty.int64)
# Shapes of one region: straight, in tiles, ragged, with axes of size 1, empty, 0-d.
SHAPES = ((), (1,), (7,), (3, 5), (0, 4), (1, 6, 1), (50, 1031), (1, 40001))
LINE = dict(zip(FLOATS, (2e-5, 1e-12, 4e-3, 4e-2)))


def arrays_for(graph, seed=0, sizes=None):
    rng = np.random.default_rng(seed)
    return [array_for(v, rng, sizes or {}) for v in graph.inputs]


def array_for(v, rng, sizes):
    shape = tuple(sizes[n.text] if isinstance(n, Dim) else n for n in v.shape)
    if v.dtype is ty.bool_:
        return rng.random(shape) < 0.5
    if not v.dtype.is_floating_point:
        return rng.integers(0, 4, shape).astype(v.dtype.np)
    return np.asarray(rng.normal(size=shape)).astype(v.dtype.np)


def check(graph, arrays=None, exact=False, cache=False):
    """Run generated code and oracle on the same arrays; return the former's results."""
    graph.verify()
    arrays = arrays_for(graph) if arrays is None else arrays
    before = [a.copy() for a in arrays]
    got = compile(graph, cache=cache).run(*arrays)
    want = interpret(graph, before)
    assert len(got) == len(want)
    for v, g, w in zip(graph.outputs, got, want):
        assert isinstance(g, np.ndarray) and g.flags.c_contiguous
        assert (g.shape, g.dtype) == (w.shape, w.dtype)
        compare(g, w, exact, v)
    for a, b in zip(arrays, before):
        np.testing.assert_array_equal(a.astype(float), b.astype(float))
    assert_apart([*got], arrays)
    return got


def compare(got, want, exact, v):
    got, want = (a.astype(np.float64) for a in (got, want))
    if exact or not v.dtype.is_floating_point:
        np.testing.assert_array_equal(got, want)
    else:
        line = LINE[v.dtype]
        scale = max(
            1.0, float(np.max(np.abs(want), initial=0, where=np.isfinite(want)))
        )
        np.testing.assert_allclose(got, want, rtol=line, atol=line * scale)


def assert_apart(results, others):
    for i, a in enumerate(results):
        for b in [*results[:i], *others]:
            assert not np.shares_memory(a, b)
