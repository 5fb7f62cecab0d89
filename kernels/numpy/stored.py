"""What is known of arrays and kernels while a program is being written."""

from __future__ import annotations

from ...tracer.graph import Value
from ..axes import elements, is_one
from ..regions import Region
from .memory import Finished

__all__ = ["Kernel", "Stored", "count_text", "nbytes", "seen_shape", "strip"]


class Stored:
    """An array in the generated function.

    `text` names it; `solid` says that it is C-contiguous, `breaks` holds the axes that
    do not continue the axis before them in memory, and `swapped` that neighbours along
    the last axis are far apart.
    """

    __slots__ = ("text", "shape", "solid", "breaks", "swapped")

    def __init__(
        self,
        text: str,
        shape: tuple,
        breaks: frozenset = frozenset(),
        swapped: bool = False,
    ):
        self.text, self.shape, self.swapped = text, shape, swapped
        self.breaks, self.solid = breaks, not breaks


class Kernel:
    """A generated function of its own: its text, its scratch, what it computes."""

    def __init__(
        self, name: str, params: list[str], text: str, scratch: Finished, region: Region
    ):
        self.name, self.params, self.text = name, params, text
        self.scratch, self.region = scratch, region


def nbytes(v: Value) -> int:
    """How much memory `v` takes, going by the example where sizes are symbolic."""
    return elements(v.shape) * v.dtype.itemsize


def count_text(v: Value) -> tuple:
    """Something equal for values with the same number of elements behind views."""
    count: object = 1
    for n in v.shape:
        count = count * n  # type: ignore[operator]
    return (str(count), v.dtype)


def seen_shape(source: Value, axes: tuple) -> tuple:
    """The shape of a view before it is stretched."""
    return tuple(1 if a is None else source.shape[a] for a in axes)


def strip(shape: tuple) -> tuple:
    """The shape without leading axes of size 1."""
    while shape and is_one(shape[0]):
        shape = shape[1:]
    return shape
