"""What a device is: memory, copies, launches, streams, events and captured work.

Two implementations stand behind it, cuda.py (a GPU) and simulated.py (host memory and
Triton's interpreter), so that all above runs and is tested without a GPU. Each thread
has a current stream on each device, at first the device's own.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from math import prod
from typing import Any, Callable, Hashable, Iterator, Optional, Sequence

import numpy as np

from ...tracer.errors import DeviceError
from ...tracer.where import user_line
from ..triton.kernel import Config, Kernel
from ..triton.native.binary import Binary
from .array import DeviceArray, span
from .hardware import Hardware
from .memory import Memory, Pool
from .pinned import PinnedSource, Slab, slab_of
from .streams import Launcher, Recording, Stream

__all__ = ["Device"]

TOLD = 1 << 20  # bytes from which on a block knows the line that asked for it
LOADED = 4096  # kernels that are remembered; programs hold theirs themselves
OLDEST = (8, 0)  # what Triton's kernels want: an A100 or newer


class Here(threading.local):
    """What a thread does on a device; its stream besides, once it has one."""

    lane: Hashable = None  # of the graph that it captures
    piece: Any = None  # the eager work to which it adds


class Device(Hardware):
    """One GPU: what all implementations have in common."""

    def __init__(self) -> None:
        self.pool = Pool(self, f"cuda:{self.index} ({self.name})")
        self.host_pool = Pool(PinnedSource(self), "pinned host memory")
        self.checks: dict[Callable[[], None], None] = {}
        self.waiting: dict[Any, None] = {}  # pieces of eager work (pending.py)
        self.pieces: dict[tuple, Any] = {}  # what runs them, by their structure
        self.order = threading.RLock()  # held while there is something done to them
        self.shares = False  # whether another library has seen memory of ours
        self._thread = Here()
        self._launchers: dict[tuple[Kernel, Config], Launcher] = {}

    def __repr__(self) -> str:
        return f"<device cuda:{self.index}: {self.name}, {self.target}>"

    @property
    def label(self) -> str:
        """Its name as PyTorch has it: "cuda:0"."""
        return f"cuda:{self.index}"

    @property
    def unusable(self) -> Optional[str]:
        """Why no kernel can run here; None when they can."""
        if self.capability >= OLDEST:
            return None
        have, need = (".".join(map(str, c)) for c in (self.capability, OLDEST))
        return f"{self.name} has compute capability {have}, kernels need {need}"

    def flush(self) -> None:
        """Let the pieces of eager work run that wait: before all else that is done."""
        while self.waiting:
            with self.order:
                for piece in [*self.waiting]:
                    piece.run()

    # Streams

    @property
    def stream(self) -> Stream:
        """The current stream of this thread."""
        try:
            return self._thread.stream
        except AttributeError:
            self._check_usable()
            self.enter_thread()
            self._thread.stream = self.main
            return self.main

    @contextmanager
    def on(self, stream: Stream) -> Iterator[Stream]:
        """Make a stream the current one of this thread for a while."""
        self.flush()
        before = self.stream
        self._thread.stream = stream
        try:
            yield stream
            self.flush()
        finally:
            self._thread.stream = before

    def use(self, stream: Stream) -> None:
        """Make a stream the current one of this thread from now on."""
        self._check_usable()
        self.flush()
        self.enter_thread()
        self._thread.stream = stream

    @property
    def lane(self) -> Hashable:
        """Whose memory the pool gives: the stream's, or that of a captured graph."""
        found = self._thread.lane
        return self.stream.handle if found is None else found

    @property
    def capturing(self) -> bool:
        """Whether this thread captures instead of running."""
        return self._thread.lane is not None

    def capture(self, run: Callable[[], Any], lane: Hashable) -> tuple[Any, Recording]:
        """What `run` returns, and the work it gave to the device: recorded, not done.

        Memory taken meanwhile comes from `lane`, which must be used by nothing else as
        long as the recording is replayed. The current stream is another meanwhile, one
        that nobody else's work can disturb.
        """
        self._check_usable()
        self.enter_thread()
        with self.on(self.new_stream(apart=True)) as stream:
            self._thread.lane = lane
            try:
                return self.record_work(run, stream)
            finally:
                self._thread.lane = None

    def synchronize(self) -> None:
        """Wait until all streams are done; raises what checks on the device found."""
        self.refuse_capture("synchronize")
        self.flush()
        self.wait_all()
        self.settle()

    def settle(self) -> None:
        """Look at what was put into `checks`: all that was given before is done."""
        while self.checks:
            self.checks.popitem()[0]()

    # Memory

    def empty(self, shape: Sequence[int], dtype: Any, label: Any = None) -> DeviceArray:
        """A contiguous array of nobody-knows-what; OutOfMemoryError without room."""
        shape, dtype = tuple(shape), np.dtype(dtype)
        size = prod(shape) * dtype.itemsize
        if label is None:  # finding the line costs more than a small block is worth
            label = shape, dtype, user_line() if size >= TOLD else None
        memory = self.memory(size, label)
        return DeviceArray(self, memory, memory.ptr, shape, None, dtype)

    def memory(self, size: int, label: Any = None) -> Memory:
        """Bytes that belong to the current stream."""
        return self.pool.allocate(size, self.lane, label)

    def upload(
        self, host: np.ndarray, out: Optional[DeviceArray] = None
    ) -> DeviceArray:
        """A copy of a host array, in `out` (contiguous, of equal shape and type).

        Returns when the host array may change, except for pinned memory: then at once,
        and the array must stay as it is until the current stream has come so far.
        """
        if out is not None:
            self.flush()
        host = np.asarray(host, order="C")
        out = self.empty(host.shape, host.dtype) if out is None else out
        _check_alike(out, host)
        if host.nbytes:
            if not self.is_pinned(host):
                self.refuse_capture("copy from ordinary host memory")
            self.copy_in(out.ptr, host)
            self._in_flight(host)
        return out

    def download(
        self, array: DeviceArray, out: Optional[np.ndarray] = None, wait: bool = True
    ) -> np.ndarray:
        """A copy on the host, in `out` (contiguous, of equal shape and type).

        With `wait=False` the values are there once the current stream has come so far
        (arrays that are not contiguous wait all the same).
        """
        out = np.empty(array.shape, array.dtype) if out is None else out
        _check_alike(out, array)
        if array.nbytes and array.contiguous:
            if wait or not self.is_pinned(out):
                self.refuse_capture("wait for a copy to the host")
            self.copy_out(out, array.ptr)
            self._in_flight(out)
            if wait:
                self.stream.synchronize()
                self.settle()
        elif array.nbytes:
            self.refuse_capture("wait for a copy to the host")
            np.copyto(out, self._strided(array))
        return out

    def _strided(self, array: DeviceArray) -> np.ndarray:
        """All the bytes that its elements lie among, seen as the array sees them."""
        low, size = span(array)
        raw = np.empty(size, np.uint8)
        self.copy_out(raw, low)
        self.stream.synchronize()
        at = array.ptr - low
        return np.ndarray(array.shape, array.dtype, raw, at, array.strides)

    def pinned(self, shape: Sequence[int], dtype: Any) -> np.ndarray:
        """A host array that the device copies from and to by itself."""
        shape, dtype = tuple(shape), np.dtype(dtype)
        size = prod(shape) * dtype.itemsize
        slab = Slab(self.host_pool.allocate(size), size)
        return np.asarray(slab).view(dtype).reshape(shape)

    def is_pinned(self, host: np.ndarray) -> bool:
        """Whether it lies in memory that `pinned` gave."""
        slab = slab_of(host)
        return slab is not None and slab.memory.pool is self.host_pool

    def refuse_capture(self, what: str) -> None:
        """DeviceError while this thread captures: a graph cannot do that."""
        if self.capturing:
            raise DeviceError(f"cannot {what} while work is captured")

    def _in_flight(self, host: np.ndarray) -> None:
        """Pinned memory is not given again before the current stream is done."""
        slab = slab_of(host)
        if slab is not None and not self.capturing:
            slab.memory.used_on(self.stream)

    def copy(self, out: DeviceArray, array: DeviceArray) -> None:
        """Copy between contiguous arrays of equal shape and type on this device."""
        self.flush()
        _check_alike(out, array)
        if array.nbytes and out.ptr != array.ptr:
            self.copy_within(out.ptr, array.ptr, array.nbytes)

    # Kernels

    def launcher(
        self, kernel: Kernel, config: Config, binary: Optional[Binary] = None
    ) -> Launcher:
        """What launches the kernel; compiled if no binary is given; made once.

        Raises CompileError when it does not compile or wants more than there is.
        """
        found = self._launchers.get((kernel, config))
        if found is None:
            self._check_usable()
            while len(self._launchers) >= LOADED:
                self._launchers.pop(next(iter(self._launchers)), None)
            found = self.load(kernel, config, binary)
            self._launchers[kernel, config] = found
        return found

    def _check_usable(self) -> None:
        if self.unusable:
            raise DeviceError(self.unusable)


def _check_alike(out: Any, source: Any) -> None:
    """Both arrays agree, and the one written to is contiguous."""
    if out.shape != source.shape or out.dtype != source.dtype:
        one, other = (f"{a.dtype.name}{list(a.shape)}" for a in (out, source))
        raise DeviceError(f"cannot copy {other} into {one}: copies change nothing")
    flat = out.contiguous if isinstance(out, DeviceArray) else out.flags.c_contiguous
    if not flat:
        raise DeviceError("cannot copy into an array that is not contiguous")
