"""Clocks in generated code, for as long as a profile is on.

The generated function says with a comment where each kernel begins. A copy of its text
with calls of `tick_` in their place is compiled, and its code takes the place of the
function's own: whoever holds the function runs the clocks, and nobody pays for them
before or after.
"""

from __future__ import annotations

import re
import threading
from time import perf_counter_ns
from types import CodeType, FunctionType
from typing import Any

from ...kernels.numpy.compile import Executable, KernelRecord
from .events import current

__all__ = ["Instruments"]

_BEGIN = re.compile(r"^( +)# kernel (\d+)$", re.MULTILINE)
_RETURN = re.compile(r"^    return ", re.MULTILINE)
_SHOWN = 6  # operations of a kernel that its name says


class Instruments:
    """The executables that have clocks in them."""

    def __init__(self) -> None:
        self.plain: dict[FunctionType, CodeType] = {}
        self.lock = threading.Lock()

    def add(self, made: Executable) -> None:
        """Put clocks in, unless they are there."""
        run: Any = made.run
        with self.lock:
            if run not in self.plain:
                code = _clocked(made)
                run.__globals__["tick_"] = _Ticker(made).tick
                self.plain[run], run.__code__ = run.__code__, code

    def remove(self) -> None:
        """Everything as it was."""
        with self.lock:
            for run, code in self.plain.items():
                run.__code__ = code  # a call that is under way still has its clock
            self.plain.clear()


def _clocked(made: Executable) -> CodeType:
    """The code of the function with clocks; tracebacks show the same lines."""
    head, start, body = made.source.rpartition(f"\ndef {made.run.__name__}(")
    body = _BEGIN.sub(r"\1tick_(\2)", body)
    body = _RETURN.sub("    tick_(-1); return ", body)
    lines = head.count("\n")
    text = "\n" * lines + start + body
    scope: dict[str, Any] = {}
    exec(compile(text, made.run.__code__.co_filename, "exec"), scope)
    return scope[made.run.__name__].__code__


class _Ticker(threading.local):
    """The clock of one executable: hears where its kernels begin, and -1 at the end."""

    at = -1  # the kernel that runs in this thread
    since = begun = 0

    def __init__(self, made: Executable):
        self.name, self.kernels = made.name, made.kernels

    def tick(self, kernel: int) -> None:
        """The kernel before has ended, this one begins."""
        now = perf_counter_ns()
        if 0 <= kernel <= self.at:  # the call before broke off
            self.at = -1
        if self.at >= 0:
            _log(self.kernels[self.at], self.since)
        else:
            self.begun = now
        if kernel < 0 <= self.at:
            for log in current:
                log.add("program", self.name, None, self.begun)
        self.at, self.since = kernel, perf_counter_ns()


def _log(kernel: KernelRecord, since: int) -> None:
    for log in current:
        log.add("kernel", name_of(kernel.ops), kernel.line, since, kernel.bytes)


def name_of(ops: tuple) -> str:
    """The operations of a kernel, a long list by its first ones."""
    more = f" ... ({len(ops)})" if len(ops) > _SHOWN else ""
    return " ".join(ops[:_SHOWN]) + more
