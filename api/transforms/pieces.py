"""Cutting a first axis into pieces of a chunk size, and joining the pieces."""

from __future__ import annotations

from typing import Optional, Sequence

from ...tracer.graph import Value, make
from ...tracer.sizes import Int

__all__ = ["joined", "piece", "pieces"]


def pieces(size: Int, chunk: Optional[int]) -> list[tuple[Int, Int]]:
    """(first, count) of pieces of at most `chunk`; one piece without a chunk size.

    >>> pieces(5, 2)
    [(0, 2), (2, 2), (4, 1)]
    """
    if chunk is None or size <= chunk:
        return [(0, size)]
    return [(i, min(chunk, int(size) - i)) for i in range(0, int(size), chunk)]


def piece(v: Value, first: Int, count: Int) -> Value:
    """`count` elements of the first axis."""
    return make("slice", (v,), axis=-v.ndim, start=first, length=count, step=1)


def joined(parts: Sequence[Value]) -> Value:
    """The parts one after the other along their first axis."""
    if len(parts) == 1:
        return parts[0]
    return make("concat", tuple(parts), axis=-parts[0].ndim)
