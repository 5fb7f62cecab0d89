"""A driver that writes down what it is told: stands in for cuda.core and cuda.bindings.

Device memory is host memory. The surface is that of cuda-core 1.2 and cuda-bindings 13
as far as `kernels/gpu/cuda.py` uses it; names and argument orders are theirs.
"""

from __future__ import annotations

import ctypes
from types import SimpleNamespace

import pytest
from tracefuse.kernels.gpu import discover
from tracefuse.kernels.gpu import driver as door


class Driver:
    """cuda.bindings.driver: each function gives a tuple that begins with the status."""

    CUfunction_attribute = SimpleNamespace(
        CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES=8
    )

    def __init__(self, log, memory):
        self.log, self.left, self.buffers = log, memory, {}

    def _new(self, size):
        if size > self.left:
            return 2, None
        self.left -= size
        raw = ctypes.create_string_buffer(size + 512)
        ptr = -(-ctypes.addressof(raw) // 512) * 512
        self.buffers[ptr] = raw, size
        return 0, ptr

    def _free(self, ptr):
        self.left += self.buffers.pop(ptr)[1]
        return (0,)

    def cuMemAlloc(self, size):
        self.log.append(("alloc", size))
        return self._new(size)

    def cuMemFree(self, ptr):
        self.log.append(("free", ptr))
        return self._free(ptr)

    def cuMemHostAlloc(self, size, flags):
        self.log.append(("host alloc", size, flags))
        return self._new(size)

    def cuMemFreeHost(self, ptr):
        return self._free(ptr)

    def cuMemGetInfo(self):
        return 0, self.left, 1 << 30

    def cuDeviceGet(self, index):
        return 0, index

    def cuDeviceTotalMem(self, device):
        return 0, 1 << 30

    def cuCtxSynchronize(self):
        self.log.append(("synchronize",))
        return (0,)

    def cuMemcpyHtoDAsync(self, out, host, size, stream):
        return self._copy("h2d", out, host, size, stream)

    def cuMemcpyDtoHAsync(self, out, ptr, size, stream):
        return self._copy("d2h", out, ptr, size, stream)

    def cuMemcpyDtoDAsync(self, out, ptr, size, stream):
        return self._copy("d2d", out, ptr, size, stream)

    def _copy(self, what, out, ptr, size, stream):
        self.log.append((what, size, stream))
        ctypes.memmove(out, ptr, size)
        return (0,)

    def cuMemsetD8Async(self, ptr, value, size, stream):
        self.log.append(("memset", value, size, stream))
        ctypes.memset(ptr, value, size)
        return (0,)

    def cuStreamQuery(self, stream):
        return (0,)

    def cuStreamWaitEvent(self, stream, event, flags):
        self.log.append(("wait", stream, event))
        return (0,)

    def cuEventRecord(self, event, stream):
        self.log.append(("record", event, stream))
        return (0,)

    def cuKernelSetAttribute(self, attribute, value, kernel, device):
        self.log.append(("attribute", attribute, value, kernel, device))
        return (0,)


class Core:
    """cuda.core: streams, events, launches and graphs."""

    def __init__(self, log, count=1, capability=(9, 0)):
        self.log, self.count, self.capability = log, count, capability
        self.handles = iter(range(16, 1 << 20, 16))
        self.StreamOptions = self.EventOptions = self.LaunchConfig = SimpleNamespace
        self.ObjectCode = SimpleNamespace(from_cubin=self.from_cubin)
        self.Device = Devices(self)

    def from_cubin(self, code, *, name=""):
        self.log.append(("load", name))
        return SimpleNamespace(get_kernel=lambda name: SimpleNamespace(handle=name))

    def launch(self, stream, config, kernel, *arguments):
        shape = config.grid, config.block, config.shmem_size
        self.log.append(("launch", kernel.handle, shape, stream.handle, arguments))


class Devices:
    def __init__(self, core):
        self.core = core

    def get_all_devices(self):
        return [self(i) for i in range(self.core.count)]

    def __call__(self, index):
        return CoreDevice(self.core, index)


class CoreDevice:
    name = "Stub GPU"

    def __init__(self, core, index):
        self.core, self.index = core, index
        self.compute_capability = core.capability
        self.properties = SimpleNamespace(
            multiprocessor_count=132, max_shared_memory_per_block_optin=232448
        )

    def set_current(self):
        self.core.log.append(("current", self.index))

    def create_stream(self, obj=None, options=None):
        self.core.log.append(("stream", options.nonblocking))
        return Stream(self.core)

    def create_event(self, options=None):
        return Event(self.core)


class Stream:
    def __init__(self, core):
        self.core, self.handle = core, next(core.handles)

    def record(self, event):
        self.core.log.append(("record", event.handle, self.handle))

    def wait(self, event):
        self.core.log.append(("wait", self.handle, event.handle))

    def sync(self):
        self.core.log.append(("sync", self.handle))

    def create_graph_builder(self):
        return Builder(self.core, self)


class Event:
    is_done = True

    def __init__(self, core):
        self.core, self.handle = core, next(core.handles)

    def sync(self):
        self.core.log.append(("event sync", self.handle))

    def __sub__(self, other):
        return 1.5


class Builder:
    def __init__(self, core, stream):
        self.core, self.stream = core, stream

    def begin_building(self, mode):
        self.core.log.append(("begin", mode, self.stream.handle))

    def end_building(self):
        self.core.log.append(("end", self.stream.handle))
        return self

    def complete(self):
        return self

    def close(self):
        self.core.log.append(("close",))

    def launch(self, stream):
        self.core.log.append(("graph", stream.handle))


@pytest.fixture
def fake(monkeypatch):
    """Puts the stub in place; `fake(count, capability, memory)` gives its log."""

    def install(count=1, capability=(9, 0), memory=64 << 20):
        log = []
        monkeypatch.setattr(door, "core", Core(log, count, capability))
        monkeypatch.setattr(door, "driver", Driver(log, memory))
        monkeypatch.setattr(door, "current", door.Current())
        monkeypatch.setattr(discover, "_found", None)
        return log

    return install
