"""A GPU: NVIDIA's driver through cuda.core, without PyTorch and without a C compiler.

Streams are ordered after the legacy default stream, on which other libraries work
unless told otherwise: so memory shared with them is safe without a thought.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any, Callable, Optional

import numpy as np

from ...tracer.errors import DeviceError
from ..triton.kernel import Config, Kernel
from ..triton.native.ahead import compile_kernel
from ..triton.native.binary import Binary
from . import driver as door
from .cuda_launch import CudaLauncher
from .device import Device
from .driver import checked
from .streams import Event, Launcher, Recording, Stream

__all__ = ["CudaDevice"]

OUT_OF_MEMORY = 2  # CUDA_ERROR_OUT_OF_MEMORY
PORTABLE = 1  # CU_MEMHOSTALLOC_PORTABLE: pinned for every device


class CudaDevice(Device):
    """The GPU of this number."""

    def __init__(self, index: int):
        self.core = door.core.Device(index)
        facts = self.core.properties
        self.index, self.name, self.dlpack = index, self.core.name, (2, index)
        self.capability = tuple(self.core.compute_capability)
        self.target = "sm_{}{}".format(*self.capability)
        self.multiprocessors = facts.multiprocessor_count
        self.shared_limit = facts.max_shared_memory_per_block_optin
        self.total_memory = checked(door.driver.cuDeviceTotalMem(self.number))
        self._main: Optional[Stream] = None
        self._begin = threading.Lock()
        super().__init__()

    @property
    def number(self) -> Any:
        """As the driver calls it."""
        return checked(door.driver.cuDeviceGet(self.index))

    @property
    def main(self) -> Stream:  # type: ignore[override]
        """Its own stream, made when it is first needed."""
        with self._begin:
            if self._main is None:
                self._main = self.new_stream()
            return self._main

    def activate(self) -> None:
        """Let the driver's functions mean this device, in this thread."""
        if door.current.device is not self:
            self.core.set_current()
            door.current.device = self

    def enter_thread(self) -> None:
        """The same, at a thread's first use."""
        self.activate()

    def load(
        self, kernel: Kernel, config: Config, binary: Optional[Binary]
    ) -> Launcher:
        """Compile it if need be, and give it to the driver."""
        found = binary or compile_kernel(kernel, config, self.target)
        return CudaLauncher(self, found)

    def record_work(
        self, run: Callable[[], Any], stream: Stream
    ) -> tuple[Any, Recording]:
        """Capture the stream; other streams may work as ever."""
        assert isinstance(stream, CudaStream)
        builder = stream.core.create_graph_builder()
        builder.begin_building("relaxed")
        try:
            result = run()
        except BaseException:
            with suppress(Exception):  # the error that matters is on its way
                builder.end_building()
                builder.close()
            raise
        return result, CudaRecording(builder.end_building().complete())

    # Memory

    def raw_allocate(self, size: int) -> Optional[int]:
        """Memory that stays where it is; None when there is not enough."""
        self.activate()
        return _unless_full(door.driver.cuMemAlloc(size))

    def raw_free(self, ptr: int) -> None:
        """The driver waits for what runs."""
        self.activate()
        checked(door.driver.cuMemFree(ptr))

    def free_memory(self) -> tuple[int, int]:
        """As the driver sees it, all processes together."""
        self.activate()
        free, total = checked(door.driver.cuMemGetInfo())
        return int(free), int(total)

    def host_allocate(self, size: int) -> Optional[int]:
        """Pinned memory, for every device; None when there is not enough."""
        self.activate()
        return _unless_full(door.driver.cuMemHostAlloc(size, PORTABLE))

    def host_free(self, ptr: int) -> None:
        """Give it back."""
        checked(door.driver.cuMemFreeHost(ptr))

    def copy_in(self, ptr: int, host: np.ndarray) -> None:
        """Pageable memory is read before this returns; pinned memory is not."""
        at, size = host.ctypes.data, host.nbytes
        checked(door.driver.cuMemcpyHtoDAsync(ptr, at, size, self.queue()))

    def copy_out(self, host: np.ndarray, ptr: int) -> None:
        """Pinned memory is written when the stream comes to it."""
        at, size = host.ctypes.data, host.nbytes
        checked(door.driver.cuMemcpyDtoHAsync(at, ptr, size, self.queue()))

    def copy_within(self, out: int, ptr: int, size: int) -> None:
        """Bytes from here to there."""
        checked(door.driver.cuMemcpyDtoDAsync(out, ptr, size, self.queue()))

    def fill(self, ptr: int, value: int, size: int) -> None:
        """Set bytes."""
        checked(door.driver.cuMemsetD8Async(ptr, value, size, self.queue()))

    # Streams

    def queue(self) -> int:
        """The handle of the current stream; the device is this thread's from now on."""
        self.activate()
        return self.stream.handle

    def new_stream(self, priority: int = 0, apart: bool = False) -> Stream:
        """Another stream; the lower the number, the sooner its work."""
        self.activate()
        wanted = door.core.StreamOptions(nonblocking=apart, priority=priority)
        return CudaStream(self, self.core.create_stream(options=wanted))

    def new_event(self, timing: bool = False) -> Event:
        """Another event."""
        self.activate()
        return CudaEvent(self, timing)

    def wait_all(self) -> None:
        """Wait until all streams are done."""
        self.activate()
        checked(door.driver.cuCtxSynchronize())

    def lead(self, stream: int) -> None:
        """Somebody else's stream waits for the current one."""
        event = self.stream.record()
        checked(door.driver.cuStreamWaitEvent(stream, event.handle, 0))

    def follow(self, stream: int) -> None:
        """The current stream waits for somebody else's."""
        event = self.new_event()
        checked(door.driver.cuEventRecord(event.handle, stream))
        event.wait(self.stream)


def _unless_full(result: tuple) -> Optional[int]:
    if int(result[0]) == OUT_OF_MEMORY:
        return None
    return int(checked(result))


class CudaStream(Stream):
    """A stream of cuda.core."""

    def __init__(self, device: CudaDevice, core: Any):
        self.device, self.core, self.handle = device, core, int(core.handle)

    def record(self, event: Optional[Event] = None) -> Event:
        """An event behind what was given so far."""
        event = event or self.device.new_event()
        event.record(self)
        return event

    def query(self) -> bool:
        """Whether all is done."""
        self.device.activate()
        return int(door.driver.cuStreamQuery(self.handle)[0]) == 0

    def synchronize(self) -> None:
        """Wait here until it is."""
        self.device.activate()
        self.core.sync()


class CudaEvent(Event):
    """An event of cuda.core."""

    def __init__(self, device: CudaDevice, timing: bool):
        wanted = door.core.EventOptions(timing_enabled=timing)
        self.device, self.core = device, device.core.create_event(wanted)
        self.handle = int(self.core.handle)

    def record(self, stream: Optional[Stream] = None) -> None:
        """Mark how far the stream has been given work."""
        self.device.activate()
        _core(stream or self.device.stream).record(self.core)

    def wait(self, stream: Optional[Stream] = None) -> None:
        """Let the stream go no further before."""
        self.device.activate()
        _core(stream or self.device.stream).wait(self.core)

    def query(self) -> bool:
        """Whether it is passed."""
        return self.core.is_done

    def synchronize(self) -> None:
        """Wait here until it is."""
        self.core.sync()

    def elapsed_time(self, end: Event) -> float:
        """Milliseconds, to half a microsecond."""
        return end.core - self.core  # type: ignore[attr-defined]


class CudaRecording(Recording):
    """A CUDA graph."""

    def __init__(self, graph: Any):
        self.graph = graph

    def replay(self, stream: Stream) -> None:
        """One launch for all of it."""
        self.graph.launch(_core(stream))


def _core(stream: Stream) -> Any:
    if not isinstance(stream, CudaStream):
        raise DeviceError(f"{stream!r} belongs to no GPU")
    return stream.core
