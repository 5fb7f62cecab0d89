"""The memory that an interpreted kernel may touch: its arguments, and nothing else."""

from __future__ import annotations

import numpy as np

__all__ = ["Memory"]


class Memory:
    """Arrays by name and address.

    >>> memory = Memory()
    >>> start = memory.add("x", np.zeros(4, np.float32))
    >>> places = np.array([start + 12, start + 16], np.uint64)
    >>> memory.check("loads", (0, 0, 0), places, np.array([True, False]), 4)
    >>> memory.check("loads", (0, 0, 0), places, np.array([True, True]), 4)
    Traceback (most recent call last):
        ...
    IndexError: program (0, 0, 0) loads 4 bytes at byte 16 of x, which has 16
    """

    def __init__(self) -> None:
        self.arrays: list[tuple[int, int, str, np.ndarray]] = []

    def add(self, name: str, x: np.ndarray) -> int:
        """The address of an array that may be touched from now on."""
        if not x.flags.c_contiguous:
            raise ValueError(f"{name} must be C-contiguous, got strides {x.strides}")
        start = x.ctypes.data
        self.arrays.append((start, start + x.nbytes, name, x))
        return start

    def check(
        self, verb: str, program: tuple, at: np.ndarray, mask: np.ndarray, size: int
    ) -> None:
        """IndexError unless all addresses that the mask lets through are inside."""
        if not mask.all():
            at, mask = np.broadcast_arrays(at, mask)
            at = at[mask]
        if not at.size:
            return
        low, high = int(at.min()), int(at.max()) + size
        if any(s <= low and high <= e for s, e, _, _ in self.arrays):
            return
        inside = np.zeros(at.shape, bool)
        for start, end, _, _ in self.arrays:
            # Python integers may not wrap round: the last address is `end - size`.
            if end - start >= size:
                inside |= (at >= np.uint64(start)) & (at <= np.uint64(end - size))
        if not inside.all():
            bad = int(at[~inside].flat[0])
            said = f"program {program} {verb} {size} bytes"
            raise IndexError(f"{said} at {self.place(bad)}")

    def place(self, address: int) -> str:
        """An address in words: the array that is nearest, and where in it."""
        if not self.arrays:
            return f"address {address}: the kernel has no arrays"
        ends = ((min(abs(a[0] - address), abs(a[1] - address)), a) for a in self.arrays)
        start, end, name, _ = min(ends, key=lambda pair: pair[0])[1]
        return f"byte {address - start} of {name}, which has {end - start}"
