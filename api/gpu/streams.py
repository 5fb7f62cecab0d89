"""Streams and events of GPUs, by PyTorch's names.

Work on one stream is done in order; each thread has a current stream on each GPU.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Iterator, Optional

from ..cuda import device as current
from ..cuda import found
from ..device import named, where
from ..tensor import Tensor, method

__all__ = ["Event", "Stream", "current_stream", "default_stream", "set_stream"]
__all__ += ["stream"]


class Stream:
    """A queue of work on a GPU (None: the current one).

    The lower its `priority`, the sooner its work.
    """

    def __init__(self, device: Any = None, priority: int = 0, *, _queue: Any = None):
        there = found(device) if _queue is None else _queue.device
        self._place, self.priority = there, priority
        self._queue = there.new_stream(priority) if _queue is None else _queue

    device = property(lambda self: named(self._place), doc="The GPU it is on.")
    cuda_stream = property(lambda self: self._queue.handle, doc="The driver's handle.")

    def wait_event(self, event: "Event") -> None:
        """Go no further before the event is passed."""
        event.wait(self)

    def wait_stream(self, stream: "Stream") -> None:
        """Go no further before the other has done what it was given so far."""
        stream._place.flush()
        self._queue.wait_stream(stream._queue)

    def record_event(self, event: Optional["Event"] = None) -> "Event":
        """An event behind the work that was given so far."""
        event = Event() if event is None else event
        event.record(self)
        return event

    def query(self) -> bool:
        """Whether all of it is done."""
        self._place.flush()
        return self._queue.query()

    def synchronize(self) -> None:
        """Wait here until it is; raises what a kernel found wrong meanwhile."""
        self._place.flush()
        self._queue.synchronize()
        self._place.settle()

    def __enter__(self) -> "Stream":
        self._inside = stream(self)
        self._inside.__enter__()
        return self

    def __exit__(self, *exc: Any) -> None:
        self._inside.__exit__(*exc)

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, Stream) and self._queue is other._queue

    def __hash__(self) -> int:
        return hash(self._queue)

    def __repr__(self) -> str:
        return f"<stream {self.cuda_stream:#x} on {self.device}>"


class Event:
    """A point in a stream; it belongs to the GPU on which it is first recorded."""

    def __init__(
        self,
        enable_timing: bool = False,
        blocking: bool = False,
        interprocess: bool = False,
    ):
        if interprocess:
            raise NotImplementedError("events are not shared between processes")
        self.timing, self._event = enable_timing, None

    _event: Any

    def record(self, stream: Optional[Stream] = None) -> None:
        """Mark how far the stream (the current one) has been given work."""
        queue = (stream or current_stream())._queue
        queue.device.flush()
        if self._event is None:
            self._event = queue.device.new_event(self.timing)
        self._event.record(queue)

    def wait(self, stream: Optional[Stream] = None) -> None:
        """Let the stream (the current one) go no further before this is passed."""
        if self._event is not None:
            self._event.wait((stream or current_stream())._queue)

    def query(self) -> bool:
        """Whether it is passed; an event that was never recorded is."""
        return self._event is None or self._event.query()

    def synchronize(self) -> None:
        """Wait here until it is."""
        if self._event is not None:
            self._event.synchronize()

    def elapsed_time(self, end_event: "Event") -> float:
        """Milliseconds to another event. RuntimeError unless both were made with
        `enable_timing` and recorded."""
        if not (self.timing and end_event.timing):
            raise RuntimeError(
                "Both events must be created with argument 'enable_timing=True'."
            )
        if self._event is None or end_event._event is None:
            raise RuntimeError(
                "Both events must be recorded before calculating elapsed time."
            )
        return self._event.elapsed_time(end_event._event)


def current_stream(device: Any = None) -> Stream:
    """The current stream of this thread on a GPU."""
    return Stream(_queue=found(device).stream)


def default_stream(device: Any = None) -> Stream:
    """The stream of the GPU itself."""
    return Stream(_queue=found(device).main)


@contextmanager
def stream(stream: Optional[Stream]) -> Iterator[None]:
    """The current stream, and the current GPU with it, are others in here."""
    if stream is None:
        yield
        return
    with current(stream._place.index), stream._place.on(stream._queue):
        yield


def set_stream(stream: Optional[Stream]) -> None:
    """Make it the current stream of this thread from now on."""
    if stream is not None:
        stream._place.use(stream._queue)


@method
def record_stream(self: Tensor, s: Stream) -> None:
    """Tell that work on stream `s` reads it: its memory is not given again before."""
    if where(self) is not None:
        self._storage.array.memory.used_on(s._queue)
