"""Jitted results of every sample beside eager ones, recorded and replayed."""

from __future__ import annotations

import pytest
import tracefuse as torch
from samples import (
    BRANCHING,
    EAGER_ONLY,
    MOVING,
    POINTWISE,
    SAMPLES,
    SHOWN,
    SIZED,
    UNWATCHED,
    each,
    each_type,
)
from sampling import HALVES, assert_close, assert_same, flatten, tensors

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")
SEEDS = (1, 2, 3)
RECORDED = [s for s in SAMPLES if s.name not in EAGER_ONLY]
# A recording for each call: the size or the way depends on the numbers.
UNSETTLED = SIZED | UNWATCHED | BRANCHING | SHOWN


def called(function, sample, seed, dtype):
    """One call with fresh data and a fresh stream of random numbers."""
    torch.manual_seed(5)
    return function(*tensors(sample.make_args(seed, dtype)))


def compare(sample, dtype, got, want):
    """Bit for bit where nothing is summed, and in half types."""
    if sample.name in POINTWISE | MOVING or dtype in HALVES:
        assert_same(got, want)
    else:
        assert_close(got, want, sample.rtol)


def assert_settled(function, sample):
    """Recorded at most twice, unless numbers decide the size or the way."""
    if sample.name not in UNSETTLED:
        assert function.cache_info()["recordings"] <= 2, function.explain()


@each_type(RECORDED, "float32", "float16", "bfloat16", "int64", "uint8")
def test_jitted_equals_eager(sample, dtype):
    function = torch.jit(sample.function)
    for seed in SEEDS:
        want = called(sample.function, sample, seed, dtype)
        compare(sample, dtype, called(function, sample, seed, dtype), want)
    assert_settled(function, sample)


@each([s for s in RECORDED if s.order])
def test_jitted_without_gradients(sample):
    function = torch.jit(sample.function)
    with torch.no_grad():
        for seed in SEEDS:
            given = tensors(sample.make_args(seed, "float32"), grad=True)
            torch.manual_seed(5)
            got = function(*given)
            want = called(sample.function, sample, seed, "float32")
            compare(sample, "float32", got, want)
            assert not history(got, given)
    assert_settled(function, sample)


def history(result, given):
    """What requires grad in a result, but for arguments handed back."""
    parts = [t for t in flatten(result) if torch.is_tensor(t)]
    return [t for t in parts if t.requires_grad and not any(t is x for x in given)]


@each([s for s in SAMPLES if s.name in EAGER_ONLY])
def test_what_cannot_be_recorded_says_so(sample):
    with pytest.raises(torch.TraceError):
        called(torch.jit(sample.function), sample, 1, "float32")
