"""A part of the proof without a GPU: kernels as machine code for three generations."""

from __future__ import annotations

import pytest

pytest.importorskip("triton")
proof = pytest.importorskip("benchmarks.proof")
from benchmarks.corpus import corpus  # noqa: E402

CASES = {case.name: case for case in corpus()}
PART = [
    "softmax backward 4096 bf16",
    "layer_norm 1024 bf16",
    "cross_entropy 50257 bf16",
    "dropout 2**22",
    "transpose add 4096x4096 f32",
    "linear gelu residual 1024x1024x1024 bf16",
    "conv 16x64x56x56 to 64 bf16",
]


def records(name, *targets):
    graph, made = proof.program_of(CASES[name])
    assert not made.slow, "everything has a template"
    return list(proof.proved(name, graph, made, targets))


@pytest.mark.parametrize("name", PART)
@pytest.mark.parametrize("target", ["sm_80", "sm_90", "sm_100"])
def test_kernels_do_not_spill_and_fit(name, target):
    found = records(name, target)
    assert found and not any(r["problem"] for r in found), proof.table(found)


@pytest.mark.parametrize(
    "target, instruction",
    [("sm_80", "HMMA"), ("sm_90", "HGMMA"), ("sm_100", "UTCHMMA")],
)
def test_products_of_half_types_use_tensor_cores(target, instruction):
    found = records("linear gelu residual 1024x1024x1024 bf16", target)
    assert len(found) == {"sm_80": 1, "sm_90": 2, "sm_100": 3}[target]  # forms
    assert all(r["tensor"].get(instruction) for r in found), found


def test_a_convolution_and_its_gradients_read_16_bytes_at_a_time():
    for name in ("conv 16x64x56x56 to 64 bf16", "conv backward 16x64x56x56 to 64 bf16"):
        found = [r for r in records(name, "sm_90") if r["tensor"]]
        assert {(r["load"], r["copy"]) for r in found} == {(0, 128)}, proof.table(found)


def test_a_product_with_a_vector_reads_the_matrix_once():
    for layout in ("NN", "NT"):
        found = records(f"matmul {layout} 1x4096x4096 bf16", "sm_90")
        assert found[0]["bytes"] < 1.05 * found[0]["least"], found
        assert found[0]["load"] == 128


def test_pointwise_kernels_move_16_bytes_at_a_time():
    for name in ("gelu 2**24 bf16", "gelu 10**6+3 f32", "bias gelu 8192x4096 bf16"):
        (found,) = records(name, "sm_90")
        assert (found["load"], found["store"]) == (128, 128), name


def test_rows_are_read_and_written_once():
    for name in ("softmax 4096 bf16", "softmax backward 4096 bf16", "dropout 2**22"):
        (found,) = records(name, "sm_90")
        assert found["bytes"] == found["least"], name


def test_a_problem_is_found_and_told(capsys):
    found = records("softmax 4096 bf16", "sm_90")
    found[0]["problem"] = "spills 8 bytes"
    assert "spills 8 bytes" in proof.table(found)
    assert proof.main(["--targets", "sm_90", "--only", "rms_norm 1024 bf16"]) == 0
    assert "1 kernels, 1 binaries, 0 with a problem" in capsys.readouterr().out
