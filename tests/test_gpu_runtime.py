"""Devices without a GPU: a simulated one, and cuda.py against a stub of the driver."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from fake_cuda import fake  # noqa: F401
from gpu_kernels import BLOCKS, axpy
from tracefuse.kernels.gpu.cuda_launch import CudaLauncher
from tracefuse.kernels.gpu.discover import devices, get_device, why_none
from tracefuse.kernels.gpu.foreign import from_cuda_array
from tracefuse.kernels.gpu.machine import GpuMachine
from tracefuse.kernels.gpu.simulated import SimulatedDevice
from tracefuse.kernels.triton.native.ahead import triton_version
from tracefuse.kernels.triton.native.binary import Binary
from tracefuse.tracer.errors import CompileError, DeviceError

needs_triton = pytest.mark.skipif(
    triton_version() is None, reason="triton is not installed"
)
BINARY = Binary("axpy", "sm_90", b"code", ("*fp32", "*fp32", "*fp32", "i32"))


@pytest.fixture
def device():
    return SimulatedDevice()


# A simulated device


@needs_triton
def test_kernels_run_in_the_interpreter(device):
    x, y = np.random.default_rng(0).random((2, 3000)).astype(np.float32)
    out = device.empty((3000,), np.float32)
    run = device.launcher(axpy(), BLOCKS[0])[3,]
    run(device.upload(x), device.upload(y), out, 3000)
    assert np.array_equal(out.numpy(), x * 2 + y)
    assert device.count("launch") == 1 and device.count("copy in") == 2
    assert device.calls[-2] == ("launch", "axpy", (3,), device.stream.handle)
    with pytest.raises(TypeError, match="4 arguments, got 1"):
        run(out)


def test_each_thread_has_its_current_stream(device):
    side = device.new_stream()
    seen = []
    with device.on(side):
        other = threading.Thread(target=lambda: seen.append(device.stream))
        other.start()
        other.join()
        assert device.stream is side
        device.fill(device.empty((4,), "u1").ptr, 0, 4)
    assert seen == [device.main] and device.stream is device.main
    assert device.calls[-1] == ("fill", 4, side.handle)
    device.main.wait_stream(side)
    assert device.calls[-1] == ("wait", device.main.handle, side.handle)


def test_events_measure_time(device):
    begin, end = device.new_event(True), device.new_event(True)
    begin.record()
    end.record()
    assert 0 <= begin.elapsed_time(end) < 1000
    with pytest.raises(ValueError, match="timing"):
        device.new_event().elapsed_time(end)


# A GPU, as far as a stub of the driver goes


def test_without_a_driver_there_are_no_devices(fake):  # noqa: F811
    fake(count=0)
    assert devices() == () and why_none() == "there is no GPU"
    with pytest.raises(DeviceError, match="cuda:0: there is no GPU"):
        get_device(0)


@pytest.mark.parametrize("error", [RuntimeError("no driver"), ImportError("none")])
def test_looking_for_devices_never_fails(fake, monkeypatch, error):  # noqa: F811
    fake()
    from tracefuse.kernels.gpu import driver

    def fail():
        raise error

    monkeypatch.setattr(driver.core.Device, "get_all_devices", fail)
    assert devices() == ()
    with pytest.raises(DeviceError, match="driver|cuda-core"):
        get_device()


def test_an_old_gpu_is_listed_with_a_reason(fake):  # noqa: F811
    fake(count=2, capability=(7, 5))
    found = devices()
    assert len(found) == 2 and found[0].target == "sm_75"
    assert "7.5, kernels need 8.0" in found[0].unusable
    assert "8.0" in why_none()
    with pytest.raises(DeviceError, match="compute capability"):
        get_device(1)
    with pytest.raises(DeviceError, match="compute capability"):
        found[0].upload(np.zeros(3))


def test_looking_at_a_gpu_makes_no_context(fake):  # noqa: F811
    log = fake()
    gpu = get_device(0)
    facts = (gpu.name, gpu.target, gpu.multiprocessors, gpu.total_memory)
    assert facts == ("Stub GPU", "sm_90", 132, 1 << 30) and log == []


def test_a_launch_packs_pointers_sizes_and_hidden_pointers(fake):  # noqa: F811
    log = fake()
    gpu = get_device(0)
    a, b, o = (gpu.empty((3000,), np.float32) for _ in range(3))
    launcher = gpu.launcher(axpy(), BLOCKS[0], BINARY)
    assert gpu.launcher(axpy(), BLOCKS[0]) is launcher
    assert launcher[3,] is launcher[3,]
    launcher[3,](a, b[16:], o, 3000)
    what, name, shape, stream, given = log[-1]
    assert (what, name, shape) == ("launch", "axpy", ((3, 1, 1), 128, 0))
    assert stream == gpu.main.handle
    assert given == (a.ptr, b.ptr + 64, o.ptr, 3000, 0, 0)
    assert [type(x) for x in given] == [int, int, int, np.int32, int, int]
    assert ("attribute", 8) not in [call[:2] for call in log]
    with pytest.raises(TypeError, match="takes 4 arguments"):
        launcher[3,](a)
    before = len(log)
    launcher[0,](a, b, o, 0)
    assert len(log) == before


def test_much_shared_memory_is_asked_for_once(fake):  # noqa: F811
    log = fake()
    gpu = get_device(0)
    big = Binary("big", "sm_90", b"code", ("*fp32",), warps=8, shared=100_000)
    launcher = CudaLauncher(gpu, big)
    a = gpu.empty((4,), np.float32)
    for _ in range(2):
        launcher[2, 3](a)
    asked = [call for call in log if call[0] == "attribute"]
    assert asked == [("attribute", 8, 100_000, "big", 0)]
    assert log[-1][2] == ((2, 3, 1), 256, 100_000)


def test_scratch_memory_is_the_first_hidden_pointer(fake):  # noqa: F811
    log = fake()
    gpu = get_device(0)
    binary = Binary("d", "sm_90", b"code", ("*fp32",), scratch=128)
    a = gpu.empty((4,), np.float32)
    before = gpu.pool.statistics()
    CudaLauncher(gpu, binary)[10, 2](a)
    *_, scratch, profile = log[-1][-1]
    assert scratch % 128 == 0 and scratch != a.ptr and profile == 0
    after = gpu.pool.statistics()
    assert after.allocated == before.allocated
    assert after.max_allocated == before.allocated + 2560


@pytest.mark.parametrize(
    "binary, why",
    [
        (Binary("k", "sm_80", b""), "compiled for sm_80, Stub GPU is sm_90"),
        (Binary("k", "sm_90", b"", shared=300_000), "292.97 KiB of shared memory"),
        (Binary("k", "sm_90", b"", ("tensordesc",)), "type tensordesc"),
    ],
)
def test_binaries_that_cannot_run_are_refused(fake, binary, why):  # noqa: F811
    fake()
    with pytest.raises(CompileError, match=why):
        CudaLauncher(get_device(0), binary)


def test_copies_and_events_go_to_the_current_stream(fake):  # noqa: F811
    log = fake()
    gpu = get_device(0)
    side = gpu.new_stream()
    with gpu.on(side):
        a = gpu.upload(np.arange(10.0))
        assert a.numpy().tolist() == list(range(10))
        gpu.copy(gpu.empty((10,), "f8"), a)
        gpu.new_event().record()
    said = [c for c in log if c[0] in ("h2d", "d2h", "d2d", "sync", "record")]
    stream = side.handle
    assert said[:2] == [("h2d", 80, stream), ("d2h", 80, stream)]
    assert said[2:4] == [("sync", stream), ("d2d", 80, stream)]
    assert said[4][2] == stream
    gpu.synchronize()
    assert log[-1] == ("synchronize",)


def test_other_libraries_streams_are_waited_for(fake):  # noqa: F811
    log = fake()
    gpu = get_device(0)
    a = gpu.upload(np.zeros(3, np.float32))
    assert a.__dlpack_device__() == (2, 0)
    ours = gpu.main.handle
    a.__dlpack__(stream=77)
    record, wait = log[-2:]
    assert record[0::2] == ("record", ours) and wait == ("wait", 77, record[1])
    a.__dlpack__()
    assert log[-1][:2] == ("wait", 1)
    before = len(log)
    a.__dlpack__(stream=-1)
    assert len(log) == before

    class Theirs:
        __cuda_array_interface__ = {**a.__cuda_array_interface__, "stream": 5}

    from_cuda_array(gpu, Theirs())
    record, wait = log[-2:]
    assert record[0::2] == ("record", 5) and wait == ("wait", ours, record[1])


def test_threads_and_devices_each_get_their_context(fake):  # noqa: F811
    log = fake(count=2)
    one, two = devices()
    for gpu in (one, two, two, one):
        gpu.fill(gpu.empty((4,), "u1").ptr, 0, 4)
    assert [c[1] for c in log if c[0] == "current"] == [0, 1, 0]
    thread = threading.Thread(target=lambda: one.empty((4,), "u1"))
    thread.start()
    thread.join()
    assert [c[1] for c in log if c[0] == "current"] == [0, 1, 0, 0]


def test_pinned_memory_is_copied_without_waiting(fake):  # noqa: F811
    log = fake()
    gpu = get_device(0)
    host = gpu.pinned((4,), np.float32)
    host[:] = 2
    a = gpu.upload(host)
    out = gpu.pinned((4,), np.float32)
    gpu.download(a, out, wait=False)
    assert out.tolist() == [2, 2, 2, 2] and "sync" not in [c[0] for c in log]
    assert ("host alloc", 2 << 20, 1) in log


# A machine for whole programs


def test_an_index_out_of_bounds_is_told_when_waiting(device):
    machine = GpuMachine(device)
    flag = machine.flag()
    machine.check(flag)
    device.synchronize()
    device.fill(flag.ptr, 1, 1)
    machine.check(flag)
    machine.check(machine.flag())
    with pytest.raises(IndexError):
        device.synchronize()
    machine.check(flag)
    assert flag.numpy()[0] == 0
