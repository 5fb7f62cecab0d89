"""Every sample as generated Triton kernels, run exactly by the interpreter."""

from __future__ import annotations

import pytest
import tracefuse as torch
from samples import EAGER_ONLY, MOVING, SAMPLES, each_type
from sampling import HALVES, assert_close, assert_same, tensors

pytest.importorskip("triton")
# Products of many updates are multiplied two by two.
SAME = MOVING - {"scatter_reduce:prod"}
RECORDED = [s for s in SAMPLES if s.name not in EAGER_ONLY]


def called(function, sample, dtype):
    """One call with the same data and the same stream of random numbers."""
    torch.manual_seed(5)
    return function(*tensors(sample.make_args(1, dtype)))


def tolerance(sample, dtype):
    """Kernels sum in another order, and half types round once more or less."""
    return 2e-2 if dtype in HALVES else max(sample.rtol, 1e-5)


@each_type(RECORDED, "float32", "float64", "float16", "bfloat16", "int64", "uint8")
def test_kernels_equal_numpy(sample, dtype):
    function = torch.jit(sample.function, backend="triton-interpreter")
    got, want = called(function, sample, dtype), called(sample.function, sample, dtype)
    if sample.name in SAME:
        assert_same(got, want)
    else:
        assert_close(got, want, tolerance(sample, dtype))
