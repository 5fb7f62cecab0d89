"""Whether this thread listens to what runs (codes.py), and how not to for a moment.

Before Python 3.12 every call in the library costs a call of the profile hook, too,
while it listens. What records one operation calls nothing of the user's.
"""

from __future__ import annotations

import sys
import threading
from typing import Any, Callable, Optional

__all__ = ["hearing", "unheard"]


class Hearing(threading.local):
    """`hook` is the profile hook that is wanted, `on` whether it hears just now."""

    hook: Optional[Callable] = None
    on = False


hearing = Hearing()


def unheard(function: Callable, /, *args: Any, **kwargs: Any) -> Any:
    """What `function` returns; nobody hears of what it calls."""
    if not hearing.on:
        return function(*args, **kwargs)
    hearing.on = False
    sys.setprofile(None)
    try:
        return function(*args, **kwargs)
    finally:
        if hearing.hook is not None:
            hearing.on = True
            sys.setprofile(hearing.hook)
