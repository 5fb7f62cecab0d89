"""A device as the machine that runs whole programs (`triton.compile.Machine`)."""

from __future__ import annotations

from typing import Any, Callable, Optional, Sequence

import numpy as np

from ...tracer.graph import Value
from ...tracer.ops import OPS
from ...tracer.types import DTYPES
from ..triton.kernel import Config, Kernel
from ..triton.native.ahead import compile_all
from .array import DeviceArray
from .cuda import CudaDevice
from .device import Device
from .solid import solid
from .tuning import choose, grid_of

__all__ = ["GpuMachine"]


class GpuMachine:
    """Programs on one device.

    `timing` lets kernels with several configurations be timed at their first launch;
    without it the choice is the same every time. `precision` is that of float32
    products, "ieee" or "tf32".
    """

    def __init__(self, device: Device, precision: str = "ieee", timing: bool = False):
        self.device, self.precision, self.timing = device, precision, timing
        self.name = f"cuda:{device.index}"
        self.programs: dict = {}
        self._flag: Optional[DeviceArray] = None
        self._told: Optional[np.ndarray] = None

    def prepare(self, kernels: Sequence[Kernel]) -> None:
        """Compile what these need, several at once; errors come with the launchers."""
        if isinstance(self.device, CudaDevice):
            jobs = [(k, c) for k in kernels for c in self._candidates(k)]
            compile_all(jobs, self.device.target)

    def _candidates(self, kernel: Kernel) -> Sequence:
        return kernel.choices(self.device.target)[: None if self.timing else 1]

    def launcher(self, kernel: Kernel) -> Callable[..., None]:
        """What starts a kernel, given its arrays and sizes.

        CompileError, here or at the first launch, when no configuration can be used.
        """
        if kernel.sizes:
            return self._sized(kernel)
        if self.timing and len(kernel.configs) > 1:
            return self._timed(kernel)
        config = choose(kernel, self.device, ())
        return self._run(kernel, config)

    def _run(self, kernel: Kernel, config: Config) -> Callable[..., None]:
        grid = grid_of(kernel, config, None, self.device.multiprocessors)
        return self.device.launcher(kernel, config)[grid]

    def _timed(self, kernel: Kernel) -> Callable[..., None]:
        run: Optional[Callable[..., None]] = None

        def launch(*arguments: Any) -> None:
            nonlocal run
            if run is None:
                clock = not self.device.capturing
                config = choose(kernel, self.device, arguments, clock)
                run = self._run(kernel, config)
            run(*arguments)

        return launch

    def _sized(self, kernel: Kernel) -> Callable[..., None]:
        """Sizes come as arguments: the grid is another at every call."""
        config = choose(kernel, self.device, ())
        launcher = self.device.launcher(kernel, config)
        names = enumerate(p.name for p in kernel.params)
        places = [(n, name) for n, name in names if name in kernel.sizes]

        def launch(*arguments: Any) -> None:
            sizes = {name: int(arguments[n]) for n, name in places}
            grid = grid_of(kernel, config, sizes, self.device.multiprocessors)
            launcher[grid](*arguments)

        return launch

    def with_values(self, kernel: Kernel, values: dict) -> Callable[..., None]:
        """What starts a kernel whose last parameters are these, by name.

        CompileError when its first configuration cannot be used.
        """
        device, extra = self.device, tuple(values.values())
        choose(kernel, device, ())
        run: Optional[Callable[..., None]] = None

        def launch(*arrays: Any) -> None:
            nonlocal run
            if run is None:
                clock = self.timing and not device.capturing
                config = choose(kernel, device, (*arrays, *extra), clock)
                grid = grid_of(kernel, config, values, device.multiprocessors)
                run = device.launcher(kernel, config)[grid]
            run(*arrays, *extra)

        return launch

    def empty(self, shape: tuple, dtype: str) -> DeviceArray:
        """A fresh array."""
        return self.device.empty(shape, DTYPES[dtype].np)

    def solid(self, array: DeviceArray) -> DeviceArray:
        """The array as kernels want it: contiguous, aligned to 16 bytes."""
        return solid(self.device, array)

    def host(self, v: Value) -> Callable[..., None]:
        """What runs a primitive by its meaning, on copies in host memory."""
        meaning, attrs, device = OPS[v.op].meaning, v.attrs, self.device

        def run(*arrays: DeviceArray) -> None:
            *inputs, out = arrays
            found = meaning(*map(self.read, inputs), **attrs)
            device.upload(np.asarray(found, out.dtype).reshape(out.shape), out)

        return run

    def read(self, array: DeviceArray) -> np.ndarray:
        """The array in host memory, once it is computed."""
        if not isinstance(array, DeviceArray):  # a number that came from there
            return np.asarray(array)
        return self.device.download(array)

    def copy(self, out: DeviceArray, array: DeviceArray) -> None:
        """Write one array to another of its shape."""
        self.device.copy(out, array)

    def flag(self) -> DeviceArray:
        """An int32 that kernels set to 1 when an index is out of bounds.

        One for all programs: it stays set until somebody looks.
        """
        if self._flag is None:
            self._told = self.device.pinned((1,), np.int32)
            self._told[0] = 0
            self._flag = self.device.empty((1,), np.int32, "flag of index checks")
            self.device.upload(self._told, self._flag)
        return self._flag

    def check(self, flag: DeviceArray) -> None:
        """IndexError if the flag was set: raised when the device is next waited for."""
        self.device.download(flag, self._told, wait=False)
        self.device.checks[self._complain] = None

    def _complain(self) -> None:
        if self._told is not None and self._told[0]:
            self._told[0] = 0
            self.device.upload(self._told, self._flag)
            raise IndexError("an index is out of bounds")
