"""Late reductions: how they are cut off, and how their partial results end.

A region whose rows are too long to hold cannot also gather sums over its rows: then
the late reductions become a loop of their own, which computes again what it needs and
reads what the rows were reduced to. Partial results have one leading axis; a second
small kernel reduces it away.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Container, Iterable, Sequence

from ....tracer.graph import Value, node
from ...axes import numbered, squeeze
from ...regions import Region, reduced
from .space import Space
from .tile import Partial

__all__ = ["alone", "append", "divided", "finisher", "folded_region", "followed"]


def alone(v: Value) -> Region:
    """A reduction as a loop of its own, complete in itself."""
    x = v.args[0]
    where = numbered(x.shape)
    gone = {len(where) + axis for axis in reduced(v)}
    places = tuple(a for j, a in enumerate(where) if j not in gone)
    region = Region("loop", [v], squeeze(x.shape), {v.id: places}, {v.id: where})
    region.inner = frozenset(where[j] for j in gone if where[j] is not None)
    region.outputs = [v]
    return region


def finisher(partials: Sequence[Partial]) -> Region:
    """The loop that makes late reductions of their partial results, alike in shape."""
    first, *others = map(_ended, partials)
    for other in others:
        first.nodes += other.nodes
        first.places.update(other.places)
        first.reads.update(other.reads)
        first.outputs += other.outputs
    return first


def _ended(partial: Partial) -> Region:
    v, held = partial.node, partial.held
    axis = -len(held.shape)
    total = node(v.op, (held,), {"axes": (axis,)}, v.shape, held.dtype)
    region = alone(total)
    last = total
    if held.dtype is not v.dtype:
        last = node("cast", (total,), {"dtype": v.dtype}, v.shape, v.dtype)
        region.nodes.append(last)
        region.places[last.id] = region.places[total.id]
    renamed(region, last, v)
    return region


def followed(region: Region, readers: Sequence[Region], kept: Container[int]) -> Region:
    """The end of late reductions and the loops that read their results, as one loop.

    Results in `kept` are stored as well.
    """
    region.outputs = [v for v in region.outputs if v.id in kept]
    for reader in readers:
        more = len(region.shape) - len(reader.shape)  # the axis of partial results
        for v in reader.nodes:
            place = reader.places[v.id]
            region.places[v.id] = tuple(None if a is None else a + more for a in place)
        region.nodes = [*region.nodes, *reader.nodes]
        region.outputs += reader.outputs
    return region


def append(region: Region, v: Value, reader: Region, kept: bool) -> None:
    """Compute what reads a late reduction as soon as a program has all of it."""
    axes = [a for a in region.places[v.id] if a is not None]
    for w in reader.nodes:
        place = reader.places[w.id]
        region.places[w.id] = tuple(None if a is None else axes[a] for a in place)
    region.after += [(v, w) for w in reader.nodes]
    outputs = [w for w in region.outputs if kept or w is not v]
    region.outputs = [*outputs, *reader.outputs]


def folded_region(v: Value) -> Region:
    """A fold as a sum: over the window offsets, of what each adds to a place."""
    (x,) = v.args
    size = x.shape[-len(v.attrs["shape"]) :]
    attrs = {k: v.attrs[k] for k in ("stride", "dilation")}
    terms = node("folded", (x,), {**attrs, "size": size}, v.shape + size, v.dtype)
    axes = tuple(range(-len(size), 0))
    region = alone(node("sum", (terms,), {"axes": axes}, v.shape, v.dtype))
    region.nodes[0].line = v.line
    renamed(region, region.nodes[0], v)
    return region


def renamed(region: Region, own: Value, v: Value) -> None:
    """Let `own` stand for `v`: whoever reads `v` finds it under that number."""
    for table in (region.places, region.reads):
        if own.id in table:
            table[v.id] = table.pop(own.id)
    own.id, own.line = v.id, v.line
    region.outputs = [own]


def divided(region: Region) -> list[Region]:
    """The region, or its rows and its late reductions as two."""
    if not region.late or not region.inner:
        return [region]
    space = Space(region)
    late = [v for v in space.late if space.is_heavy(v)]
    if not space.is_long or not late:
        return [region]
    cut = {v.id for v in late}
    rows = [v for v in region.nodes if v.id not in cut]
    needed = behind(late, {v.id: v for v in rows}, region)
    results = [v for v in needed if v.id in region.reads]
    inside = [v for v in needed if v.id not in region.reads]
    first = replace(region, nodes=rows, late=region.late - cut)
    first.outputs = _with([v for v in region.outputs if v in rows], results)
    second = replace(region, nodes=[*inside, *late], inner=frozenset())
    second.late, second.outputs = region.late & cut, late
    return [first, second]


def _with(outputs: list, more: Iterable) -> list:
    return list({v.id: v for v in (*outputs, *more)}.values())


def behind(late: list[Value], rows: dict[int, Value], region: Region) -> list[Value]:
    """What late reductions need of the rows; not what those are reduced from."""
    found: dict[int, Value] = {}
    seen: set[int] = set()
    oldest = min(rows)
    stack = [a for v in late for a in v.args]
    while stack:
        v = stack.pop()
        if v.id in seen or v.id < oldest:
            continue
        seen.add(v.id)
        if v.id in rows:
            found[v.id] = v
        if v.id not in region.reads and v.op != "input":
            stack.extend(v.args)
    return [found[i] for i in sorted(found)]
