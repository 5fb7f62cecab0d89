"""Objects of ours that tell when they change: one number for all of them.

Modules, optimizers and settings are `Watched`: whatever a recording may read of them
changes with a `touch()`. So while nothing changed, checking all of them is one
comparison with `epoch.value`.
"""

from __future__ import annotations

__all__ = ["Watched", "epoch", "touch"]


class Epoch:
    """Counts changes of watched objects, of all of them together."""

    value = 0


epoch = Epoch()


def touch() -> None:
    """Something that a recording may have read has changed."""
    epoch.value += 1


class Watched:
    """An object that calls `touch()` whenever its attributes change."""

    __slots__ = ()
