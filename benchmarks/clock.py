"""Timing: by events around each call, by events around a replayed graph, by the host.

Before each call that is timed by events, a buffer larger than the L2 cache is
overwritten, so that no way to compute finds its inputs there. Ways take turns, round by
round: a device that grows warm or slow is so for all. Calls timed by the host clock
come in a row, as programs make them: nothing is flushed, and only the end is waited
for.
"""

from __future__ import annotations

import signal
import time
from contextlib import contextmanager
from statistics import median
from typing import Any, Callable, Iterator, Optional, Protocol, Sequence

__all__ = ["Engine", "TooLong", "at_most", "interleaved", "summary"]

ROUNDS = 5
MOST, LEAST = 60, 3  # calls in a round
Call = Callable[[], Any]


class Engine(Protocol):
    """What a library's device can do; `event()` is None where it has no events."""

    def event(self) -> Any:
        """A fresh event: `record()`, `elapsed_time(end)` in milliseconds."""

    def flush(self) -> None:
        """Overwrite the L2 cache."""

    def wait(self) -> None:
        """Until all work is done."""


class TooLong(BaseException):
    """Not an Exception: compilers catch those and go on. `limit` is the one passed."""

    def __init__(self, limit: object, seconds: float):
        super().__init__(f"stopped after {seconds:.0f} s")
        self.limit = limit


@contextmanager
def at_most(seconds: float) -> Iterator[object]:
    """TooLong when it takes longer; in the main thread. Limits may lie in each other.

    What is given is the `limit` of that error: an outer one may be over first.
    """
    limit = object()

    def stop(*_: Any) -> None:
        raise TooLong(limit, seconds)

    left = signal.getitimer(signal.ITIMER_REAL)[0]
    if left and left <= seconds:
        yield limit
        return
    begin, before = time.monotonic(), signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-3))
    try:
        yield limit
    finally:
        signal.signal(signal.SIGALRM, before)
        rest = max(left - (time.monotonic() - begin), 1e-3) if left else 0
        signal.setitimer(signal.ITIMER_REAL, rest)


def by_events(engine: Engine, call: Call, count: int) -> list[float]:
    """Microseconds of each of so many calls."""
    pairs = [(engine.event(), engine.event()) for _ in range(count)]
    for begin, end in pairs:
        engine.flush()
        begin.record()
        call()
        end.record()
    engine.wait()
    return [begin.elapsed_time(end) * 1e3 for begin, end in pairs]


def by_host(engine: Engine, call: Call, count: int) -> list[float]:
    """Microseconds of a call, of so many in a row."""
    engine.wait()
    begin = time.perf_counter()
    for _ in range(count):
        call()
    engine.wait()
    return [(time.perf_counter() - begin) / count * 1e6]


def interleaved(
    ways: Sequence[tuple[Engine, Call, Optional[Call]]], seconds: float
) -> list[dict[str, list[float]]]:
    """Times of each way, `events`, `graph` and `host`, in microseconds.

    A way is an engine, a call, and what replays it as a graph (None: nothing). All of
    it is to take about so many seconds (0: one call of each, to see that it works).
    """
    share = seconds / max(len(ways), 1) / ROUNDS / 3
    counts = [_count(engine, call, share) for engine, call, _ in ways]
    found: list[dict[str, list[float]]] = [{} for _ in ways]
    for _ in range(ROUNDS if seconds else 1):
        for (engine, call, replay), count, times in zip(ways, counts, found):
            times.setdefault("host", []).extend(by_host(engine, call, count))
            if engine.event() is None:
                continue
            times.setdefault("events", []).extend(by_events(engine, call, count))
            if replay is not None:
                times.setdefault("graph", []).extend(by_events(engine, replay, count))
    return found


def _count(engine: Engine, call: Call, share: float) -> int:
    """How many calls fill a round."""
    if not share:
        return 1
    by_host(engine, call, 2)
    once = by_host(engine, call, 2)[0] / 1e6
    return int(min(MOST, max(LEAST, share / max(once, 1e-7))))


def summary(times: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    """Median, minimum and number of each kind of times."""
    return {
        kind: {
            "median_us": round(median(each), 3),
            "min_us": round(min(each), 3),
            "count": len(each),
        }
        for kind, each in times.items()
    }
