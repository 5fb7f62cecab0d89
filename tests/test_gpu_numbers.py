"""Numbers of the host on a GPU: arguments of launches, or one copy before a replay."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tracefuse as torch
from fake_cuda import fake  # noqa: F401
from gpu_tools import gpu  # noqa: F401
from tracefuse.kernels.gpu.discover import pretend
from tracefuse.kernels.gpu.simulated import SimulatedDevice
from tracefuse.kernels.triton.native.ahead import compile_kernel

pytest.importorskip("triton")
TYPES = ("float16", "bfloat16", "float32", "float64", "int32", "int64", "uint8")


@pytest.fixture
def launched(monkeypatch):
    """Without CUDA graphs."""
    monkeypatch.setattr(torch.config, "cuda_graphs", False)


def kernels_with_numbers(device):
    every = (kernel for kernel, _ in device._launchers)
    return [k for k in every if any(p.type[0] != "*" for p in k.params)]


def fused(x, n):
    return x * n + n


def subtracted(x, n):
    return n - x


@pytest.mark.parametrize("name", TYPES)
def test_a_number_beside_every_type(name):
    with pretend(SimulatedDevice()):
        kind = getattr(torch, name)
        x = torch.arange(5).to(kind)
        numbers = (3, 16, -1) if kind.is_floating_point else (3, 16, 1)
        numbers += (0.1, math.inf, math.nan, -0.0) if kind.is_floating_point else ()
        for n in numbers:
            for f in (fused, subtracted, torch.eq):
                want, got = f(x, n), f(x.cuda(), n).cpu()
                assert got.dtype is want.dtype
                np.testing.assert_array_equal(got.float(), want.float())


def test_it_is_an_argument_and_not_copied(gpu):  # noqa: F811
    x = torch.ones(3, device="cuda")
    before = gpu.count("copy in")
    for n in (2.5, 3.5, 4.5):
        assert (x * n).tolist() == [n] * 3
    assert gpu.count("copy in") == before
    (kernel,) = kernels_with_numbers(gpu)
    assert sorted(p.type for p in kernel.params) == ["*fp32", "*fp32", "fp32"]
    binary = compile_kernel(kernel, target="sm_90")
    assert binary.types == tuple(p.type for p in kernel.params)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_numbers_in_products_and_attention_compile(gpu, launched, dtype):  # noqa: F811
    def f(a, b, s):
        scores = torch.softmax(a @ (b * s).mT / s, -1)
        return scores @ b, (a * s) @ b.mT * s

    a, b = (torch.randn(1, 32, 32).to(dtype) for _ in range(2))
    run = torch.jit(f)
    for s in (2.0, 3.0, 4.0):
        got = run(a.cuda(), b.cuda(), torch.tensor(s, dtype=dtype))
        want = f(a, b, torch.tensor(s, dtype=dtype))
        for x, y in zip(got, want):
            error = (x.cpu().float() - y.float()).abs().max().item()
            assert error <= 0.02 * y.float().abs().max().item()
    assert kernels_with_numbers(gpu)
    for kernel in kernels_with_numbers(gpu):
        assert compile_kernel(kernel, target="sm_90").code


def training():
    net = torch.nn.Linear(3, 2).cuda()
    adam = torch.optim.Adam(net.parameters(), lr=0.1)
    later = torch.optim.lr_scheduler.ExponentialLR(adam, 0.9)

    def step(x, scale):
        adam.zero_grad()
        loss = (net(x) * scale).square().mean()
        loss.backward()
        adam.step()
        return loss

    return step, later


@pytest.mark.parametrize("graphs", [True, False])
def test_a_schedule_copies_once_or_never(gpu, monkeypatch, graphs):  # noqa: F811
    monkeypatch.setattr(torch.config, "cuda_graphs", graphs)
    x = torch.ones(4, 3, device="cuda")
    losses = []
    for wrap in (lambda f: f, torch.jit):
        torch.manual_seed(0)
        step, later = training()
        run, found = wrap(step), []
        for n in range(8):
            before = gpu.count("copy in")
            loss = run(x, 1.0 + n)
            copies = gpu.count("copy in") - before
            if wrap is torch.jit and n > 5:
                assert copies == (1 if graphs else 0)
            found.append(loss.item())
            later.step()
        before = gpu.count("copy in")
        run(x, 8.0), later.step(), run(x, 8.0)
        losses.append(found)
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)
    assert gpu.count("replay") > 0 or not graphs


def test_numbers_that_stay_are_not_copied_again(gpu):  # noqa: F811
    f = torch.jit(lambda x, s, t: x * s + t)
    x, numbers = torch.ones(3, device="cuda"), (torch.tensor(2.0), torch.tensor(3.0))
    f(x, *numbers), f(x, *numbers)
    before = gpu.count("copy in")
    for _ in range(3):
        assert f(x, *numbers).tolist() == [5.0] * 3
    assert gpu.count("copy in") == before and gpu.count("replay") >= 2
    numbers[0].fill_(4.0)
    numbers[1].fill_(0.5)
    assert f(x, *numbers).tolist() == [4.5] * 3
    assert gpu.count("copy in") == before + 1


def test_a_number_may_lie_on_either_side(gpu):  # noqa: F811
    f = torch.jit(lambda x, s: x * s)
    x, s = torch.ones(2, device="cuda"), torch.tensor(3.0)
    for given in (s, s.cuda(), s, s.cuda(), s + 1):
        for _ in range(3):
            assert f(x, given).tolist() == [given.item()] * 2


def test_results_that_are_held_keep_their_numbers(gpu):  # noqa: F811
    f = torch.jit(lambda x, s: x * s)
    x = torch.ones(2, device="cuda")
    kept = [f(x, torch.tensor(float(n))) for n in range(8)]
    assert [t[0].item() for t in kept] == [float(n) for n in range(8)]


def test_another_stream_waits_before_the_numbers_change(gpu):  # noqa: F811
    f = torch.jit(lambda x, s: x * s)
    x, other = torch.ones(2, device="cuda"), torch.cuda.Stream()
    for n in range(3):
        f(x, torch.tensor(float(n)))
    at = len(gpu.calls)
    with torch.cuda.stream(other):
        f(x, torch.tensor(7.0))
    done = gpu.calls[at:]
    waits = [n for n, c in enumerate(done) if c[0] == "wait"]
    copies = [n for n, c in enumerate(done) if c[0] == "copy in"]
    assert waits and copies and waits[0] < copies[0]


def test_where_a_kernel_cannot_take_it(gpu, launched):  # noqa: F811
    """In a branch, on the host, as a result."""

    def f(x, s):
        y = torch.cond(x.sum() > 0, lambda x, s: x * s, lambda x, s: x - s, x, s)
        order = torch.argsort(s.expand(1, 5000).clone(), stable=True)
        return y, order.sum(), s.clone(), s.expand(3)

    def plainly(x, s):
        y = x * s if x.sum() > 0 else x - s
        return y, torch.arange(5000).sum(), s.clone(), s.expand(3)

    run = torch.jit(f)
    for value, s in ((1.0, 2.0), (-1.0, 3.0), (1.0, 4.0)):
        x, number = torch.full((2,), value), torch.tensor(s)
        for a, b in zip(run(x.cuda(), number), plainly(x, number)):
            assert a.cpu().tolist() == b.tolist()


def test_the_driver_gets_numbers_of_the_right_width(fake):  # noqa: F811
    log = fake()
    x = torch.ones(2, dtype=torch.float64, device="cuda")
    kept = [x * 0.1]
    torch.cuda.synchronize()
    assert kept
    *_, arguments = [c for c in log if c[0] == "launch"][-1]
    (number,) = (a for a in arguments if isinstance(a, np.generic))
    assert type(number) is np.float64 and number == 0.1
