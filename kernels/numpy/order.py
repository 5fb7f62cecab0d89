"""The order in which regions run: what frees memory goes before what takes some.

The plan's order is near to the user's. Where several regions could be next, one that
reads an array for the last time, and leaves more memory free than it takes, goes first.
"""

from __future__ import annotations

import bisect
import sys

from ...tracer.graph import Graph, Value
from ..regions import Plan, Region
from .stored import nbytes

__all__ = ["ordered"]

# Of the regions that could be next so many are looked at.
WINDOW = 8


def ordered(plan: Plan, graph: Graph) -> Plan:
    """The plan with its regions in another order."""
    return Plan(_Order(plan, graph).run(), plan.views)


class _Order:
    def __init__(self, plan: Plan, graph: Graph):
        self.plan, self.regions = plan, plan.regions
        self.made = {v.id: n for n, r in enumerate(self.regions) for v in r.nodes}
        given = {v.id for v in graph.inputs}
        handed = {self.home(plan.views[out.id].source).id for out in graph.outputs}
        self.fixed = given | handed  # whose memory is not ours to use again
        self.reads = [self.homes(r) for r in self.regions]
        self.left: dict[int, int] = {}  # how many regions have yet to read a value
        for homes in self.reads:
            for at in homes:
                self.left[at] = self.left.get(at, 0) + 1

    def home(self, v: Value) -> Value:
        """The value in whose memory `v` lies."""
        while v.id in self.made and self.regions[self.made[v.id]].kind == "view":
            v = self.plan.views[v.args[0].id].source
        return v

    def homes(self, region: Region) -> dict[int, int]:
        """What a region reads that is free some day: the size of each array."""
        if region.kind == "view":
            return {}
        homes = map(self.home, region.inputs)
        return {v.id: nbytes(v) for v in homes if v.id not in self.fixed}

    def gain(self, n: int) -> int:
        """The memory that region `n` frees, less what it takes; a view takes none."""
        region = self.regions[n]
        if region.kind == "view":
            return sys.maxsize
        frees = (size for at, size in self.reads[n].items() if self.left[at] == 1)
        takes = (nbytes(v) for v in region.outputs if v.id not in self.fixed)
        return sum(frees) - sum(takes)

    def run(self) -> list[Region]:
        """All regions, each behind those it reads from."""
        waits = [self.below(r) for r in self.regions]
        readers: list[list[int]] = [[] for _ in self.regions]
        for n, below in enumerate(waits):
            for m in below:
                readers[m].append(n)
        missing = [len(below) for below in waits]
        ready = [n for n, count in enumerate(missing) if not count]
        found = []
        while ready:
            n = self.next(ready)
            found.append(self.regions[n])
            for at in self.reads[n]:
                self.left[at] -= 1
            for m in readers[n]:
                missing[m] -= 1
                if not missing[m]:
                    bisect.insort(ready, m)
        return found

    def below(self, region: Region) -> set[int]:
        own = {v.id for v in region.nodes}
        read = (s.id for s in region.inputs if s.id not in own)
        return {self.made[at] for at in read if at in self.made}

    def next(self, ready: list[int]) -> int:
        """Take the first region that gives memory back, else the first of all."""
        first = ready[:WINDOW]
        gains = [self.gain(n) for n in first]
        best = max(gains)
        return ready.pop(gains.index(best) if best > 0 else 0)
