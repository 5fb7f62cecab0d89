"""Compiled graphs on a device, for arrays that lie there and small ones that do not.

    run = program(device, graph).run

Numbers on the host (a learning rate, the words of a generator) are sent along. What
cannot be compiled runs as NumPy on copies, and says so once.
"""

from __future__ import annotations

import warnings
import weakref
from typing import Any, Sequence

import numpy as np

from ...tracer.elsewhere import Elsewhere
from ...tracer.errors import CompileError
from ...tracer.graph import Graph
from ..numpy import compile as numpy_compiler
from ..settings import settings
from ..triton.compile import compile
from .array import DeviceArray
from .cuda import CudaDevice
from .device import Device
from .machine import GpuMachine

__all__ = ["OnDevice", "machine_of", "program", "sent", "settings"]

KEPT = 1024  # numbers that a device remembers having been sent


_machines: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()
_sent: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


def machine_of(device: Device) -> GpuMachine:
    """The machine of a device with the settings as they are."""
    machines = _machines.setdefault(device, {})
    real, wanted = isinstance(device, CudaDevice), settings.timing
    key = (settings.precision, real if wanted is None else wanted)
    if key not in machines:
        machines[key] = GpuMachine(device, *key)
    return machines[key]


def program(device: Device, graph: Graph, donated: Sequence[int] = ()) -> OnDevice:
    """An executable for arrays on this device; kept by the machine."""
    machine = machine_of(device)
    try:
        return OnDevice(device, graph, compile(graph, machine, donated), donated)
    except CompileError as error:
        return OnDevice(device, graph, on_host(graph, donated, error), donated, True)


class OnDevice:
    """A compiled graph: `run(*arrays)` gives its outputs, donated buffers last.

    `source`, `kernels` and `slow` are the executable's. `fallen` says that it runs as
    NumPy, on copies.
    """

    def __init__(
        self,
        device: Device,
        graph: Graph,
        made: Any,
        donated: Any,
        fallen: bool = False,
    ):
        self.device, self.graph, self.made = device, graph, made
        self.donated, self.fallen = tuple(donated), fallen

    def __getattr__(self, name: str) -> Any:
        if name == "made":
            raise AttributeError(name)
        return getattr(self.made, name)

    def run(self, *arrays: Any) -> tuple:
        """The outputs, on the device."""
        device = self.device
        if self.fallen:
            return self._run_there(arrays)
        given = [
            a if type(a) is DeviceArray and a.device is device else sent(device, a)
            for a in arrays
        ]
        try:
            return self.made.run(*given)
        except CompileError as error:  # some are compiled at their first launch
            self.made = on_host(self.graph, self.donated, error)
            self.fallen = True
            return self._run_there(arrays)

    __call__ = run

    def _run_there(self, arrays: Sequence) -> tuple:
        count = len(self.graph.inputs)
        host = [a.numpy() if isinstance(a, Elsewhere) else a for a in arrays[:count]]
        spare = [np.empty(a.shape, a.dtype) for a in arrays[count:]]
        found = self.made(*host, *spare)
        outs = {id(a): out for a, out in zip(spare, arrays[count:])}
        return tuple(self.device.upload(a, outs.get(id(a))) for a in found)


def on_host(graph: Graph, donated: Sequence[int], error: CompileError) -> Any:
    """NumPy in place of what does not compile, with a warning; or the error."""
    if settings.strict:
        raise error
    lines = dict.fromkeys(v.line for v in graph.nodes() if v.line)
    where = f" ({', '.join([*lines][:3])})" if lines else ""
    warnings.warn(
        f"{graph.name}{where} runs as NumPy on copies of its tensors, since it does "
        f"not compile for the GPU: {error}",
        stacklevel=2,
    )
    return numpy_compiler.compile(graph, tuple(donated))


def sent(device: Device, array: Any) -> DeviceArray:
    """An array from elsewhere on the device. Single numbers are sent once and
    remembered."""
    array = array.numpy() if isinstance(array, DeviceArray) else np.asarray(array)
    if array.ndim or device.capturing:
        found = device.upload(array)
        if device.is_pinned(array) and not device.capturing:
            device.stream.synchronize()  # the caller may change it now
        return found
    known = _sent.setdefault(device, {})
    key = (device.lane, array.dtype, array.tobytes())
    if key not in known:
        while len(known) >= KEPT:
            del known[next(iter(known))]
        known[key] = device.upload(array)
    return known[key]
