"""`tracefuse.cuda.nvtx`: PyTorch's named ranges, as ranges of `tracefuse.profile`.

>>> import tracefuse
>>> with tracefuse.profile(quiet=True) as prof, range("load"):
...     mark("here")
>>> [event.name for event in prof.events()]
['here', 'load']
"""

from __future__ import annotations

import threading
from typing import Any

from ..profiler.events import record_function

__all__ = ["mark", "range", "range_pop", "range_push"]


class _Open(threading.local):
    """The ranges that were pushed in this thread."""

    def __init__(self) -> None:
        self.ranges: list[record_function] = []


_open = _Open()


class range(record_function):
    """A range with a name: a context or a decorator."""

    def __init__(self, msg: str, *args: Any, **kwargs: Any):
        super().__init__(msg.format(*args, **kwargs))


def range_push(msg: str) -> int:
    """A range begins; how many were open before."""
    _open.ranges.append(record_function(msg))
    _open.ranges[-1].__enter__()
    return len(_open.ranges) - 1


def range_pop() -> int:
    """The last range that was pushed ends; how many are open still (-1: none was)."""
    if not _open.ranges:
        return -1
    _open.ranges.pop().__exit__()
    return len(_open.ranges)


def mark(msg: str) -> None:
    """A moment with a name."""
    with record_function(msg):
        pass
