"""Whose code is it? Finds the user's source line behind a call into the library."""

from __future__ import annotations

import os
import sys
from types import CodeType, FrameType
from typing import Optional

__all__ = ["generated", "is_library", "user_line"]

_HOUSE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_FLOORS = tuple(
    os.path.join(_HOUSE, floor) + os.sep
    for floor in ("tracer", "autodiff", "kernels", "api")
)
# The demo is a user's program that happens to be shipped.
_GUEST = os.path.join(_HOUSE, "api", "cli") + os.sep
_known: dict[CodeType, bool] = {}
generated: set[str] = set()  # the file names of code that we wrote ourselves


def is_library(code: CodeType) -> bool:
    """Whether this code object belongs to tracefuse itself."""
    answer = _known.get(code)
    if answer is None:
        name = code.co_filename
        ours = name.startswith(_FLOORS) and not name.startswith(_GUEST)
        answer = ours or name in generated
        _known[code] = answer
    return answer


def user_line() -> Optional[str]:
    """ "file.py:12" of the innermost frame that is not ours."""
    frame: Optional[FrameType] = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        known = _known.get(code)
        if not (is_library(code) if known is None else known):
            return f"{os.path.basename(code.co_filename)}:{frame.f_lineno}"
        frame = frame.f_back
    return None
