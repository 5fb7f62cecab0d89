"""How a large iteration space is cut into tiles.

Axes that every operand and reduction treats alike are one axis. Then, from the right,
axes are taken whole as long as a tile stays in the cache; the next one is cut into
blocks, and those left of it are walked one by one. Axes that an inner reduction
completes are always whole.
"""

from __future__ import annotations

from typing import Iterable, NamedTuple, Optional

from ...tracer.sizes import Int, numel
from ..axes import elements
from .spelling import size_text

__all__ = ["Tiling", "groups", "tiling"]

# The arrays of a tile fill this much of the L2 cache together. Large tiles cost fewer
# calls, and threads meet at the GIL less often.
CACHE = 1 << 20
LEAST, MOST = 8192, 131072  # elements of one array in a tile
# Handing work to a thread costs 20 us: more than all of a smaller space, or of less
# work than this many additions.
THREADED, WORTH = 100_000, 800_000
# Parts that a threaded loop is divided in, whatever the number of threads: few where
# each has totals of its own, else enough that all threads end together.
PARTS, FINE_PARTS = 16, 64
# A result takes at least so many times the memory of scratch.
TIMES = 4


class Operand(NamedTuple):
    """How an array lies in the space: the axes it has, and where it cannot be merged.

    `axes` are the axes of the space that it walks along; `breaks` those that do not
    continue the axis before them in memory.
    """

    axes: frozenset
    breaks: frozenset


def groups(
    rank: int, operands: Iterable[Operand], reduced: Iterable[frozenset]
) -> list[list[int]]:
    """Runs of axes that act as one: all arrays have all of a run or none of it."""
    apart: set[int] = set()
    for axes, breaks in operands:
        apart.update(a for a in range(1, rank) if (a in axes) != (a - 1 in axes))
        apart.update(breaks)
    for over in reduced:
        apart.update(a for a in range(1, rank) if (a in over) != (a - 1 in over))
    made: list[list[int]] = []
    for a in range(rank):
        if a in apart or not made:
            made.append([])
        made[-1].append(a)
    return made


class Tiling:
    """The loop over a space whose axes have been merged: `sizes` are the frame's.

    `outer` are the axes walked one by one, `cut` the one cut into blocks of `block`;
    `threaded` says that it pays to share the walk.
    """

    def __init__(
        self,
        sizes: tuple,
        outer: list[int],
        cut: int,
        block: Int | str,
        threaded: bool,
    ):
        self.sizes, self.outer, self.cut, self.block = sizes, outer, cut, block
        self.threaded = threaded
        self.static = all(type(n) is int for n in (*sizes, block))
        self.whole = [a for a in range(len(sizes)) if a != cut and a not in outer]

    def tile(self, axes: frozenset) -> tuple:
        """The shape of a tile of an array with these axes (1 for the others)."""
        inside = (a for a in range(len(self.sizes)) if a not in self.outer)
        return tuple(self.extent(a) if a in axes else 1 for a in inside)

    def extent(self, a: int) -> Int | str:
        """How far a tile reaches along an axis."""
        return self.block if a == self.cut else self.sizes[a]

    def frame(self, axes: frozenset) -> tuple:
        """The shape of a whole array with these axes (1 for the others)."""
        return tuple(n if a in axes else 1 for a, n in enumerate(self.sizes))

    def position(self, a: int) -> int:
        """Which axis of a tile an axis is."""
        return a - sum(o < a for o in self.outer)

    def index(self, axes: frozenset, whole: bool = False) -> str:
        """What follows an array in `frame` shape to give its tile; "" for all of it."""
        parts = []
        for a in range(len(self.sizes)):
            if a in self.outer:
                parts.append(f"o{a}" if a in axes and not whole else "0")
            else:
                cut = a == self.cut and a in axes and not whole
                parts.append("i:j" if cut else ":")
        while parts and parts[-1] == ":":
            parts.pop()
        return f"[{', '.join(parts)}]" if parts else ""

    def moves(self, axes: frozenset) -> bool:
        """Whether the tile of an array with these axes depends on where the loop is."""
        return self.cut in axes or not axes.isdisjoint(self.outer)

    @property
    def blocks(self) -> Int | str:
        """How many blocks the cut axis has."""
        n, block = self.sizes[self.cut], self.block
        if type(n) is int and type(block) is int:
            return -(-n // block)
        return f"-(-{wrapped(n)} // {block})"

    @property
    def ragged(self) -> bool:
        """Whether the last block may be shorter."""
        n, block = self.sizes[self.cut], self.block
        return not (type(n) is int and type(block) is int and n % block == 0)


def wrapped(size: object) -> str:
    """A size in parentheses where it is a sum or product."""
    text = size_text(size)
    return text if text.isidentifier() or text.isdigit() else f"({text})"


def tiling(
    sizes: tuple, inner: frozenset, width: int, work: int, scratch: int = 0
) -> Tiling:
    """Choose the loop for a frame of these sizes; `inner` axes stay whole.

    `width` is the bytes that one element takes in all arrays of a tile together,
    `scratch` those of them that are no part of a larger array, `work` what is done to
    it, in additions.
    """
    count = elements(sizes)
    static = all(type(n) is int for n in sizes)
    threaded = not static or (count >= THREADED and count * work >= WORTH)
    tile = _tile_elements(count, width, threaded and static)
    if scratch:  # is small beside what is computed
        tile = min(tile, max(LEAST, count // TIMES))
    whole, cut = set(inner), -1
    for a in reversed(range(len(sizes))):
        if a in whole:
            continue
        held = elements([sizes[b] for b in whole])
        if held * elements([sizes[a]]) > tile or a == _first(sizes, inner):
            cut = a
            break
        whole.add(a)
    outer = [a for a in range(len(sizes)) if a not in whole and a != cut]
    return Tiling(sizes, outer, cut, _block(sizes, whole, cut, tile), threaded)


def _first(sizes: tuple, inner: frozenset) -> Optional[int]:
    return next((a for a in range(len(sizes)) if a not in inner), None)


def _tile_elements(count: int, width: int, shared: bool) -> int:
    fitting = 1 << (CACHE // width).bit_length() - 1
    tile = max(LEAST, min(MOST, fitting))
    if shared:
        tile = min(tile, max(LEAST, count // 8))
    return tile


def _block(sizes: tuple, whole: set, cut: int, tile: int) -> Int | str:
    held = numel(tuple(sizes[a] for a in sorted(whole)))
    if type(held) is not int:
        return f"max(1, {tile} // max(1, {size_text(held)}))"
    rows = max(1, tile // max(1, held))
    n = sizes[cut]
    return min(rows, max(n, 1)) if type(n) is int else rows
