"""A profile for chrome://tracing and https://ui.perfetto.dev."""

from __future__ import annotations

import json
import os
from typing import Any, Iterable

from .events import Event

__all__ = ["write_trace"]


def write_trace(events: Iterable[Event], path: Any) -> None:
    """The events in Chrome's trace format (times in microseconds).

    Each thread has a row, and so has each GPU.
    """
    events = list(events)
    places = {e.device for e in events} - {None}
    taken = {e.thread for e in events}
    free = (n for n in range(1, len(places) + len(taken) + 1) if n not in taken)
    lanes = dict(zip(sorted(map(str, places)), free))
    rows = [_named(lane, name) for name, lane in lanes.items()]
    rows += [_row(e, lanes.get(e.device or "", e.thread)) for e in events]
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"traceEvents": rows, "displayTimeUnit": "ms"}, file)


def _named(lane: int, name: str) -> dict:
    about = {"ph": "M", "name": "thread_name", "pid": os.getpid(), "tid": lane}
    return {**about, "args": {"name": name}}


def _row(event: Event, lane: int) -> dict:
    return {
        "ph": "X",
        "cat": event.kind,
        "name": event.name,
        "pid": os.getpid(),
        "tid": lane,
        "ts": event.start / 1e3,
        "dur": (event.end - event.start) / 1e3,
        "args": {"line": event.line, "bytes": event.bytes},
    }
