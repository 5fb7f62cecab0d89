"""Fusion: which values share a kernel. One answer for every backend.

A *loop* is a kernel over one iteration space: pointwise nodes, and reductions of what
they compute. A value of the loop lives on some axes of the space, and the others are
broadcast. Its reductions are of two sorts:

    inner   over trailing axes (or any, when the whole space is small): complete where
            the loop stands, so the loop goes on with the result. Softmax, layer norm
            and their backward passes are one loop each.
    late    all others: gathered over the loop, complete when it has ended.

`expand` and size-1 reshapes are how a loop reads (see axes.py), never a kernel.
Everything else is a region of its own: *view* (movement that costs nothing by itself),
or *opaque* (a kernel that knows what it does best: dot, gather, sort).
"""

from __future__ import annotations

from typing import Optional

from ..tracer.graph import Graph, Value
from .absorbing import absorb, is_picked
from .axes import View, compose, elements, key, locate, numbered, plain, squeeze
from .clusters import Cluster, connect, in_order, merge, raise_depth, reaches
from .regions import (
    ARG,
    SMALL,
    Plan,
    Region,
    axes_of,
    is_small,
    kind_of,
    of_windows,
    reduced,
)

__all__ = ["Plan", "Region", "plan"]

# The most elements that an inner reduction may hold at once, other axes aside.
WIDEST = 1 << 17
# Operations in one kernel: more make it slow to compile and short of registers.
MOST = 128
VIEWS = frozenset(("expand", "reshape", "permute", "slice", "windows"))


def plan(
    graph: Graph, small: int = SMALL, widest: int = WIDEST, rows: bool = False
) -> Plan:
    """Divide the nodes of `graph` into regions.

    A space of up to `small` elements is one tile; `widest` is the most elements that
    an inner reduction may hold. With `rows`, what is computed for each row, also from
    an element picked from it, joins the loop over the rows (see absorbing.py).

    >>> from ..tracer.graph import placeholder
    >>> from ..tracer.types import float32
    >>> x = placeholder("x", (8, 4), float32)
    >>> [r.kind for r in plan(Graph("f", [x], [(x + x).sum((-1,))])).regions]
    ['loop']
    """
    planner = _Planner(graph, small, widest, rows)
    for v in planner.nodes:
        planner.settle(v)
    planner.join_siblings()
    if rows:
        planner.join_rows()
    return Plan(planner.regions(), planner.views)


class _Planner:
    def __init__(self, graph: Graph, small: int, widest: int, rows: bool):
        self.small, self.widest, self.rows = small, widest, rows
        self.line = small * (4 if rows else 1)  # a program can do that alone
        self.inside = {v.id for v in graph.inputs}
        # What only guards need is none of ours.
        self.graph = Graph(graph.name, graph.inputs, graph.outputs)
        self.nodes = self.graph.nodes()
        self.views: dict[int, View] = {}
        self.home: dict[int, Cluster] = {}  # value id -> the cluster that computes it
        self.readers: dict[int, list[Cluster]] = {}  # who reads a whole space of it

    # -- one node after the other

    def settle(self, v: Value) -> None:
        """Give `v` its place: a view of another value, or a cluster."""
        self.views[v.id] = plain(v)
        if v.id in self.inside or self.is_splat(v):
            return
        if v.op == "item":
            self.settle_item(v)
            return
        free = compose(v, self.views[v.args[0].id]) if v.args else None
        if free is not None:
            self.views[v.id] = free
        elif kind_of(v) in ("pointwise", "compare"):
            self.settle_pointwise(v)
        elif self.rows and (v.op == "checked" or is_picked(v, self.inside)):
            self.settle_pointwise(v)
        elif kind_of(v) == "reduce" and not of_windows(v):
            self.settle_reduction(v)
        else:
            self.alone(v, "view" if v.op in VIEWS else "opaque")

    def is_splat(self, v: Value) -> bool:
        return v.op == "constant" and v.id not in self.inside

    def sources(self, v: Value) -> list[Value]:
        return [self.views[a.id].source for a in v.args]

    def below(self, v: Value) -> list[Cluster]:
        found = (self.home.get(s.id) for s in self.sources(v))
        return list({c.now(): None for c in found if c is not None})

    def alone(self, v: Value, kind: str) -> Cluster:
        c = Cluster(kind, squeeze(v.shape), [v])
        self.home[v.id] = c
        below = self.below(v)
        raise_depth(c, below)
        connect(c, below)
        c.hard.update(below)
        return c

    def settle_item(self, v: Value) -> None:
        """A result of a node that runs graphs is made where that runs."""
        c = self.home[v.id] = self.home[v.args[0].id]
        c.nodes.append(v)

    def settle_pointwise(self, v: Value) -> None:
        below = self.below(v)
        for c in sorted(below, key=self.preference):
            place = self.place_in(c, v)
            if place is not None and self.join(c, v, place, below):
                break
        else:
            c = self.fresh(v, v.shape, below)
            c.places[v.id] = numbered(v.shape)
        self.gather_in(c, v, below)

    def preference(self, c: Cluster) -> tuple:
        """The wider loop first, where rows may join it, then the later one."""
        return (-len(c.space) if self.rows else 0, -c.depth)

    def fresh(self, v: Value, shape: tuple, below: list[Cluster]) -> Cluster:
        c = Cluster("loop", squeeze(shape), [v])
        self.home[v.id] = c
        raise_depth(c, below)
        connect(c, below)
        return c

    def place_in(self, c: Cluster, v: Value) -> Optional[tuple]:
        """Where the arguments of `v` lie in the space of `c`; None if it lacks them."""
        shape = v.args[0].shape if kind_of(v) == "reduce" else v.shape
        known: list[Optional[int]] = [None] * len(shape)
        for a in v.args:
            if not self.note_axes(c, a, known):
                return None
        return locate(shape, c.space, known)

    def note_axes(self, c: Cluster, a: Value, known: list) -> bool:
        """Enter the axes of argument `a`, if `c` computes it; False on a conflict."""
        source, axes = self.views[a.id]
        if not self.is_home(c, source):
            return True
        if c.kind != "loop" or source.id in c.late:
            return False
        place = c.places[source.id]
        for j, axis in enumerate(axes):
            at = None if axis is None else place[axis]
            if at is not None and known[j] not in (None, at):
                return False
            known[j] = at if at is not None else known[j]
        return True

    def is_home(self, c: Cluster, v: Value) -> bool:
        home = self.home.get(v.id)
        return home is not None and home.now() is c

    def join(self, c: Cluster, v: Value, place: tuple, below: list[Cluster]) -> bool:
        others = [p for p in below if p is not c]
        if len(c.nodes) >= MOST or reaches(c, others) or not raise_depth(c, others):
            return False
        c.nodes.append(v)
        c.places[v.id] = place
        self.home[v.id] = c
        connect(c, others)
        return True

    def gather_in(self, c: Cluster, v: Value, below: list[Cluster]) -> None:
        """Merge the other clusters that `v` reads from, and note who reads what."""
        for p in below:
            if p is not c and not self.fits_beside(c, v, p):
                c.hard.add(p)
        for p in below:
            if p.now() is not c and key(p.space) == key(c.space):
                self.join_pair(c, p)
        for source, axes in (self.views[a.id] for a in v.args):
            if sum(axis is not None for axis in axes) == len(c.space):
                self.readers.setdefault(source.id, []).append(c)

    def fits_beside(self, c: Cluster, v: Value, p: Cluster) -> bool:
        """Whether `v` in `c` reads the values of `p` where a common loop has them."""
        if p.kind != "loop" or key(p.space) != key(c.space):
            return False
        known: list[Optional[int]] = list(self.argument_place(c, v))
        return all(self.note_axes(p, a, known) for a in v.args)

    def argument_place(self, c: Cluster, v: Value) -> tuple:
        """Where the arguments of `v` lie: those of a reduction have more axes."""
        return c.reads.get(v.id) or c.places[v.id]

    # -- reductions

    def settle_reduction(self, v: Value) -> None:
        below = self.below(v)
        for c in below:
            where = self.place_in(c, v)
            if where is not None and self.reduce_in(c, v, where, below):
                return
        self.start_reduction(v, below)

    def start_reduction(self, v: Value, below: list[Cluster]) -> None:
        x = v.args[0]
        space, where = squeeze(x.shape), numbered(x.shape)
        over = axes_of(v, where)
        inner = self.is_inner(space, over)
        if not inner and v.op in ARG:
            self.alone(v, "opaque")
            return
        c = self.fresh(v, x.shape, below)
        self.note_reduction(c, v, where, inner, over)
        c.hard.update(below)
        source, axes = self.views[x.id]
        if sum(axis is not None for axis in axes) == len(space):
            self.readers.setdefault(source.id, []).append(c)

    def reduce_in(self, c: Cluster, v: Value, where: tuple, below: list) -> bool:
        over = axes_of(v, where)
        inner = self.is_inner(c.space, over | c.inner)
        if not inner and v.op in ARG:
            return False
        if not self.join(c, v, (), below):
            return False
        self.note_reduction(c, v, where, inner, over)
        return True

    def note_reduction(
        self, c: Cluster, v: Value, where: tuple, inner: bool, over: frozenset
    ) -> None:
        gone = {len(where) + axis for axis in reduced(v)}
        c.reads[v.id] = where
        c.places[v.id] = tuple(a for j, a in enumerate(where) if j not in gone)
        if inner:
            c.inner |= over
        else:
            c.late.add(v.id)

    def is_inner(self, space: tuple, over: frozenset) -> bool:
        """Whether a loop over `space` completes a reduction over these axes."""
        if is_small(space, self.small if len(space) > 1 else self.line):
            return True
        if 0 in over or not over:
            return not over
        return elements([space[a] for a in over]) <= self.widest

    # -- the whole

    def join_siblings(self) -> None:
        """Merge loops that read the same value and depend on nothing of each other."""
        for clusters in self.readers.values():
            first: Optional[Cluster] = None
            for c in dict.fromkeys(c.now() for c in clusters):
                c = c.now()
                if first is None or key(first.space) != key(c.space):
                    first = c
                elif not self.join_pair(first, c):
                    first = c

    def join_rows(self) -> None:
        """Merge what is computed for each row into the loops over the rows."""
        for c in dict.fromkeys(c.now() for c in self.home.values()):
            for p in [*c.before, *c.after]:
                if c.into is None and p.into is None:
                    absorb(c, p, self.views, MOST, self.small)

    def join_pair(self, a: Cluster, b: Cluster) -> bool:
        a = a.now()
        inner = a.inner | b.inner
        if inner and not self.is_inner(a.space, inner):
            return False
        return merge(a, b, MOST)

    def regions(self) -> list[Region]:
        clusters = dict.fromkeys(c.now() for c in self.home.values())
        made = [self.region(c) for c in in_order(clusters)]
        self.connect_regions(made)
        return made

    def region(self, c: Cluster) -> Region:
        nodes = sorted(c.nodes, key=lambda v: v.id)
        late, whole = frozenset(c.late), frozenset(c.whole)
        return Region(c.kind, nodes, c.space, c.places, c.reads, late, whole, c.inner)

    def connect_regions(self, made: list[Region]) -> None:
        """Fill in what each region reads and what others read of it."""
        wanted = {self.views[v.id].source.id for v in self.graph.outputs}
        for r in reversed(made):
            own = {v.id for v in r.nodes}
            r.outputs = [v for v in r.nodes if v.id in wanted]
            read = (s for v in r.nodes for s in self.sources(v))
            outside = {s.id: s for s in read if s.id not in own}
            r.inputs = [s for s in outside.values() if not self.is_splat(s)]
            wanted.update(s.id for s in r.inputs)
