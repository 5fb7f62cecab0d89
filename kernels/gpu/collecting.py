"""A device that only notes which kernels it would have to load.

Programs run on it as on any other, but nothing is launched and all memory is zero: so
what a program needs on a GPU of some target is known without one.
"""

from __future__ import annotations

import re
from typing import Any, Callable, Optional, Sequence

import numpy as np

from ...tracer.errors import DeviceError
from ..triton.kernel import Config, Kernel
from ..triton.native.ahead import carry, compile_all, mark_of
from ..triton.native.binary import Binary, pack, unpack
from .simulated import ALIGN, SimulatedDevice
from .streams import Launcher

__all__ = ["Collecting", "carry_packed", "packed_kernels"]


class Collecting(SimulatedDevice):
    """One for a target such as "sm_90"; `jobs` are the kernels, each once, in order.

    DeviceError for what is no target of this runtime.
    """

    def __init__(self, target: str):
        found = re.fullmatch(r"sm_(\d+)(\d)", target)
        if found is None:
            raise DeviceError(f"expected a target such as 'sm_90', got {target!r}")
        super().__init__(0, (int(found[1]), int(found[2])), 1 << 62)
        self.jobs: dict[tuple[Kernel, Config], None] = {}

    def load(
        self, kernel: Kernel, config: Config, binary: Optional[Binary]
    ) -> Launcher:
        """Note it."""
        self.jobs[kernel, config] = None
        return Silent()

    def _new_bytes(self, size: int) -> int:
        raw = np.zeros(size + ALIGN, np.uint8)
        ptr = -(-raw.ctypes.data // ALIGN) * ALIGN
        self._raw[ptr] = raw
        return ptr


class Silent(Launcher):
    """Launches nothing."""

    def __getitem__(self, grid: tuple[int, ...]) -> Callable[..., None]:
        """What does nothing."""
        return lambda *arguments: None


def packed_kernels(device: Collecting) -> dict[str, bytes]:
    """Machine code of all that was noted, packed, by what `mark_of` says of each.

    CompileError for the first that does not compile.
    """
    jobs = [*device.jobs]
    found: dict[str, bytes] = {}
    for job, binary in zip(jobs, compile_all(jobs, device.target)):
        if not isinstance(binary, Binary):
            raise binary
        found[mark_of(*job, device.target)] = pack(binary)
    return found


def carry_packed(kernels: Sequence[tuple[str, Any]]) -> None:
    """Use machine code from a file from now on. FormatError for what is damaged."""
    carry({mark: unpack(bytes(data)) for mark, data in kernels})
