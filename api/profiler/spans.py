"""Time on a GPU: a launch returns before its kernel has run, so events of the device
mark where it begins and ends, and are read when the profile ends."""

from __future__ import annotations

import threading
from time import perf_counter_ns
from typing import Any, NamedTuple, Optional

from .events import Event, current

__all__ = ["Clock", "Span", "Spans"]

MOST = 1000  # spans whose events are not read yet


class Clock:
    """That of a device; None: of Triton's interpreter, which runs in host memory."""

    def __init__(self, device: Any):
        self.device = device
        if device is not None:
            self.zero = device.new_event(True)
            self.zero.record()
            self.zero.synchronize()
        self.since = perf_counter_ns()

    def mark(self) -> Any:
        """A moment in the current stream."""
        if self.device is None:
            return perf_counter_ns()
        event = self.device.new_event(True)
        event.record()
        return event

    def between(self, begin: Any, end: Any) -> tuple[int, int]:
        """Two moments in nanoseconds of the host's clock; waits until they are past.

        Each difference is asked of the device anew: it counts in float32, in which a
        kernel is lost beside the time since the profile began.
        """
        if self.device is None:
            return begin, end
        end.synchronize()
        start = self.since + int(self.zero.elapsed_time(begin) * 1e6)
        return start, start + int(begin.elapsed_time(end) * 1e6)


class Span(NamedTuple):
    """What an Event is going to say."""

    kind: str
    name: str
    line: Optional[str]
    bytes: int
    thread: int
    clock: Clock
    begin: Any
    end: Any

    def event(self) -> Event:
        """The same, read from the device."""
        begin, end = self.clock.between(self.begin, self.end)
        place = self.clock.device and self.clock.device.label
        about = self.bytes, self.thread, place
        return Event(self.kind, self.name, self.line, begin, end, *about)


class Spans:
    """What was measured, until it can be read."""

    def __init__(self) -> None:
        self.waiting: list[Span] = []
        self.lock = threading.Lock()

    def add(self, about: tuple, size: int, clock: Clock, begin: Any) -> None:
        """What has just been given to the device, whole: its kind, name and line."""
        kind, name, line = about
        who, end = threading.get_ident(), clock.mark()
        self.waiting.append(Span(kind, name, line, size, who, clock, begin, end))
        if len(self.waiting) > MOST:
            self.settle()

    def settle(self) -> None:
        """Read the events, and tell the profiles that are on."""
        with self.lock:
            spans, self.waiting = self.waiting, []
            for event in [span.event() for span in spans]:
                for log in current:
                    log.events.append(event)
