"""TF32 as a visible setting: what GPU kernels make of float32 products."""

from __future__ import annotations

import numpy as np
import pytest
import tracefuse as torch


@pytest.fixture(autouse=True)
def highest():
    yield
    torch.set_float32_matmul_precision("highest")


def test_two_ways_to_say_it():
    assert torch.get_float32_matmul_precision() == "highest"
    torch.backends.cuda.matmul.allow_tf32 = True
    assert torch.get_float32_matmul_precision() == "high"
    torch.set_float32_matmul_precision("highest")
    assert torch.backends.cuda.matmul.allow_tf32 is False


def test_another_word_is_refused_and_changes_nothing():
    with pytest.raises(ValueError, match="'best' is not one of 'highest'"):
        torch.set_float32_matmul_precision("best")
    assert torch.get_float32_matmul_precision() == "highest"


def test_kernels_round_operands_only_when_asked():
    pytest.importorskip("triton")
    torch.manual_seed(0)
    x, y = torch.randn(32, 64), torch.randn(64, 32)
    exact = x.double() @ y.double()

    def error():
        product = torch.jit(lambda x, y: x @ y, backend="triton-interpreter")
        return float((product(x, y).double() - exact).abs().max())

    fine = error()
    torch.set_float32_matmul_precision("high")
    coarse = error()
    assert fine < 1e-5 < 1e-3 < coarse < 0.1
    assert np.isfinite(coarse)
