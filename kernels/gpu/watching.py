"""Whether somebody looks at single launches (a profiler).

Then no program is replayed as a whole: a CUDA graph does not say what takes its time.
"""

from __future__ import annotations

from typing import Any, Callable, Optional

__all__ = ["Watching", "watching"]


class Watching:
    """`program(made, run, arrays)` runs a program in place of `run(arrays)`."""

    program: Optional[Callable[[Any, Callable[[tuple], tuple], tuple], tuple]] = None


watching = Watching()
