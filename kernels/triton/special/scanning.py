"""Running sums, products and extremes.

Rows lie side by side in a tile. A long row is walked over in blocks, with what went
before carried on; where there are too few rows for that to fill a GPU, the blocks of a
row run side by side: one kernel for what each block comes to, running sums of those,
and one kernel that starts each block from there (Blelloch, 1990).
"""

from __future__ import annotations

from typing import Callable, Optional, Sequence

from ....tracer.graph import Value, node, placeholder
from ....tracer.types import HALVES, float32
from ..emit import Axis, Emitter, Reg
from ..index import Group, Index, Register, number
from ..loop.blocks import Blocks
from ..lowering import accumulator, combine, finish, neutral, reduction, scan
from ..text import finished
from .launching import Launch, coordinate, program_id, region_of

__all__ = ["cumulative"]

Stored = Callable[[Value], bool]

FULL = 128  # programs that fill a GPU: with fewer, long rows are divided
ALIKE = {"add": "sum", "mul": "prod", "max": "max", "min": "min"}


def cumulative(v: Value, name: str, stored: Stored) -> list[Launch]:
    """The launches for a running sum, product or extreme."""
    scan = _Scan(v, stored)
    if scan.blocks.looped is not None and scan.rows < FULL:
        return _divided(scan, name, stored)
    em, blocks = scan.em, scan.blocks
    em.write(f"pid = {program_id(blocks)}")
    scan.others("pid")
    if blocks.looped is None:
        coordinate(em, scan.axes, 1, "")
        scan.block(None)
    else:
        em.write(f"carry = tl.full([B0, 1, B2], {scan.dull}, {accumulator(v.dtype)})")
        with em.block(f"for j in range(0, {scan.length}, B1):"):
            coordinate(em, scan.axes, 1, "j")
            total = scan.block("carry")
            em.write(f"carry = {scan.joined('carry', total)}")
    return [scan.launch(name, scan.grid, [v])]


def _divided(scan: _Scan, name: str, stored: Stored) -> list[Launch]:
    """Blocks of a row side by side."""
    v, count = scan.v, scan.blocks.count(1)
    wide = float32 if v.dtype in HALVES else v.dtype
    at = len(v.shape) + v.attrs["axis"]
    shape = (*v.shape[:at], count, *v.shape[at + 1 :])
    totals = placeholder("totals", shape, wide)
    sums = node("cumulative", (totals,), v.attrs, shape, wide)
    first, last = _Scan(v, stored), _Scan(v, stored)
    first.part(count)
    first.em.store(totals, first.of_block(0), first.em.name(first.total(first.read())))
    made = [first.launch(f"{name}_totals", first.parts, [totals])]
    made += cumulative(sums, f"{name}_sums", lambda w: w is totals or stored(w))
    last.part(count)
    last.block(last.before(sums))
    return [*made, last.launch(name, last.parts, [v])]


class _Scan:
    """The body of a kernel over blocks [B0, B1, B2], the row in the middle."""

    def __init__(self, v: Value, stored: Stored):
        self.v = v
        at, shape = len(v.shape) + v.attrs["axis"], v.shape
        sizes = shape[:at], (shape[at],), shape[at + 1 :]
        groups = [Group(f"i{k}", s) for k, s in enumerate(sizes)]
        self.length = shape[at]
        self.blocks = Blocks([g.size for g in groups], {1}, nodes=20)
        self.axes = [
            Axis(g, f"B{k}", f"m{k}" if self.blocks.is_ragged(k) else None)
            for k, g in enumerate(groups)
        ]
        self.em = Emitter(lambda w: w is not v and stored(w), self.axes)
        self.at = at
        self.index = tuple(number(g, k) for g in groups for k in range(len(g.sizes)))
        self.op = ALIKE[v.attrs["mode"]]
        self.dull = neutral(self.op, v.dtype)

    @property
    def rows(self) -> int:
        """Programs, if each has whole rows."""
        return self.blocks.count(0) * self.blocks.count(2)

    @property
    def grid(self) -> str:
        """One program for the rows of a tile."""
        first, _, last = (a.group.size for a in self.axes)
        return f"cdiv({first}, B0) * cdiv({last}, B2)"

    @property
    def parts(self) -> str:
        """One program for each block of a row."""
        return f"{self.grid} * cdiv({self.length}, B1)"

    def others(self, pid: str) -> None:
        """The coordinates that are not walked along."""
        count = f"tl.cdiv({self.axes[2].group.size}, B2)"
        coordinate(self.em, self.axes, 0, f"{pid} // {count} * B0")
        coordinate(self.em, self.axes, 2, f"{pid} % {count} * B2")

    def part(self, count: int) -> None:
        """The coordinates of a program that has one block of a row."""
        self.em.write(f"pid = {program_id(self.blocks)}")
        self.em.write(f"j = pid % {count}")
        self.others(f"(pid // {count})")
        coordinate(self.em, self.axes, 1, "j * B1")

    def of_block(self, back: int) -> tuple:
        """The place of what a block, or the one before, comes to."""
        j = Index(((Register("j", self.blocks.count(1)), 1),), -back)
        return (*self.index[: self.at], j, *self.index[self.at + 1 :])

    def before(self, sums: Value) -> str:
        """What the blocks before this one come to."""
        test = Reg("(j > 0)")
        with self.em.only([test]):
            found = self.em.load(sums, self.of_block(1))
        return self.em.name(f"tl.where({test.text}, {found.text}, {self.dull})").text

    def read(self) -> Reg:
        """A block of what is added up."""
        em = self.em
        x = em.spread(em.read(self.v.args[0], self.index), em.tile, self.v)
        mask = self.axes[1].mask
        if not mask:
            return x
        return em.name(f"tl.where({mask}, {x.text}, {self.dull})", em.tile)

    def joined(self, a: str, b: str) -> str:
        """Two results as one."""
        return combine(self.op, self.v.dtype, a, b)

    def total(self, x: Reg) -> str:
        """What a block comes to."""
        v = self.v
        whole = node(self.op, v.args, {"axes": (-1,)}, (), v.dtype)
        return reduction(whole, x.text, 1, "")

    def block(self, carry: Optional[str]) -> str:
        """One block, from a carry on; its own total."""
        v, em = self.v, self.em
        x = self.read()
        wide = float32 if v.dtype in HALVES else v.dtype
        plain = node(v.op, v.args, v.attrs, v.shape, wide)  # rounded at the end only
        y = em.name(scan(plain, x.text, 1), em.tile)
        if carry:
            y = em.name(self.joined(carry, y.text), em.tile)
        em.store(v, self.index, em.name(finish(v, y.text), em.tile))
        return self.total(x)

    def launch(self, name: str, grid: str, writes: Sequence[Value]) -> Launch:
        """The kernel."""
        region = region_of(self.v)
        configs = self.blocks.configs()
        kernel = finished(name, self.em, region, grid, configs, ("scan",))
        return Launch(kernel, self.em, list(writes))
