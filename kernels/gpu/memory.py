"""A caching pool of device memory, ordered by streams, with PyTorch's statistics.

Asking a driver for memory stops the device, so what comes back is kept and given again:
at once, but only on the *lane* (a stream, or a captured graph) where it was used, since
there whatever still runs with it comes first. What another stream used too waits until
that stream has passed an event.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, replace
from typing import Any, Hashable, Iterator, Optional, Protocol

from ...tracer.errors import OutOfMemoryError
from .blocks import SMALL, Block, FreeBlocks, Segment, rounded, segment_size

__all__ = ["Memory", "Pool", "Source", "Statistics", "described", "readable"]


class Source(Protocol):
    """Where a pool gets its segments: a device."""

    def raw_allocate(self, size: int) -> Optional[int]:
        """The address of new memory; None when there is not enough."""

    def raw_free(self, ptr: int) -> None:
        """Take a segment back, once what runs has ended."""

    def free_memory(self) -> tuple[int, int]:
        """Bytes that are free, and bytes in all."""


class Memory:
    """Holds a block: when nobody holds the Memory, the pool has the block again.

    `__del__` may run in any thread and in the midst of any call of ours, so all it
    does is to put the block on a queue.
    """

    __slots__ = ("pool", "block", "ptr", "size", "streams", "__weakref__")

    def __init__(self, pool: Pool, block: Block):
        self.pool, self.block, self.ptr, self.size = pool, block, block.ptr, block.size
        self.streams: tuple = ()

    def used_on(self, stream: Any) -> None:
        """Another stream works with it: it is not given again before that is done."""
        if stream not in self.streams:
            self.streams += (stream,)

    def __del__(self) -> None:
        self.pool.returned.append((self.block, self.streams))


@dataclass
class Statistics:
    """Bytes, by PyTorch's names; `allocations` and `segments` count calls so far."""

    allocated: int = 0
    reserved: int = 0
    max_allocated: int = 0
    max_reserved: int = 0
    allocations: int = 0
    segments: int = 0


class Pool:
    """The memory of one device; any thread may use it."""

    def __init__(self, source: Source, name: str):
        self.source, self.name = source, name
        self.returned: deque[tuple[Block, tuple]] = deque()
        self.over: deque[tuple[Hashable, Hashable]] = deque()
        self._figures = Statistics()
        self._lock = threading.Lock()
        self._free = FreeBlocks()
        self._quick: dict[tuple[Hashable, int], list[Block]] = {}
        self._segments: dict[int, Segment] = {}
        self._waiting: list[tuple[Block, list]] = []

    def allocate(self, size: int, lane: Hashable = None, label: Any = None) -> Memory:
        """`size` bytes, aligned to 512; OutOfMemoryError when they are not to be had.

        `label` says what it is, should memory run out.
        """
        wanted = rounded(size)
        with self._lock:
            if self.returned or self._waiting or self.over:
                self._collect()
            quick = self._quick.get((lane, wanted))
            block = quick.pop() if quick else self._find(wanted, lane, size, label)
            block.label = label
            f = self._figures
            f.allocations += 1
            f.allocated += block.size
            if f.allocated > f.max_allocated:
                f.max_allocated = f.allocated
        return Memory(self, block)

    def statistics(self) -> Statistics:
        """The figures as they are now."""
        with self._lock:
            self._collect()
            return replace(self._figures)

    def reset_peak(self) -> None:
        """Both peaks begin anew."""
        with self._lock:
            self._collect()
            f = self._figures
            f.max_allocated, f.max_reserved = f.allocated, f.reserved

    def empty_cache(self) -> int:
        """Give the driver back what nobody uses; how many bytes that was."""
        with self._lock:
            self._collect(wait=True)
            return self._empty()

    def dissolve(self, lane: Hashable, into: Hashable) -> None:
        """A lane is over (a graph is gone): another has its memory from now on.

        Like a block that comes back, it is only put on a queue.
        """
        self.over.append((lane, into))

    def held(self) -> list[Block]:
        """The blocks in use, the largest first."""
        with self._lock:
            self._collect()
            return self._held()

    def _held(self) -> list[Block]:
        self._merge_quick()
        every = (b for s in self._segments.values() for b in s.blocks())
        return sorted((b for b in every if not b.free), key=lambda b: -b.size)

    def _collect(self, wait: bool = False) -> None:
        """Take in what has come back."""
        while self.returned:
            block, streams = self.returned.popleft()
            self._figures.allocated -= block.size
            events = [s.record() for s in streams]
            if events:
                self._waiting.append((block, events))
            else:
                self._give_back(block)
        if self._waiting:
            self._waiting = list(self._not_ready(wait))
        while self.over:
            self._merge(*self.over.popleft())

    def _merge(self, lane: Hashable, into: Hashable) -> None:
        self._merge_quick()
        for segment in [s for s in self._segments.values() if s.lane == lane]:
            free = [b for b in segment.blocks() if b.free]
            for block in free:
                self._free.remove(block)
            segment.lane = into
            for block in free:
                self._free.add(block)

    def _not_ready(self, wait: bool) -> Iterator[tuple[Block, list]]:
        for block, events in self._waiting:
            if wait:
                for event in events:
                    event.synchronize()
            if all(event.query() for event in events):
                self._give_back(block)
            else:
                yield block, events

    def _give_back(self, block: Block) -> None:
        """Programs ask for the same sizes again and again: keep it as it is."""
        block.label = None
        self._quick.setdefault((block.segment.lane, block.size), []).append(block)

    def _merge_quick(self) -> None:
        for blocks in self._quick.values():
            for block in blocks:
                self._free.give_back(block)
        self._quick.clear()

    def _find(self, size: int, lane: Hashable, asked: int, label: Any) -> Block:
        """No block of this very size is there: another, cut to size, or a new one."""
        found = self._free.take(size, lane)
        if found is None and self._quick:
            self._merge_quick()
            found = self._free.take(size, lane)
        return found or self._grow(size, lane, asked, label)

    def _grow(self, size: int, lane: Hashable, asked: int, label: Any) -> Block:
        """A new segment, if need be after all that is not in use was given back."""
        wanted = segment_size(size)
        ptr = self.source.raw_allocate(wanted)
        if ptr is None:
            self._collect(wait=True)
            self._empty()
            ptr = self.source.raw_allocate(wanted)
        if ptr is None and wanted > size:
            wanted = size
            ptr = self.source.raw_allocate(wanted)
        if ptr is None:
            raise OutOfMemoryError(self._complaint(asked, label))
        segment = Segment(ptr, wanted, lane, size <= SMALL)
        self._segments[ptr] = segment
        self._reserve(wanted)
        return self._free.cut(segment.first, size)

    def _reserve(self, size: int) -> None:
        f = self._figures
        f.segments += 1
        f.reserved += size
        f.max_reserved = max(f.max_reserved, f.reserved)

    def _empty(self) -> int:
        self._merge_quick()
        gone = self._free.whole()
        for block in gone:
            self._free.remove(block)
            del self._segments[block.ptr]
            self.source.raw_free(block.ptr)
        size = sum(block.size for block in gone)
        self._figures.reserved -= size
        return size

    def _complaint(self, asked: int, label: Any) -> str:
        free, total = self.source.free_memory()
        f = self._figures
        held = self._held()
        lines = (f"\n  {readable(b.size)}: {described(b.label)}" for b in held[:5])
        most = "".join(lines)
        return (
            f"{self.name} is out of memory: {readable(asked)} were asked for "
            f"({described(label)}), "
            f"{readable(free)} of {readable(total)} are free. "
            f"tracefuse holds {readable(f.reserved)}, of which {readable(f.allocated)} "
            f"in {len(held)} block{'s' * (len(held) != 1)} are in use"
            + (f"; the largest:{most}" if most else "")
        )


def described(label: Any) -> str:
    """What a block is for: a text, or shape, element type and the user's line."""
    if isinstance(label, tuple):
        shape, dtype, *lines = label
        return f"{dtype.name}{list(shape)}" + "".join(f" of {n}" for n in lines if n)
    return label or "?"


def readable(size: int) -> str:
    """A number of bytes for people.

    >>> readable(3 << 29), readable(512)
    ('1.50 GiB', '512 bytes')
    """
    for power, unit in ((30, "GiB"), (20, "MiB"), (10, "KiB")):
        if size >= 1 << power:
            return f"{size / (1 << power):.2f} {unit}"
    return f"{size} bytes"
