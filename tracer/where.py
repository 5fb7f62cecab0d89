"""Whose code is it? Finds the user's source line behind a call into the library."""

from __future__ import annotations

import linecache
import os
import sys
import weakref
from collections import Counter
from types import CodeType, FrameType
from typing import Any, Optional

__all__ = [
    "file_of",
    "is_library",
    "is_our_file",
    "show_source",
    "user_frame",
    "user_level",
    "user_line",
]

_HOUSE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_FLOORS = tuple(
    os.path.join(_HOUSE, floor) + os.sep
    for floor in ("tracer", "autodiff", "kernels", "api")
)
# The demo is a user's program that happens to be shipped.
_GUEST = os.path.join(_HOUSE, "api", "cli") + os.sep
# By file name: a code object has no cheap hash.
_known: dict[str, bool] = {}
_names: dict[str, str] = {}  # the short names of the files of the user's code
# The file names of code that we wrote ourselves, and how many owners each has.
generated: Counter[str] = Counter()


def is_library(code: CodeType) -> bool:
    """Whether this code object belongs to tracefuse itself."""
    return is_our_file(code.co_filename)


def is_our_file(name: str) -> bool:
    """The same of all code in a file."""
    answer = _known.get(name)
    if answer is None:
        if name in generated:
            return True
        answer = name.startswith(_FLOORS) and not name.startswith(_GUEST)
        _known[name] = answer
    return answer


def show_source(path: str, text: str, owner: Any) -> None:
    """Let tracebacks show the lines of code that we wrote, as long as `owner` lives."""
    generated[path] += 1
    linecache.cache[path] = (len(text), None, text.splitlines(True), path)
    weakref.finalize(owner, _forget, path).atexit = False


def _forget(path: str) -> None:
    generated[path] -= 1
    if generated[path] <= 0:
        del generated[path]
        linecache.cache.pop(path, None)


def user_line() -> Optional[str]:
    """ "file.py:12" of the innermost frame that is not ours."""
    frame: Optional[FrameType] = sys._getframe(1)
    while frame is not None:
        path = frame.f_code.co_filename
        known = _known.get(path)
        if not (is_our_file(path) if known is None else known):
            name = _names.get(path)
            if name is None:
                name = _names[path] = os.path.basename(path)
            return f"{name}:{frame.f_lineno}"
        frame = frame.f_back
    return None


def user_frame() -> Optional[FrameType]:
    """The innermost frame that is not ours."""
    frame: Optional[FrameType] = sys._getframe(1)
    while frame is not None and is_our_file(frame.f_code.co_filename):
        frame = frame.f_back
    return frame


def user_level() -> int:
    """The `stacklevel` at which a warning of our caller names the user's line."""
    frame: Optional[FrameType] = sys._getframe(1)
    level = 1
    while frame is not None and is_our_file(frame.f_code.co_filename):
        frame, level = frame.f_back, level + 1
    return level


def file_of(line: str) -> Optional[str]:
    """The path of the file in "file.py:12", if its code ran in this process."""
    name = line.rpartition(":")[0]
    return next((path for path, short in _names.items() if short == name), None)
