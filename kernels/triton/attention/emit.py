"""How virtual values are written: a tile of scores, computed where it is needed.

A product with a short inner axis is one `tl.dot` of a tile that stays (hoisted out of
the loop) and one that is walked over. What the recorded program rounds to a half type
between the two products stays float32 here, and a division by a number of a row is a
product with its reciprocal: closer to the exact result, but not bit for bit the same.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import Callable, Iterator, Optional, Sequence

from ....tracer.graph import Value, node
from ....tracer.ops import OPS
from ....tracer.types import HALVES, float32
from ..emit import Axis, Emitter, Reg
from ..index import Group, Index, Run, number
from ..loop.blocks import power
from ..lowering import expression
from .mask import Band, comparison, decided
from .walks import MOVES, Pass

__all__ = ["LOG2E", "Scores", "exactness", "halved", "operand", "power_of_two"]
__all__ += ["whole_of"]

LOG2E = 1.4426950408889634


class Scores(Emitter):
    """An emitter of tiles [block that stays, block that is walked over]."""

    def __init__(
        self,
        stored: Callable[[Value], bool],
        axes: Sequence[Axis],
        work: Pass,
        swap: dict[int, Value],
        precision: str,
    ):
        super().__init__(stored, axes)
        self.work, self.swap, self.precision = work, swap, precision
        self.stays, self.walks = axes[0].group.name, axes[1].group.name
        self.walked = {self.walks, f"{self.walks}2"}  # across, and down an operand
        self.inside: Optional[Band] = None  # all of the block lies in there
        self.head: list[str] = []  # before the loop
        self.above: dict = {}  # registers that are known before the loop
        self.inner: dict[int, Axis] = {}
        self.operands: dict[tuple, Scores] = {}  # tiles of what is multiplied
        self.down = Axis(Group(f"{self.walks}2", axes[1].group.sizes), *axes[1][1:])
        if self.down.mask:
            self.down = self.down._replace(mask=f"m_{self.down.group.name}")

    @contextmanager
    def hoisted(self) -> Iterator[None]:
        """What is written in here comes before the loop."""
        before = self.lines, self.indent, self.scopes, self.line
        self.lines, self.indent, self.scopes = self.head, 1, [self.above]
        self.line = None
        yield
        self.lines, self.indent, self.scopes, self.line = before

    def sibling(self, axes: Sequence[Axis]) -> "Scores":
        """Another tile: an operand. What it has loaded is not loaded again."""
        mark = tuple(a.group.name for a in axes)
        if mark not in self.operands:
            made = super().sibling(axes)
            assert isinstance(made, Scores)
            self.operands[mark], made.above = made, {}
        other = self.operands[mark]
        other.inside = self.inside
        other.lines, other.indent, other.line = self.lines, self.indent, self.line
        if self.lines is self.head:
            other.scopes = [other.above]
        elif other.scopes[0] is other.above:
            other.scopes = [{}]
        return other

    def read(self, v: Value, index: tuple) -> Reg:
        """`v`, or what stands for it in the graph of passes."""
        v = self.swap.get(v.id, v)
        known = self.above.get((v.id, index))
        return known if known is not None else super().read(v, index)

    def load(self, v: Value, index: tuple) -> Reg:
        """From memory; before the loop if nothing walks."""
        groups = frozenset().union(*(i.groups() for i in index))
        if self.conditions or groups & self.walked or self.lines is self.head:
            return super().load(v, index)
        with self.hoisted():
            return self.keep(v, index, super().load(v, index))

    def compute(self, v: Value, index: tuple) -> Reg:
        """A virtual value from what it is made of, in float32."""
        if v.id in self.work.found.dots:
            return self.keep(v, index, self.product(v, index))
        if v.op in ("lt", "le"):
            bound = comparison(v, index)
            if bound is not None:
                return self.keep(v, index, self.compared(*bound))
        if v.op == "where":
            test = self.read(v.args[0], index).text
            if test in ("True", "False"):
                return self.read(v.args[1 if test == "True" else 2], index)
        found = self.exponential(v, index)
        if found is not None:
            return self.keep(v, index, found)
        args = [self.read(a, index) for a in v.args]
        if all(a.text in ("True", "False") for a in args):
            texts = [a.text for a in args]
            return Reg(str(bool(OPS[v.op].meaning(*(t == "True" for t in texts)))))
        walks = frozenset().union(*(a.walks for a in args))
        self.at(v)
        return self.keep(v, index, self.name(self.formula(v, args), walks))

    def compared(self, x: Index, most: int) -> Reg:
        """A comparison of positions, unless it is certain in this block."""
        i, j = (number(a.group) for a in self.axes[:: 1 if self.work.rows else -1])
        known = decided(x, most, self.inside, j + i * -1) if self.inside else None
        if known is not None:
            return Reg(str(known))
        return self.name(f"({x.text()}) <= {most}", x.groups())

    def formula(self, v: Value, args: Sequence[Reg]) -> str:
        """The text of a pointwise value."""
        texts = [a.text for a in args]
        if v.op == "exp":
            return f"tl.exp({texts[0]})"
        if v.op == "div" and len(args[1].walks) < 2 and v.dtype.is_floating_point:
            return f"{texts[0]} * {self.once(f'1.0 / {args[1].text}', args[1])}"
        if v.op == "cast" and v.dtype in HALVES and v.args[0].dtype.is_floating_point:
            wide = v.args[0].dtype.itemsize == 8
            return f"{texts[0]}.to(tl.float32)" if wide else texts[0]
        if v.dtype in HALVES and v.op != "cast":
            v = node(v.op, v.args, v.attrs, v.shape, float32)
        return expression(v, texts)

    def once(self, text: str, reg: Reg) -> str:
        """Something computed of a number of a row, before the loop if that is."""
        if text not in self.above and reg in self.above.values():
            with self.hoisted():
                self.above[text] = self.name(text, reg.walks)
        if text in self.above:
            return self.above[text].text
        if text not in self.scopes[-1]:
            self.scopes[-1][text] = self.name(text, reg.walks)
        return self.scopes[-1][text].text

    def exponential(self, v: Value, index: tuple) -> Optional[Reg]:
        """`exp(x - row)` as a power of two: one multiply-add, one instruction."""
        if v.op != "exp" or v.args[0].op != "sub":
            return None
        x, row = (self.read(a, index) for a in v.args[0].args)
        if len(row.walks) > 1:
            return None
        least = self.once(f"{row.text} * -{LOG2E}", row)
        return self.name(power_of_two(x.text, least), x.walks | row.walks)

    # -- products

    def product(self, v: Value, index: tuple) -> Reg:
        """A tile of scores: the operand that stays is the first."""
        x, y = v.args
        *batch, m, n = index
        k = x.shape[-1]
        inner = self.inner_axis(k)
        i = whole_of(inner.group)
        if self.stays in m.groups():
            first, at = x, (*batch, m, i)
            second, there = y, (*batch, i, self.turned(n))
        else:
            first, at = y, (*batch, i, n)
            second, there = x, (*batch, self.turned(m), i)
        with self.hoisted():
            a = self.name(operand(self, first, [self.axes[0], inner], at, inner.mask))
        b = operand(self, second, [self.down, inner], there, inner.mask)
        self.at(v)
        zero = f"tl.zeros({self.shape(self.tile)}, tl.float32)"
        exact = exactness(v, self.precision)
        return self.name(f"tl.dot({a.text}, tl.trans({b}), {zero}{exact})", self.tile)

    def turned(self, i: Index) -> Index:
        """An index along the walked axis, down the rows of an operand."""
        walked = Run(self.axes[1].group, 0, 1)
        down = Run(self.down.group, 0, 1)
        terms = tuple((down if a == walked else a, c) for a, c in i.terms)
        return Index(terms, i.constant)

    def inner_axis(self, size: int) -> Axis:
        """The inner axis of a product, or what it does not share: held as a whole."""
        if size not in self.inner:
            name, block = f"k{size}", max(16, power(size))
            mask = f"m_{name}" if block != size else None
            with self.hoisted():
                self.write(f"{name} = tl.arange(0, {block})[None, :]")
                if mask:
                    self.write(f"{mask} = {name} < {size}")
            self.inner[size] = Axis(Group(name, (size,)), str(block), mask)
        return self.inner[size]


def power_of_two(x: str, least: str) -> str:
    """`2 ** (x * log2(e) + least)`."""
    return f"tl.exp2(tl.fma({x}, {LOG2E}, {least}))"


def operand(
    em: Scores, x: Value, axes: Sequence[Axis], index: tuple, mask: str | None
) -> str:
    """A tile of what is multiplied, exactly 0 where `mask` does not hold."""
    side = em.sibling(axes)
    reg = side.read(x, index)
    em.checked += [v for v in side.checked if v not in em.checked]
    em.line = side.line
    reg = side.spread(reg, side.tile, x)
    x = em.swap.get(x.id, x)
    if is_moved(side, x):
        return reg.text
    text = f"tl.where({mask}, {reg.text}, 0.0)" if mask else reg.text
    return halved(text, x)


def is_moved(em: Scores, x: Value) -> bool:
    """Whether `x` lies in memory, if in another order: what is masked is read as 0."""
    while not em.stored(x) and x.op in MOVES:
        x = em.swap.get(x.args[0].id, x.args[0])
    return em.stored(x)


def halved(text: str, x: Value) -> str:
    """A float32 register as an operand of the type of `x`."""
    if x.dtype not in HALVES:
        return text
    return f"{text}.to({'tl.float16' if x.dtype is HALVES[0] else 'tl.bfloat16'})"


def exactness(v: Value, precision: str) -> str:
    """How float32 is multiplied."""
    return "" if v.dtype in HALVES else f', input_precision="{precision}"'


def whole_of(group: Group) -> Index:
    """The flat coordinate of a group."""
    if len(group.sizes) == 1:
        return number(group)
    if group.size == 1:
        return Index()
    return Index(((Run(group, 0, len(group.sizes)), 1),))
