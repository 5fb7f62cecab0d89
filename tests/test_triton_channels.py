"""Convolutions on operands whose channels are last: right, and by wide accesses."""

from __future__ import annotations

import numpy as np
import pytest
import tracefuse as torch
from tracefuse.kernels.triton.native.ahead import compile_kernel
from tracefuse.kernels.triton.native.figures import inspect_binary
from tracefuse.kernels.triton.product import channels

pytest.importorskip("triton")
F = torch.nn.functional
# (input, weight, arguments)
CASES = {
    "padded": ((2, 16, 7, 9), (24, 16, 3, 3), {"padding": 1}),
    "runs": ((2, 64, 5, 6), (64, 64, 3, 3), {"padding": 1}),
    "stride": ((2, 16, 9, 8), (8, 16, 3, 3), {"padding": 1, "stride": 2}),
    "dilated": ((1, 16, 9, 9), (16, 16, 3, 3), {"padding": 2, "dilation": 2}),
    "even": ((3, 3, 8, 8), (16, 3, 3, 3), {"padding": 1}),
    "odd channels": ((2, 10, 6, 6), (18, 10, 3, 2), {"padding": (1, 0)}),
    "one by one": ((2, 16, 7, 7), (32, 16, 1, 1), {}),
    "strided one by one": ((2, 16, 8, 8), (32, 16, 1, 1), {"stride": 2}),
    "groups": ((2, 32, 6, 6), (32, 16, 3, 3), {"padding": 1, "groups": 2}),
    "line": ((2, 16, 19), (16, 16, 5), {"padding": 2}),
    "room": ((1, 8, 4, 5, 6), (16, 8, 3, 3, 3), {"padding": 1}),
}


@pytest.fixture(autouse=True)
def however_small(monkeypatch):
    monkeypatch.setattr(channels, "LEAST", 0)


def convolution(shape, more):
    conv = {3: F.conv1d, 4: F.conv2d, 5: F.conv3d}[len(shape)]
    return lambda x, w: conv(x, w, **more)


def with_gradients(f):
    """The result, and the gradients of a sum of it that weighs each element."""

    def both(x, w, g):
        y = f(x, w)
        found = torch.autograd.grad((y * g).sum(), (x, w))
        return (y, *found)

    return both


def numbers(shape, dtype, seed):
    drawn = np.random.default_rng(seed).integers(-2, 3, shape).astype(np.float32)
    return torch.from_numpy(drawn).to(dtype)


def drawn(case, dtype):
    shape, weight, more = CASES[case]
    f = convolution(shape, more)
    x, w = numbers(shape, dtype, 1), numbers(weight, dtype, 2)
    return f, (x, w), numbers(f(x, w).shape, dtype, 3)


@pytest.mark.parametrize("dtype", (torch.float32, torch.bfloat16), ids=str)
@pytest.mark.parametrize("case", CASES)
def test_a_convolution_and_its_gradients(case, dtype):
    f, args, g = drawn(case, dtype)
    args = tuple(a.requires_grad_() for a in args)
    run = torch.jit(with_gradients(f), backend="triton-interpreter")
    assert "laid" in run.lower(*args, g).source
    for got, want in zip(run(*args, g), with_gradients(f)(*args, g)):
        got, want = (t.detach().to(torch.float32).numpy() for t in (got, want))
        np.testing.assert_array_equal(got, want)


def test_a_transposed_convolution():
    shapes = (2, 16, 5, 5), (16, 24, 3, 3)
    x, w = (numbers(s, torch.float32, n) for n, s in enumerate(shapes))

    def f(x, w):
        return F.conv_transpose2d(x, w, stride=2, padding=1, output_padding=1)

    run = torch.jit(f, backend="triton-interpreter")
    assert "laid" in run.lower(x, w).source
    np.testing.assert_array_equal(run(x, w).numpy(), f(x, w).numpy())


def test_an_input_is_laid_once_for_all():
    f, (x, w), g = drawn("runs", torch.float32)
    both = with_gradients(f)
    run = torch.jit(both, backend="triton-interpreter")
    source = run.lower(x.requires_grad_(), w.requires_grad_(), g).source
    assert source.count(": laid\n") == 4  # input, gradient, weight in two orders


def test_what_is_small_is_gathered(monkeypatch):
    monkeypatch.setattr(channels, "LEAST", 1 << 22)
    f, args, _ = drawn("padded", torch.float16)
    source = torch.jit(f, backend="triton-interpreter").lower(*args).source
    assert "laid" not in source


def test_where_padding_is_cut_off_nothing_is_computed():
    f, (x, w), g = drawn("padded", torch.float32)
    run = torch.jit(with_gradients(f), backend="triton-interpreter")
    source = run.lower(x.requires_grad_(), w.requires_grad_(), g).source
    assert ": slice\n" not in source


@pytest.mark.parametrize("target", ("sm_80", "sm_90", "sm_100"))
@pytest.mark.parametrize("dtype", (torch.float32, torch.bfloat16), ids=str)
def test_every_access_is_wide(dtype, target):
    shapes = (4, 64, 16, 16), (128, 64, 3, 3), (4, 128, 16, 16)
    x, w, g = (numbers(s, dtype, 0) for s in shapes)
    f = with_gradients(lambda x, w: F.conv2d(x, w, padding=1))
    run = torch.jit(f, backend="triton-interpreter")
    made = run.lower(x.requires_grad_(), w.requires_grad_(), g).executable
    products = [k for k in made.program.kernels.values() if "matmul" in k.tags]
    assert len(products) == 3
    for kernel in products:
        found = inspect_binary(compile_kernel(kernel, None, target))
        assert found.stack == 0 and not found.loads, kernel.source
        assert set(found.copies) == {128} and min(found.stores) >= 64
        assert "_far" in kernel.source, "the window's offset is one number"
