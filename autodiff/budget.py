"""What to keep for a backward when memory is short: the dearest per byte."""

from __future__ import annotations

import math
from typing import Iterable

from ..tracer.graph import Value
from ..tracer.ops import OPS
from ..tracer.sizes import hint

__all__ = ["within"]


def within(budget: int, values: Iterable[Value]) -> set[int]:
    """The ids of those values to keep that fit in `budget` bytes together.

    What is left out is computed again from the rest. Results of calls and loops stay
    whatever they take: they cannot be computed again in pieces.
    """
    values = list(values)
    fixed = [v for v in values if OPS[v.op].kind == "control"]
    chosen, left = {v.id for v in fixed}, budget - sum(map(_bytes, fixed))
    for v in sorted(values, key=lambda v: -_work(v) / max(_bytes(v), 1)):
        if v.id not in chosen and _bytes(v) <= left:
            chosen.add(v.id)
            left -= _bytes(v)
    return chosen


def _count(v: Value) -> int:
    return math.prod(hint(n) for n in v.shape)


def _bytes(v: Value) -> int:
    return _count(v) * v.dtype.itemsize


def _work(v: Value) -> int:
    """Operations of one node: what it takes to compute it once more."""
    if v.op == "dot":
        return 2 * _count(v) * hint(v.args[0].shape[-1])
    return max(_count(a) for a in (v, *v.args) if a.dtype is not None)
