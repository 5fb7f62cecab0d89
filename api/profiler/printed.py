"""`tracefuse.profile`: a profile that prints its table at the end."""

from __future__ import annotations

from typing import Any

from . import profile as profiler

__all__ = ["profile"]


class profile(profiler.profile):
    """Print what takes the time inside: a context or a decorator.

    A row for each kernel and eager operation with the line of yours that it is for:
    time, calls, bytes, bandwidth. `sort_by` and `row_limit` are those of `table`;
    `quiet` prints nothing: `.table()`, `.key_averages()`, `.events()` and
    `.export_chrome_trace(path)` tell afterwards.

    >>> import tracefuse
    >>> with profile(quiet=True) as prof:
    ...     _ = tracefuse.ones(3).exp()
    >>> "exp (eager)" in prof.table()
    True
    """

    def __init__(
        self, sort_by: str = "total", row_limit: int = 40, quiet: bool = False
    ):
        super().__init__(on_trace_ready=None if quiet else self._print)
        self._options: Any = (sort_by, row_limit)

    def _print(self, _: Any) -> None:
        print(self.table(*self._options))
