"""The executables that there are, and who wants to hear of new ones (a profiler)."""

from __future__ import annotations

import threading
import weakref
from typing import Any, Callable

__all__ = ["listeners", "remembered", "tell"]

listeners: list[Callable[[Any], None]] = []
_made: weakref.WeakSet = weakref.WeakSet()
_lock = threading.Lock()


def tell(made: Any) -> None:
    """An executable was made."""
    with _lock:
        _made.add(made)
    for listener in [*listeners]:
        listener(made)


def remembered() -> list:
    """Those that somebody still holds."""
    with _lock:
        return list(_made)
