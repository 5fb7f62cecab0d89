"""How large a tile of scores is, and where a pass walks.

Tiles are (block that stays, block that is walked over, warps, stages) by the longest
inner axis. The first neither spills nor exceeds the shared memory on any target; the
others are worth a trial.
"""

from __future__ import annotations

from math import inf, isinf
from typing import NamedTuple, Optional

from ..kernel import Config
from ..loop.blocks import power
from .mask import Band

__all__ = ["Walk", "candidates", "walks"]

Row = tuple[int, int, int, int]
Table = dict[int, tuple[Row, ...]]

ONLINE: Table = {
    64: ((128, 64, 8, 3), (64, 64, 4, 3), (128, 128, 8, 2)),
    128: ((128, 64, 8, 3), (64, 64, 4, 3)),
    256: ((64, 32, 8, 2), (64, 64, 8, 2)),
}
ROWS: Table = {
    64: ((128, 64, 8, 2), (64, 64, 4, 2)),
    128: ((64, 64, 8, 2), (128, 64, 8, 2)),
    256: ((32, 32, 4, 1), (128, 16, 8, 1)),
}
COLUMNS: Table = {
    64: ((128, 32, 8, 2), (128, 64, 8, 2), (64, 64, 8, 2)),
    128: ((64, 64, 8, 2), (128, 32, 8, 2)),
    256: ((32, 32, 8, 1),),
}
# float32 without tensor cores, where a whole inner axis lies in registers, and with.
EXACT: Table = {64: ((64, 16, 8, 2), (32, 16, 4, 1))}
TENSOR: Table = {
    64: ((64, 32, 4, 2), (32, 32, 4, 2)),
    128: ((32, 32, 4, 1), (16, 32, 4, 1)),
}

# Where random numbers are drawn as well.
LONG: dict[tuple[str, int], Row] = {
    ("online", 128): (64, 64, 8, 2),
    ("columns", 128): (32, 64, 8, 2),
}


def candidates(
    width: int, stays: int, walk: int, kind: str, precision: str, long: bool = False
) -> tuple[Config, ...]:
    """Tiles that fit scores of these sizes; `precision` is "half", "ieee" or "tf32".

    Where much is done to each score (`long`), one of them leaves registers enough.
    """
    single = EXACT if precision == "ieee" else TENSOR
    halves = {"online": ONLINE, "rows": ROWS, "columns": COLUMNS}
    table = halves[kind] if precision == "half" else single
    width = max(64, power(width))
    rows = table[width]
    if long:
        rows = (LONG.get((kind, width), rows[0]) if precision == "half" else rows[0],)
    return tuple(dict.fromkeys(_fitted(row, stays, walk) for row in rows))


def _fitted(row: Row, stays: int, walk: int) -> Config:
    """A row of a table, no larger than the scores."""
    bs, bw, warps, stages = row
    bs, bw = (max(16, min(b, power(n))) for b, n in ((bs, stays), (bw, walk)))
    if (bs, bw) != row[:2]:
        warps = min(warps, max(1, bs * bw // 512))
    return Config((("BS", bs), ("BW", bw)), warps, stages)


class Walk(NamedTuple):
    """A loop from `begin` to `end`; its blocks lie in the band `inside` as a whole."""

    begin: str
    end: str
    inside: Optional[Band] = None


def walks(band: Band, rows: bool, size: int) -> tuple[list[Walk], str]:
    """The loops over an axis of this size, and where the second begins.

    A block all of which lies in the band needs no mask; one that lies outside of it is
    left out. `first` is where the block that stays begins.
    """
    low, high = band if rows else (-band.high, -band.low)
    begin, end = "0", str(size)
    if not isinf(low):
        begin = f"tl.maximum({_plus('first', low)}, 0) // BW * BW"
    if not isinf(high):
        end = f"tl.minimum({_plus('first + BS', high)}, {end})"
    if isinf(low) is isinf(high):
        return [Walk(begin, end)], ""
    if low == -inf:
        cut = f"tl.minimum({_plus('first', high + 1)}, {size})"
        cut = f"tl.maximum({cut}, 0) // BW * BW"
        return [Walk(begin, "cut", band), Walk("cut", end)], cut
    cut = f"tl.maximum({_plus('first + BS', low - 1)}, 0)"
    cut = f"tl.minimum(tl.cdiv({cut}, BW), tl.cdiv({end}, BW)) * BW"
    return [Walk(begin, "cut"), Walk("cut", end, band)], cut


def _plus(text: str, n: float) -> str:
    n = int(n)
    return f"{text} + {n}" if n > 0 else f"{text} - {-n}" if n else text
