"""`profile`: time and bytes of each kernel and eager operation, by the user's lines."""

from __future__ import annotations

import enum
import threading
from contextlib import ContextDecorator
from typing import Any, Callable, Iterable, Optional

from ...kernels.numpy import compile as compiler
from .chrome import write_trace
from .eager import put_clocks, take_clocks
from .events import Event, Log, current, record_function
from .instrument import Instruments
from .table import Averages, averages
from .there import Launches

__all__ = ["ProfilerActivity", "profile", "record_function"]

_instruments, _launches = Instruments(), Launches()
_lock = threading.Lock()


class ProfilerActivity(enum.Enum):
    """What PyTorch's profiler can be asked for; here everything is on."""

    CPU = 0
    CUDA = 1


class profile(ContextDecorator):
    """What takes the time, while it is on: as a context, or a decorator.

    Each kernel of the compiled functions counts, whoever calls them, and each
    primitive that eager Python runs; with the line of yours that it is for, and the
    bytes that it reads and writes. On a GPU, kernels are measured by its events, and
    so are copies and what runs as NumPy between them; programs are launched kernel by
    kernel meanwhile, not as CUDA graphs. Nothing is measured, or slower, outside. The
    arguments are PyTorch's: `on_trace_ready(prof)` is called at the end, the others
    change nothing.

    >>> import tracefuse
    >>> with profile() as prof:
    ...     _ = tracefuse.ones(3).exp()
    >>> [row.key for row in prof.key_averages() if row.key == "exp"]
    ['exp']
    """

    def __init__(
        self,
        *,
        activities: Optional[Iterable] = None,
        on_trace_ready: Optional[Callable[["profile"], Any]] = None,
        record_shapes: bool = False,
        profile_memory: bool = False,
        with_stack: bool = False,
        with_flops: bool = False,
        with_modules: bool = False,
    ):
        self.on_trace_ready = on_trace_ready
        self._log = Log()

    def start(self) -> None:
        """Begin."""
        with _lock:
            if not current:
                compiler.listeners.append(_instruments.add)
                for made in compiler.remembered():
                    _instruments.add(made)
                put_clocks()
                _launches.put()
            _launches.settle()
            current.append(self._log)

    def stop(self) -> None:
        """End; what was measured stays."""
        with _lock:
            _launches.settle()
            current[:] = [log for log in current if log is not self._log]
            if not current:
                compiler.listeners.remove(_instruments.add)
                _instruments.remove()
                take_clocks()
                _launches.take()
        if self.on_trace_ready is not None:
            self.on_trace_ready(self)

    def step(self) -> None:
        """PyTorch's mark between iterations: there is no schedule that needs it."""

    def __enter__(self) -> "profile":
        self.start()
        return self

    def __exit__(self, *exc: Any) -> None:
        self.stop()

    def events(self) -> list[Event]:
        """Everything that was measured, in the order in which it ended."""
        _launches.settle()
        return list(self._log.events)

    def key_averages(self, *args: Any, **kwargs: Any) -> Averages:
        """The same summed by name and line; `.table()` prints it."""
        return averages(self._log.events)

    def table(self, sort_by: Optional[str] = "total", row_limit: int = 100) -> str:
        """`key_averages().table(...)`."""
        return self.key_averages().table(sort_by, row_limit)

    def export_chrome_trace(self, path: Any) -> None:
        """Write a file for chrome://tracing or ui.perfetto.dev."""
        write_trace(self._log.events, path)
