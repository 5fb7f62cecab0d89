"""The template of loops: pointwise nodes and reductions over one iteration space.

The axes of the space fall into groups: neighbours that every reduction treats alike
are one coordinate. A program of the grid works on a tile with one dimension for each
group. A group that is reduced inside the loop lies in the tile as a whole, or, where
that is too much to hold, is walked over in blocks, once for each level of reductions.
What is reduced *late*, over the programs of the grid, leaves partial results.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Iterable, Sequence

from ....tracer.graph import Value, placeholder
from ....tracer.types import HALVES, DType, float32
from ...regions import ARG, Region
from ..emit import Emitter, Reg
from ..index import Index, Register, Run
from ..kernel import Kernel
from ..lowering import accumulator, combine, finish, neutral, reduction
from ..text import finished
from .passes import Passes
from .prologue import prologue
from .space import Space

__all__ = ["Partial", "Tile", "widened"]


@dataclass
class Partial:
    """What a late reduction left: `held` has one leading axis to be reduced away."""

    node: Value
    held: Value


class Tile(Space):
    """One region as one kernel: `.kernel`, and the `.partials` that it leaves."""

    def __init__(self, region: Region, name: str, stored: Callable[[Value], bool]):
        self.name, self.stored = name, stored
        self.wanted = {v.id for v in region.outputs}
        super().__init__(region)
        self.write()
        across = self.across()
        if across:
            super().__init__(region, across)
            self.write()
        self.kernel = self.wrap()

    def write(self) -> None:
        """The text, from the beginning."""
        self.em = Emitter(self.stored, self.axes())
        self.em.fours = {f"B{g}" for g, n in enumerate(self.blocks.sizes) if n % 4 == 0}
        self.accumulators: dict[int, Reg] = {}
        self.partials: list[Partial] = []
        self.emit()

    def across(self) -> tuple[int, ...]:
        """Where to cut the space, if something is read across the order of the rest.

        Then neighbours in memory lie along two axes: of what is read and of what is
        written, and the tile has to be wide along both.
        """
        if len(self.groups) != 1 or self.region.reductions:
            return ()
        last = len(self.region.shape)
        for offset in self.em.offsets:
            runs = [a for a, c in offset.terms if c == 1 and isinstance(a, Run)]
            if runs and all(run.high < last for run in runs) and runs[0].size >= 16:
                return runs[0].low, runs[0].high
        return ()

    # -- writing

    def emit(self) -> None:
        """The body."""
        self.enter()
        prologue(self)
        walk = self.blocks.walk
        for v in self.late:
            self.start(v)
        if walk is None:
            self.tile()
        else:
            steps = f"tl.cdiv(tl.cdiv({self.groups[walk][0].size}, B{walk}), S)"
            with self.em.block(f"for w in range({steps}):"):
                self.coordinates(walk, f"(p{walk} * {steps} + w) * B{walk}")
                self.tile()
        for v in self.late:
            self.leave(v)
        for v, w in self.region.after:
            reg, over = self.em.read(w, self.place(w)), self.over[v.id]
            if w.id in self.wanted:
                self.em.store(w, self.place(w), reg, self.first_only(w, over))

    def enter(self) -> None:
        """Which tile this program works on."""
        free, pid = self.blocks.free, "tl.program_id(0)"
        if self.blocks.wide:
            pid += ".to(tl.int64)"
        if len(free) > 1:
            self.em.write(f"pid = {pid}")
            pid = "pid"
        for g in reversed(free):
            count = self.count(g)
            rest = g != free[0]
            self.em.write(f"p{g} = {pid} % {count}" if rest else f"p{g} = {pid}")
            if rest:
                self.em.write(f"pid = pid // {count}")
        for g in range(len(self.groups)):
            if g not in (self.blocks.walk, self.blocks.looped):
                self.coordinates(g, f"p{g} * B{g}" if g in free else "")

    def count(self, g: int) -> str:
        """How many programs share a free group."""
        size = self.groups[g][0].size
        return "S" if g == self.blocks.walk else f"tl.cdiv({size}, B{g})"

    def coordinates(self, g: int, start: str) -> None:
        """The coordinate of a group, and its mask."""
        self.em.starts[self.groups[g][0].name] = start
        spot = ["None"] * len(self.groups)
        spot[g] = ":"
        line = f"{start} + tl.arange(0, B{g})" if start else f"tl.arange(0, B{g})"
        if len(spot) > 1:
            line = f"({line})[{', '.join(spot)}]"
        self.em.write(f"i{g} = {line}")
        if self.blocks.is_ragged(g):
            self.em.write(f"m{g} = i{g} < {self.groups[g][0].size}")

    def tile(self) -> None:
        """Everything that is computed of one tile."""
        if self.blocks.looped is not None:
            Passes(self, self.blocks.looped).write()
        elif self.blocks.is_odd:
            self.twice()
        else:
            self.nodes()

    def nodes(self) -> None:
        for v in self.region.nodes:
            self.node(v)

    def twice(self) -> None:
        """Whole tiles without masks, since a mask of odd size makes accesses scalar."""
        em, masked = self.em, self.em.axes
        start, size = em.starts["i0"], self.groups[0][0].size
        with em.block(f"if {start} + B0 <= {size}:"):
            em.axes = [a._replace(mask=None) for a in masked]
            self.nodes()
        em.axes, em.line = masked, None
        with em.block("else:"):
            self.nodes()

    def node(self, v: Value) -> None:
        """Compute `v`; store it if others want it."""
        index = self.place(v)
        if v.id in self.over:
            if v.id in self.region.late:
                self.accumulate(v)
                return
            self.reduce(v, index)
        else:
            self.em.read(v, index)
        if v.id in self.wanted:
            self.store(v, index)

    def store(self, v: Value, index: tuple) -> None:
        self.em.store(v, index, self.em.read(v, index), self.first_only(v))

    def first_only(self, v: Value, besides: frozenset = frozenset()) -> list[Reg]:
        """Of places that hold the same element, one stores it."""
        own = besides.union(a for a in self.region.places[v.id] if a is not None)
        found = []
        for g in self.blocks.free:
            walked, axes = self.groups[g]
            for k, axis in enumerate(axes):
                if axis not in own:
                    text = Run(walked, k, k + 1).text()
                    found.append(Reg(f"({text} == 0)", frozenset((walked.name,))))
        return found

    # -- reductions

    def argument(self, v: Value) -> Reg:
        """What is reduced, over the whole tile that it is reduced over."""
        where = self.region.reads[v.id]
        x = self.em.read(v.args[0], tuple(map(self.coordinate, where)))
        groups = self.groups_of(self.over[v.id])
        names = frozenset(self.groups[g][0].name for g in groups)
        x = self.em.spread(x, names, v.args[0])
        masks = [a.mask for g, a in enumerate(self.em.axes) if g in groups and a.mask]
        return self.masked(v, x, masks)

    def masked(self, v: Value, x: Reg, masks: Sequence[str]) -> Reg:
        """What is reduced, dull where a mask is false."""
        if not masks:
            return x
        dull = neutral(v.op, v.args[0].dtype)
        return self.em.name(f"tl.where({' & '.join(masks)}, {x.text}, {dull})", x.walks)

    def reduce(self, v: Value, index: tuple) -> None:
        """A reduction that the tile holds as a whole."""
        self.em.at(v)
        reg = self.argument(v) if self.over[v.id] else self.unreduced(v)
        self.em.keep(v, index, self.close(v, reg, self.over[v.id]))

    def unreduced(self, v: Value) -> Reg:
        where = self.region.reads[v.id]
        return self.em.read(v.args[0], tuple(map(self.coordinate, where)))

    def close(self, v: Value, reg: Reg, over: Iterable[int]) -> Reg:
        """The result of a reduction over the dimensions of the tile."""
        reg = self.folded(v, reg, over)
        if v.op in ARG and not over:
            return Reg("tl.full((), 0, tl.int64)")
        return self.em.name(finish(v, reg.text), reg.walks)

    def reduced_over(self, v: Value, reg: Reg, axis: int, name: str) -> Reg:
        """The result of a reduction over one dimension that is no group."""
        text = finish(v, reduction(v, reg.text, axis, name))
        return self.em.name(text, reg.walks - {name})

    def folded(self, v: Value, reg: Reg, over: Iterable[int]) -> Reg:
        """A register reduced over dimensions of the tile."""
        text, walks = reg.text, reg.walks
        for g in sorted(self.groups_of(over)):
            walked = self.groups[g][0].name
            text, walks = reduction(v, text, g, walked), walks - {walked}
        return self.em.name(text, walks) if text != reg.text else reg

    def start(self, v: Value) -> None:
        """The accumulator of a reduction that goes over several tiles."""
        names = frozenset(self.groups[g][0].name for g in self.held(v))
        self.accumulators[v.id] = self.start_over(v, names)

    def start_over(self, v: Value, names: frozenset) -> Reg:
        """An accumulator with a place for each of these coordinates."""
        kind, dull = accumulator(v.args[0].dtype), neutral(v.op, v.args[0].dtype)
        text = f"tl.full({self.em.shape(names)}, {dull}, {kind})"
        return self.em.name(text, names, "a")

    def accumulate(self, v: Value) -> None:
        """Join this tile with those before it."""
        self.em.at(v)
        self.join(v, self.accumulators[v.id], self.argument(v))

    def join(self, v: Value, acc: Reg, x: Reg, masks: Sequence[str] = ()) -> None:
        """Add to an accumulator."""
        x = self.masked(v, x, masks)
        joined = combine(v.op, v.args[0].dtype, acc.text, x.text)
        self.em.write(f"{acc.text} = {joined}")

    def leave(self, v: Value) -> None:
        """Store what this program has of a late reduction."""
        over = self.over[v.id]
        at, count = Index(), 1
        for g in sorted(self.groups_of(over).intersection(self.blocks.free)):
            n = self.parts(g)
            at = at * n + Index(((Register(f"p{g}", n), 1),))
            count *= n
        acc = self.accumulators[v.id]
        if count == 1:  # no other program has a part in it
            reg = self.close(v, acc, over)
            self.em.keep(v, self.place(v), reg)
            if v.id in self.wanted:
                self.em.store(v, self.place(v), reg, self.first_only(v, over))
            return
        held = placeholder("partial", (count, *v.shape), widened(v.dtype))
        self.partials.append(Partial(v, held))
        reg = self.folded(v, acc, over)
        self.em.store(held, (at, *self.place(v)), reg, self.first_only(v, over))

    # -- the whole

    def wrap(self) -> Kernel:
        """The kernel, with its configurations."""
        counts = [self.count(g).replace("tl.", "") for g in self.blocks.free]
        grid = " * ".join(counts) or "1"
        return finished(self.name, self.em, self.region, grid, self.blocks.configs())


def widened(dtype: DType) -> DType:
    """The type in which partial results are kept."""
    return float32 if dtype in HALVES else dtype
