"""Sums that every program computes before its part of a loop.

The weight of all rows together, say, by which the gradient of a mean is divided: to
read some thousand labels again takes less than to wait for a kernel of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ....tracer.graph import Value
from ..emit import Axis, Reg
from ..index import Group, Index, number

if TYPE_CHECKING:
    from .tile import Tile

__all__ = ["prologue"]

BLOCK = 1024


def prologue(tile: Tile) -> None:
    """Compute the reductions of a region that are `whole`."""
    for v in tile.region.nodes:
        if v.id in tile.region.whole:
            _whole(tile, v)


def _whole(tile: Tile, v: Value) -> None:
    """One reduction, over a line of all that it reduces."""
    em, x = tile.em, v.args[0]
    group = Group("q", tuple(n for n in x.shape if n != 1))
    block = min(BLOCK, 1 << max(group.size - 1, 0).bit_length())
    line = Axis(group, str(block), "n" if group.size % block else None)
    before = em.axes, em.tile, em.line
    em.axes, em.tile = [*em.axes[:-1], line], frozenset(("q",))
    em.starts["q"] = "w"
    em.at(v)
    acc = tile.start_over(v, frozenset(("q",)))
    with em.block(f"for w in range(0, {group.size}, {block}):"):
        _block(tile, v, acc, line)
    reg = tile.reduced_over(v, acc, len(em.axes) - 1, "q")
    em.axes, em.tile, em.line = before
    em.keep(v, tile.place(v), reg)


def _block(tile: Tile, v: Value, acc: Reg, line: Axis) -> None:
    em, rank = tile.em, len(tile.em.axes)
    spot = f"[{', '.join(['None'] * (rank - 1) + [':'])}]" if rank > 1 else ""
    em.write(f"q = (w + tl.arange(0, {line.block})){spot}")
    if line.mask:
        em.write(f"{line.mask} = q < {line.group.size}")
    axes = iter(range(len(line.group.sizes)))
    shape = v.args[0].shape
    index = tuple(number(line.group, next(axes)) if n != 1 else Index() for n in shape)
    x = em.spread(em.read(v.args[0], index), em.tile, v)
    tile.join(v, acc, x, [line.mask] if line.mask else [])
