"""How operands of a product are read: what they are called, and how far they lie."""

from __future__ import annotations

from typing import Callable

from ....tracer.graph import Value
from ....tracer.types import HALVES
from ..index import Group, Index, Run
from .tiles import twos

__all__ = ["every", "half", "is_plain", "parted", "run_within"]


def run_within(dot: Value, name: str, least: int, sizes: tuple) -> int:
    """How long the runs of an axis are, each of which holds whole tiles; or 0."""
    run = dot.attrs.get(name, 0)
    return run if twos(run) >= least and len(sizes) == 1 and run < sizes[0] else 0


def parted(name: str, sizes: tuple, run: int) -> Group:
    """An axis in runs, of which a tile lies in one; or as it is."""
    return Group(name, (sizes[0] // run, run), 1) if run else Group(name, sizes)


def is_plain(x: Value, stored: Callable[[Value], bool]) -> bool:
    """Whether an operand is read at the simplest of indices."""
    while not stored(x) and x.op in ("permute", "reshape", "slice", "cast", "pad"):
        x = x.args[0]
    return stored(x)


def half(x: Value) -> str:
    """Triton's name of a half type."""
    return "tl.float16" if x.dtype is HALVES[0] else "tl.bfloat16"


def every(group: Group) -> Index:
    """The flat coordinate of a group."""
    if group.size == 1:
        return Index()
    return Index(((Run(group, 0, len(group.sizes)), 1),))
