"""The tiles that a product may be made in, the one that should do best first.

The tables hold what neither spills nor exceeds the shared memory of the targets. A
small model of the machine sorts them, so that few need to be timed: without a clock
the first is taken. That is a form with pointers, which every target has and which the
static table shows clean; descriptors cost scratch memory and a longer beginning, and
whether they win is for the clock to say.
"""

from __future__ import annotations

from typing import NamedTuple, Sequence

from ..kernel import Config
from ..loop.blocks import power

__all__ = ["LOOPED", "PARTS", "Limits", "Row", "Sizes", "candidates", "twos"]

PARTS = "PARTS"  # the constant that says in how many parts a tile ends
ANY = 1 << 30


class Row(NamedTuple):
    """Block sizes along rows, columns and the inner axis; warps, pipeline stages."""

    m: int
    n: int
    k: int
    warps: int
    stages: int


class Sizes(NamedTuple):
    """Of a product: rows, columns, inner axis, matrices.

    A block of columns divides `columns`, one of the inner axis `inner`, where those are
    given.
    """

    m: int
    n: int
    k: int
    b: int
    columns: int = 0
    inner: int = 0


class Limits(NamedTuple):
    """What a thread may hold: elements of a tile, elements that it works on at once at
    the end. A small tile has at least `least` warps.
    """

    held: int = ANY
    least: int = 1
    part: int = ANY


NONE = Limits()
HALF = (
    Row(128, 128, 64, 8, 3),
    Row(128, 64, 64, 4, 3),
    Row(64, 128, 64, 4, 3),
    Row(64, 64, 64, 4, 3),
    Row(128, 256, 64, 8, 3),
    Row(128, 64, 64, 8, 3),
    Row(64, 64, 32, 4, 4),
    Row(32, 64, 64, 4, 4),
    Row(16, 64, 128, 4, 4),  # few rows: what counts is how much is on its way
)
SINGLE = (
    Row(64, 64, 16, 4, 3),
    Row(64, 32, 16, 4, 3),
    Row(128, 64, 16, 8, 3),
    Row(64, 128, 16, 8, 3),
    Row(32, 32, 32, 4, 3),
)
TENSOR = (
    Row(128, 128, 32, 8, 3),
    Row(64, 64, 32, 4, 4),
    Row(128, 64, 32, 4, 3),
    Row(128, 64, 32, 8, 3),
)
# With descriptors: fewer registers go into addresses, shared memory is what counts.
LOOPED = {
    "half": (
        Row(128, 256, 64, 8, 3),
        Row(128, 128, 64, 8, 3),
        Row(128, 64, 64, 4, 4),
        Row(64, 64, 64, 4, 4),
    ),
    "tf32": (Row(128, 128, 32, 8, 3), Row(128, 64, 32, 4, 3), Row(64, 64, 32, 4, 4)),
}
POINTERS = {"half": HALF, "tf32": TENSOR, "ieee": SINGLE}
TMA = "TMA"  # the constant that tells forms apart
FULL = 132  # programs that fill a GPU
MOST = 5  # forms with pointers to be timed; FORMS with descriptors, APART on sm_100
FORMS, APART = 2, 1


def candidates(
    kind: str, sizes: Sizes, limits: Limits = NONE, forms: bool = False
) -> tuple[Config, ...]:
    """Tiles that fit the sizes, for "half", "tf32" or "ieee" products.

    With `forms`, descriptors are among them.

    >>> candidates("half", Sizes(4096, 4096, 4096, 1))[0].constants
    (('BM', 128), ('BN', 256), ('BK', 64))
    """
    found = chosen(kind, POINTERS[kind], sizes, limits)[:MOST]
    if forms:
        stay = chosen(kind, LOOPED[kind], sizes, limits._replace(least=4))[:FORMS]
        other = [_with(c, TMA, 1, 90) for c in stay]
        # Warps of their own to fetch and to multiply: before, Triton ignores that.
        other += [_with(c, TMA, 2, 100) for c in stay[:APART]]
        found = [_with(c, TMA, 0) for c in found]
        found = [*found[:1], *other, *found[1:]]  # the best of each, if time is short
    if limits.part != ANY:
        found = [_with(c, PARTS, parts(c, limits.part)) for c in found]
    return tuple(found)


def chosen(
    kind: str, rows: Sequence[Row], sizes: Sizes, limits: Limits
) -> list[Config]:
    """What fits, the best guess first."""
    known = [r for r in rows if r.m * r.n <= limits.held * 32 * r.warps]
    found = {fitted(row, sizes, limits.least): None for row in known}
    return sorted(found, key=lambda c: cost(c, sizes, kind != "ieee"))


def parts(config: Config, most: int) -> int:
    """In how many parts a tile ends, so that a thread works on few elements at once."""
    (_, bm), (_, bn) = config.constants[:2]
    held = bm * bn // (32 * config.warps)
    return next(n for n in (1, 2, 4) if held // n <= most or n == 4 or bn // n <= 16)


def _with(config: Config, name: str, value: int, needs: int = 0) -> Config:
    constants = (*config.constants, (name, value))
    return Config(constants, config.warps, config.stages, max(needs, config.needs))


def fitted(row: Row, sizes: Sizes, least: int) -> Config:
    """A row of the table, no larger than the matrices."""
    bm = max(16, min(row.m, power(sizes.m)))
    bn = max(16, min(row.n, power(sizes.n), twos(sizes.columns)))
    bk = max(16, min(row.k, power(sizes.k), twos(sizes.inner)))
    warps = min(row.warps, max(least, bm * bn // 512))
    constants: Sequence[tuple[str, int]] = (("BM", bm), ("BN", bn), ("BK", bk))
    return Config(tuple(constants), warps, row.stages)


def twos(n: int) -> int:
    """The largest power of two that divides a number.

    >>> twos(48), twos(7)
    (16, 1)
    """
    return n & -n if n else ANY


def cost(config: Config, sizes: Sizes, cores: bool = True) -> float:
    """A guess of the time: waves of programs, times the work of one.

    From sm_90 on, tensor cores are half as fast on tiles of fewer than 64 rows.
    """
    (_, bm), (_, bn), (_, bk) = config.constants[:3]
    tiles = -(-sizes.m // bm) * -(-sizes.n // bn) * sizes.b
    steps = -(-sizes.k // bk)
    work = bm * bn * (2 if cores and bm < 64 else 1)
    return -(-tiles // FULL) * steps * bk * (work + 24 * (bm + bn) + 1024)
