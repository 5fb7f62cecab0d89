"""Registered hooks: functions in an ordered dict, and the handle that takes one out."""

from __future__ import annotations

import itertools
from typing import Any, Callable

from ..tracer.watch import touch

__all__ = ["RemovableHandle", "register"]

_numbers = itertools.count()


class RemovableHandle:
    """What registering gives back: `remove()` undoes it; also a context manager."""

    def __init__(self, hooks: dict, changed: Callable[[], None] = touch):
        self.hooks, self.id, self.changed = hooks, next(_numbers), changed

    def remove(self) -> None:
        """Take the hook out again (twice does no harm)."""
        if self.hooks.pop(self.id, None) is not None:
            self.changed()

    def __enter__(self) -> "RemovableHandle":
        return self

    def __exit__(self, *exc: Any) -> None:
        self.remove()


def register(
    hooks: dict,
    hook: Any,
    prepend: bool = False,
    changed: Callable[[], None] = touch,
) -> RemovableHandle:
    """Add to an ordered dict of hooks; the handle takes it out.

    `changed` tells those who rely on the hooks; recordings, if nothing else is said.
    """
    handle = RemovableHandle(hooks, changed)
    others = dict(hooks) if prepend else {}
    if prepend:
        hooks.clear()
    hooks[handle.id] = hook
    hooks.update(others)
    changed()
    return handle
