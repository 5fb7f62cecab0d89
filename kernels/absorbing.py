"""Loops over rows take in what is computed once for each row.

A cluster over some axes of a wider loop, which reads it or is read by it at just those
axes, costs the loop next to nothing: labels made ready, the weight of a row, the loss
of a row. Its sums over all rows become late reductions of the loop; where the loop
needs such a sum itself and the rows are few, it is *whole*: every program computes it
again before it starts. So a loss and its gradient are one pass.
"""

from __future__ import annotations

from typing import Container, Iterable, NamedTuple, Optional

from ..tracer.graph import Value
from .axes import View, elements, key
from .clusters import Cluster, merge
from .regions import ARG, axes_of, is_small, kind_of

__all__ = ["absorb", "is_picked"]

# Operations on rows that a loop takes in: all threads of a program do them.
FEW = 32
# Sums of so many elements are computed again by each program; of up to MANY where
# rows are LONG.
BRIEF, MANY, LONG = 2048, 16384, 4096

Views = dict[int, View]


def is_picked(v: Value, inside: Container[int]) -> bool:
    """Whether `v` is one element from each row of an input, by its number."""
    if v.op != "gather" or v.args[0].id not in inside:
        return False
    x, rows = v.args
    return v.attrs["batch"] == len(x.shape) - 1 == len(rows.shape)


class _Found(NamedTuple):
    """The axis of the loop that each axis is, and what becomes of the reductions."""

    where: list
    sums: list[Value]
    how: str  # "inner", "late" or "whole"


def absorb(c: Cluster, p: Cluster, views: Views, most: int, small: int) -> bool:
    """Merge `p`, which computes something for each row of `c`, into `c`.

    `most` is how many nodes a cluster may have, `small` the elements of a space in
    which every reduction is complete.
    """
    if c.kind != "loop" or p.kind != "loop" or len(p.nodes) > FEW or not c.inner:
        return False
    if len(p.space) >= len(c.space):
        return False
    where = _axes(c, p, views)
    if where is None or not c.inner.issuperset(set(range(len(c.space))) - set(where)):
        return False
    sums = [v for v in p.nodes if kind_of(v) == "reduce"]
    how = "inner" if is_small(c.space, small) else _outside(c, p, sums, views)
    return bool(how) and _moved(c, p, _Found(where, sums, how), most)


def _outside(c: Cluster, p: Cluster, sums: list[Value], views: Views) -> str:
    """What reductions over rows become in a loop that holds a part of the rows."""
    if _reads((*p.nodes, *c.nodes), sums, views):
        return "whole" if _is_whole(c, p, sums, views) else ""
    if _reads(p.nodes, [v for v in c.nodes if v.id in c.late], views):
        return ""
    return "" if any(v.op in ARG for v in sums) else "late"


def _is_whole(c: Cluster, p: Cluster, sums: list[Value], views: Views) -> bool:
    """Whether every program may compute these sums again."""
    count = elements(p.space)
    few = count <= (MANY if elements(c.space) // count >= LONG else BRIEF)
    if not few or any(type(n) is not int for n in p.space):
        return False
    every = frozenset(range(len(p.space)))
    if any(v.op in ARG or axes_of(v, p.reads[v.id]) != every for v in sums):
        return False
    return not _rests_on(sums, c, views)


def _rests_on(sums: list[Value], c: Cluster, views: Views) -> bool:
    """Whether reductions need one another, or what `c` computes."""
    stop = {v.id for v in (*sums, *c.nodes)}
    oldest = min(stop)
    stack, seen = [a for v in sums for a in v.args], set()
    while stack:
        v = views[stack.pop().id].source
        if v.id in stop:
            return True
        if v.id not in seen and v.id > oldest:
            seen.add(v.id)
            stack.extend(v.args)
    return False


def _moved(c: Cluster, p: Cluster, found: _Found, most: int) -> bool:
    """Merge with the axes of `p` renamed to those of `c`."""
    places = {i: _renamed(t, found.where) for i, t in p.places.items()}
    reads = {i: _renamed(t, found.where) for i, t in p.reads.items()}
    over = [axes_of(v, reads[v.id]) for v in found.sums]
    ids = {v.id for v in found.sums}
    before, p.inner = p.inner, frozenset()
    if not merge(c, p, most, complete=True):
        p.inner = before
        return False
    c.places.update(places)
    c.reads.update(reads)
    c.late -= ids
    if found.how == "inner":
        c.inner = c.inner.union(*over)
    else:
        (c.late if found.how == "late" else c.whole).update(ids)
    return True


def _axes(c: Cluster, p: Cluster, views: Views) -> Optional[list]:
    """The axis of `c` that each axis of `p` is, wherever one reads from the other."""
    found: list[Optional[int]] = [None] * len(p.space)
    own, others = ({v.id for v in x.nodes} for x in (p, c))
    for v in c.nodes:
        for source, axes in (views[a.id] for a in v.args):
            if source.id in own:
                if not _noted(found, p.places[source.id], axes, _place(c, v)):
                    return None
    for v in p.nodes:
        for source, axes in (views[a.id] for a in v.args):
            if source.id in others:
                if not _met(found, c.places[source.id], axes, _place(p, v)):
                    return None
    if None in found or found != sorted(set(found)):  # type: ignore[type-var]
        return None
    sizes = tuple(c.space[a] for a in found if a is not None)
    return found if key(p.space) == key(sizes) else None


def _place(c: Cluster, v: Value) -> tuple:
    """Where the arguments of `v` lie."""
    return c.reads.get(v.id) or c.places[v.id]


def _noted(found: list, place: tuple, axes: tuple, at: tuple) -> bool:
    """Enter where the loop reads a value at `place`; False on a conflict."""
    for axis, to in zip(axes, at):
        if axis is None or place[axis] is None:
            continue
        if to is None or found[place[axis]] not in (None, to):
            return False
        found[place[axis]] = to
    return True


def _met(found: list, place: tuple, axes: tuple, at: tuple) -> bool:
    """Enter where a value of the loop at `place` is read; False on a conflict."""
    read = {axis for axis in axes if axis is not None}
    if any(a is not None and k not in read for k, a in enumerate(place)):
        return False
    for axis, own in zip(axes, at):
        if axis is None or own is None:
            continue
        if found[own] not in (None, place[axis]):
            return False
        found[own] = place[axis]
    return True


def _renamed(axes: tuple, where: list) -> tuple:
    return tuple(None if a is None else where[a] for a in axes)


def _reads(nodes: Iterable[Value], values: list[Value], views: Views) -> bool:
    """Whether some node reads one of the values."""
    ids = {v.id for v in values}
    return any(views[a.id].source.id in ids for v in nodes for a in v.args)
