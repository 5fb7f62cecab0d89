"""Copies that a recording made where another layout would have given a view.

It matters which only to what is written or handed out. Then the sizes matter too: axes
of size 1 have no order, and a shape may happen to fit.
"""

from __future__ import annotations

from operator import eq
from typing import Any

from ....tracer.sizes import guess, same_shape
from ....tracer.storage import contiguous, viewable_here

__all__ = ["parted", "sizes_of"]


def parted(recording: Any) -> dict[int, list]:
    """By the id of the tensor from outside whose copy somebody wrote or was handed:
    (shape, strides, new shape) of each."""
    handed = {storage for storage, _ in recording.fresh}
    found: dict[int, list] = {}
    for i, copy, change in recording.rec.parted:
        if i != id(None) and (copy.version or copy in handed):
            found.setdefault(i, []).append(change)
    return found


def sizes_of(recording: Any) -> list[tuple[str, bool]]:
    """Comparisons of sizes on which such copies rely."""
    found: dict[str, bool] = {}
    before, guess.watcher = guess.watcher, found.setdefault  # type: ignore
    try:
        for shape, strides, target in sum(parted(recording).values(), []):
            if same_shape(shape, target):
                contiguous(shape, strides, eq)
            viewable_here(shape, strides, target)
    finally:
        guess.watcher = before
    return [*found.items()]
