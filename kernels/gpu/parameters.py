"""Numbers of the host that a captured program reads.

A CUDA graph has the arguments of its kernels in it, as they were when it was captured:
a learning rate among them would stay what it was. So such numbers lie in memory of the
device, at places that never change, and all of them go there in one copy, which is
made before a replay and only when one of them is another.
"""

from __future__ import annotations

from typing import Sequence

import numpy as np

from .array import DeviceArray
from .device import Device

__all__ = ["Parameters"]

APART = 16  # bytes: kernels want arrays that begin at a multiple


class Parameters:
    """Room on a device for arrays like these; `views` are the arrays there."""

    def __init__(self, device: Device, arrays: Sequence[np.ndarray]):
        ends = np.cumsum([-(-max(a.nbytes, 1) // APART) * APART for a in arrays])
        begins = [0, *ends[:-1].tolist()]
        self.device = device
        self.here = np.zeros(ends[-1], np.uint8)
        self.there = device.empty(self.here.shape, np.uint8, "numbers of a graph")
        self.slots, self.views = [], []
        for at, a in zip(begins, arrays):
            raw = self.here[at : at + a.nbytes]
            self.slots.append(raw.view(a.dtype).reshape(a.shape))
            ptr = self.there.ptr + at
            own = DeviceArray(device, self.there.memory, ptr, a.shape, None, a.dtype)
            self.views.append(own)
        self.sent = b""

    def write(self, arrays: Sequence[np.ndarray]) -> None:
        """These numbers are meant from here on, in the current stream."""
        for slot, array in zip(self.slots, arrays):
            slot[...] = array
        now = self.here.tobytes()
        if now != self.sent:  # ordinary memory is read before the copy returns
            self.device.copy_in(self.there.ptr, self.here)
            self.sent = now
