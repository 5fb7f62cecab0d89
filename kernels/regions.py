"""Regions: what one kernel computes, as the backends get to see it."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..tracer.graph import Value
from ..tracer.ops import OPS
from .axes import View, elements

__all__ = ["ARG", "SMALL", "Plan", "Region", "is_small", "kind_of", "reduced"]

# Below this, a whole space is one tile: every reduction is complete in it.
SMALL = 32768
ARG = frozenset(("argmax", "argmin"))


@dataclass
class Region:
    """What one kernel computes.

    `shape` is the iteration space, without axes of size 1; `places` says for each node
    which axis of it each axis of the node is, `reads` for each reduction the same of
    its argument. `late` are the reductions that are complete when the loop has ended,
    `whole` those that every part of the loop computes before it. `inputs` are the
    values read, as they are stored and without splats; `outputs` the nodes that others
    read; `after` pairs of a late reduction and what a backend lets follow on it.
    """

    kind: str
    nodes: list[Value]
    shape: tuple
    places: dict[int, tuple] = field(default_factory=dict)
    reads: dict[int, tuple] = field(default_factory=dict)
    late: frozenset = frozenset()
    whole: frozenset = frozenset()
    inner: frozenset = frozenset()
    inputs: list[Value] = field(default_factory=list)
    outputs: list[Value] = field(default_factory=list)
    after: list[tuple[Value, Value]] = field(default_factory=list)

    @property
    def reductions(self) -> list[Value]:
        """The nodes that reduce."""
        return [v for v in self.nodes if kind_of(v) == "reduce"]

    @property
    def small(self) -> bool:
        """Whether the space is static and fits in one tile."""
        return is_small(self.shape)


@dataclass
class Plan:
    """Regions in an order that runs, and what every value is a view of."""

    regions: list[Region]
    views: dict[int, View]


def kind_of(v: Value) -> str:
    """The kind of a node's primitive; "" for one that only a backend knows."""
    return OPS[v.op].kind if v.op in OPS else ""


def is_small(shape: tuple, most: int = SMALL) -> bool:
    """Whether the space is static and fits in one tile."""
    return all(type(n) is int for n in shape) and elements(shape) <= most


def reduced(v: Value) -> tuple:
    """The (negative) axes that a reduction drops."""
    return (v.attrs["axis"],) if v.op in ARG else v.attrs["axes"]


def axes_of(v: Value, where: tuple) -> frozenset:
    places = (where[len(where) + axis] for axis in reduced(v))
    return frozenset(a for a in places if a is not None)


def of_windows(v: Value) -> bool:
    """A reduction of exactly the offsets of windows is done by shifted slices."""
    x = v.args[0]
    if x.op != "windows" or v.op in ARG:
        return False
    return sorted(v.attrs["axes"]) == list(range(-len(x.attrs["size"]), 0))
