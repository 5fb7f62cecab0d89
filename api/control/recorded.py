"""Functions that loops and branches record: once, and nothing of them may get out."""

from __future__ import annotations

import contextlib
import gc
from typing import Iterator

from ...tracer.errors import TraceError
from ...tracer.record import state
from ...tracer.recording.inner import Inner

__all__ = ["check_escapes", "recording"]


@contextlib.contextmanager
def recording(inner: Inner) -> Iterator[None]:
    """Within, `inner` takes note of what is done."""
    before = state.recorder
    state.recorder = inner
    try:
        yield
    finally:
        state.recorder = before


def check_escapes(inner: Inner) -> None:
    """TraceError when a tensor of a recorded function is still held by somebody."""
    if not _alive(inner):
        return
    gc.collect()  # what only a circle of objects holds is not held
    held = _alive(inner)
    if held:
        line = held[0]._value.line
        place = f" (made at {line})" if line else ""
        raise TraceError(
            f"a tensor of {inner.what}{place} is kept somewhere outside of it, where "
            "it has no numbers: return it instead"
        )


def _alive(inner: Inner) -> list:
    found = [ref() for ref in inner.made]
    return [t for t in found if t is not None and t._storage.maker is inner]
