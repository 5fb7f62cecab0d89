"""The interpreter of Triton kernels: rounds like a GPU, watches every address."""

from __future__ import annotations

import subprocess
import sys
import threading
from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest

triton = pytest.importorskip("triton")

import triton.language as tl  # noqa: E402
from gpu_kernels import axpy  # noqa: E402
from tracefuse.kernels.triton.interpreter import interpreter  # noqa: E402
from tracefuse.kernels.triton.interpreter.interpreter import Interpreted  # noqa: E402
from tracefuse.kernels.triton.native.build import build  # noqa: E402
from tracefuse.tracer.errors import DeviceError  # noqa: E402

BF16 = ml_dtypes.bfloat16
TYPES = [np.float32, np.float16, BF16]


@triton.jit
def scaled_sum(a, b, scale, K: tl.constexpr = 2):
    c = a * b
    return c * K + scale


@triton.jit
def flat(x, y, out, n, scale, B: tl.constexpr = 64):
    i = tl.program_id(0) * B + tl.arange(0, B)
    m = i < n
    a = tl.load(x + i, mask=m, other=0.0)
    b = tl.load(y + i, mask=m, other=0.0)
    tl.store(out + i, scaled_sum(a, b, scale).to(out.dtype.element_ty), mask=m)


@triton.jit
def convert(x, out, n, B: tl.constexpr):
    i = tl.arange(0, B)
    a = tl.load(x + i, mask=i < n, other=0)
    tl.store(out + i, a.to(out.dtype.element_ty), mask=i < n)


def converted(x: np.ndarray, dtype) -> np.ndarray:
    out = np.zeros(x.shape, dtype)
    Interpreted(convert)[1](x, out, x.size, B=1 << (x.size - 1).bit_length())
    return out


def every_rounding() -> np.ndarray:
    """float32 numbers around the ties and the ends of bf16 and f16."""
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 1 << 32, 3000, np.uint32)
    ties = (bits & np.uint32(0xFFFF0000)) | np.uint32(0x8000)
    around = np.concatenate([bits, ties, ties - np.uint32(1), ties + np.uint32(1)])
    edges = np.array([0, -0.0, np.inf, -np.inf, 65519, 65520, 6e-8, 2.9e-8], np.float32)
    return np.concatenate([around.view(np.float32), edges])


@pytest.mark.parametrize("dtype", [np.float16, BF16])
def test_conversions_round_to_nearest_even(dtype):
    x = every_rounding()
    x = x[~np.isnan(x)]
    with np.errstate(over="ignore"):
        want = x.astype(dtype)
    got = converted(x, dtype)
    np.testing.assert_array_equal(got.view(np.uint16), want.view(np.uint16))
    np.testing.assert_array_equal(converted(want, np.float32), want.astype(np.float32))


def test_nan_stays_nan():
    x = np.array([0x7F800001, 0x7FFFFFFF, 0xFFFFFFFF], np.uint32).view(np.float32)
    assert np.isnan(converted(x, BF16).astype(np.float32)).all()


@pytest.mark.parametrize("dtype", TYPES)
def test_arithmetic_with_helpers_defaults_and_ragged_ends(dtype):
    rng = np.random.default_rng(1)
    x, y = (rng.normal(size=1000).astype(dtype) for _ in range(2))
    out = np.zeros(1000, dtype)
    Interpreted(flat)[(16,)](x, y, out, 1000, 3)
    two = dtype(2)
    np.testing.assert_array_equal(out, (x * y * two + dtype(3)).astype(dtype))


@triton.jit
def compared(x, y, out, B: tl.constexpr):
    i = tl.arange(0, B)
    a, b = tl.load(x + i), tl.load(y + i)
    tl.store(out + i, (a < b).to(tl.uint8))
    tl.store(out + B + i, (a >= b).to(tl.uint8))


def test_bf16_compares_as_a_number():
    x = np.array([-1, 2, -3, 0, 1, -0.0, np.nan, 5], BF16)
    y = np.array([1, -2, -4, 0, 1, 0.0, 1, np.nan], BF16)
    out = np.zeros((2, 8), bool)
    Interpreted(compared)[1](x, y, out, B=8)
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(out[0], x < y)
        np.testing.assert_array_equal(out[1], x >= y)


@triton.jit
def fused(x, y, z, out, B: tl.constexpr):
    i = tl.arange(0, B)
    tl.store(out + i, tl.fma(tl.load(x + i), tl.load(y + i), tl.load(z + i)))


def test_fma_rounds_once():
    rng = np.random.default_rng(2)
    x, y, z = rng.normal(size=(3, 256)).astype(np.float32)
    z[::2] = -(x * y)[::2]  # only what the product lost is left
    out = np.zeros_like(x)
    Interpreted(fused)[1](x, y, z, out, B=256)
    rows = zip(*(fractions(a) for a in (x, y, z)))
    want = np.array([float(a * b + c) for a, b, c in rows], np.float32)
    np.testing.assert_array_equal(out, want)


def test_fma_of_float64_keeps_what_the_product_lost():
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(2, 64))
    out = np.zeros_like(x)
    Interpreted(fused)[1](x, y, -(x * y), out, B=64)
    rows = zip(*(fractions(a) for a in (x, y, x * y)))
    np.testing.assert_array_equal(out, [float(a * b - c) for a, b, c in rows])


def fractions(x: np.ndarray) -> list:
    return [Fraction(n) for n in x.astype(np.float64).tolist()]


@triton.jit
def matmul(a, b, c, M, N, K, P: tl.constexpr, B: tl.constexpr, BK: tl.constexpr):
    i, j, k = tl.arange(0, B)[:, None], tl.arange(0, B)[None, :], tl.arange(0, BK)
    acc = tl.zeros((B, B), tl.float32)
    for step in range(0, tl.cdiv(K, BK)):
        q = step * BK + k
        m, n = (i < M) & (q < K)[None, :], (q < K)[:, None] & (j < N)
        left = tl.load(a + i * K + q[None, :], mask=m, other=0.0)
        right = tl.load(b + q[:, None] * N + j, mask=n, other=0.0)
        acc = tl.dot(left, right, acc, input_precision=P)
    tl.store(c + i * N + j, acc.to(c.dtype.element_ty), mask=(i < M) & (j < N))


def multiplied(a, b, precision="ieee"):
    c = np.zeros((a.shape[0], b.shape[1]), a.dtype)
    sizes = a.shape[0], b.shape[1], a.shape[1]
    Interpreted(matmul)[(1,)](a, b, c, *sizes, P=precision, B=32, BK=16)
    return c


@pytest.mark.parametrize("dtype, eps", list(zip(TYPES, (1e-6, 1e-3, 8e-3))))
def test_ragged_matmul(dtype, eps):
    rng = np.random.default_rng(3)
    a, b = (rng.normal(size=s).astype(dtype) for s in ((29, 37), (37, 19)))
    want = a.astype(float) @ b.astype(float)
    got = multiplied(a, b).astype(float)
    np.testing.assert_allclose(got, want, rtol=eps, atol=20 * eps)


def test_tf32_sees_ten_bits_of_the_fraction():
    one = np.full((1, 1), 1 + 2.0**-10 + 2.0**-12, np.float32)
    unit = np.ones((1, 1), np.float32)
    assert multiplied(one, unit, "tf32")[0, 0] == 1 + 2.0**-10
    assert multiplied(one, unit)[0, 0] == one[0, 0]


@triton.jit
def larger(a, i, b, j):
    second = (b > a) | ((a == b) & (j < i))
    return tl.where(second, b, a), tl.where(second, j, i)


@triton.jit
def most(a, b):
    return tl.maximum(a, b)


@triton.jit
def folds(x, values, places, running, R: tl.constexpr, C: tl.constexpr):
    i, j = tl.arange(0, R)[:, None], tl.arange(0, C)[None, :]
    a = tl.load(x + i * C + j)
    top, place = tl.reduce((a, tl.broadcast_to(j, a.shape)), 1, larger)
    tl.store(values + tl.arange(0, R), top)
    tl.store(places + tl.arange(0, R), place)
    tl.store(running + i * C + j, tl.associative_scan(a, 1, most))
    tl.store(running + R * C + i * C + j, tl.cumsum(a, 0, reverse=True))
    tl.store(running + 2 * R * C + i * C + j, tl.sort(a))
    tl.store(running + 3 * R * C, tl.sum(a))
    tl.store(running + 3 * R * C + 1, tl.max(a))


def test_reductions_and_scans_with_combine_functions():
    x = np.random.default_rng(4).integers(-9, 9, (8, 16)).astype(np.float32)
    values, places = np.zeros(8, np.float32), np.zeros(8, np.int32)
    running = np.zeros((4, 8, 16), np.float32)
    Interpreted(folds)[1](x, values, places, running, R=8, C=16)
    np.testing.assert_array_equal(values, x.max(1))
    np.testing.assert_array_equal(places, x.argmax(1))
    np.testing.assert_array_equal(running[0], np.maximum.accumulate(x, 1))
    np.testing.assert_array_equal(running[1], np.cumsum(x[::-1], 0)[::-1])
    np.testing.assert_array_equal(running[2], np.sort(x, 1))
    assert running[3, 0, 0] == x.sum() and running[3, 0, 1] == x.max()


@triton.jit
def shapes(x, out, B: tl.constexpr):
    i = tl.arange(0, B)
    a = tl.load(x + i)
    turned = tl.reshape(tl.trans(tl.reshape(a, (B // 4, 4))), (B,))
    even, odd = tl.split(tl.join(turned, -turned))
    for n in tl.static_range(2):
        even += n
    for n in tl.range(0, 2):
        even += n
    tl.store(out + i, tl.gather(even, B - 1 - i, 0))
    tl.store(out + B + tl.arange(0, 2 * B), tl.cat(even, odd, can_reorder=True))
    tl.atomic_add(out + 3 * B, 2.5)
    tl.atomic_add(out + 3 * B, 2.5)


@pytest.mark.filterwarnings("ignore:tl.cat")
def test_shapes_gathers_loops_and_atomics():
    x = np.arange(16, dtype=np.float32)
    out = np.zeros(49, np.float32)
    Interpreted(shapes)[1](x, out, B=16)
    turned = x.reshape(4, 4).T.ravel()
    np.testing.assert_array_equal(out[:16], (turned + 2)[::-1])
    both = np.concatenate([turned + 2, -turned])
    np.testing.assert_array_equal(np.sort(out[16:48]), np.sort(both))
    assert out[48] == 5


# -- memory


def test_a_masked_lane_may_point_anywhere():
    x, out = np.ones(10, np.float32), np.zeros(10, np.float32)
    Interpreted(flat)[(1,)](x, x, out, 10, 0)
    assert (out == 2).all()


def test_loads_and_stores_outside_are_named():
    long, short = np.ones(100, np.float32), np.ones(10, np.float32)
    with pytest.raises(IndexError, match=r"\(0, 0, 0\) loads 4 bytes at byte 40 of"):
        Interpreted(flat)[(1,)](short, short, short, 60, 0)
    with pytest.raises(IndexError, match=r"\(0, 0, 0\) stores 4 bytes at"):
        Interpreted(flat)[(2,)](long, long, short, 100, 0)
    assert (short == 1).all()


@triton.jit
def bump(x, at):
    tl.atomic_add(x + at, 1.0)


@pytest.mark.parametrize("at", [-1, 4])
def test_atomics_outside_are_named(at):
    said = f"updates 4 bytes at byte {4 * at} of x, which has 16"
    with pytest.raises(IndexError, match=said):
        Interpreted(bump)[1](np.zeros(4, np.float32), at)


def test_arrays_must_be_contiguous():
    x = np.zeros((4, 4), np.float32)
    with pytest.raises(ValueError, match="x must be C-contiguous"):
        Interpreted(bump)[1](x.T, 0)


# -- the language is patched only as long as it must be


def test_the_language_is_as_before():
    before = language()
    with pytest.raises(IndexError):
        Interpreted(bump)[1](np.zeros(1, np.float32), 9)
    assert language() == before


def language() -> list[dict]:
    owners = (tl, tl.core, tl.math, tl.tensor, tl.dtype, tl.range, tl.static_range)
    return [dict(vars(owner)) for owner in owners]


def compiled() -> bytes:
    kernel = axpy()
    return build(kernel, kernel.configs[0], "sm_90").code


def test_threads_interpret_and_compile_at_once():
    want, wrong, again = compiled(), [], []

    def interpret() -> None:
        for n in (100, 300, 500):
            x, out = np.arange(n, dtype=np.float32), np.zeros(n, np.float32)
            Interpreted(flat)[(-(-n // 64),)](x, x, out, n, 1)
            if not np.array_equal(out, x * x * 2 + 1):
                wrong.append(n)

    def recompile() -> None:
        for _ in range(3):
            again.append(compiled())

    threads = [threading.Thread(target=t) for t in (interpret, recompile, interpret)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong and again == [want] * 3


def test_triton_is_imported_at_the_first_launch():
    code = "import tracefuse.kernels.triton.interpreter.interpreter, sys"
    code += "; assert 'triton' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_triton_the_error_says_what_to_install(monkeypatch):
    for name in list(sys.modules):
        if name == "triton" or name == f"{interpreter.__package__}.emulator":
            monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(DeviceError, match=r"pip install 'tracefuse\[gpu\]'"):
        Interpreted(flat)[(1,)](np.zeros(1), np.zeros(1), np.zeros(1), 1, 0)
