"""What can go wrong with a GPU, and what is left afterwards."""

from __future__ import annotations

import sys
import warnings

import numpy as np
import pytest
import tracefuse as torch
from gpu_tools import gpu, gpus  # noqa: F401
from tracefuse.kernels.gpu.discover import pretend
from tracefuse.kernels.gpu.simulated import SimulatedDevice
from tracefuse.tracer.errors import CompileError

pytest.importorskip("triton")
MIB = 1 << 20


class Picky(SimulatedDevice):
    """Compiles nothing that has a sine in it."""

    def load(self, kernel, config, binary):
        if "sin" in kernel.ops:
            raise CompileError(f"{kernel.name}: out of registers")
        return super().load(kernel, config, binary)


@pytest.fixture
def picky():
    """Such a device."""
    device = Picky()
    with pretend(device):
        yield device


# No GPU that can be used


def test_no_gpu():
    with pretend():
        assert not torch.cuda.is_available() and torch.cuda.device_count() == 0
        for wrong in (
            lambda: torch.ones(2).cuda(),
            lambda: torch.zeros(2, device="cuda"),
            lambda: torch.nn.Linear(2, 2).to("cuda"),
            lambda: torch.set_default_device("cuda:1"),
            torch.cuda.current_device,
            torch.cuda.synchronize,
            torch.cuda.memory_allocated,
            torch.cuda.Stream,
        ):
            with pytest.raises(torch.DeviceError, match="there is no GPU"):
                wrong()
        torch.cuda.empty_cache()
        torch.cuda.manual_seed_all(3)
        assert torch.ones(2).pin_memory().tolist() == [1, 1]
        assert not torch.ones(2).is_pinned()


def test_a_gpu_that_is_too_old():
    with pretend(SimulatedDevice(capability=(7, 5))):
        assert not torch.cuda.is_available()
        with pytest.raises(torch.DeviceError, match="compute capability 7.5.*need 8.0"):
            torch.ones(2).cuda()


def test_a_number_that_no_gpu_has(gpu):  # noqa: F811
    one = r"'cuda:3' was asked for, but there is 1: cuda:0 \(simulated device\)\. Use"
    for wrong in (
        lambda: torch.ones(2).to("cuda:3"),
        lambda: torch.ones(2, device="cuda:3"),
        lambda: torch.cuda.set_device(3),
        lambda: torch.cuda.get_device_name("cuda:3"),
        lambda: torch.accelerator.set_device_index(3),
        lambda: torch.device("cuda:3").__enter__(),
        lambda: torch.nn.Linear(1, 1).cuda(3),
    ):
        with pytest.raises(torch.DeviceError, match=one):
            wrong()
    assert torch.cuda.current_device() == 0
    with pytest.raises(torch.DeviceError, match="no tensors on 'mps'"):
        torch.ones(2).to("mps")
    with pytest.raises(ValueError, match="Expected a cuda device, but got: cpu"):
        torch.cuda.memory_allocated("cpu")


# Tensors on several devices


def test_tensors_on_several_devices(gpus):  # noqa: F811
    x, y, z = torch.ones(2), torch.ones(2).cuda(), torch.ones(2).cuda(1)
    message = "Expected all tensors to be on the same device, but found at least two "
    for a, b, where in (
        (x, y, "devices, cuda:0 and cpu!"),
        (y, x, "devices, cuda:0 and cpu!"),
        (y, z, "devices, cuda:0 and cuda:1!"),
    ):
        for wrong in (
            lambda a, b: a + b,
            lambda a, b: torch.where(a > 0, a, b),
            lambda a, b: torch.cat([a, b]),
            torch.dot,
            torch.jit(lambda a, b: a * b),
        ):
            with pytest.raises(RuntimeError, match=message) as caught:
                wrong(a, b)
            assert {where.split()[1], where.split()[3][:-1]} == {
                word
                for word in ("cpu", "cuda:0", "cuda:1")
                if word in str(caught.value)
            }
    assert (y + y.cpu().cuda()).tolist() == [2, 2]


# Memory


def here(step):
    """The line of the caller, so many further on."""
    return f"test_cuda_bad_input.py:{sys._getframe(1).f_lineno + step}"


def test_out_of_memory_says_what_holds_it():
    with pretend(SimulatedDevice(memory=64 * MIB)):
        held = torch.zeros(10 * MIB, device="cuda")
        message = (
            r"(?s)cuda:0 .*is out of memory: 40\.00 MiB were asked for "
            rf"\(float32\[10485760\] of {here(5)}\), 24\.00 MiB of 64\.00 MiB are free"
            r"\. tracefuse holds 40\.00 MiB.* in 1 block .*"
            rf"40\.00 MiB: float32\[10485760\] of {here(-5)}"
        )
        with pytest.raises(torch.cuda.OutOfMemoryError, match=message):
            print(held + 1)
        with pytest.raises(MemoryError):
            torch.ones(10 * MIB).cuda()
        assert held[:3].tolist() == [0, 0, 0]
        held[:5].add_(1)
        assert held[:6].tolist() == [1] * 5 + [0]
        del held
        assert torch.zeros(12 * MIB, device="cuda")[0].item() == 0


def test_memory_that_is_kept_for_later_is_given_back_first():
    with pretend(SimulatedDevice(memory=64 * MIB)):
        for count in (9, 10, 11, 12):  # each of another size: none fits the next
            x = torch.zeros(count * MIB, device="cuda")
            del x
        assert torch.cuda.memory_allocated() == 0


def test_a_training_step_that_runs_out_of_memory():
    with pretend(SimulatedDevice(memory=16 * MIB)):
        w = torch.zeros(256, device="cuda", requires_grad=True)
        optimizer = torch.optim.SGD([w], lr=1.0)

        @torch.jit
        def step(x):
            optimizer.zero_grad()
            y = (w * x).exp()
            y.sum().backward()
            optimizer.step()
            return y

        few, many = torch.ones(4, 256).cuda(), torch.ones(10240, 256).cuda()
        step(few), step(few)
        before = w.tolist()
        with pytest.raises(torch.cuda.OutOfMemoryError):
            step(many)
        assert w.tolist() == before
        said = torch.cuda.memory_summary()
        assert f"float32[10240, 256] of {here(-7)}" in said
        del many
        step(few)
        assert w.tolist() != before


# Kernels that do not compile


def test_what_does_not_compile_runs_on_the_cpu(picky):
    x = torch.arange(3.0, device="cuda")
    with pytest.warns(
        UserWarning, match=r"sin \(.*test_cuda_bad_input.py:\d+\) runs as"
    ):
        y = torch.sin(x)
        y.tolist()
    assert y.is_cuda
    np.testing.assert_allclose(y.tolist(), np.sin(np.arange(3)), rtol=1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # told once
        torch.sin(x).tolist()


def test_jitted_as_well(picky):
    w = torch.zeros(3, device="cuda")

    @torch.jit
    def wave(x):
        w.add_(1)
        return torch.sin(x) * 2 + w

    x = torch.arange(3.0, device="cuda")
    with pytest.warns(UserWarning, match=r"wave \(.*test_cuda_bad_input.py:\d+.* runs"):
        wave(x)
    for n in range(2, 6):
        want = np.sin(np.arange(3)) * 2 + n
        np.testing.assert_allclose(wave(x).tolist(), want, rtol=1e-6)
    assert w.tolist() == [5, 5, 5]


def test_strict_is_an_error(picky, monkeypatch):
    torch.config.strict = True
    try:
        with pytest.raises(CompileError, match="out of registers"):
            torch.sin(torch.ones(2, device="cuda"))
        with pytest.raises(CompileError, match="out of registers"):
            torch.jit(lambda x: x.sin() + 1)(torch.ones(2, device="cuda"))
    finally:
        torch.config.strict = False


# What the device finds out later


def test_an_index_out_of_bounds_is_told_when_we_wait(gpu):  # noqa: F811
    x, at = torch.arange(4.0, device="cuda"), torch.tensor([1, 9], device="cuda")
    x[at]
    with pytest.raises(IndexError, match="out of bounds"):
        torch.cuda.synchronize()
    torch.cuda.synchronize()
    assert x[at[:1]].tolist() == [1]


@pytest.mark.parametrize("kind", ["file", "unwritable"])
def test_a_broken_cache_folder(gpu, tmp_path, monkeypatch, kind):  # noqa: F811
    place = tmp_path / "cache"
    if kind == "file":
        place.write_text("no folder")
    else:
        place.mkdir()
        place.chmod(0o500)
    monkeypatch.setenv("TRACEFUSE_CACHE_DIR", str(place / "below"))
    name = f"broken_{kind}"
    scope = {}
    exec(f"def {name}(x):\n    return x * 3.25 - 1", scope)
    f = torch.jit(scope[name])
    for _ in range(3):
        assert f(torch.ones(2, device="cuda")).tolist() == [2.25, 2.25]
