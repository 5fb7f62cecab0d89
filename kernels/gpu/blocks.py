"""Segments of device memory, cut into blocks that split and merge.

Blocks up to 1 MiB share segments of 2 MiB; larger ones share segments of 20 MiB, and
from 10 MiB on each has a segment of its own: the classes of PyTorch's allocator.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import Any, Hashable, Iterator, Optional

__all__ = ["SMALL", "Block", "FreeBlocks", "Segment", "rounded", "segment_size"]

ALIGN = 512
MIB = 1 << 20
SMALL = MIB
SMALL_SEGMENT, LARGE_SEGMENT, ALONE = 2 * MIB, 20 * MIB, 10 * MIB


def rounded(size: int) -> int:
    """The size of the block for so many bytes.

    >>> rounded(0), rounded(4), rounded(513)
    (512, 512, 1024)
    """
    return max(-(-size // ALIGN), 1) * ALIGN


def segment_size(size: int) -> int:
    """How much to ask the driver for, when a block of this size is needed."""
    if size <= SMALL:
        return SMALL_SEGMENT
    if size < ALONE:
        return LARGE_SEGMENT
    return -(-size // (2 * MIB)) * 2 * MIB


class Segment:
    """What the driver gave in one piece, to one lane."""

    __slots__ = ("ptr", "size", "lane", "small", "first")

    def __init__(self, ptr: int, size: int, lane: Hashable, small: bool):
        self.ptr, self.size, self.lane, self.small = ptr, size, lane, small
        self.first = Block(self, ptr, size)

    def blocks(self) -> Iterator[Block]:
        """Its blocks, by address."""
        block: Optional[Block] = self.first
        while block is not None:
            yield block
            block = block.after


class Block:
    """A stretch of a segment, free or held. `label` tells people what it is for."""

    __slots__ = ("segment", "ptr", "size", "free", "before", "after", "label")

    def __init__(self, segment: Segment, ptr: int, size: int):
        self.segment, self.ptr, self.size, self.free = segment, ptr, size, False
        self.before: Optional[Block] = None
        self.after: Optional[Block] = None
        self.label: Any = None

    def split(self, size: int) -> Optional[Block]:
        """Keep `size` bytes; the rest as a new block, if it is worth having one."""
        rest = self.size - size
        if rest < ALIGN or (rest <= SMALL and not self.segment.small):
            return None
        tail = Block(self.segment, self.ptr + size, rest)
        tail.before, tail.after = self, self.after
        if self.after is not None:
            self.after.before = tail
        self.after, self.size = tail, size
        return tail

    def swallow(self) -> None:
        """Take in the block behind."""
        gone = self.after
        assert gone is not None
        self.size += gone.size
        self.after = gone.after
        if gone.after is not None:
            gone.after.before = self

    @property
    def whole(self) -> bool:
        """Whether it is all of its segment."""
        return self.before is None and self.after is None


class FreeBlocks:
    """The free blocks of each lane, by size: the best fit is found by bisection."""

    def __init__(self) -> None:
        self._lists: dict[Hashable, list[tuple[int, int, Block]]] = {}

    def add(self, block: Block) -> None:
        """It is free."""
        block.free, block.label = True, None
        found = self._lists.setdefault(self._key(block.segment), [])
        insort(found, (block.size, block.ptr, block))

    def remove(self, block: Block) -> None:
        """It is no longer."""
        block.free = False
        found = self._lists[self._key(block.segment)]
        del found[bisect_left(found, (block.size, block.ptr))]

    def take(self, size: int, lane: Hashable) -> Optional[Block]:
        """The smallest that holds `size` bytes, cut to size; None if there is none."""
        found = self._lists.get((lane, size <= SMALL))
        at = bisect_left(found, (size,)) if found else 0
        if not found or at == len(found):
            return None
        block = found.pop(at)[2]
        block.free = False
        return self.cut(block, size)

    def cut(self, block: Block, size: int) -> Block:
        """The block at this size; the rest is free."""
        rest = block.split(size)
        if rest is not None:
            self.add(rest)
        return block

    def give_back(self, block: Block) -> None:
        """Free it, together with its free neighbours."""
        before, after = block.before, block.after
        if after is not None and after.free:
            self.remove(after)
            block.swallow()
        if before is not None and before.free:
            self.remove(before)
            before.swallow()
            block = before
        self.add(block)

    def whole(self) -> list[Block]:
        """The free blocks that are whole segments."""
        return [b for found in self._lists.values() for *_, b in found if b.whole]

    def _key(self, segment: Segment) -> tuple[Hashable, bool]:
        return segment.lane, segment.small
