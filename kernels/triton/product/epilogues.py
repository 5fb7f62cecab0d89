"""Which loops a product takes along: those that nothing but its result goes into."""

from __future__ import annotations

from math import prod
from typing import Optional

from ....tracer.graph import Value
from ...axes import numbered, squeeze
from ...regions import Plan, Region

__all__ = ["epilogues", "parts", "whole"]


def whole(dot: Value) -> Region:
    """A region that stores the product as it is."""
    region = Region("loop", [dot], squeeze(dot.shape), {dot.id: numbered(dot.shape)})
    region.outputs = [dot]
    return region


def parts(dot: Value, space: tuple) -> Optional[tuple]:
    """The axes of a space as those of the batch, the rows and the columns."""
    found, rest = [], list(space)
    for size in (dot.shape[-1], dot.shape[-2]):
        taken: list[int] = []
        while rest and prod(taken) * rest[-1] <= size and prod(taken) != size:
            taken.insert(0, rest.pop())
        if prod(taken) != size:
            return None
        found.append(tuple(taken))
    if prod(rest) != prod(dot.shape[:-2]):
        return None
    return tuple(rest), found[1], found[0]


def epilogues(plan: Plan) -> dict[int, Value]:
    """The product that each loop is done to at once, by the loop's first node."""
    readers = read_by(plan)
    found: dict[int, Value] = {}
    taken: set[int] = set()
    for region in plan.regions:
        if region.kind != "loop" or region.reductions:
            continue
        for v in region.inputs:
            dot = behind(v, readers)
            if dot is not None and dot.id not in taken and parts(dot, region.shape):
                found[region.nodes[0].id] = dot
                taken.add(dot.id)
                break
    return found


def behind(v: Value, readers: dict[int, int]) -> Optional[Value]:
    """The product that `v` shows, if no other region looks at it."""
    while readers.get(v.id) == 1:
        if v.op == "dot":
            return v
        if v.op != "reshape":
            return None
        v = v.args[0]
    return None


def read_by(plan: Plan) -> dict[int, int]:
    """How many regions read each value."""
    count: dict[int, int] = {}
    for region in plan.regions:
        for v in region.inputs:
            count[v.id] = count.get(v.id, 0) + 1
    return count
