"""The template of matrix products, with whatever is done to the result at once.

One program makes one tile of the result: a loop over blocks of the inner axis loads a
tile of each operand (through whatever movement lies between it and memory) and adds
their product to a float32 accumulator. Programs are numbered in groups of rows, so that
those which run at the same time share operands in the cache. What a following loop does
to each element, bias, activation, residual, cast, is done to the accumulator.
"""

from __future__ import annotations

from math import prod
from typing import Callable, Optional, Sequence

from ...tracer.graph import Value
from ...tracer.types import HALVES
from ..axes import numbered, squeeze
from ..regions import Plan, Region
from .blocks import power
from .emit import Axis, Emitter
from .index import Group, Index, Run, number, split
from .kernel import Config
from .lowering import finish
from .text import finished

__all__ = ["Matmul", "epilogues"]

# (BM, BN, BK, warps, stages), best for large shapes first: tiles that neither spill
# nor exceed the shared memory of the targets.
HALF = (
    (128, 128, 64, 8, 3),
    (128, 64, 64, 4, 3),
    (64, 128, 64, 4, 3),
    (64, 64, 64, 4, 3),
    (128, 256, 64, 8, 3),
    (128, 64, 64, 8, 3),
    (64, 64, 32, 4, 4),
    (32, 64, 64, 4, 4),
)
SINGLE = (
    (64, 64, 16, 4, 3),
    (64, 32, 16, 4, 3),
    (128, 64, 16, 8, 3),
    (64, 128, 16, 8, 3),
    (32, 32, 32, 4, 3),
)
TENSOR = (
    (128, 128, 32, 8, 3),
    (64, 64, 32, 4, 4),
    (128, 64, 32, 4, 3),
    (128, 64, 32, 8, 3),
)
# How many elements of its tile a thread may hold: many values of each are live at once
# where more is done than a bias, the more so with a function that is a long formula.
MUCH, LONG = 64, 32
FORMULAS = frozenset("erf erfinv expm1 log1p tanh atan2 pow sin cos".split())
ROWS = 8  # rows of tiles in a group of programs
FULL = 132  # programs that fill a GPU


class Matmul:
    """`dot` and the loop after it, `region`, as one kernel.

    With `kept`, the product itself is stored as well: it is a result.
    """

    def __init__(
        self,
        dot: Value,
        region: Optional[Region],
        name: str,
        stored: Callable[[Value], bool],
        precision: str = "ieee",
        kept: bool = False,
    ):
        self.dot, self.name, self.precision = dot, name, precision
        self.region = region if region is not None else whole(dot)
        self.writes = [*self.region.outputs, *([dot] if kept else [])]
        batch, m, n = parts(dot, self.region.shape) or ((), (), ())
        self.b, self.m, self.n = Group("b", batch), Group("i0", m), Group("i1", n)
        self.k = dot.args[0].shape[-1]
        self.moved = not all(is_plain(x, stored) for x in dot.args)
        self.configs = self.candidates()
        self.em = Emitter(stored, [self.axis(self.m, "BM"), self.axis(self.n, "BN")])
        self.emit()
        grid = f"cdiv({self.m.size}, BM) * cdiv({self.n.size}, BN) * {self.b.size}"
        flops = 2 * self.b.size * self.m.size * self.n.size * self.k
        self.kernel = finished(
            *(name, self.em, self.region, grid, self.configs, ("matmul",), flops)
        )

    def axis(self, group: Group, block: str, mask: str = "") -> Axis:
        """A dimension of a tile; its mask, if a block may stick out."""
        at = [c for c, _ in self.configs[0].constants].index(block)
        largest = max(c.constants[at][1] for c in self.configs)
        ragged = group.size % largest != 0
        return Axis(group, block, (mask or f"m_{group.name}") if ragged else None)

    # -- configurations

    def candidates(self) -> tuple[Config, ...]:
        """Tiles that fit the shape, the one that should do best first."""
        if self.dot.args[0].dtype in HALVES:
            table: tuple[tuple, ...] = HALF
        else:
            table = SINGLE if self.precision == "ieee" else TENSOR
        most = min(self.elements(), MUCH // 2 if self.moved else 1 << 30)
        rows = [row for row in table if row[0] * row[1] <= most * 32 * row[3]]
        found = {self.fitted(row): None for row in rows}
        return tuple(sorted(found, key=self.cost))

    def elements(self) -> int:
        """How many elements of the result a thread may hold."""
        ops = {v.op for v in self.region.nodes}
        if ops & FORMULAS:
            return LONG
        return MUCH if len(self.region.nodes) > 2 else 1 << 30

    def fitted(self, row: tuple) -> Config:
        """A row of the table, no larger than the matrices."""
        bm, bn, bk, warps, stages = row
        bm = max(16, min(bm, power(self.m.size)))
        bn = max(16, min(bn, power(self.n.size)))
        bk = max(16, min(bk, power(self.k)))
        warps = min(warps, max(4 if self.moved else 1, bm * bn // 512))
        constants = (("BM", bm), ("BN", bn), ("BK", bk))
        return Config(constants, warps, stages)

    def cost(self, config: Config) -> float:
        """A guess of the time: waves of programs, times the work of one."""
        (_, bm), (_, bn), (_, bk) = config.constants
        tiles = -(-self.m.size // bm) * -(-self.n.size // bn) * self.b.size
        waves = -(-tiles // FULL)
        steps = -(-self.k // bk)
        return waves * steps * bk * (bm * bn + 24 * (bm + bn) + 1024)

    # -- the body

    def emit(self) -> None:
        """Write the kernel."""
        self.programs()
        self.coordinate(self.em.axes[0], "pm * BM", "[:, None]")
        self.coordinate(self.em.axes[1], "pn * BN", "[None, :]")
        self.product()
        self.epilogue()

    def programs(self) -> None:
        """Which tile of which matrix this program makes."""
        w = self.em.write
        w("pid = tl.program_id(0)")
        w(f"gm = tl.cdiv({self.m.size}, BM)")
        w(f"gn = tl.cdiv({self.n.size}, BN)")
        if self.b.size != 1:
            w("b = pid // (gm * gn)")
            w("pid = pid % (gm * gn)")
        w(f"group = pid // ({ROWS} * gn)")
        w(f"rows = tl.minimum(gm - group * {ROWS}, {ROWS})")
        w(f"pm = group * {ROWS} + (pid % ({ROWS} * gn)) % rows")
        w(f"pn = (pid % ({ROWS} * gn)) // rows")

    def coordinate(self, axis: Axis, start: str, shape: str) -> None:
        name = axis.group.name
        self.em.starts[name] = start
        self.em.write(f"{name} = ({start} + tl.arange(0, {axis.block})){shape}")
        if axis.mask:
            self.em.write(f"{axis.mask} = {name} < {axis.group.size}")

    def product(self) -> None:
        """The loop over the inner axis."""
        em = self.em
        em.at(self.dot)
        em.write("acc = tl.zeros([BM, BN], tl.float32)")
        em.write(f"for k in range(0, {self.k}, BK):")
        ka = self.axis(Group("ka", (self.k,)), "BK", "m_ka")
        kb = self.axis(Group("kb", (self.k,)), "BK", "m_kb")
        em.indent += 1
        self.coordinate(ka, "k", "[None, :]")
        self.coordinate(kb, "k", "[:, None]")
        x, y = self.dot.args
        batch = self.batch(x)
        a = self.operand(x, [em.axes[0], ka], (*batch, whole_of(self.m), first(ka)))
        b = self.operand(y, [kb, em.axes[1]], (*batch, first(kb), whole_of(self.n)))
        exact = f', input_precision="{self.precision}"'
        if self.dot.args[0].dtype in HALVES:
            exact = ""
        em.write(f"acc = tl.dot({a}, {b}, acc{exact})")
        em.indent -= 1

    def batch(self, x: Value) -> tuple[Index, ...]:
        """The index along the batch axes."""
        return split(whole_of(self.b), x.shape[:-2])

    def operand(self, x: Value, axes: Sequence[Axis], index: tuple) -> str:
        """A tile of an operand, exactly 0 beyond the inner axis."""
        side = self.em.sibling(axes)
        reg = side.read(x, index)
        self.em.checked += [v for v in side.checked if v not in self.em.checked]
        self.em.line = side.line
        reg = side.spread(reg, side.tile, x)
        inner = next(a for a in axes if a.group.name in ("ka", "kb"))
        if side.stored(x) and x.dtype in HALVES:
            return reg.text
        text = reg.text
        if inner.mask and not side.stored(x):
            text = f"tl.where({inner.mask}, {text}, 0.0)"
        kind = "" if x.dtype not in HALVES else f".to({half(x)})"
        return f"{text}{kind}"

    def epilogue(self) -> None:
        """What is done to the elements of the tile, and where they go."""
        em, dot = self.em, self.dot
        reg = em.name(finish(dot, "acc"), em.tile)
        m, n = (whole_of(g) if g.size != 1 else Index() for g in (self.m, self.n))
        em.keep(dot, (*self.batch(dot), m, n), reg)
        if self.writes[-1] is dot and self.region.nodes[0] is not dot:
            em.store(dot, (*self.batch(dot), m, n), reg)
        wanted = {v.id for v in self.region.outputs}
        for v in self.region.nodes:
            place = tuple(map(self.along, self.region.places[v.id]))
            found = em.read(v, place)
            if v.id in wanted:
                em.store(v, place, found)

    def along(self, axis: Optional[int]) -> Index:
        """The index along an axis of the space."""
        if axis is None:
            return Index()
        for group in (self.b, self.m, self.n):
            if axis < len(group.sizes):
                return number(group, axis)
            axis -= len(group.sizes)
        raise IndexError(axis)


def is_plain(x: Value, stored: Callable[[Value], bool]) -> bool:
    """Whether an operand is read at the simplest of indices."""
    while not stored(x) and x.op in ("permute", "reshape", "slice", "cast"):
        x = x.args[0]
    return stored(x)


def half(x: Value) -> str:
    """Triton's name of a half type."""
    return "tl.float16" if x.dtype is HALVES[0] else "tl.bfloat16"


def first(axis: Axis) -> Index:
    return whole_of(axis.group)


def whole_of(group: Group) -> Index:
    """The flat coordinate of a group."""
    if group.size == 1:
        return Index()
    return Index(((Run(group, 0, len(group.sizes)), 1),))


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


# -- which loops a product takes along


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
