"""What templates of their own have in common: a launch, coordinates, a region."""

from __future__ import annotations

from typing import NamedTuple, Sequence

from ....tracer.graph import Value
from ...axes import numbered, squeeze
from ...regions import Region
from ..emit import Axis, Emitter
from ..kernel import Kernel
from ..loop.blocks import Blocks

__all__ = ["Launch", "coordinate", "program_id", "region_of"]


class Launch(NamedTuple):
    """A kernel, the emitter that knows its buffers, and what it writes."""

    kernel: Kernel
    em: Emitter
    writes: list[Value]


def program_id(blocks: Blocks) -> str:
    """Which program this is."""
    return "tl.program_id(0)" + (".to(tl.int64)" if blocks.wide else "")


def coordinate(em: Emitter, axes: Sequence[Axis], k: int, start: str) -> None:
    """The coordinate of axis `k`, from `start` on, and its mask."""
    spot = ", ".join(":" if k == j else "None" for j in range(len(axes)))
    shape = f"[{spot}]" if len(axes) > 1 else ""
    base = f"{start} + " if start else ""
    em.write(f"i{k} = ({base}tl.arange(0, B{k})){shape}")
    if axes[k].mask:
        em.write(f"m{k} = i{k} < {axes[k].group.size}")


def region_of(v: Value) -> Region:
    """A single node as a loop that stores it."""
    region = Region("loop", [v], squeeze(v.shape), {v.id: numbered(v.shape)})
    region.outputs = [v]
    return region
