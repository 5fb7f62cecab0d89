"""Clusters of nodes that may become one kernel, and when two of them may merge.

Merging must never close a circle: nothing outside a cluster may both depend on it and
feed it. Every cluster knows its depth, the longest path of clusters below it; whoever
depends on a cluster is deeper, so a search for a path looks at the clusters between
two depths only. A search that becomes long answers "there may be one": a merge that
is missed costs a pass over memory, a search without end costs everything.
"""

from __future__ import annotations

import heapq
from typing import Iterable, Iterator, Optional

from ..tracer.graph import Value

__all__ = ["Cluster", "connect", "in_order", "merge", "raise_depth", "reaches"]

# Clusters looked at before a search gives up.
PATIENCE = 256


class Cluster:
    """Nodes over one iteration space; an opaque cluster holds a single node.

    `places` maps value ids to the axis of the space of each of their axes, `reads`
    says the same of the arguments of reductions (by the reduction's id). `late`
    holds the reductions that are complete only after the loop, `inner` the axes that
    reductions complete inside it, `whole` the reductions that come before it, `hard`
    the clusters whose results are read here in a way that needs them complete.
    """

    __slots__ = (
        *("kind", "space", "nodes", "places", "reads", "late", "inner", "whole"),
        *("depth", "before", "after", "hard", "into"),
    )

    def __init__(self, kind: str, space: tuple, nodes: Iterable[Value]):
        self.kind, self.space, self.nodes = kind, space, list(nodes)
        self.places: dict[int, tuple] = {}
        self.reads: dict[int, tuple] = {}
        self.late: set[int] = set()
        self.inner: frozenset[int] = frozenset()
        self.whole: set[int] = set()
        self.depth = 0
        self.before: set[Cluster] = set()
        self.after: set[Cluster] = set()
        self.hard: set[Cluster] = set()
        self.into: Optional[Cluster] = None

    def now(self) -> "Cluster":
        """The cluster that this one was merged into (itself at first)."""
        c = self
        while c.into is not None:
            if c.into.into is not None:
                c.into = c.into.into
            c = c.into
        return c


def reaches(start: Cluster, ends: Iterable[Cluster]) -> bool:
    """Whether some cluster in `ends` depends on `start` (or may: see above)."""
    stack = [c for c in ends if c.depth > start.depth or c is start]
    seen = set(stack)
    while stack:
        c = stack.pop()
        if c is start:
            return True
        for p in c.before:
            if p not in seen and (p.depth > start.depth or p is start):
                seen.add(p)
                stack.append(p)
        if len(seen) > PATIENCE:
            return True
    return False


def raise_depth(c: Cluster, below: Iterable[Cluster]) -> bool:
    """Put `c` above all of `below`, and all above it; False if that is much work."""
    depth = max((p.depth + 1 for p in below), default=0)
    if depth <= c.depth:
        return True
    new = {c: depth}
    stack = [c]
    while stack:
        p = stack.pop()
        for q in p.after:
            if new.get(q, q.depth) <= new[p]:
                new[q] = new[p] + 1
                stack.append(q)
        if len(new) > PATIENCE:
            return False
    for q, d in new.items():
        q.depth = d
    return True


def connect(c: Cluster, below: Iterable[Cluster]) -> None:
    """Note that `c` reads results of `below`."""
    for p in below:
        if p is not c:
            c.before.add(p)
            p.after.add(c)


def merge(a: Cluster, b: Cluster, limit: int, complete: bool = False) -> bool:
    """Merge `b` into `a` where that is possible; says whether it was.

    With `complete`, neither has to be over before the other can read it.
    """
    if a is b:
        return True
    if len(a.nodes) + len(b.nodes) > limit:
        return False
    if not complete and _needs_complete(a, b):
        return False
    if reaches(a, b.before - {a}) or reaches(b, a.before - {b}):
        return False
    if not raise_depth(a, (b.before | a.before) - {a, b}):
        return False
    if not _lift_readers(a, b):
        return False
    _absorb(a, b)
    return True


def _needs_complete(a: Cluster, b: Cluster) -> bool:
    return a in {c.now() for c in b.hard} or b in {c.now() for c in a.hard}


def _lift_readers(a: Cluster, b: Cluster) -> bool:
    return all(raise_depth(q, (a,)) for q in b.after if q is not a)


def _absorb(a: Cluster, b: Cluster) -> None:
    a.nodes += b.nodes
    a.places.update(b.places)
    a.reads.update(b.reads)
    a.late |= b.late
    a.whole |= b.whole
    a.inner |= b.inner
    a.hard |= b.hard
    for p in b.before:
        p.after.discard(b)
    for q in b.after:
        q.before.discard(b)
    connect(a, b.before)
    for q in b.after:
        connect(q, (a,))
    b.into, b.nodes, b.places = a, [], {}


def in_order(clusters: Iterable[Cluster]) -> Iterator[Cluster]:
    """An order in which all is computed before it is read, near to the user's."""
    first = {c: min(v.id for v in c.nodes) for c in clusters}
    missing = {c: len(c.before) for c in clusters}
    ready = [(first[c], i, c) for i, c in enumerate(clusters) if not missing[c]]
    heapq.heapify(ready)
    while ready:
        _, i, c = heapq.heappop(ready)
        yield c
        for q in c.after:
            missing[q] -= 1
            if not missing[q]:
                heapq.heappush(ready, (first[q], first[q], q))
