"""The template of matrix products, with whatever is done to the result at once.

One program makes one tile of the result: a loop over blocks of the inner axis loads a
tile of each operand (through whatever movement lies between it and memory) and adds
their product to a float32 accumulator. Programs are numbered in groups of rows, so that
those which run at the same time share operands in the cache. What a following loop does
to each element, bias, activation, residual, cast, is done to the accumulator.
"""

from __future__ import annotations

from typing import Callable, Optional

from ....tracer.graph import Value
from ....tracer.types import HALVES
from ...regions import Region
from ..emit import Axis, Emitter
from ..index import Group, Index, number, split
from ..kernel import Kernel
from ..lowering import finish
from ..text import finished
from .descriptors import Descriptor, described
from .epilogues import parts, whole
from .forms import calls, used, with_ending, with_forms
from .operands import every, half, is_plain, parted, run_within
from .tiles import PARTS, Limits, Sizes, candidates

__all__ = ["Matmul"]

# How many elements of its tile a thread may work on at once: many values of each are
# live where more is done than a bias, the more so where a function is a long formula.
MUCH, LONG, ANY = 32, 8, 1 << 30
FORMULAS = frozenset("erf erfinv expm1 log1p tanh atan2 pow sin cos".split())
HELD = 32  # elements of a tile of a thread that also computes where operands lie
ROWS = 8  # rows of tiles in a group of programs


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
        self.moved = not all(is_plain(x, stored) for x in dot.args)
        self.kind = "half" if dot.args[0].dtype in HALVES else precision
        self.groups()
        self.configs = self.candidates(forms=self.kind != "ieee")  # all that may be
        self.em = Emitter(stored, [self.axis(self.m, "BM"), self.axis(self.n, "BN")])
        self.inner = [self.axis(k, "BK") for k in self.inner_groups]
        self.ways = self.descriptors()
        self.configs = self.candidates(self.elements(), bool(self.ways))
        self.ending: list[str] = []
        self.emit()
        self.kernel = self.wrapped()

    def groups(self) -> None:
        """The axes of the product, as a tile walks over them."""
        batch, m, n = parts(self.dot, self.region.shape) or ((), (), ())
        self.k = self.dot.args[0].shape[-1]
        self.columns = run_within(self.dot, "columns", WIDE, n)
        self.inner_run = run_within(self.dot, "inner", LEAST, (self.k,))
        self.b, self.m = Group("b", batch), Group("i0", m)
        self.n = parted("i1", n, self.columns)
        self.inner_groups = [parted(k, (self.k,), self.inner_run) for k in INNER]

    def wrapped(self) -> Kernel:
        """What the text comes to."""
        grid = f"cdiv({self.m.size}, BM) * cdiv({self.n.size}, BN) * {self.b.size}"
        flops = 2 * self.b.size * self.m.size * self.n.size * self.k
        given = self.region, grid, self.configs, ("matmul",), flops
        self.em.lines, self.ending = map(used, (self.em.lines, self.ending))
        made = finished(self.name, self.em, *given)
        if self.ways:
            made = with_forms(made, self.ways)
        return with_ending(made, self.outer, self.ending) if self.ending else made

    def axis(self, group: Group, block: str) -> Axis:
        """A dimension of a tile; its mask, if a block may stick out."""
        largest = max(dict(c.constants)[block] for c in self.configs)
        return Axis(group, block, f"m_{group.name}" if group.size % largest else None)

    # -- configurations

    def candidates(self, part: int = ANY, forms: bool = False) -> tuple:
        """Tiles that fit the shape, the one that should do best first."""
        runs = self.columns, self.inner_run
        sizes = Sizes(self.m.size, self.n.size, self.k, self.b.size, *runs)
        held = HELD if self.moved and not any(runs) else ANY
        limits = Limits(held, 4 if self.moved else 1, part)
        return candidates(self.kind, sizes, limits, forms)

    def elements(self) -> int:
        """How many elements of the result a thread may work on at once."""
        ops = {v.op for v in self.region.nodes}
        if ops & FORMULAS:
            return LONG
        return MUCH if len(self.region.nodes) > 2 else ANY

    def descriptors(self) -> list[Descriptor]:
        """One for each operand, where both are plain matrices for tensor cores."""
        if self.kind == "ieee" or min(self.m.size, self.n.size, self.k) < LEAST:
            return []
        found = [self.described(n) for n in (0, 1)]
        return [d for d in found if d] if all(found) else []

    def described(self, n: int) -> Optional[Descriptor]:
        """The descriptor of an operand that is one load, without a condition."""
        x, axes, index = self.side(n)
        probe = self.em.sibling(axes)
        probe.lines, probe.offsets, probe.buffers = [], [], {}
        probe.read(x, index)
        told = [line for line in probe.lines if not line.lstrip().startswith("#")]
        if len(told) != 1 or len(probe.offsets) != 1 or probe.conditions:
            return None
        ((held, _),) = probe.buffers.values()
        if held.dtype is not x.dtype:
            return None
        starts = [(a, STARTS[a.group.name]) for a in axes]
        size = held.dtype.itemsize
        return described(self.em.buffer(held), probe.offsets[0], size, starts, self.b)

    # -- the body

    def emit(self) -> None:
        """Write the kernel."""
        self.programs()
        for axis, shape in zip(self.em.axes, SHAPES):
            self.coordinate(axis, STARTS[axis.group.name], shape)
        self.product()
        if PARTS in dict(self.configs[0].constants):
            self.in_parts()
        else:
            self.epilogue(self.em)

    def programs(self) -> None:
        """Which tile of which matrix this program makes."""
        w = self.em.write
        if not self.ways:
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

    def coordinate(
        self, axis: Axis, start: str, shape: str, em: Optional[Emitter] = None
    ) -> None:
        em, name = em or self.em, axis.group.name
        em.starts[name] = start
        em.write(f"{name} = ({start} + tl.arange(0, {axis.block})){shape}")
        if axis.group.far:  # Triton does not see that a remainder is even, too
            run, start = axis.group.sizes[-1], f"({start})" if " " in start else start
            em.write(f"{name}_far = {start} // {run}")
            near = f"tl.multiple_of({start} % {run}, {axis.block})"
            em.write(f"{name}_near = ({near} + tl.arange(0, {axis.block})){shape}")
        if axis.mask:
            em.write(f"{axis.mask} = {name} < {axis.group.size}")

    def product(self) -> None:
        """The loop over the inner axis."""
        em = self.em
        em.at(self.dot)
        em.write("acc = tl.zeros([BM, BN], tl.float32)")
        em.write(f"for k in range(0, {self.k}, BK):")
        em.indent += 1
        if self.ways:
            a, b = self.either()
        else:
            a, b = self.loaded()
        exact = "" if self.kind == "half" else f', input_precision="{self.precision}"'
        em.write(f"acc = tl.dot({a}, {b}, acc{exact})")
        em.indent -= 1

    def either(self) -> tuple[str, str]:
        """The operands by descriptors, or else by pointers."""
        em = self.em
        em.write("if TMA:")
        for n, (name, way) in enumerate(zip(SIDES, self.ways)):
            em.write(f"    {name} = {way.load(f'd{n}')}")
        em.write("else:")
        em.indent += 1
        for name, text in zip(SIDES, self.loaded()):
            em.write(f"{name} = {text}")
        em.indent -= 1
        return SIDES

    def loaded(self) -> tuple[str, str]:
        """The operands by pointers."""
        for axis, shape in zip(self.inner, reversed(SHAPES)):
            self.coordinate(axis, "k", shape)
        return self.operand(0), self.operand(1)

    def side(self, n: int) -> tuple[Value, list[Axis], tuple]:
        """An operand, the axes of its tile, and where in it that is."""
        x = self.dot.args[n]
        batch = split(every(self.b), x.shape[:-2])
        axes = [self.em.axes[0], self.inner[0]] if n == 0 else []
        axes = axes or [self.inner[1], self.em.axes[1]]
        return x, axes, (*batch, *(every(a.group) for a in axes))

    def operand(self, n: int) -> str:
        """A tile of an operand, exactly 0 beyond the inner axis."""
        x, axes, index = self.side(n)
        side = self.em.sibling(axes)
        reg = side.read(x, index)
        self.em.checked += [v for v in side.checked if v not in self.em.checked]
        self.em.line = side.line
        text = side.spread(reg, side.tile, x).text
        mask = self.inner[n].mask
        if side.stored(x) and x.dtype in HALVES:
            return text
        if mask and not side.is_zero(reg, [mask]):
            text = f"tl.where({mask}, {text}, 0.0)"
        return text if x.dtype not in HALVES else f"{text}.to({half(x)})"

    def in_parts(self) -> None:
        """The end, as a function of its own: it is called for one part of the tile
        after the other, so that registers suffice.
        """
        end = self.em.sibling(self.em.axes)
        end.lines, end.starts, end.raw, end.line = self.ending, {}, False, None
        for axis, start, shape in zip(end.axes, ("pm", "pn"), SHAPES):
            self.coordinate(axis, start, shape, end)
        self.epilogue(end)
        self.em.checked = end.checked
        self.em.lines += calls(self.name, self.outer, self.em.params())

    @property
    def outer(self) -> str:
        """What says which matrix of a batch it is, as an argument."""
        return "b, " if self.b.size != 1 else ""

    def epilogue(self, em: Emitter) -> None:
        """What is done to the elements of the tile, and where they go."""
        dot = self.dot
        reg = em.name(finish(dot, "acc"), em.tile)
        batch = split(every(self.b), dot.shape[:-2])
        index = (*batch, *(every(g) if g.size != 1 else Index() for g in self.sides))
        em.keep(dot, index, reg)
        if self.writes[-1] is dot and self.region.nodes[0] is not dot:
            em.store(dot, index, reg)
        wanted = {v.id for v in self.region.outputs}
        for v in self.region.nodes:
            place = tuple(map(self.along, self.region.places[v.id]))
            found = em.read(v, place)
            if v.id in wanted:
                em.store(v, place, found)

    @property
    def sides(self) -> tuple[Group, Group]:
        return self.m, self.n

    def along(self, axis: Optional[int]) -> Index:
        """The index along an axis of the space."""
        if axis is None:
            return Index()
        for group in (self.b, self.m, self.n):
            count = 1 if group.far else len(group.sizes)
            if axis < count:
                return every(group) if group.far else number(group, axis)
            axis -= count
        raise IndexError(axis)


INNER = ("ka", "kb")  # the coordinates along the inner axis of each operand
SIDES = ("left", "right")
SHAPES = ("[:, None]", "[None, :]")
STARTS = {"i0": "pm * BM", "i1": "pn * BN", "ka": "k", "kb": "k"}
LEAST = 16  # rows, columns and inner axis of a tile
WIDE = 64  # columns of a tile that is no smaller for lying in a run
