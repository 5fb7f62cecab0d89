"""Arrays on a device: views, and memory shared with other libraries."""

from __future__ import annotations

import gc

import ml_dtypes
import numpy as np
import pytest
from tracefuse.kernels.gpu import exchange
from tracefuse.kernels.gpu.foreign import from_cuda_array, from_dlpack
from tracefuse.kernels.gpu.machine import GpuMachine
from tracefuse.kernels.gpu.simulated import SimulatedDevice
from tracefuse.kernels.triton.native.ahead import triton_version
from tracefuse.tracer.errors import DeviceError, ShapeError

needs_triton = pytest.mark.skipif(
    triton_version() is None, reason="triton is not installed"
)
BF16 = np.dtype(ml_dtypes.bfloat16)
TYPES = ["f2", "f4", "f8", "i1", "i8", "u2", "?", BF16]


@pytest.fixture
def device():
    return SimulatedDevice()


VIEWS = {
    "transpose": lambda a: a.transpose(2, 0, 1),
    "reversed axes": lambda a: a.T,
    "slice": lambda a: a[1:, ::2],
    "negative step": lambda a: a[::-1, :, ::-2],
    "index": lambda a: a[1, ..., None, -1],
    "empty": lambda a: a[3:2],
}


@pytest.mark.parametrize("dtype", ["f4", "i8", "?", BF16], ids=str)
@pytest.mark.parametrize("name", VIEWS)
def test_views_are_what_numpy_makes_of_them(device, name, dtype):
    host = np.arange(4 * 6 * 5).reshape(4, 6, 5).astype(dtype)
    array, view = device.upload(host), VIEWS[name]
    seen = view(array)
    assert seen.shape == view(host).shape and seen.dtype == host.dtype
    assert np.array_equal(seen.numpy(), view(host))
    assert seen.memory is array.memory


def test_views_of_views_reshape_while_they_can(device):
    host = np.arange(24).reshape(4, 6)
    array = device.upload(host)
    for shape in ((24,), (8, 3), (2, 2, 1, 6), (1, 4, 6, 1)):
        assert np.array_equal(array.reshape(*shape).numpy(), host.reshape(shape))
    part = array[:, 2:]
    assert np.array_equal(part.reshape(2, 2, 4).numpy(), host[:, 2:].reshape(2, 2, 4))
    with pytest.raises(ShapeError, match="copy"):
        array.T.reshape(24)
    with pytest.raises(ShapeError):
        array.reshape(23)


def test_expanding_costs_no_memory(device):
    array = device.upload(np.arange(3.0))
    before = device.pool.statistics().allocated
    wide = array.expand((1000, 3))
    assert wide.strides == (0, 8) and not wide.contiguous
    assert np.array_equal(wide.numpy(), np.broadcast_to(np.arange(3.0), (1000, 3)))
    assert device.pool.statistics().allocated == before


@pytest.mark.parametrize("index", [[0, 1], np.array([True]), 1.5, "a"], ids=repr)
def test_only_slices_are_views(device, index):
    with pytest.raises(TypeError, match="ints and slices"):
        device.upload(np.arange(3))[index]


def test_copies_want_equal_arrays(device):
    a, b = device.upload(np.zeros((2, 3))), device.upload(np.zeros((3, 2)))
    with pytest.raises(DeviceError, match=r"float64\[3, 2\] into float64\[2, 3\]"):
        device.copy(a, b)
    with pytest.raises(DeviceError, match="not contiguous"):
        device.upload(np.zeros((2, 3)), b.T)


# Other libraries


def test_numpy_reads_what_we_export(device):
    array = device.upload(np.arange(12, dtype=np.float32).reshape(3, 4))
    shared = np.from_dlpack(array[1:, ::2])
    assert shared.tolist() == [[4, 6], [8, 10]]
    del array
    gc.collect()
    assert device.pool.statistics().allocated == 512
    del shared
    gc.collect()
    assert device.pool.statistics().allocated == 0 and not exchange._exported


def test_an_unused_capsule_lets_go(device):
    array = device.upload(np.zeros(3))
    for version in (None, (1, 0)):
        capsule = array.__dlpack__(stream=-1, max_version=version)
        assert len(exchange._exported) == 1
        del capsule
        assert not exchange._exported


@pytest.mark.parametrize("version", [None, (0, 8), (1, 1)])
@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_dlpack_keeps_every_type(device, dtype, version):
    host = np.arange(6).reshape(2, 3).astype(dtype)
    array = device.upload(host).T
    capsule = array.__dlpack__(max_version=version)
    memory, shape, strides, found, where = exchange.read_capsule(capsule)
    assert (shape, strides, found, where) == (array.shape, array.strides, dtype, (1, 0))
    assert memory.ptr == array.ptr
    with pytest.raises(BufferError, match="unused"):
        exchange.read_capsule(capsule)
    del memory
    assert not exchange._exported


def test_dlpack_both_ways_is_the_same_memory(device):
    array = device.upload(np.arange(6).astype(BF16))
    again = from_dlpack(device, array[2:])
    device.fill(again.ptr, 0, 2)
    assert array.numpy().tolist() == [0, 1, 0, 3, 4, 5]
    with pytest.raises(DeviceError, match="cuda:0"):
        from_dlpack(SimulatedStranger(), array)


class SimulatedStranger(SimulatedDevice):
    dlpack = (2, 1)


def test_torch_sees_bfloat16(device):
    torch = pytest.importorskip("torch")
    array = device.upload(np.arange(6).reshape(2, 3).astype(BF16))
    theirs = torch.from_dlpack(array)
    assert theirs.dtype == torch.bfloat16 and theirs.tolist() == [[0, 1, 2], [3, 4, 5]]
    theirs[1, 1] = 9
    assert array.numpy()[1, 1] == 9
    ours = from_dlpack(device, theirs.T)
    assert ours.strides == (2, 6) and ours.numpy()[1, 1] == 9


def test_the_array_interface_names_memory_and_stream(device):
    array = device.upload(np.zeros((3, 4), np.float32))
    told = array.T.__cuda_array_interface__
    assert told == {
        **{"shape": (4, 3), "typestr": "<f4", "strides": (4, 16), "version": 3},
        **{"data": (array.ptr, False), "stream": device.stream.handle},
    }
    assert array.__cuda_array_interface__["strides"] is None
    assert not hasattr(device.upload(np.zeros(3, BF16)), "__cuda_array_interface__")


def test_the_array_interface_is_read_in_stream_order(device):
    array = device.upload(np.arange(12).reshape(3, 4))
    same = from_cuda_array(device, array.T)
    assert np.array_equal(same.numpy(), np.arange(12).reshape(3, 4).T)
    assert ("wait", device.stream.handle, array.device.stream.handle) in device.calls
    ptr = array.ptr
    del array
    assert same.ptr == ptr and same.numpy()[0, 1] == 4


@needs_triton
def test_views_become_solid(device):
    machine = GpuMachine(device)
    host = np.arange(4 * 6 * 5, dtype=np.float32).reshape(4, 6, 5)
    array = device.upload(host)
    assert machine.solid(array) is array
    for view in VIEWS.values():
        for dtype in ("f4", BF16, "i8", "?"):
            typed = host.astype(dtype)
            made = machine.solid(view(device.upload(typed)))
            assert made.contiguous and np.array_equal(made.numpy(), view(typed))
    off = machine.solid(array[0, 0, 1:])
    assert off.ptr % 16 == 0 and np.array_equal(off.numpy(), host[0, 0, 1:])
