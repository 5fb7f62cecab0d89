"""A profile for chrome://tracing and https://ui.perfetto.dev."""

from __future__ import annotations

import json
import os
from typing import Any, Iterable

from .events import Event

__all__ = ["write_trace"]


def write_trace(events: Iterable[Event], path: Any) -> None:
    """The events in Chrome's trace format (times in microseconds)."""
    rows = [_row(event) for event in events]
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"traceEvents": rows, "displayTimeUnit": "ms"}, file)


def _row(event: Event) -> dict:
    return {
        "ph": "X",
        "cat": event.kind,
        "name": event.name,
        "pid": os.getpid(),
        "tid": event.thread,
        "ts": event.start / 1e3,
        "dur": (event.end - event.start) / 1e3,
        "args": {"line": event.line, "bytes": event.bytes},
    }
