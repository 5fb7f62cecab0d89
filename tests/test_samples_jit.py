"""Jitted results of every sample beside eager ones, recorded and replayed."""

from __future__ import annotations

import pytest
from samples import SAMPLES, each, each_type
from sampling import assert_close, assert_same, tensors

import tracefuse as torch

SEEDS = (1, 2, 3)
# The size of the result depends on data: recorded at each call, never kept.
SIZED = """unique unique:all unique_consecutive bincount bincount:weights masked_select
nonzero nonzero:tuple argwhere where:one""".split()
SIZED += [f"Tensor.__getitem__:{by}" for by in ("mask", "rows")]
# Values decide what Python sees: each way is recorded when it is first taken.
VALUES = "item tolist __float__ __int__ __index__ __bool__ __contains__".split()
BRANCHING = {f"Tensor.{name}" for name in VALUES} | {"equal", "allclose"}
# NumPy's arrays are read at each call: nobody watches their numbers.
VOLATILE = {"from_numpy", "from_dlpack", *SIZED}


def eager(sample, seed, dtype):
    torch.manual_seed(5)
    return sample.function(*tensors(sample.make_args(seed, dtype)))


def jitted(function, sample, seed, dtype):
    torch.manual_seed(5)
    return function(*tensors(sample.make_args(seed, dtype)))


def settled(function, sample):
    """Recorded at most twice, unless values decide the way or nothing can be kept."""
    most = len(SEEDS) if sample.name in BRANCHING | VOLATILE else 2
    return function.cache_info()["recordings"] <= most


@each_type(SAMPLES)
def test_jitted_equals_eager(sample, dtype):
    function = torch.jit(sample.function)
    for seed in SEEDS:
        got = jitted(function, sample, seed, dtype)
        assert_close(got, eager(sample, seed, dtype), sample.rtol)
    assert settled(function, sample), function.explain()


@each_type(SAMPLES, "float16", "bfloat16")
def test_half_types_round_alike(sample, dtype):
    function = torch.jit(sample.function)
    for seed in SEEDS[:2]:
        got = jitted(function, sample, seed, dtype)
        assert_same(got, eager(sample, seed, dtype))


@each([s for s in SAMPLES if s.order])
def test_jitted_without_gradients(sample):
    function = torch.jit(sample.function)
    with torch.no_grad():
        for seed in SEEDS:
            torch.manual_seed(5)
            got = function(*tensors(sample.make_args(seed, "float32"), grad=True))
            assert_close(got, eager(sample, seed, "float32"), sample.rtol)
    assert settled(function, sample), function.explain()


@each([s for s in SAMPLES if s.name == "add"])
def test_a_wrong_result_would_be_seen(sample):
    function = torch.jit(lambda *given: sample.function(*given) * 1.001)
    with pytest.raises(AssertionError):
        got = jitted(function, sample, 1, "float32")
        assert_close(got, eager(sample, 1, "float32"), sample.rtol)
