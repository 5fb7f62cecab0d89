"""The body of a kernel while it is being written.

An `Emitter` knows the tile that the kernel works on and turns "value `v` at this index"
into a register: one that is known already, a load where the value lies in memory, or
what `reads.py` makes of a value that is only moved, cut or made up on the spot.
"""

from __future__ import annotations

import copy
import itertools
from contextlib import contextmanager
from typing import Callable, Iterator, NamedTuple, Optional, Sequence

from ...tracer.graph import Value
from ...tracer.types import HALVES
from .index import Atom, Group, Index, Register, Run, flat
from .kernel import Param
from .lowering import expression, literal, load_cast, memory_type, store_cast
from .numbers import is_number, parameter
from .reads import READS

__all__ = ["Axis", "Emitter", "Reg"]

NONE: frozenset = frozenset()
# Sums of two positions below NEAR fit in 32 bits; no block is larger than WIDEST.
NEAR, WIDEST = 1 << 30, 1 << 13


class Reg(NamedTuple):
    """A register: its text, and the tile coordinates that it varies with."""

    text: str
    walks: frozenset = NONE


class Axis(NamedTuple):
    """A dimension of the tile: coordinate, block size and mask (None: not needed)."""

    group: Group
    block: str
    mask: Optional[str]


class Emitter:
    """Writes the lines of one kernel.

    `stored(v)` says whether a value lies in memory; `axes` are the dimensions of the
    tile (a group that is not among them is walked by a scalar).
    """

    shows: tuple[Value, ...] = ()  # what the kernel computes, for people
    raw = False  # half types stay as they lie in memory (operands of a product)

    def __init__(self, stored: Callable[[Value], bool], axes: Sequence[Axis]):
        self.stored, self.axes = stored, list(axes)
        self.tile = frozenset(a.group.name for a in axes)
        self.lines: list[str] = []
        self.indent = 1
        self.buffers: dict[int, tuple[Value, str]] = {}
        self.scopes: list[dict] = [{}]
        self.conditions: list[Reg] = []
        self.checked: list[Value] = []  # what indices were looked at
        self.starts: dict[str, str] = {}  # where the block of a group begins
        self.fours: set[str] = set()  # blocks of a multiple of four
        self.offsets: list[Index] = []  # where it was loaded from
        self.guarded: dict[str, str] = {}  # under what mask: 0 elsewhere
        self.count = itertools.count(1)
        self.line: Optional[str] = None

    # -- text

    def write(self, text: str) -> None:
        """Append a line."""
        self.lines.append("    " * self.indent + text)

    def at(self, v: Value) -> None:
        """What follows stands for the user's line that made `v`."""
        if v.line is not None and v.line != self.line:
            self.line = v.line
            self.write(f"# {v.line}")

    def name(self, text: str, walks: frozenset = NONE, stem: str = "v") -> Reg:
        """A new register that holds what `text` says."""
        if text.isidentifier():
            return Reg(text, walks & self.tile)
        name = f"{stem}{next(self.count)}"
        self.write(f"{name} = {text}")
        return Reg(name, walks & self.tile)

    def sibling(self, axes: Sequence[Axis]) -> "Emitter":
        """Another tile of the same kernel: operands of a product."""
        other = copy.copy(self)
        other.axes, other.tile = list(axes), frozenset(a.group.name for a in axes)
        other.scopes, other.conditions, other.raw = [{}], [], True
        return other

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Registers made in here are not known outside."""
        self.scopes.append({})
        yield
        self.scopes.pop()

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """An indented block: a loop or a branch."""
        self.write(head)
        self.indent += 1
        with self.scope():
            yield
        self.indent -= 1

    @contextmanager
    def only(self, conditions: Sequence[Reg]) -> Iterator[None]:
        """Loads in here are made only where all the conditions hold."""
        if not conditions:
            yield
            return
        self.conditions += conditions
        with self.scope():
            yield
        del self.conditions[len(self.conditions) - len(conditions) :]

    @contextmanager
    def always(self) -> Iterator[None]:
        """Loads in here are made whatever the conditions are: the place is sure."""
        before, self.conditions = self.conditions, []
        yield
        self.conditions = before

    # -- registers

    def known(self, v: Value, index: tuple) -> Optional[Reg]:
        """The register that holds `v` there, if there is one."""
        for scope in reversed(self.scopes):
            found = scope.get((v.id, index))
            if found is not None:
                return found
        return None

    def keep(self, v: Value, index: tuple, reg: Reg) -> Reg:
        """Remember where `v` is."""
        self.scopes[-1][v.id, index] = reg
        return reg

    def read(self, v: Value, index: tuple[Index, ...]) -> Reg:
        """`v` at an index (one `Index` for each of its axes)."""
        found = self.known(v, index)
        if found is not None:
            return found
        if v.op == "constant" and not self.stored(v):
            return Reg(literal(v.attrs["value"], v.dtype))
        if 0 in v.shape:  # whoever reads it never takes what comes of that
            return Reg(literal(0, v.dtype))
        if self.stored(v):
            return self.keep(v, index, self.load(v, index))
        row = READS.get(v.op)
        if row is None:
            return self.compute(v, index)
        return self.keep(v, index, row(self, v, index))

    def compute(self, v: Value, index: tuple) -> Reg:
        """A pointwise `v`, from its arguments."""
        args = [self.read(a, index) for a in v.args]
        self.at(v)
        walks = NONE.union(*(a.walks for a in args))
        reg = self.name(expression(v, [a.text for a in args]), walks)
        return self.keep(v, index, reg)

    def fourth(self, i: Index) -> Optional[str]:
        """A quarter of a position, one for every four neighbours along the last axis.

        None where four neighbours of the tile are not four in a row.
        """
        last = self.axes[-1] if self.axes else None
        terms = dict(i.terms)
        if last is None or last.block not in self.fours:
            return None
        if terms.pop(Run(last.group, 0, len(last.group.sizes)), 0) != 1:
            return None
        if i.constant % 4 or any(c % 4 for c in terms.values()):
            return None
        rest = Index(tuple((a, c // 4) for a, c in terms.items()), i.constant // 4)
        if rest.groups() & self.tile != self.tile - {last.group.name}:
            return None
        spots = [*("None" for _ in self.axes[1:]), ":"]
        line = f"tl.arange(0, {last.block} // 4)"
        start = self.starts[last.group.name]
        line = f"({start}) // 4 + {line}" if start else line
        line = f"({line})[{', '.join(spots)}]" if len(spots) > 1 else line
        return f"{rest.text()} + {line}" if rest.terms or rest.constant else line

    def as_index(self, reg: Reg, size: int) -> Index:
        """A register that holds a position."""
        return Index(((Register(reg.text, size, reg.walks), 1),))

    # -- memory

    def buffer(self, v: Value) -> str:
        """The parameter that points to where `v` lies."""
        known = self.buffers.get(v.id)
        if known is None:
            known = self.buffers[v.id] = v, f"x{len(self.buffers)}"
        return known[1]

    def params(self) -> list[Param]:
        """The parameters, in the order in which the kernel came to need them."""
        made = [parameter(v, name) for v, name in self.buffers.values()]
        return [*made, Param("bad", "*i32")] if self.checked else made

    def load(self, v: Value, index: tuple) -> Reg:
        """`v` from memory, or the parameter that it is."""
        if is_number(v):
            half = self.raw and v.dtype in HALVES
            cast = f".to({memory_type(v.dtype)})" if half else ""
            return Reg(self.buffer(v) + cast)
        self.at(v)
        offset = flat(index, v.shape)
        self.offsets.append(offset)
        place, masks = self.place(self.buffer(v), offset, self.conditions)
        text = f"tl.load({place}{masks and f', mask={masks}, other=0'})"
        walks = offset.groups().union(*(c.walks for c in self.conditions))
        reg = self.name(text if self.raw else load_cast(text, v.dtype), walks)
        self.guarded[reg.text] = masks
        return reg

    def is_zero(self, reg: Reg, masks: Sequence[str]) -> bool:
        """Whether a register was loaded so that it is 0 where a mask does not hold."""
        return set(masks) <= set(self.guarded.get(reg.text, "").split(" & "))

    def store(
        self, v: Value, index: tuple, reg: Reg, conditions: Sequence[Reg] = ()
    ) -> None:
        """`v` into memory."""
        offset = flat(index, v.shape)
        wide = [*conditions, Reg("", reg.walks)]
        place, masks = self.place(self.buffer(v), offset, wide)
        if self.axes and not wide[-1].walks and not (offset.groups() & self.tile):
            ones = ", ".join("1" for _ in self.axes)
            place += f" + tl.zeros([{ones}], tl.int32)"  # a block of one, as `reg` is
        value = store_cast(reg.text, v.dtype)
        self.write(f"tl.store({place}, {value}{masks and f', mask={masks}'})")

    def place(self, base: str, offset: Index, conditions: Sequence[Reg]) -> tuple:
        """The pointer to an element, and the mask under which it may be touched."""
        walks = offset.groups() & self.tile
        every = walks.union(*(c.walks for c in conditions))
        text = self.far(offset) if offset.is_wide else offset.text()
        for axis in self.axes:
            if axis.group.name in every - walks:
                text = f"{text} + 0 * {axis.group.name}"
        masks = [a.mask for a in self.axes if a.mask and a.group.name in every]
        masks += [c.text for c in conditions if c.text]
        return f"{base} + {_closed(text)}", " & ".join(dict.fromkeys(masks))

    def far(self, offset: Index) -> str:
        """A position for 64 bits: the tile begins far out, the rest of it is near.

        So a thread holds one wide number, not one for each element.
        """
        base, near, rest = [], [], []
        for atom, c in offset.terms:
            start = self.start_of(atom) if 1 < c < NEAR // WIDEST else ""
            if not atom.groups() & self.tile:
                base.append(f"({atom.text()}).to(tl.int64) * {c}")
            elif start and c * atom.size >= NEAR:
                base.append(f"({start}).to(tl.int64) * {c}")
                near.append(f"({atom.text()} - {start}) * {c}")
            else:
                rest.append((atom, c))
        others = Index(tuple(rest), offset.constant)
        if not base or others.reach >= NEAR:
            return offset.text()
        return f"{' + '.join(base)} + ({' + '.join([*near, others.text()])})"

    def start_of(self, atom: Atom) -> str:
        """Where the block of a whole group begins, as far as programs count it."""
        if isinstance(atom, Run) and atom.text() == atom.group.name:
            start = self.starts.get(atom.group.name, "")
            return start if start[:1] == "p" else ""
        return ""

    def note_bad(self, v: Value, inside: Reg) -> None:
        """Set the flag of the program where an index does not lie inside."""
        self.checked.append(v)
        outside = Reg(f"(~{inside.text})", inside.walks)
        place, masks = self.place("bad", Index(), [outside, *self.conditions])
        self.write(f"tl.store({place}, 1, mask={masks})")

    # -- the tile

    def shape(self, walks: frozenset) -> str:
        """The shape of a register that varies with these coordinates."""
        sizes = [a.block if a.group.name in walks else "1" for a in self.axes]
        return f"[{', '.join(sizes)}]"

    def spread(self, reg: Reg, walks: frozenset, like: Value) -> Reg:
        """The register, stretched over more of the tile."""
        if walks <= reg.walks:
            return reg
        every = walks | reg.walks
        if reg.walks:
            return self.name(f"tl.broadcast_to({reg.text}, {self.shape(every)})", every)
        everywhere = f"tl.full({self.shape(every)}, True, tl.int1)"
        return self.name(f"tl.where({everywhere}, {reg.text}, {reg.text})", every)


def _closed(text: str) -> str:
    return f"({text})" if " " in text else text
