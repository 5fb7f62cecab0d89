"""The space of a loop as a kernel walks over it: groups of axes, and a tile of them.

Neighbouring axes that every reduction treats alike are one group with one coordinate. A
tile has one dimension for each group.
"""

from __future__ import annotations

from math import prod
from typing import Iterable, Optional, Sequence

from ....tracer.graph import Value
from ...regions import ARG, Region, axes_of
from ..emit import Axis
from ..index import Group, Index, number
from .blocks import Blocks

__all__ = ["Space"]

LONG = frozenset(("rem", "idiv", "pow"))  # long formulas


class Space:
    """The groups of a region and the size of its tile.

    `groups` are pairs (group, axes of the space), `over` the axes that each reduction
    reduces. `cuts` are axes at which a group ends in any case.
    """

    def __init__(self, region: Region, cuts: tuple[int, ...] = ()):
        self.region, self.cuts = region, cuts
        self.sums = [v for v in region.reductions if v.id not in region.whole]
        self.over = {v.id: axes_of(v, region.reads[v.id]) for v in self.sums}
        self.groups = grouped(region.shape, list(self.over.values()), cuts)
        self.position = {
            axis: (g, k)
            for g, (_, axes) in enumerate(self.groups)
            for k, axis in enumerate(axes)
        }
        self.blocks = self.chosen()

    def chosen(self) -> Blocks:
        """The size of the tile."""
        over = {v.id: self.groups_of(self.over[v.id]) for v in self.sums}
        late = [over.pop(v.id) for v in self.late]
        held = set().union(*map(self.held, self.late))
        arg = any(v.op in ARG for v in self.region.reductions)
        sizes = [g.size for g, _ in self.groups]
        inner = set().union(*over.values())
        square = self.groups_of(self.cuts)
        nodes = self.region.nodes
        large = any(v.dtype.itemsize > 4 or v.op in LONG for v in nodes)
        heavy = not inner.isdisjoint(held)
        again = bool(self.region.whole)
        return Blocks(sizes, inner, late, len(nodes), arg, square, large, heavy, again)

    def held(self, v: Value) -> set[int]:
        """The groups along which partial results of a reduction are held."""
        axes = (a for a in self.region.reads[v.id] if a is not None)
        return self.groups_of(axes) | self.groups_of(self.over[v.id])

    def parts(self, g: int) -> int:
        """How many partial results a group gives."""
        return self.blocks.shares if g == self.blocks.walk else self.blocks.count(g)

    def parts_of(self, v: Value) -> int:
        """How many partial results a late reduction leaves."""
        groups = self.groups_of(self.over[v.id]).intersection(self.blocks.free)
        return prod(map(self.parts, groups))

    def is_heavy(self, v: Value) -> bool:
        """Whether a late reduction holds a number for each place of a row."""
        return not self.held(v).isdisjoint(self.blocks.inner)

    @property
    def late(self) -> list[Value]:
        """The reductions that leave partial results."""
        return [v for v in self.sums if v.id in self.region.late]

    def groups_of(self, axes: Iterable[int]) -> set[int]:
        """The groups that these axes of the space make up."""
        return {self.position[a][0] for a in axes}

    def axes(self) -> list[Axis]:
        """The dimensions of the tile."""
        made = []
        for g, (walked, _) in enumerate(self.groups):
            mask = f"m{g}" if self.blocks.is_ragged(g) else None
            made.append(Axis(walked, f"B{g}", mask))
        return made

    def coordinate(self, axis: Optional[int]) -> Index:
        """The index along an axis of the space."""
        if axis is None:
            return Index()
        g, k = self.position[axis]
        return number(self.groups[g][0], k)

    def place(self, v: Value) -> tuple[Index, ...]:
        """Where `v` is in the space."""
        return tuple(map(self.coordinate, self.region.places[v.id]))

    @property
    def is_long(self) -> bool:
        """Whether rows are too long to be held as a whole."""
        return self.blocks.looped is not None


def grouped(
    shape: tuple, reduced: Sequence[frozenset], cuts: Sequence[int] = ()
) -> list[tuple[Group, tuple]]:
    """The axes of a space in groups of neighbours that are reduced together."""
    found: list[list[int]] = []
    before = None
    for axis in range(len(shape)):
        mark = (sum(axis >= c for c in cuts), *(axis in over for over in reduced))
        if mark == before:
            found[-1].append(axis)
        else:
            found.append([axis])
        before = mark
    return [
        (Group(f"i{g}", tuple(shape[a] for a in axes)), tuple(axes))
        for g, axes in enumerate(found)
    ]
