"""A device in host memory: kernels run in Triton's interpreter, streams at once.

It counts and writes down what a GPU would have been told (`calls`), can be given
little memory, and refuses what a GPU refuses while work is captured.
"""

from __future__ import annotations

import ctypes
import itertools
import time
from typing import Any, Callable, Optional

import numpy as np

from ...tracer.errors import DeviceError
from ..triton.interpreter.interpreter import Interpreted
from ..triton.kernel import Config, Kernel
from ..triton.native.binary import Binary
from ..triton.native.build import function_of
from .array import DeviceArray, span
from .device import Device
from .streams import Event, Launcher, Recording, Stream

__all__ = ["SimulatedDevice"]

GIB = 1 << 30
ALIGN = 512
GARBAGE = 0xFF  # what fresh memory holds: NaN, in every float type


class SimulatedDevice(Device):
    """A device that has `memory` bytes and says that it is of this capability.

    `calls` lists, in order, what it was told: tuples that begin with "launch", "copy
    in", "copy out", "copy", "fill", "replay", "allocate", "free", "wait". Kernels are
    run by `interpret(function)[grid](*arrays, **constants)`.
    """

    dlpack = (1, 0)  # a CPU, which is the truth

    def __init__(
        self,
        index: int = 0,
        capability: tuple[int, int] = (9, 0),
        memory: int = 4 * GIB,
        interpret: Callable[[Any], Any] = Interpreted,
    ):
        self.index, self.capability, self.total_memory = index, capability, memory
        self.name = "simulated device"
        self.target = "sm_{}{}".format(*capability)
        self.multiprocessors, self.shared_limit = 4, 232448
        self.interpret = interpret
        self.calls: list[tuple] = []
        self.used = 0
        self._raw: dict[int, np.ndarray] = {}
        self._recorded: Optional[list[Callable[[], None]]] = None
        self._handles = itertools.count(1)
        self.main = SimulatedStream(self)
        super().__init__()

    def enter_thread(self) -> None:
        """Every thread can use host memory."""

    def count(self, what: str) -> int:
        """How often it was told so."""
        return sum(call[0] == what for call in self.calls)

    def told(self, call: tuple, action: Callable[[], None]) -> None:
        """Do it and write it down, or record it for replays."""
        if self._recorded is not None:
            self._recorded.append(lambda: self.told(call, action))
            return
        self.calls.append(call)
        action()

    def host_view(self, array: DeviceArray) -> np.ndarray:
        """The elements themselves: host memory after all."""
        if not array.size:
            return np.empty(array.shape, array.dtype)
        low, size = span(array)
        raw, at = (ctypes.c_char * size).from_address(low), array.ptr - low
        return np.ndarray(array.shape, array.dtype, raw, at, array.strides)

    def load(
        self, kernel: Kernel, config: Config, binary: Optional[Binary]
    ) -> Launcher:
        """The interpreter takes the place of the binary."""
        return SimulatedLauncher(self, kernel, config)

    def record_work(
        self, run: Callable[[], Any], stream: Stream
    ) -> tuple[Any, Recording]:
        """Launches and copies pile up instead of being done."""
        if self._recorded is not None:
            raise DeviceError("work is being captured already")
        work: list[Callable[[], None]] = []
        self._recorded = work
        try:
            return run(), SimulatedRecording(self, work)
        finally:
            self._recorded = None

    def raw_allocate(self, size: int) -> Optional[int]:
        """Host memory, filled with garbage; None beyond the limit."""
        if self.used + size > self.total_memory:
            return None
        self.used += size
        self.calls.append(("allocate", size))
        return self._new_bytes(size)

    def raw_free(self, ptr: int) -> None:
        """Give it back."""
        size = self._raw.pop(ptr).size - ALIGN
        self.used -= size
        self.calls.append(("free", size))

    def _new_bytes(self, size: int) -> int:
        raw = np.full(size + ALIGN, GARBAGE, np.uint8)
        ptr = -(-raw.ctypes.data // ALIGN) * ALIGN
        self._raw[ptr] = raw
        return ptr

    def free_memory(self) -> tuple[int, int]:
        """Bytes that are free, and bytes in all."""
        return self.total_memory - self.used, self.total_memory

    def host_allocate(self, size: int) -> Optional[int]:
        """All host memory is as good as pinned."""
        return self._new_bytes(size)

    def host_free(self, ptr: int) -> None:
        """Give it back."""
        del self._raw[ptr]

    def new_stream(self, priority: int = 0, apart: bool = False) -> Stream:
        """Another stream."""
        return SimulatedStream(self)

    def new_event(self, timing: bool = False) -> Event:
        """Another event."""
        return SimulatedEvent(self, timing)

    def wait_all(self) -> None:
        """Everything is done already."""

    def copy_in(self, ptr: int, host: np.ndarray) -> None:
        """From a contiguous host array."""
        call = ("copy in", host.nbytes, self.stream.handle)
        self.told(call, lambda: _move(ptr, host.ctypes.data, host.nbytes))

    def copy_out(self, host: np.ndarray, ptr: int) -> None:
        """To a contiguous host array."""
        call = ("copy out", host.nbytes, self.stream.handle)
        self.told(call, lambda: _move(host.ctypes.data, ptr, host.nbytes))

    def copy_within(self, out: int, ptr: int, size: int) -> None:
        """Bytes from here to there."""
        call = ("copy", size, self.stream.handle)
        self.told(call, lambda: _move(out, ptr, size))

    def fill(self, ptr: int, value: int, size: int) -> None:
        """Set bytes."""
        call = ("fill", size, self.stream.handle)
        self.told(call, lambda: _fill(ptr, value, size))

    def lead(self, stream: int) -> None:
        """Somebody else's stream waits."""
        self.calls.append(("wait", stream, self.stream.handle))

    def follow(self, stream: int) -> None:
        """The current stream waits for somebody else's."""
        self.calls.append(("wait", self.stream.handle, stream))


def _move(out: int, ptr: int, size: int) -> None:
    ctypes.memmove(out, ptr, size)


def _fill(ptr: int, value: int, size: int) -> None:
    ctypes.memset(ptr, value, size)


class SimulatedLauncher(Launcher):
    """Runs a kernel in the interpreter on the arrays' own memory."""

    def __init__(self, device: SimulatedDevice, kernel: Kernel, config: Config):
        self.device, self.kernel = device, kernel
        self.constants = dict(config.constants)
        self.runs = device.interpret(function_of(kernel))

    def __getitem__(self, grid: tuple[int, ...]) -> Callable[..., None]:
        """What launches so many programs."""
        return lambda *arguments: self._launch(grid, arguments)

    def _launch(self, grid: tuple[int, ...], arguments: tuple) -> None:
        wanted = len(self.kernel.params)
        if len(arguments) != wanted:
            given = f"{wanted} arguments, got {len(arguments)}"
            raise TypeError(f"{self.kernel.name} takes {given}")
        call = ("launch", self.kernel.name, grid, self.device.stream.handle)
        self.device.told(call, lambda: self._run(grid, arguments))

    def _run(self, grid: tuple[int, ...], arguments: tuple) -> None:
        if 0 in grid:
            return
        view = self.device.host_view
        given = [view(a) if isinstance(a, DeviceArray) else a for a in arguments]
        self.runs[grid](*given, **self.constants)


class SimulatedStream(Stream):
    """All that it is given is done at once."""

    def __init__(self, device: SimulatedDevice):
        self.device, self.handle = device, next(device._handles)

    def record(self, event: Optional[Event] = None) -> Event:
        """An event behind what was given so far."""
        event = event or self.device.new_event()
        event.record(self)
        return event

    def query(self) -> bool:
        """Always done."""
        return True

    def synchronize(self) -> None:
        """Always done; not while work is captured."""
        self.device.refuse_capture("synchronize")


class SimulatedEvent(Event):
    """Remembers when it was recorded."""

    def __init__(self, device: SimulatedDevice, timing: bool):
        self.device, self.timing, self.handle = device, timing, next(device._handles)
        self.at: Optional[float] = None
        self.stream: Optional[Stream] = None

    def record(self, stream: Optional[Stream] = None) -> None:
        """Mark the moment."""
        self.stream, self.at = stream or self.device.stream, time.perf_counter()

    def wait(self, stream: Optional[Stream] = None) -> None:
        """Written down; there is nothing to wait for."""
        if self.stream is not None:
            waits = (stream or self.device.stream).handle
            self.device.calls.append(("wait", waits, self.stream.handle))

    def query(self) -> bool:
        """Always passed."""
        return True

    def synchronize(self) -> None:
        """Always passed; not while work is captured."""
        self.device.refuse_capture("synchronize")

    def elapsed_time(self, end: Event) -> float:
        """Milliseconds of host time."""
        assert isinstance(end, SimulatedEvent)
        if not (self.timing and end.timing and self.at and end.at):
            raise ValueError("both events must be made with timing and recorded")
        return (end.at - self.at) * 1e3


class SimulatedRecording(Recording):
    """Does again what piled up."""

    def __init__(self, device: SimulatedDevice, work: list[Callable[[], None]]):
        self.device, self.work = device, work

    def replay(self, stream: Stream) -> None:
        """All of it, in order."""
        self.device.calls.append(("replay", len(self.work), stream.handle))
        for step in self.work:
            step()
