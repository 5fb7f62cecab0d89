"""Operands that a copy engine can fetch: whole tiles by a descriptor, not by pointers.

From sm_90 on a tile of a matrix in memory is fetched by one instruction, which knows
the bounds: beyond them it reads zeros. What it takes is a plain matrix (or a batch of
them): one axis of unit stride, all others, and the beginning, at multiples of 16 bytes.
"""

from __future__ import annotations

from typing import NamedTuple, Optional, Sequence

from ..emit import Axis
from ..index import Group, Index, Run

__all__ = ["Descriptor", "described"]

ALIGNED = 16  # bytes


class Descriptor(NamedTuple):
    """How tiles of an operand lie in memory, and where the next of them begins.

    `sizes`, `strides` (in elements), `block` and `place` go from the outermost axis to
    the innermost; `turned` says that the tile is wanted transposed.
    """

    base: str
    sizes: tuple[int, ...]
    strides: tuple[int, ...]
    block: tuple[str, ...]
    place: tuple[str, ...]
    turned: bool

    def made(self) -> str:
        """The expression that makes it."""
        lists = (self.sizes, self.strides, self.block)
        told = ", ".join(f"[{', '.join(map(str, each))}]" for each in lists)
        return f"tl.make_tensor_descriptor({self.base}, {told})"

    def load(self, name: str) -> str:
        """The expression of a tile."""
        text = f"{name}.load([{', '.join(self.place)}])"
        if len(self.sizes) > 2:
            text += f".reshape({', '.join(self.block[1:])})"
        return f"{text}.T" if self.turned else text


def described(
    buffer: str,
    offset: Index,
    itemsize: int,
    axes: Sequence[tuple[Axis, str]],
    batch: Group,
) -> Optional[Descriptor]:
    """The descriptor of an operand that lies at `offset` of a buffer, if it has one.

    `axes` are the rows and the columns of its tile, each with where the tile begins.
    """
    terms = dict(offset.terms)
    found = [(terms.pop(run_of(axis.group), 0), axis, start) for axis, start in axes]
    found.sort(key=lambda each: -each[0])  # the axis of unit stride comes last
    if found[-1][0] != 1 or found[0][0] < 1:
        return None
    along = terms.pop(run_of(batch), 0)
    if terms or along < 0:
        return None
    wide = ((along, batch.size, "1", "b"),) if along else ()
    rows = (*wide, *((c, a.group.size, a.block, start) for c, a, start in found))
    strides, sizes, block, place = (tuple(each) for each in zip(*rows))
    if any(n * itemsize % ALIGNED for n in (*strides[:-1], offset.constant)):
        return None
    base = f"{buffer} + {offset.constant}" if offset.constant else buffer
    turned = found[0][1] is not axes[0][0]
    return Descriptor(base, sizes, strides, block, place, turned)


def run_of(group: Group) -> Run:
    """The coordinate of a group."""
    return Run(group, 0, len(group.sizes))
