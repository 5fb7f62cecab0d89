"""The iteration space of a large region, merged and cut into tiles."""

from __future__ import annotations

from typing import NamedTuple, Optional

from ...tracer.graph import Value
from ...tracer.sizes import Int, numel
from ..regions import Region
from .pointwise import cost
from .program import Program
from .tiles import Operand, groups, tiling

__all__ = ["Read", "Space", "axes_in"]


class Read(NamedTuple):
    """One argument read from outside: `where` is the axis of the space for each axis
    of the source (None: size 1)."""

    source: Value
    where: tuple


class Space:
    """How the arrays of a region lie in its space, and the loop over it.

    Axes that all arrays treat alike are one axis of the *frame*; `tiling` is the loop
    over the frame.
    """

    def __init__(self, p: Program, region: Region):
        self.p, self.region = p, region
        self.own = {v.id for v in region.nodes}
        self.outputs = {v.id for v in region.outputs}
        self.reads = self.all_reads()
        self.groups = self.merge_axes()
        sizes = tuple(numel(tuple(self.sizes_of(group))) for group in self.groups)
        inner = self.frame_axes(region.inner)
        work = sum(cost(v) for v in region.nodes)
        scratch = self.scratch()
        self.tiling = tiling(sizes, inner, self.width(scratch), work, scratch)

    def sizes_of(self, group: list[int]) -> list[Int]:
        return [self.region.shape[a] for a in group]

    def place(self, v: Value) -> tuple:
        """The axis of the space for each axis of the arguments of `v`."""
        return self.region.reads.get(v.id) or self.region.places[v.id]

    def read(self, v: Value, a: Value) -> Read:
        """How node `v` reads what is behind its argument `a`."""
        source, axes = self.p.plan.views[a.id]
        where: list[Optional[int]] = [None] * len(source.shape)
        for j, axis in enumerate(axes):
            if axis is not None:
                where[axis] = self.place(v)[j]
        return Read(source, tuple(where))

    def all_reads(self) -> list[Read]:
        reads = (self.read(v, a) for v in self.region.nodes for a in v.args)
        found = dict.fromkeys((r.source.id, r) for r in reads)
        return [r for _, r in found if self.is_outside(r.source)]

    def is_outside(self, source: Value) -> bool:
        """Whether a value is an array that the region does not compute."""
        return source.id not in self.own and not self.p.is_splat(source)

    # -- the frame

    def merge_axes(self) -> list[list[int]]:
        region = self.region
        operands = [Operand(axes_in(r.where), self.breaks(r)) for r in self.reads]
        for v in region.nodes:
            operands.append(Operand(axes_in(region.places[v.id]), frozenset()))
        reduced = [self.over(v) for v in region.reductions]
        return groups(len(region.shape), operands, reduced)

    def breaks(self, read: Read) -> frozenset:
        """The axes of the space along which the source does not go on in memory."""
        found = self.p.steady(read.source)
        broken, before = set(), None
        for j, a in enumerate(read.where):
            if a is None:
                continue
            if before is not None and any(
                i in found.breaks for i in range(before + 1, j + 1)
            ):
                broken.add(a)
            before = j
        return frozenset(broken)

    def over(self, v: Value) -> frozenset:
        """The axes of the space that reduction `v` drops."""
        region = self.region
        return axes_in(region.reads[v.id]) - axes_in(region.places[v.id])

    def frame_axes(self, axes: frozenset) -> frozenset:
        """Axes of the frame for axes of the space."""
        return frozenset(k for k, g in enumerate(self.groups) if g[0] in axes)

    def axes(self, v: Value) -> frozenset:
        """The axes of the frame that node `v` has."""
        return self.frame_axes(axes_in(self.region.places[v.id]))

    # -- what a tile weighs

    def width(self, scratch: int) -> int:
        """Bytes that one element takes in all arrays alive at once, at the most.

        Rows and columns weigh nothing beside whole tiles.
        """
        places = self.region.places
        size = {r.source.id: self.weight(r.source, r.where) for r in self.reads}
        made = (v for v in self.region.nodes if v.id in self.outputs)
        size.update((v.id, self.weight(v, places[v.id])) for v in made)
        return max(1, sum(size.values()) + scratch)

    def scratch(self) -> int:
        """The same of what is neither read from outside nor handed out."""
        nodes, places = self.region.nodes, self.region.places
        last = {s.id: i for i, v in enumerate(nodes) for s in self.sources(v)}
        size = {v.id: self.weight(v, places[v.id]) for v in nodes}
        live = most = 0
        for i, v in enumerate(nodes):
            dying = {s.id for s in self.sources(v) if last[s.id] == i}
            mask = size[v.id] if v.op == "where" else 0
            most = max(most, live + mask)
            live -= sum(size[k] for k in dying & self.own - self.outputs)
            live += size[v.id] if v.id not in self.outputs and v.id in last else 0
            most = max(most, live)
        return most

    def weight(self, v: Value, place: tuple) -> int:
        whole = len(axes_in(place)) == len(self.region.shape)
        return v.dtype.itemsize if whole else 0

    def sources(self, v: Value) -> list[Value]:
        return [self.p.plan.views[a.id].source for a in v.args]


def axes_in(place: tuple) -> frozenset:
    """The axes that occur in a place."""
    return frozenset(a for a in place if a is not None)
