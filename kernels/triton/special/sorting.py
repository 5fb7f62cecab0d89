"""Sorting: short axes by counting, long ones by merging sorted runs.

By counting, the place of an element is how many come before it: sums and comparisons,
every element in parallel, stable, and work that is the square of the length. A long
axis is cut into runs that are sorted so; then runs are merged two by two, a kernel for
each round. Each place of a merged run finds by bisection which element belongs there
(Odeh, Green, Mwassi, Shmueli and Birk, "Merge Path", 2012). NaN counts as largest.
"""

from __future__ import annotations

import math
from typing import Callable, Optional, Sequence

from ....tracer.algebra import eq, where
from ....tracer.graph import Value, constant, make, node
from ....tracer.types import bool_, int32, int64
from ...regions import Region
from ..emit import Axis, Emitter, Reg
from ..index import Group, number
from ..loop.blocks import Blocks
from ..text import finished
from .launching import Launch, coordinate, program_id

__all__ = ["merge_kernel", "sorted_places"]

LONGEST = 4096  # sorted by counting, if that is not much work
RUN, WORK = 32, 1 << 26  # else in runs; comparisons that are not much


def sorted_places(v: Value, args: Sequence[Value]) -> Optional[Value]:
    """An argsort in terms of loops and merges."""
    (x,), axis = args, v.attrs["axis"]
    n = x.shape[axis]
    if 0 in x.shape or n >= 1 << 31:
        return None
    if n == 1:
        return constant(0, x.shape, int64)
    order = (*(a for a in range(-len(x.shape), 0) if a != axis), axis)
    lines = x.permute(order) if order != tuple(range(-len(x.shape), 0)) else x
    short = n <= RUN or n <= LONGEST and math.prod(x.shape) * n <= WORK
    made = (_counted if short else _merged)(lines, v.attrs["descending"])
    back = tuple(order.index(a) - len(order) for a in range(-len(order), 0))
    return made.permute(back) if lines is not x else made


def _counted(lines: Value, descending: bool, length: int = 0) -> Value:
    """The order along the last axis, by counting.

    With `length`, lines are runs of an axis of that length; what is beyond comes last.
    """
    n = lines.shape[-1]
    space = (*lines.shape, n)
    here, there = _both(lines, space)
    before = _less(here, there) if descending else _less(there, here)
    same = _not(_less(here, there) | _less(there, here))
    i, j = (make("iota", (), shape=space, axis=a, dtype=int32) for a in (-2, -1))
    before = before | (same & (j < i))
    if length:
        start = make("iota", (), shape=space, axis=-3, dtype=int32) * n
        last = constant(length, space, int32)
        out, other = last <= start + i, last <= start + j
        before = where(other, out & (j < i), out | before)
    rank = before.cast(int32).sum((-1,))
    ranks = make("reshape", (rank,), shape=(*lines.shape[:-1], 1, n)).expand(space)
    found = where(eq(ranks, i), j, constant(0, space, int32))
    return found.sum((-1,)).cast(int64)


def _both(x: Value, space: tuple) -> tuple[Value, Value]:
    """Each element of a line beside each."""
    here = make("reshape", (x,), shape=(*x.shape, 1)).expand(space)
    there = make("reshape", (x,), shape=(*x.shape[:-1], 1, x.shape[-1]))
    return here, there.expand(space)


def _less(a: Value, b: Value) -> Value:
    """Whether `a` comes before `b`: a NaN comes last."""
    if not a.dtype.is_floating_point:
        return a < b
    return (a < b) | (eq(a, a) & _not(eq(b, b)))


def _not(a: Value) -> Value:
    return make("xor", (a, constant(True, a.shape, a.dtype)))


# -- runs


def _merged(lines: Value, descending: bool) -> Value:
    """The order along the last axis: of runs, then of runs of twice the length."""
    if lines.dtype is bool_:
        lines = lines.cast(int32)
    n, batch = lines.shape[-1], len(lines.shape) - 1
    places = _runs(lines, descending)
    keys = _taken(lines, places, batch)
    run = RUN
    while run < n:
        attrs = {"run": run, "descending": descending}
        both = node("merge", (keys, places), attrs, places.shape, int64)
        kind = int64 if 2 * run >= n else int32
        places = node("item", (both,), {"index": 0}, places.shape, kind)
        keys = node("item", (both,), {"index": 1}, keys.shape, keys.dtype)
        run *= 2
    return places


def _runs(lines: Value, descending: bool) -> Value:
    """Places along the last axis, run by run in order."""
    *lead, n = lines.shape
    more = -n % RUN
    if more:
        pads = (*((0, 0, 0) for _ in lead), (0, more, 0))
        lines = make("pad", (lines,), pads=pads, value=0)
    main = make("reshape", (lines,), shape=(*lead, (n + more) // RUN, RUN))
    start = make("iota", (), shape=main.shape, axis=-2, dtype=int32) * RUN
    order = _counted(main, descending, n if more else 0).cast(int32) + start
    places = make("reshape", (order,), shape=lines.shape)
    return make("slice", (places,), axis=-1, start=0, length=n, step=1)


def _taken(lines: Value, places: Value, batch: int) -> Value:
    attrs = {"batch": batch, "trusted": True}
    return node("gather", (lines, places), attrs, lines.shape, lines.dtype)


# -- the kernel of a round


def merge_kernel(region: Region, name: str, stored: Callable[[Value], bool]) -> Launch:
    """Places, and the keys there, after runs were merged two by two."""
    v, *items = region.nodes
    keys, places = v.args
    group = Group("i0", keys.shape)
    blocks = Blocks([group.size], set())
    axes = [Axis(group, "B0", "m0" if blocks.is_ragged(0) else None)]
    em = Emitter(stored, axes)
    coordinate(em, axes, 0, f"{program_id(blocks)} * B0")
    index = tuple(number(group, k) for k in range(len(keys.shape)))
    source = _source(em, v, index)
    place = (*index[:-1], em.as_index(source, keys.shape[-1]))
    for item in items:
        x = (places, keys)[item.attrs["index"]]
        em.store(item, index, em.read(x, place))
    grid = f"cdiv({group.size}, B0)"
    region = Region("loop", [v], keys.shape)
    kernel = finished(name, em, region, grid, blocks.configs(), ("sort",))
    return Launch(kernel, em, items)


def _source(em: Emitter, v: Value, index: tuple) -> Reg:
    """Which place of the two runs belongs at a place of the merged one."""
    keys, run, n = v.args[0], v.attrs["run"], v.args[0].shape[-1]
    walks = em.tile
    t = em.name(index[-1].text(), walks)
    start = em.name(f"{t.text} // {2 * run} * {2 * run}", walks)
    d = em.name(f"{t.text} - {start.text}", walks)
    one = em.name(f"tl.minimum({n} - {start.text}, {run})", walks)
    two = em.name(f"tl.minimum({n} - {start.text} - {one.text}, {run})", walks)
    em.write(f"low = tl.maximum({d.text} - {two.text}, 0)")
    em.write(f"high = tl.minimum({d.text}, {one.text})")

    def first(a: str, b: str, inside: str) -> Reg:
        """Whether element `a` of the first run comes before `b` of the second."""
        with em.only([Reg(inside, walks)]):
            x, y = (_key(em, keys, index, f"{start.text} + {i}") for i in (a, b))
        if v.attrs["descending"]:
            return em.name(f"~lib.before({x.text}, {y.text})", walks)
        return em.name(f"~lib.before({y.text}, {x.text})", walks)

    with em.block(f"for _ in range({run.bit_length()}):"):
        em.write("more = low < high")
        em.write("mid = (low + high) // 2")
        ahead = first("mid", f"{run} + {d.text} - 1 - mid", "more")
        em.write(f"low = tl.where(more & {ahead.text}, mid + 1, low)")
        em.write(f"high = tl.where(more & ~{ahead.text}, mid, high)")
    em.write(f"other = {d.text} - low")
    em.write(f"both = (low < {one.text}) & (other < {two.text})")
    ahead = first("low", f"{run} + other", "both")
    test = f"(other >= {two.text}) | (both & {ahead.text})"
    return em.name(f"{start.text} + tl.where({test}, low, {run} + other)", walks)


def _key(em: Emitter, keys: Value, index: tuple, at: str) -> Reg:
    place = em.name(at, em.tile)
    return em.load(keys, (*index[:-1], em.as_index(place, keys.shape[-1])))
