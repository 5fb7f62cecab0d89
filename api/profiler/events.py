"""What a profile consists of."""

from __future__ import annotations

import threading
from time import perf_counter_ns
from typing import Any, NamedTuple, Optional

__all__ = ["Event", "Log", "current", "record_function"]


class Event(NamedTuple):
    """Something that took time: nanoseconds on the clock, bytes read and written.

    `kind` is "kernel", "eager" (one primitive run by Python), "host" (one that a GPU
    leaves to NumPy, with its copies), "copy" (between or within memories), "program" (a
    compiled function's kernels together) or "range" (`record_function`). `device` says
    on which GPU it was.
    """

    kind: str
    name: str
    line: Optional[str]
    start: int
    end: int
    bytes: int
    thread: int
    device: Optional[str] = None


class Log:
    """Collects the events of one profile, from any thread."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def add(
        self, kind: str, name: str, line: Optional[str], start: int, size: int = 0
    ) -> None:
        """Something has just ended."""
        end, thread = perf_counter_ns(), threading.get_ident()
        self.events.append(Event(kind, name, line, start, end, size, thread))


current: list[Log] = []  # of the profiles that are on


class record_function:
    """A range with a name in the profiles that are on: a context or a decorator.

    >>> with record_function("load"):
    ...     pass
    """

    def __init__(self, name: str, args: Any = None):
        self.name = name
        self.starts: list[int] = []

    def __enter__(self) -> "record_function":
        self.starts.append(perf_counter_ns())
        return self

    def __exit__(self, *exc: Any) -> None:
        start = self.starts.pop()
        for log in current:
            log.add("range", self.name, None, start)

    def __call__(self, function: Any) -> Any:
        return _ranged(self.name, function)


def _ranged(name: str, function: Any) -> Any:
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with record_function(name):
            return function(*args, **kwargs)

    wrapped.__name__ = getattr(function, "__name__", name)
    wrapped.__doc__, wrapped.__wrapped__ = function.__doc__, function  # type: ignore
    return wrapped
