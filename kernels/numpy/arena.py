"""Offsets in one stretch of memory: taken and given back while a block is planned."""

from __future__ import annotations

import bisect

__all__ = ["Arena", "ALIGN"]

# A cache line, and the widest vector register.
ALIGN = 64


class Arena:
    """The smallest free gap that fits is taken; neighbouring gaps melt together.

    >>> arena = Arena()
    >>> a, b = arena.take(100), arena.take(10)
    >>> arena.free(a, 100)
    >>> a, b, arena.take(60), arena.size
    (0, 128, 0, 192)
    """

    def __init__(self) -> None:
        self.size = 0
        self.starts: list[int] = []  # of the gaps, in order
        self.ends: list[int] = []

    def take(self, nbytes: int) -> int:
        """The offset of `nbytes` fresh bytes."""
        need = _rounded(nbytes)
        gaps = zip(self.starts, self.ends)
        fits = [(e - s, i) for i, (s, e) in enumerate(gaps) if e - s >= need]
        if fits:
            return self._carve(min(fits)[1], need)
        if self.ends and self.ends[-1] == self.size:  # the last gap can grow
            at = self.starts.pop()
            self.ends.pop()
            self.size = at + need
            return at
        at, self.size = self.size, self.size + need
        return at

    def _carve(self, i: int, need: int) -> int:
        at = self.starts[i]
        if self.ends[i] - at == need:
            del self.starts[i], self.ends[i]
        else:
            self.starts[i] += need
        return at

    def free(self, at: int, nbytes: int) -> None:
        """Give `nbytes` at `at` back."""
        end = at + _rounded(nbytes)
        i = bisect.bisect(self.starts, at)
        self.starts.insert(i, at)
        self.ends.insert(i, end)
        if i + 1 < len(self.starts) and self.starts[i + 1] == end:
            self.ends[i] = self.ends[i + 1]
            del self.starts[i + 1], self.ends[i + 1]
        if i and self.ends[i - 1] == at:
            self.ends[i - 1] = self.ends[i]
            del self.starts[i], self.ends[i]


def _rounded(nbytes: int) -> int:
    return max(-(-nbytes // ALIGN) * ALIGN, ALIGN)
