"""Rows that are too long to hold: one pass over them for each level of reductions.

A value that needs the result of a reduction over the row is computed in a later pass
than the reduction; what is cheap to compute is computed again in each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Sequence

from ....tracer.graph import Value

if TYPE_CHECKING:
    from .tile import Tile

__all__ = ["Passes"]


class Passes:
    """The passes of a tile over the blocks of group `g`."""

    def __init__(self, tile: Tile, g: int):
        self.tile, self.g = tile, g
        self.region, self.over = tile.region, tile.over
        self.level = self.levels()

    def write(self) -> None:
        """Walk over the group once for each level of reductions over it."""
        for level in range(max(self.level.values(), default=0) + 1):
            ready = [v for v in self.region.nodes if self.level[v.id] <= level]
            due = [v for v in ready if self.is_due(v, level)]
            for v in ready:  # what has no element along the group is computed once
                if not self.walks_along(v) and self.level[v.id] == level:
                    self.tile.node(v)
            if due:
                self.once(due)

    def levels(self) -> dict[int, int]:
        """How many passes must be over before a node can be computed."""
        level: dict[int, int] = {}
        for v in self.region.nodes:
            level[v.id] = max((self.level_of(a, level) for a in v.args), default=0)
        return level

    def level_of(self, a: Value, level: dict[int, int]) -> int:
        """The level from which `a` is known: it may be a view of what is computed."""
        stack, best, seen = [a], 0, set()
        oldest = min(v.id for v in self.region.nodes)
        while stack:
            v = stack.pop()
            if v.id in level:
                best = max(best, level[v.id] + self.is_long(v))
            elif v.id not in seen and v.id >= oldest:
                seen.add(v.id)
                stack.extend(v.args)
        return best

    def walks_along(self, v: Value) -> bool:
        """Whether `v` has an element for each place along the group."""
        places = self.region.reads.get(v.id) or self.region.places[v.id]
        axes = (a for a in places if a is not None)
        return any(self.tile.position[a][0] == self.g for a in axes)

    def is_due(self, v: Value, level: int) -> bool:
        """Whether pass number `level` must compute `v`."""
        if not self.walks_along(v):
            return False
        if v.id in self.over and not self.is_long(v):
            return True  # needed again in every pass
        wanted = v.id in self.over or v.id in self.tile.wanted
        return self.level[v.id] == level and wanted

    def is_long(self, v: Value) -> bool:
        """Whether `v` is a reduction over the long group."""
        return v.id in self.over and self.g in self.tile.groups_of(self.over[v.id])

    def once(self, due: Sequence[Value]) -> None:
        """One pass, for reductions over the group and what is stored along it."""
        tile, g = self.tile, self.g
        long = [v for v in due if self.is_long(v)]
        for v in long:
            tile.start(v)
        size = tile.groups[g][0].size
        with tile.em.block(f"for j{g} in range(0, {size}, B{g}):"):
            tile.coordinates(g, f"j{g}")
            for v in due:
                if self.is_long(v):
                    tile.accumulate(v)
                else:
                    tile.node(v)
        for v in long:
            self.end(v)

    def end(self, v: Value) -> None:
        """The result of a reduction over the whole group."""
        tile, index = self.tile, self.tile.place(v)
        tile.em.keep(v, index, tile.close(v, tile.accumulators[v.id], self.over[v.id]))
        if v.id in tile.wanted:
            tile.store(v, index)
