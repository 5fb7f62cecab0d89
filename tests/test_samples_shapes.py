"""Pointwise functions and reductions on shapes and types drawn at random."""

from __future__ import annotations

import numpy as np
import pytest
import tracefuse as torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sampling import (
    FLOATS,
    HALVES,
    assert_close,
    assert_same,
    numpy_type,
    tensors,
    wide,
)

few = settings(max_examples=60, deadline=None)
SIZES = st.integers(0, 4)
SHAPES = st.lists(SIZES, max_size=3).map(tuple)
SEEDS = st.integers(0, 999)
DTYPES = (*FLOATS, *HALVES, "int64", "int32", "uint8")
# Of two types the later one; only the two halves meet in neither of them.
LADDER = ("uint8", "int32", "int64", *HALVES, *FLOATS)
UNARY = {
    "neg": np.negative,
    "abs": np.abs,
    "exp": np.exp,
    "tanh": np.tanh,
    "sin": np.sin,
    "floor": np.floor,
    "square": np.square,
}
BINARY = {
    "add": np.add,
    "mul": np.multiply,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "lt": np.less,
    "eq": np.equal,
}
REDUCTIONS = {"sum": np.sum, "amax": np.max, "amin": np.min, "prod": np.prod}
PROGRAMS = {
    "chain": lambda x, y: torch.tanh(x * y + 1) - x,
    "choice": lambda x, y: torch.where(x < y, x * 2, y - x),
    "rows": lambda x, y: (x + y).sum(-1, keepdim=True) * x - y,
    "total": lambda x, y: (x * y).sum() + (x - y).abs(),
}


@st.composite
def pairs(draw):
    """Two shapes that broadcast against each other."""
    shape = draw(SHAPES)
    both = []
    for _ in range(2):
        kept = draw(st.lists(st.booleans(), min_size=len(shape), max_size=len(shape)))
        ones = tuple(n if keep else 1 for n, keep in zip(shape, kept))
        both.append(ones[draw(st.integers(0, len(ones))) :])
    return both


def numbers(seed, shape, dtype):
    """Small whole numbers and halves of them: sums of them are exact in every type."""
    rng = np.random.default_rng(seed)
    array = rng.integers(-3, 4, shape)
    if dtype.startswith("u"):
        array = np.abs(array)
    array = array / 2 if "float" in dtype else array
    return np.asarray(array).astype(numpy_type(dtype))


def both(function, *arrays):
    """The eager result, which the jitted one equals at every call."""
    want = function(*tensors(arrays))
    jitted = torch.jit(function)
    for _ in range(2):
        assert_same(jitted(*tensors(arrays)), want)
    return want


@few
@given(st.sampled_from(sorted(UNARY)), SHAPES, st.sampled_from(FLOATS + HALVES), SEEDS)
def test_functions_of_one(name, shape, dtype, seed):
    x = numbers(seed, shape, dtype)
    assert_same(both(getattr(torch, name), x), UNARY[name](x))


@few
@given(st.sampled_from(sorted(BINARY)), pairs(), st.sampled_from(DTYPES), SEEDS)
def test_functions_of_two(name, shapes, dtype, seed):
    x, y = (numbers(seed + i, s, dtype) for i, s in enumerate(shapes))
    assert_same(both(getattr(torch, name), x, y), BINARY[name](x, y))


@few
@given(
    st.sampled_from(["add", "mul", "maximum"]),
    st.sampled_from(DTYPES),
    st.sampled_from(DTYPES),
    SEEDS,
)
def test_mixed_types_are_promoted(name, one, two, seed):
    x, y = numbers(seed, (2, 3), one), numbers(seed + 1, (3,), two)
    halves = {one, two} == set(HALVES)
    to = numpy_type("float32" if halves else max(one, two, key=LADDER.index))
    want = BINARY[name](x.astype(to), y.astype(to))
    assert_same(both(getattr(torch, name), x, y), want)


@few
@given(
    st.sampled_from(sorted(REDUCTIONS)),
    st.lists(st.integers(1, 4), max_size=3).map(tuple),
    st.booleans(),
    st.sampled_from(FLOATS + HALVES),
    st.data(),
)
def test_reductions(name, shape, keepdim, dtype, data):
    x = numbers(data.draw(SEEDS), shape, dtype)
    axis = data.draw(st.integers(-len(shape), len(shape) - 1)) if shape else -1
    want = REDUCTIONS[name](wide(x), axis=axis, keepdims=keepdim) if shape else x
    got = both(lambda t: getattr(torch, name)(t, axis, keepdim), x)
    assert_close(got, np.asarray(want).astype(x.dtype))


@few
@given(SHAPES, st.sampled_from(FLOATS), SEEDS)
def test_empty_sums_and_products(shape, dtype, seed):
    x = numbers(seed, (*shape, 0), dtype)
    assert_same(
        both(lambda t: (t.sum(-1), t.prod(-1), t.sum(0)), x),
        (x.sum(-1), x.prod(-1), x.sum(0)),
    )


@few
@given(
    st.sampled_from(sorted(PROGRAMS)), pairs(), st.sampled_from(FLOATS + HALVES), SEEDS
)
def test_programs(name, shapes, dtype, seed):
    shapes = [s or (1,) for s in shapes]
    both(PROGRAMS[name], *(numbers(seed + i, s, dtype) for i, s in enumerate(shapes)))


LARGE = {
    **PROGRAMS,
    "down": lambda x, y: (x + y).sum(0) * 2,
    "extremes": lambda x, y: ((x * y).amax(1), (x - y).amin(0)),
    "product": lambda x, y: (x.sign() * 2 - y.sign()).sign().prod(0),
}


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", LARGE)
def test_sizes_that_take_many_tiles(name, dtype):
    x, y = (numbers(seed, (5, 40_001), dtype) for seed in (1, 2))
    both(LARGE[name], x, y[:1])


@few
@given(pairs(), SEEDS)
def test_gradients_of_broadcasts(shapes, seed):
    """The gradient of the sum of x * y: the other factor, summed to the shape."""
    x, y = (numbers(seed + i, s, "float64") for i, s in enumerate(shapes))
    a, b = tensors([x, y], grad=True)
    torch.jit(lambda s, t: (s * t).sum())(a, b).backward()
    for one, other, t in ((x, y, a), (y, x, b)):
        wide_shape = np.broadcast_shapes(one.shape, other.shape)
        slopes = np.broadcast_to(other, wide_shape)
        assert_close(t.grad, summed_to(slopes, one.shape))


def summed_to(array, shape):
    """What broadcasting repeated, added up."""
    extra = tuple(range(array.ndim - len(shape)))
    array = array.sum(extra)
    ones = tuple(i for i, n in enumerate(shape) if n == 1)
    return np.asarray(array.sum(ones, keepdims=True).reshape(shape))
