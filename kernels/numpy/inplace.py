"""Results that take the place of an input: written over it, if nobody reads it later.

A result may go right into the array of input `x` where every other read of `x` comes
before, or, within one loop, at the same index: a tile is read before it is written,
and no other tile is touched. Where that is not so the result is copied there at the
end of the function.
"""

from __future__ import annotations

from typing import Iterator, Mapping

from ...tracer.graph import Graph, Value
from ..axes import key
from ..regions import Plan, Region
from .pointwise import UFUNCS

__all__ = ["Floors", "direct", "sources"]


def sources(plan: Plan, v: Value) -> Iterator[Value]:
    """The values that are stored behind the operands of `v`."""
    return (plan.views[a.id].source for a in v.args)


class Floors:
    """From which statement of a block on the memory of each input is free."""

    def __init__(self, plan: Plan, inputs: Mapping[int, Value]):
        self.plan, self.watched = plan, {x.id for x in inputs.values()}
        self.found: dict[int, int] = {}

    def of(self, x: Value) -> int:
        """The first statement that may write where `x` is."""
        return self.found.get(x.id, 0)

    def read(self, v: Value, lines: list) -> None:
        """`v` reads its operands by the last of these statements."""
        for x in sources(self.plan, v) if self.watched else ():
            if x.id in self.watched:
                self.found[x.id] = len(lines)


def direct(
    graph: Graph, plan: Plan, claims: dict[int, tuple], targets: dict[int, Value]
) -> set[int]:
    """Which outputs may be written into the input that they replace at once.

    `targets` are these inputs by the number of the output, `claims` says which value
    is computed right into which output.
    """
    if not targets:
        return set()
    handed = {plan.views[out.id].source.id for out in graph.outputs}
    order = {v.id: n for n, v in enumerate(v for r in plan.regions for v in r.nodes)}
    readers: dict[int, list] = {x.id: [] for x in targets.values()}
    home: dict[int, tuple[Region, Value]] = {}
    for region in plan.regions:
        for v in region.nodes:
            home[v.id] = region, v
            for x in {*sources(plan, v)}:
                if x.id in readers:
                    readers[x.id].append((region, v))
    found = set()
    for at, k in [(at, k) for at, (k, _) in claims.items() if k in targets]:
        x = targets[k]
        if x.id in handed or key(home[at][1].shape) != key(x.shape):
            continue
        region, v = home[at]
        if all(_harmless(plan, order, region, v, x, *r) for r in readers[x.id]):
            found.add(k)
    return found


def _harmless(
    plan: Plan, order: dict, region: Region, v: Value, x: Value, other: Region, u: Value
) -> bool:
    """Whether `u`, in region `other`, has read `x` by the time `v` is written there."""
    if other.kind == "view" or order[u.id] > order[v.id]:
        return False  # a view is read later
    if other is not region:
        return True
    if u is v and v.op not in UFUNCS:
        return False  # it may take several statements
    return region.small or all(
        _place(plan, region, u, a) == _axes(region.places[v.id])
        for a in u.args
        if plan.views[a.id].source is x
    )


def _place(plan: Plan, region: Region, u: Value, a: Value) -> list:
    """Where the axes of what is behind argument `a` lie in the space of the region."""
    source, axes = plan.views[a.id]
    place = region.reads.get(u.id) or region.places[u.id]
    where = dict(zip(axes, place))
    return _axes(where.get(j) for j in range(len(source.shape)))


def _axes(place: object) -> list:
    return [axis for axis in place if axis is not None]  # type: ignore[attr-defined]
