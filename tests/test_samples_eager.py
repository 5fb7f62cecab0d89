"""Eager results of every sample beside NumPy's."""

from __future__ import annotations

import numpy as np
from samples import SAMPLES, each, each_type, is_random
from sampling import (
    as_array,
    assert_close,
    assert_same,
    flatten,
    numpy_type,
    tensors,
)


def in_float64(arrays, dtype):
    """The same numbers where they have the sample's type, a float type."""
    kind = numpy_type(dtype)
    real = dtype.startswith(("float", "bfloat"))
    return [a.astype(float) if real and a.dtype == kind else a for a in arrays]


def wanted(sample, arrays, dtype, got):
    """The reference in float64, rounded to the types of the result."""
    with np.errstate(all="ignore"):
        exact = flatten(sample.numpy(*in_float64(arrays, dtype)))
    assert len(exact) == len(flatten(got))
    types = [as_array(leaf).dtype for leaf in flatten(got)]
    return [np.asarray(leaf).astype(kind) for leaf, kind in zip(exact, types)]


@each_type([s for s in SAMPLES if s.numpy and s.exact])
def test_the_same_bits_as_numpy(sample, dtype):
    arrays = sample.make_args(1, dtype)
    with np.errstate(all="ignore"):
        expected = sample.numpy(*arrays)
    assert_same(sample.function(*tensors(arrays)), expected)


@each_type([s for s in SAMPLES if s.numpy and not s.exact])
def test_close_to_numpy(sample, dtype):
    arrays = sample.make_args(1, dtype)
    got = sample.function(*tensors(arrays))
    assert_close(got, wanted(sample, arrays, dtype, got), sample.rtol)


UNNAMED = [s for s in SAMPLES if not s.numpy and not is_random(s)]


@each_type(UNNAMED, "float32", "float16", "bfloat16")
def test_narrow_types_follow_float64(sample, dtype):
    """Where NumPy has no word: the same call on the same numbers in float64."""
    arrays = sample.make_args(1, dtype)
    got = sample.function(*tensors(arrays))
    exact = flatten(sample.function(*tensors(in_float64(arrays, dtype))))
    types = [as_array(leaf).dtype for leaf in flatten(got)]
    rounded = [as_array(leaf).astype(kind) for leaf, kind in zip(exact, types)]
    assert_close(got, rounded, sample.rtol)


@each(SAMPLES)
def test_arguments_are_left_alone(sample):
    arrays = sample.make_args(1, sample.dtypes[0])
    given = tensors(arrays)
    sample.function(*given)
    assert_same(given, arrays)
