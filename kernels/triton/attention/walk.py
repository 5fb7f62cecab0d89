"""The template of a pass over scores: attention and its gradients.

A program holds a block of rows (for gradients by column: of columns) and walks over
the other axis, only where the mask lets something through. It adds up what the sinks
of the pass ask for. An online pass keeps the largest score of each row so far; when
that grows, what was added up before is scaled down.
"""

from __future__ import annotations

from math import isinf
from typing import Callable

from ....tracer.graph import Value, reachable
from ....tracer.types import HALVES
from ...regions import Region
from ..emit import Axis, Emitter, Reg
from ..index import Group, Index, number, split
from ..kernel import Config, Kernel
from ..text import elements, finished
from . import emit as write
from .chain import vanishes
from .find import Sink
from .mask import Band, band_of
from .tiles import candidates, walks
from .walks import Pass

__all__ = ["Attention"]

FAR = 1 << 31


class Attention:
    """One pass as a kernel: `.kernel`, and `.writes`, its results."""

    def __init__(
        self,
        region: Region,
        name: str,
        stored: Callable[[Value], bool],
        precision: str = "ieee",
    ):
        v, *items = region.nodes
        self.work: Pass = v.attrs["work"]
        self.items = {self.work.order[i.attrs["index"]]: i for i in items}
        swap = {i: v.args[n] for i, n in self.work.slots.items()}
        self.wanted = [s for s in self.work.sinks if s.value.id in self.items]
        self.writes = [self.items[s.value.id] for s in self.wanted]
        self.reads = v.args
        self.groups()
        self.nodes, self.precision = self.behind(), precision
        self.configs = self.candidates()
        axes = [self.axis(self.stays, "BS"), self.axis(self.walk, "BW")]
        self.em = write.Scores(stored, axes, self.work, swap, precision)
        self.band = self.banded()
        self.begin: list[str] = []
        self.after: dict[str, None] = {}  # lines, each once
        self.emit()
        self.kernel = self.wrap(name)

    # -- the tile

    def groups(self) -> None:
        """Batch, rows and columns: which of them stays."""
        *batch, m, n = self.work.core.scores.shape
        self.b = Group("b", tuple(batch))
        self.rows, self.columns = Group("i", (m,)), Group("j", (n,))
        sides = self.rows, self.columns
        self.stays, self.walk = sides if self.work.rows else sides[::-1]

    def candidates(self) -> tuple[Config, ...]:
        """The tiles to choose from."""
        kind = "online" if self.work.online else "rows" if self.work.rows else "columns"
        dots = [v for v in self.nodes if v.op == "dot"]
        precision = "half" if all(v.dtype in HALVES for v in dots) else self.precision
        widths = (v.args[0].shape[-1] for v in dots if v.id in self.work.found.dots)
        width = max([*widths, *(s.width for s in self.wanted)])
        sizes = self.stays.size, self.walk.size
        return candidates(width, *sizes, kind, precision, bool(self.drawn))

    def behind(self) -> list[Value]:
        """What the pass computes."""
        virtual, sinks = self.work.found.turned, [s.value for s in self.wanted]
        found = {v.id: v for v in sinks}
        stack = [self.work.core.scores, *(s.virtual for s in self.wanted)]
        while stack:
            v = stack.pop()
            if v.id in virtual and v.id not in found:
                found[v.id] = v
                stack.extend(v.args)
        return [found[i] for i in sorted(found)]

    @property
    def is_wide(self) -> bool:
        """Whether positions exceed 32 bits."""
        walked = (*self.reads, *self.writes, *self.drawn)
        return any(elements(v.shape) >= FAR for v in walked)

    @property
    def drawn(self) -> list[Value]:
        """The random numbers that the pass draws."""
        behind = reachable(self.nodes, stop=lambda v: v.id in self.work.slots)
        return [v for v in behind if v.op == "random_bits"]

    def axis(self, group: Group, block: str) -> Axis:
        """A dimension of a tile; its mask, if a block may stick out."""
        largest = max(dict(c.constants)[block] for c in self.configs)
        ragged = group.size % largest != 0
        return Axis(group, block, f"m_{group.name}" if ragged else None)

    def banded(self) -> Band:
        """Outside of this band of scores there is nothing to add."""
        band, e = band_of(self.work.core.scores), self.work.core.e
        if not band.sees(self.rows.size, self.columns.size):
            return Band()
        if any(s.kept for s in self.wanted):
            return Band()
        if self.work.online or all(vanishes(s.virtual, e) for s in self.wanted):
            return band
        return Band()

    # -- the body

    def emit(self) -> None:
        """Head, loop and end."""
        em = self.em
        self.programs()
        em.starts[self.walk.name] = "w"
        em.fours = {"BW"}
        loops, cut = walks(self.band, self.work.rows, self.walk.size)
        body: list[str] = []
        for begin, end, inside in loops:
            em.lines, em.indent, em.line, em.inside = body, 1, None, inside
            with em.block(f"for w in range({begin}, {end}, BW):"):
                self.step()
        head = [*self.begin, *em.head, *self.after]
        if cut:
            head.append(f"    cut = {cut}")
        em.lines, em.scopes, em.inside = [*head, *body], [dict(em.above)], None
        for n, sink in enumerate(self.wanted):
            self.leave(n, sink)

    def step(self) -> None:
        """One block of the walk."""
        em = self.em
        self.coordinate(em.axes[1], "w", "[None, :]")
        self.coordinate(em.down, "w", "[:, None]")
        for other in em.operands.values():
            other.scopes = [{}]
        if self.work.online:
            self.online()
        for n, sink in enumerate(self.wanted):
            self.add(n, sink)

    def programs(self) -> None:
        """Which block this program holds; those with the most to do come first."""
        em = self.em
        em.lines = self.begin
        wide = ".to(tl.int64)" if self.is_wide else ""
        em.write(f"pid = tl.program_id(0){wide}")
        blocks = f"tl.cdiv({self.stays.size}, BS)"
        if self.b.size != 1:
            em.write(f"b = pid // {blocks}")
            em.write(f"pid = pid % {blocks}")
        if self.work.rows and not isinf(self.band.high):
            em.write(f"pid = {blocks} - 1 - pid")
        em.write("first = pid * BS")
        self.coordinate(em.axes[0], "first", "[:, None]")

    def coordinate(self, axis: Axis, start: str, spot: str) -> None:
        name = axis.group.name
        self.em.write(f"{name} = ({start} + tl.arange(0, {axis.block})){spot}")
        if axis.mask:
            self.em.write(f"{axis.mask} = {name} < {axis.group.size}")

    def place(self, v: Value, turned: bool) -> tuple[Index, ...]:
        """Where a value of the size of the scores is."""
        i, j = number(self.rows), number(self.columns)
        batch = split(write.whole_of(self.b), v.shape[:-2])
        return (*batch, j, i) if turned else (*batch, i, j)

    def tile(self, v: Value, dull: str) -> str:
        """A virtual value over the whole tile, `dull` beyond the end of the walk."""
        em = self.em
        reg = em.read(v, self.place(v, self.work.found.turned[v.id]))
        reg = em.spread(reg, em.tile, v)
        mask = em.axes[1].mask
        if mask is None or not dull:
            return reg.text
        return em.name(f"tl.where({mask}, {reg.text}, {dull})", em.tile).text

    def online(self) -> None:
        """The largest score so far, and `exp(s - largest)`."""
        em, core = self.em, self.work.core
        s = self.tile(core.scores, "float('-inf')")
        for name, start in (("most", "float('-inf')"), ("total", "0.0")):
            self.after[f"    {name} = tl.full([BS, 1], {start}, tl.float32)"] = None
        em.write(f"new = tl.maximum(most, tl.max({s}, 1, keep_dims=True))")
        em.write("safe = tl.where(new == float('-inf'), 0.0, new)")
        em.write("scale = tl.exp(most - safe)")
        em.write(f"e = {write.power_of_two(s, f'safe * -{write.LOG2E}')}")
        em.write("total = total * scale + tl.sum(e, 1, keep_dims=True)")
        em.write("most = new")
        for v in (core.e, core.p):
            em.keep(v, self.place(v, False), Reg("e", em.tile))

    def add(self, n: int, sink: Sink) -> None:
        """A block more of what a sink adds up."""
        em = self.em
        if sink.value.id in (self.work.core.largest.id, self.work.core.total.id):
            return
        if sink.kept:
            reg = Reg(self.tile(sink.virtual, ""), em.tile)
            where = self.place(sink.value, self.work.found.turned[sink.value.id])
            em.store(self.items[sink.value.id], where, reg)
        elif sink.solid is None:
            self.after[f"    sum{n} = tl.zeros([BS, 1], tl.float32)"] = None
            x = self.tile(sink.virtual, "0.0")
            em.write(f"sum{n} += tl.sum({x}, 1, keep_dims=True)")
        else:
            self.multiply(n, sink)

    def multiply(self, n: int, sink: Sink) -> None:
        """A block more of a product."""
        em, v, solid = self.em, sink.value, sink.solid
        assert solid is not None
        wide = self.wide(sink)
        dull = "" if self.work.online else "0.0"  # exp(-inf) is 0
        text = write.halved(self.tile(sink.virtual, dull), sink.virtual)
        batch = split(write.whole_of(self.b), v.shape[:-2])
        place = self.order(sink, number(em.down.group), write.whole_of(wide.group))
        y = write.operand(em, solid, [em.down, wide], (*batch, *place), em.down.mask)
        zero = f"tl.zeros([BS, {wide.block}], tl.float32)"
        self.after[f"    sum{n} = {zero}"] = None
        old = f"sum{n} * scale" if self.work.online else f"sum{n}"
        exact = write.exactness(v, em.precision)
        em.at(v)
        em.write(f"sum{n} = tl.dot({text}, {y}, {old}{exact})")

    def wide(self, sink: Sink) -> Axis:
        """The axis that a product does not share with the scores."""
        return self.em.inner_axis(sink.width)

    def order(self, sink: Sink, along: Index, across: Index) -> tuple[Index, Index]:
        """Both axes in the order in which an operand or the result has them."""
        first = sink.value.args[0] is sink.virtual
        return (along, across) if first else (across, along)

    def leave(self, n: int, sink: Sink) -> None:
        """Store what was added up."""
        em, v = self.em, sink.value
        if sink.kept:
            return
        item = self.items[v.id]
        batch = split(
            write.whole_of(self.b), v.shape[: -1 if sink.solid is None else -2]
        )
        if sink.solid is None:
            core = self.work.core
            own = {core.largest.id: "most", core.total.id: "total"}.get(v.id, f"sum{n}")
            reg = Reg(own, frozenset((self.stays.name,)))
            em.store(item, (*batch, number(self.stays)), reg)
            return
        wide = self.wide(sink)
        side: Emitter = em.sibling([em.axes[0], wide])
        text = f"sum{n} * (1.0 / total)" if self.work.online else f"sum{n}"
        reg = side.name(text, side.tile)
        place = self.order(sink, number(self.stays), write.whole_of(wide.group))
        side.store(item, (*batch, *place), reg)

    # -- the whole

    def wrap(self, name: str) -> Kernel:
        """The kernel, with its configurations."""
        region = Region("attention", self.nodes, self.work.core.scores.shape)
        grid = f"cdiv({self.stays.size}, BS) * {self.b.size}"
        tags = "matmul", "attention"
        flops = self.flops()
        return finished(name, self.em, region, grid, self.configs, tags, flops)

    def flops(self) -> int:
        """Two for each product of numbers; half of them on one side of a diagonal."""
        dots = (v for v in self.nodes if v.op == "dot")
        count = sum(2 * v.args[0].shape[-1] * elements(v.shape) for v in dots)
        return count // (1 if self.band == Band() else 2)
