"""Compiled graphs on a device, for arrays that lie there and small ones that do not.

    run = program(device, graph).run

Numbers on the host (a learning rate, the words of a generator) are sent along. What
cannot be compiled runs as NumPy on copies, and says so once.
"""

from __future__ import annotations

import threading
import warnings
import weakref
from contextlib import contextmanager
from functools import cached_property
from typing import Any, Callable, Iterator, Optional, Sequence

import numpy as np

from ...tracer.elsewhere import Elsewhere
from ...tracer.errors import CompileError
from ...tracer.graph import Graph
from ..numpy import compile as numpy_compiler
from ..settings import settings
from ..triton import numbers
from ..triton.compile import compile
from .array import DeviceArray
from .cuda import CudaDevice
from .device import Device
from .machine import GpuMachine
from .watching import watching

__all__ = ["OnDevice", "instead", "machine_of", "made_by", "program", "sent"]
__all__ += ["settings"]

KEPT = 1024  # numbers that a device remembers having been sent


_machines: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()
_sent: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


class _Instead(threading.local):
    """What makes an executable for host arrays in place of Triton, in this thread."""

    make: Optional[Callable[[Graph], Any]] = None


instead = _Instead()


@contextmanager
def made_by(make: Callable[[Graph], Any]) -> Iterator[None]:
    """In here, all on a device is computed by `make(graph)` on copies on the host.

    So Triton's kernels are compared with something that shares nothing with them.
    """
    before, instead.make = instead.make, make
    try:
        yield
    finally:
        instead.make = before


def machine_of(device: Device) -> GpuMachine:
    """The machine of a device with the settings as they are."""
    machines = _machines.setdefault(device, {})
    real, wanted = isinstance(device, CudaDevice), settings.timing
    options = (settings.precision, real if wanted is None else wanted)
    key = (*options, instead.make)
    if key not in machines:
        machines[key] = GpuMachine(device, *options)
    return machines[key]


def program(device: Device, graph: Graph, donated: Sequence[int] = ()) -> OnDevice:
    """An executable for arrays on this device, compiled when it is first used."""
    if instead.make is not None:
        return OnDevice(device, graph, donated, instead.make(graph))
    return OnDevice(device, graph, donated)


class OnDevice:
    """A compiled graph: `run(*arrays)` gives its outputs, donated buffers last.

    There is one executable for each choice of inputs that come as numbers of the host.
    `source`, `kernels` and `slow` are those of the last. `fallen` says that it runs as
    NumPy, on copies: by `made`, or since it did not compile.
    """

    def __init__(
        self, device: Device, graph: Graph, donated: Sequence[int], made: Any = None
    ):
        self.device, self.graph, self.donated = device, graph, tuple(donated)
        self.fallen, self._last = made is not None, made
        self._machine = machine_of(device)  # with the settings as they are now
        self._plain: Any = None  # for arrays that all lie there
        self._others: dict[tuple, Any] = {}

    def __getattr__(self, name: str) -> Any:
        if name[:1] == "_":
            raise AttributeError(name)
        return getattr(self.made, name)

    @property
    def made(self) -> Any:
        """What ran last; compiled for arrays that lie there if nothing did."""
        if self._last is None:
            try:
                self._compile(())
            except CompileError as error:
                self._fall(error)
        return self._last

    def run(self, *arrays: Any) -> tuple:
        """The outputs, on the device."""
        if self.device.waiting:
            self.device.flush()
        if watching.program is not None:
            return watching.program(self, self._run, arrays)
        return self._run(arrays)

    __call__ = run

    def _run(self, arrays: tuple) -> tuple:
        if self.fallen:
            return self._run_there(arrays)
        there = self.device
        try:
            for a in arrays:
                if type(a) is not DeviceArray or a.device is not there:
                    return self._run_beside(arrays)
            return (self._plain or self._compile(())).run(*arrays)
        except CompileError as error:  # some are compiled at their first launch
            self._fall(error)
            return self._run_there(arrays)

    def _run_beside(self, arrays: tuple) -> tuple:
        """With arrays of the host: numbers go along with a launch, all else before."""
        given, places, device = [], [], self.device
        for n, a in enumerate(arrays):
            if type(a) is DeviceArray and a.device is device:
                given.append(a)
            elif type(a) is np.ndarray and n in self._fit and not device.capturing:
                given.append(spelled(a))
                places.append(n)
            else:
                given.append(sent(device, a))
        chosen = tuple(places)
        made = self._others.get(chosen) if chosen else self._plain
        return (made or self._compile(chosen)).run(*given)

    @cached_property
    def _fit(self) -> frozenset[int]:
        return numbers.fit(self.graph)

    def _compile(self, places: tuple[int, ...]) -> Any:
        """The executable for which the inputs at these places are numbers."""
        graph = numbers.with_numbers(self.graph, places) if places else self.graph
        found = self._last = compile(graph, self._machine, self.donated)
        if places:
            self._others[places] = found
        else:
            self._plain = found
        return found

    def _fall(self, error: CompileError) -> None:
        self._last = on_host(self.graph, self.donated, error)
        self.fallen = True

    def _run_there(self, arrays: Sequence) -> tuple:
        count = len(self.graph.inputs)
        host = [a.numpy() if isinstance(a, Elsewhere) else a for a in arrays[:count]]
        spare = [np.empty(a.shape, a.dtype) for a in arrays[count:]]
        found = self._last(*host, *spare)
        outs = {id(a): out for a, out in zip(spare, arrays[count:])}
        return tuple(self.device.upload(a, outs.get(id(a))) for a in found)


def spelled(array: np.ndarray) -> Any:
    """A number as kernels take it: half types as float32."""
    number = array[()]
    return np.float32(number) if array.dtype.itemsize == 2 else number


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
