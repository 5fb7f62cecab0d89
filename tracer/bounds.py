"""What is certain about a size before its symbols have values.

A size is a sum of products of symbols, and symbols are at least 0 (or their `min`).
So `2*b + 1 > 0` holds whatever `b` is, and needs no guess and no guard.
"""

from __future__ import annotations

import math
from typing import Any, Callable, Mapping, Optional

__all__ = ["decided"]


def decided(
    gap: Mapping[tuple, int], least: Mapping[str, int], test: Callable[[Any], bool]
) -> Optional[bool]:
    """The outcome of a monotone test of a size, None where it depends.

    `gap` maps products of symbols to how often they occur, `least` symbols to their
    smallest value (0 for those not in it).

    >>> decided({("b",): 2, (): 1}, {}, lambda n: n > 0)
    True
    """
    for sign, end in ((1, math.inf), (-1, -math.inf)):
        edge = _edge(gap, least, sign)
        if edge is not None and test(edge) == test(end):
            return test(end)
    return None


def _edge(
    gap: Mapping[tuple, int], least: Mapping[str, int], sign: int
) -> Optional[int]:
    """The value at the smallest symbols, if from there it only goes up (or down)."""
    total = 0
    for symbols, count in gap.items():
        if symbols and (count * sign < 0 or not all(map(str.isidentifier, symbols))):
            return None
        total += count * math.prod(least.get(name, 0) for name in symbols)
    return total
