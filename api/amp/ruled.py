"""The one place where a function meets autocast's table."""

from __future__ import annotations

import functools
from typing import Any, Callable, TypeVar

from ...tracer.recording.overlay import state
from ...tracer.watching.hearing import hearing, unheard
from .rules import RULES

__all__ = ["ruled"]

# They iterate what they are given, which may be the user's own code.
_OPEN = frozenset("cat stack multi_dot chain_matmul".split())

F = TypeVar("F", bound=Callable)


def ruled(function: F, name: str = "") -> F:
    """The function as autocast wants it; itself where the table does not name it.

    The mode of this thread says how to call it (modes.py); none: as it stands.
    """
    rules = RULES.get(name or function.__name__)
    if rules is None:
        return function

    closed = function.__name__ not in _OPEN

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        mode = state.autocast
        if mode is None:
            if closed and hearing.on:
                return unheard(function, *args, **kwargs)
            return function(*args, **kwargs)
        return mode.call(function, rules, args, kwargs)

    return run  # type: ignore[return-value]
