"""The text of a kernel, and of the module that holds the kernels of a program."""

from __future__ import annotations

from typing import Sequence

from ..regions import Region
from .emit import Emitter
from .kernel import Config, Kernel

__all__ = ["finished", "summary"]


def finished(
    name: str,
    em: Emitter,
    region: Region,
    grid: str,
    configs: Sequence[Config],
    tags: Sequence[str] = (),
    flops: int = 0,
) -> Kernel:
    """The kernel whose body an emitter holds."""
    params = em.params()
    em.shows = tuple(region.nodes)
    constants = [f"{c}: tl.constexpr" for c, _ in configs[0].constants]
    head = f"def {name}({', '.join([*(p.name for p in params), *constants])}):"
    about = f"    # {summary(region)}"
    source = "\n".join(["@triton.jit", head, about, *em.lines, ""])
    line = next((v.line for v in region.nodes if v.line), None)
    ops = tuple(v.op for v in region.nodes)
    moved = sum(v.dtype.itemsize * elements(v.shape) for v, _ in em.buffers.values())
    return Kernel(
        name,
        source,
        tuple(params),
        (grid,),
        tuple(configs),
        ops,
        line,
        moved,
        flops,
        frozenset(tags),
    )


def elements(shape: Sequence[int]) -> int:
    count = 1
    for n in shape:
        count *= n
    return count


def summary(region: Region) -> str:
    """What a kernel does, in a line."""
    names = [v.op for v in region.nodes]
    shown = ", ".join(names[:6]) + (", ..." if len(names) > 6 else "")
    return f"over {list(region.shape)}: {shown}"
