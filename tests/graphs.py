"""Graphs to test with: nasty inputs, bitwise comparison, random programs."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from tracefuse.tracer.graph import Graph, constant, make, placeholder
from tracefuse.tracer.types import DTYPES, bool_, float32, int32

_EDGES = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 2.5, -1e-40, 3e38, 0.1, -3.5]
_WHOLE = [0, 1, -1, 2, -2, 3, 7, 100, -(2**31), 2**31 - 1, 31, -100]
NUMBERS = {
    "float": np.array(_EDGES),
    "int": np.array(_WHOLE),
    "bool": np.array([False, True] * 6),
}


def numbers(dtype, shape, flip=False):
    """An array of edge cases; flipped, each pair of two such arrays meets."""
    kind = ("bool", "int", "float")[dtype.category]
    n = int(np.prod(shape))
    pool = NUMBERS[kind]
    index = np.arange(n)
    index = (index // len(pool) + index) % len(pool) if flip else index % len(pool)
    with np.errstate(all="ignore"):
        return pool[index].astype(dtype.np).reshape(shape)


def feeds(graph):
    """Concrete inputs for a graph; symbols are 5."""
    return [
        numbers(v.dtype, tuple(n if type(n) is int else 5 for n in v.shape), i % 2)
        for i, v in enumerate(graph.inputs)
    ]


def bits_equal(a, b):
    """Same type, shape and bits (any NaN is as good as another)."""
    a, b = np.asarray(a), np.asarray(b)
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    if a.dtype.kind in "biu":
        return bool((a == b).all())
    wide, other = a.astype(np.float64), b.astype(np.float64)
    nan = np.isnan(wide)
    alike = (wide == other) & (np.signbit(wide) == np.signbit(other))
    return bool((nan == np.isnan(other)).all() and (alike | nan).all())


def size(graph):
    """How many operations a graph has (constants and new shapes are none)."""
    return sum(v.op not in ("input", "constant", "reshape") for v in graph.nodes())


_FLOATS = ["neg", "abs", "floor", "round", "sqrt", "exp", "tanh"]
_PAIRS = ["add", "sub", "mul", "div", "maximum", "minimum"]
_TESTS = ["eq", "ne", "lt", "le"]
_WORDS = ["add", "sub", "mul", "and", "or", "xor", "maximum"]
_CONSTANTS = [0.0, -0.0, 1.0, -1.0, 2.0, 0.5, 0.1, float("nan"), float("inf")]


@st.composite
def graphs(draw, shapes=((3, 4), (4,), (3, 1))):
    """A random well-typed graph over a few floats, integers and bools."""
    dtypes = draw(st.sampled_from([("float32",), ("float32", "int32"), ("float16",)]))
    inputs = [
        placeholder(f"x{i}", draw(st.sampled_from(shapes)), DTYPES[draw(name)])
        for i, name in enumerate([st.sampled_from(dtypes)] * 3)
    ]
    pool = list(inputs)
    for _ in range(draw(st.integers(1, 14))):
        pool.append(_grow(draw, pool))
    outputs = draw(st.lists(st.sampled_from(pool), min_size=1, max_size=3))
    return Graph("random", inputs, outputs)


def _grow(draw, pool):
    v = draw(st.sampled_from(pool))
    kind = draw(
        st.sampled_from(["pointwise", "pointwise", "constant", "move", "reduce"])
    )
    if kind == "reduce" and v.shape and v.dtype.category and 0 not in v.shape:
        op = draw(st.sampled_from(["sum", "max", "min"]))
        axes = draw(st.sets(st.integers(-v.ndim, -1), min_size=1))
        return make(op, (v,), axes=tuple(sorted(axes)))
    if kind == "move":
        return _move(draw, v)
    if kind == "constant":
        other = constant(draw(st.sampled_from(_CONSTANTS)), v.shape, float32)
        other = make("cast", (other,), dtype=v.dtype) if v.dtype.category == 2 else v
    else:
        alike = [w for w in pool if w.shape == v.shape and w.dtype is v.dtype]
        other = draw(st.sampled_from(alike))
    return _pointwise(draw, v, other)


def _pointwise(draw, v, other):
    if v.dtype is bool_:
        op = draw(st.sampled_from(["and", "or", "xor", "cast"]))
        return make("cast", (v,), dtype=int32) if op == "cast" else make(op, (v, other))
    names = _WORDS if v.dtype.category == 1 else _FLOATS + _PAIRS
    op = draw(st.sampled_from(names + _TESTS + ["where", "cast"]))
    if op == "where":
        return make("where", (make("lt", (v, other)), v, other))
    if op == "cast":
        to = draw(st.sampled_from(["float64", "float32"]))
        return make("cast", (v,), dtype=DTYPES[to])
    return make(op, (v,) if op in _FLOATS else (v, other))


def _move(draw, v):
    op = draw(
        st.sampled_from(["reshape", "permute", "expand", "slice", "pad", "concat"])
    )
    if op == "reshape":
        n = int(np.prod(v.shape))
        return make(op, (v,), shape=draw(st.sampled_from([(n,), (1, n), v.shape])))
    if op == "expand":
        return make(op, (v,), shape=(draw(st.integers(1, 2)), *v.shape))
    if not v.shape:
        return v
    axis = draw(st.integers(-v.ndim, -1))
    n = v.shape[axis]
    if op == "permute":
        axes = draw(st.permutations(range(-v.ndim, 0)))
        return make(op, (v,), axes=tuple(axes))
    if op == "slice" and n:
        start = draw(st.integers(0, n - 1))
        length = draw(st.integers(1, n - start))
        return make(op, (v,), axis=axis, start=start, length=length, step=1)
    if op == "pad" and v.dtype.category == 2:
        pads = [(0, 0, 0)] * v.ndim
        pads[axis] = (draw(st.integers(0, 1)), draw(st.integers(0, 1)), 0)
        return make(op, (v,), pads=tuple(pads), value=0.0)
    return make("concat", (v, v), axis=axis)
