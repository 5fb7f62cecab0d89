"""How large a tile is: block sizes, warps, and which group is walked over.

From a small model of the machine: a thread should hold 8 to 32 elements of each value,
rows that fit are held as a whole, and a grid of a few programs for each multiprocessor
keeps a GPU busy.
"""

from __future__ import annotations

from math import prod
from typing import Iterable, Optional, Sequence

from ..kernel import Config

__all__ = ["Blocks", "power"]

TARGET = 1024  # elements of a tile
LONGEST = 32768  # elements of a row that is held as a whole; fewer if much is live
PASS = 4096  # elements of a block of a row that is not; half of it if much is live
SQUARE = 32  # sides of a tile that is read across
COLUMNS = 128  # of a tile whose rows are summed up
PROGRAMS = 1024  # enough of them to fill a GPU
ENOUGH = 256  # enough if each of them walks over many rows


def power(n: int) -> int:
    """The least power of two that is not below `n`."""
    return 1 << max(n - 1, 0).bit_length()


class Blocks:
    """The tile of a loop over groups of these sizes.

    `inner` are the groups reduced inside the loop, `late` the groups of each late
    reduction, `nodes` how many values are computed; with `whole`, no row is walked.
    `square` are two groups along which memory is read and written; `large` says that
    an element takes many registers.

    >>> softmax = Blocks([4096, 1000], {1}, [], 5)
    >>> softmax.sizes, softmax.configs()[0].warps
    ([1, 1024], 4)
    """

    def __init__(
        self,
        groups: Sequence[int],
        inner: set[int],
        late: Sequence[set[int]] = (),
        nodes: int = 1,
        whole: bool = False,
        square: Iterable[int] = (),
        large: bool = False,
        heavy: bool = True,
        again: bool = False,
    ):
        self.groups, self.inner, self.late = list(groups), inner, list(late)
        self.heavy = bool(self.late) and (heavy or not inner)
        self.again = again
        self.square = frozenset(square)
        self.target = TARGET // 2 if large else TARGET
        self.free = [g for g in range(len(groups)) if g not in inner]
        self.looped = None if whole else self.too_long(nodes)
        self.part = PASS if nodes <= 24 else PASS // 2
        self.sizes = self.chosen()
        self.walk = self.walked()
        self.shares = self.shared()
        self.wide = prod(groups) >= 1 << 31

    def too_long(self, nodes: int) -> Optional[int]:
        """The inner group to walk over, if the tile would hold too much."""
        limit = LONGEST if nodes <= 12 else LONGEST // 2
        if nodes > 24 or self.heavy:  # sums of whole rows are held as well
            limit = LONGEST // 4
        if not self.inner or prod(power(self.groups[g]) for g in self.inner) <= limit:
            return None
        return max(self.inner, key=lambda g: self.groups[g])

    def chosen(self) -> list[int]:
        """The block of each group."""
        sizes = [1] * len(self.groups)
        for g in self.inner:
            sizes[g] = power(self.groups[g])
        if self.looped is not None:
            rest = prod(sizes) // sizes[self.looped]
            sizes[self.looped] = min(sizes[self.looped], max(self.part // rest, 16))
        if self.square:
            for g in self.square:
                sizes[g] = min(power(self.groups[g]), SQUARE)
            return self.filled(sizes)
        budget = self.budget(prod(sizes))
        for g in reversed(self.free):
            most = self.columns(g) if self.heavy and len(self.free) > 1 else budget
            sizes[g] = min(power(self.groups[g]), budget, most)
            budget //= sizes[g]
        return sizes

    def columns(self, g: int) -> int:
        """Of a tile whose rows are summed up: many programs, if there are enough."""
        most = COLUMNS
        while most > SQUARE and self.groups[g] < most * ENOUGH:
            most //= 2
        return most if self.groups[g] >= most * ENOUGH and not self.inner else COLUMNS

    def filled(self, sizes: list[int]) -> list[int]:
        """Larger blocks where there is room: a side of the square may be short."""
        room = max(1, TARGET // prod(sizes))
        for g in reversed(self.free):
            more = min(power(self.groups[g]) // sizes[g], room)
            sizes[g], room = sizes[g] * more, room // more
        return sizes

    def budget(self, held: int) -> int:
        """How many rows of `held` elements a tile has room for."""
        if self.heavy:
            return max(1, 4 * self.target // held)
        across = self.inner and len(self.groups) - 1 not in self.inner
        if across:  # neighbours in memory belong to different rows
            return max(1, self.target // held, min(32, 8 * self.target // held))
        return max(1, self.target // held)

    def walked(self) -> Optional[int]:
        """The free group that all late reductions reduce, if there is one."""
        common = set(self.free).intersection(*self.late)
        if not self.late and not self.again:
            return None
        return max(common, key=lambda g: self.groups[g], default=None)

    def count(self, g: int) -> int:
        """How many blocks a group has."""
        return -(-self.groups[g] // self.sizes[g])

    def shared(self) -> int:
        """Into how many parts the walked group is divided."""
        if self.walk is None:
            return 1
        others = prod(self.count(g) for g in self.free if g != self.walk)
        few = self.heavy or self.again
        most = max((PROGRAMS if few else 4 * PROGRAMS) // others, 1)
        if self.inner and not self.heavy:  # a partial result is a number, or none
            return min(self.count(self.walk), most // 2 if self.again else most)
        if self.inner:  # a partial result is as long as a row
            most = min(most, max(self.count(self.walk) // 4, 1), PROGRAMS // 4)
        if others >= ENOUGH and not self.inner:  # and no partial results
            return 1
        return min(self.count(self.walk), most if others == 1 else min(most, 128))

    def is_ragged(self, g: int) -> bool:
        """Whether the last block of a group, or a share of it, sticks out."""
        if self.groups[g] % self.sizes[g]:
            return True
        return g == self.walk and self.count(g) % self.shares != 0

    @property
    def is_odd(self) -> bool:
        """A flat tile over a size that no vector of elements divides."""
        return len(self.groups) == 1 and not self.inner and self.groups[0] % 16 != 0

    def warps(self) -> int:
        """For the whole tile."""
        elements = prod(self.sizes)
        for most, warps in ((512, 1), (1024, 4), (4096, 8), (8192, 16)):
            if elements <= most:
                return warps
        return 32

    def configs(self) -> tuple[Config, ...]:
        """The default and, for tuning, its neighbours (the same blocks)."""
        constants = tuple((f"B{g}", n) for g, n in enumerate(self.sizes))
        if self.walk is not None:
            constants = (*constants, ("S", self.shares))
        usual = self.warps()
        others = {max(1, usual // 2), min(32, usual * 2)} - {usual}
        return tuple(Config(constants, w) for w in (usual, *sorted(others)))
