"""Launches: everything is looked up once, so that a call only packs its arguments.

A kernel takes its own parameters, then hidden pointers, the first of them to scratch
memory for all its programs: 0 where none is needed.
"""

from __future__ import annotations

from math import prod
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Callable

import numpy as np

from ...tracer.errors import CompileError
from ..triton.native.binary import Binary
from . import driver as door
from .driver import checked
from .memory import readable
from .streams import Launcher

if TYPE_CHECKING:
    from .cuda import CudaDevice

__all__ = ["CudaLauncher"]

FREE_SHARED = 48 << 10  # more must be asked for
PACK: dict[str, Callable] = {
    **{"i1": np.bool_, "i8": np.int8, "i16": np.int16, "i32": np.int32},
    **{"i64": np.int64, "u32": np.uint32, "u64": np.uint64, "u8": np.uint8},
    **{"fp32": np.float32, "fp64": np.float64},
}


class CudaLauncher(Launcher):
    """A binary that the driver has taken."""

    def __init__(self, device: CudaDevice, binary: Binary):
        check_fits(device, binary)
        device.activate()
        code = door.core.ObjectCode.from_cubin(binary.code, name=binary.name)
        self.device, self.binary = device, binary
        self.kernel = code.get_kernel(binary.name)
        self.packs = tuple(map(_pack, binary.types))
        self.calls: dict[tuple[int, ...], Callable[..., None]] = {}
        if binary.shared > FREE_SHARED:
            self._ask_for_shared()

    def _ask_for_shared(self) -> None:
        which = door.driver.CUfunction_attribute
        most = which.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
        given = (self.binary.shared, self.kernel.handle, self.device.number)
        checked(door.driver.cuKernelSetAttribute(most, *given))

    def __getitem__(self, grid: tuple[int, ...]) -> Callable[..., None]:
        """What launches so many programs on the current stream."""
        found = self.calls.get(grid)
        if found is None:
            if len(self.calls) > 1000:  # sizes that never repeat
                self.calls.clear()
            found = self.calls[grid] = self._call(grid)
        return found

    def _call(self, grid: tuple[int, ...]) -> Callable[..., None]:
        if not prod(grid):
            return _nothing
        full = tuple(int(n) for n in (*grid, 1, 1)[:3])
        config = door.core.LaunchConfig(
            grid=full, block=self.binary.threads, shmem_size=self.binary.shared
        )
        if self.binary.scratch:
            return self._with_scratch(config, prod(grid))
        return self._plain(config)

    def _plain(self, config: Any) -> Callable[..., None]:
        device, kernel, launch = self.device, self.kernel, door.core.launch
        packs, count, hidden = self.packs, len(self.packs), (0,) * self.binary.hidden
        memory_only = all(type.startswith("*") for type in self.binary.types)
        thread, current = device._thread, door.current

        def call(*arguments: Any) -> None:
            if len(arguments) != count:
                self._complain(arguments)
            if current.device is not device:
                device.activate()
            try:
                core = thread.stream.core
            except AttributeError:
                core = device.stream.core  # type: ignore[attr-defined]
            if memory_only:  # the usual case, and cheaper
                launch(core, config, kernel, *[a.ptr for a in arguments], *hidden)
            else:
                given = [pack(a) for pack, a in zip(packs, arguments)]
                launch(core, config, kernel, *given, *hidden)

        return call

    def _with_scratch(self, config: Any, programs: int) -> Callable[..., None]:
        """Scratch memory is the stream's: it may go back as soon as this is queued."""
        device, size = self.device, self.binary.scratch * programs
        kernel, launch = self.kernel, door.core.launch
        rest = (0,) * (self.binary.hidden - 1)

        def call(*arguments: Any) -> None:
            if len(arguments) != len(self.packs):
                self._complain(arguments)
            device.activate()
            scratch = device.memory(size, f"scratch of {self.binary.name}")
            given = [pack(a) for pack, a in zip(self.packs, arguments)]
            stream: Any = device.stream
            launch(stream.core, config, kernel, *given, scratch.ptr, *rest)

        return call

    def _complain(self, arguments: tuple) -> None:
        wanted = f"{len(self.packs)} arguments ({', '.join(self.binary.types)})"
        raise TypeError(f"{self.binary.name} takes {wanted}, got {len(arguments)}")


def check_fits(device: Any, binary: Binary) -> None:
    """CompileError if the device cannot hold one block of it."""
    if not runs_on(binary.target, device.target):
        said = f"{binary.name} was compiled for {binary.target}"
        raise CompileError(f"{said}, {device.name} is {device.target}")
    if binary.shared > device.shared_limit:
        wants, has = readable(binary.shared), readable(device.shared_limit)
        said = f"{binary.name} wants {wants} of shared memory in a block"
        raise CompileError(f"{said}, {device.name} has {has}")


def runs_on(target: str, device: str) -> bool:
    """Whether code for one target runs on a device that is another.

    From sm_90 on, the code uses what only its own target has.

    >>> runs_on("sm_80", "sm_86"), runs_on("sm_86", "sm_80"), runs_on("sm_90", "sm_100")
    (True, False, False)
    """
    old = target.startswith("sm_8") and device.startswith("sm_8")
    return target == device or (old and target <= device)


def _pack(type: str) -> Callable:
    """What turns an argument into what the driver is given: addresses are ints."""
    if type.startswith("*"):
        return attrgetter("ptr")
    found = PACK.get(type)
    if found is None:
        raise CompileError(f"no launch can give a parameter of type {type}")
    return found


def _nothing(*arguments: Any) -> None:
    """No programs, no work."""
