"""Operands whose rows begin anywhere are laid so that they begin at 16 bytes.

Where the innermost axis of an operand does not come out even (a vocabulary of 50257),
every access of it is as narrow as an element. A product of some size is worth a kernel
that moves the operand: with the inner axis innermost, and zeros behind it up to an even
length. So weights and gradients of odd sizes are read like all others.
"""

from __future__ import annotations

from math import prod
from typing import Optional, Sequence

from ....tracer.graph import Value, node
from ....tracer.types import HALVES, float32
from ..reads import READS
from .laying import BYTES, even_count, laid, padded, swapped

__all__ = ["aligned_product"]

LEAST, NARROW = 1 << 26, 64  # multiplications; rows and columns


def aligned_product(v: Value, args: Sequence[Value]) -> Optional[Value]:
    """A product of operands that are read by wide accesses; None where it is one."""
    x, y = args
    m, k, n = *x.shape[-2:], y.shape[-1]
    large = prod(v.shape) * k >= LEAST and min(m, n) >= NARROW
    if v.attrs or not large or v.dtype not in (*HALVES, float32):
        return None
    sides = (x, swapped(y))  # both with the inner axis last
    odd = [is_odd(a) for a in sides]
    if not any(odd):
        return None
    left, right = (padded(a, even_count(k, a)) for a in sides)
    left, right = (laid(a) if bad else a for a, bad in zip((left, right), odd))
    return node("dot", (left, swapped(right)), {}, v.shape, v.dtype)


def is_odd(x: Value) -> bool:
    """Whether the innermost axis in memory does not come out even, for all we know."""
    while x.op in PLAIN:
        if x.op == "reshape" and x.shape[-1:] != x.args[0].shape[-1:]:
            return False
        x = x.args[0]
    even = x.op in READS or not x.shape or x.shape[-1] * x.dtype.itemsize % BYTES == 0
    return not even


PLAIN = frozenset(("permute", "reshape", "cast", "stop_gradient", "leaf"))
