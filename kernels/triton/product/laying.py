"""Values laid in memory anew, in an order that products read by wide accesses."""

from __future__ import annotations

from ....tracer.graph import Value, make, node

__all__ = ["BYTES", "even_count", "laid", "padded", "swap", "swapped"]

BYTES = 16  # of one access


def even_count(count: int, x: Value) -> int:
    """So many elements of the type of `x` that accesses come out even.

    >>> from ....tracer.graph import placeholder
    >>> from ....tracer.types import float16
    >>> even_count(50257, placeholder("x", (), float16))
    50264
    """
    some = BYTES // x.dtype.itemsize
    return -(-count // some) * some


def padded(x: Value, count: int) -> Value:
    """`x` with zeros behind its last axis, up to so many."""
    more = count - x.shape[-1]
    if not more:
        return x
    pads = (*((0, 0, 0) for _ in x.shape[1:]), (0, more, 0))
    return make("pad", (x,), pads=pads, value=0)


def laid(x: Value) -> Value:
    """`x` in memory, in its order: a kernel that moves."""
    return node("laid", (x,), {}, x.shape, x.dtype)


def swap(x: Value) -> tuple[int, ...]:
    """The axes, the last two exchanged."""
    return (*range(-len(x.shape), -2), -1, -2)


def swapped(x: Value) -> Value:
    """`x` with its last two axes exchanged."""
    if x.op == "permute" and x.attrs["axes"] == swap(x):
        return x.args[0]
    return x.permute(swap(x))
