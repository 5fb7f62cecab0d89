"""One primitive on arrays of a device: a graph of one node, compiled once.

Programs are found again by primitive, attributes, shapes and types. Python numbers are
inputs, so that another number is no other program.
"""

from __future__ import annotations

import weakref
from typing import Any, Callable, Optional, Sequence

from ...tracer.elsewhere import common_device
from ...tracer.graph import Graph, Value, here, make, placeholder
from ...tracer.structure import freeze_attrs
from ...tracer.types import BY_NUMPY, DType
from ...tracer.where import user_line
from .array import DeviceArray
from .device import Device
from .pending import defers, piece_of, pointwise_of
from .programs import machine_of, program

__all__ = ["compute", "pointwise"]

KEPT = 8192  # programs remembered for each machine
_ready: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


def compute(
    op: str, arrays: Sequence, attrs: dict, device: Optional[Device] = None
) -> DeviceArray:
    """A primitive on arrays that fit it; sources need to be told the device.

    DeviceError when they lie on several devices.
    """
    here_ = device or common_device(arrays)
    key = (op, freeze_attrs(attrs), _kinds(arrays))
    run = _find(here_, key, lambda inputs: make(op, tuple(inputs), **attrs), arrays)
    return run(*arrays)[0]


def pointwise(op: str, arrays: Sequence, dtypes: Sequence[DType]) -> DeviceArray:
    """A pointwise primitive on arrays that are first cast and broadcast."""
    device: Any = common_device(arrays)
    dtypes = tuple(dtypes)
    if defers(device):
        with device.order:
            return piece_of(device).add(op, arrays, dtypes)

    def build(inputs: list) -> Value:
        return pointwise_of(op, inputs, dtypes)

    key = (op, dtypes, _kinds(arrays))
    return _find(device, key, build, arrays)(*arrays)[0]


def _kinds(arrays: Sequence) -> tuple:
    return tuple([(a.shape, a.dtype) for a in arrays])


def _find(
    device: Any, key: tuple, build: Callable[[list], Value], arrays: Sequence
) -> Callable[..., tuple]:
    known = _ready.setdefault(machine_of(device), {})
    run = known.get(key)
    if run is None:
        while len(known) >= KEPT:
            del known[next(iter(known))]
        run = known[key] = program(device, _graph(key[0], build, arrays)).run
    return run


def _graph(op: str, build: Callable[[list], Value], arrays: Sequence) -> Graph:
    before, here.line = here.line, user_line()
    try:
        inputs = [
            placeholder(f"x{n}", a.shape, BY_NUMPY[a.dtype])
            for n, a in enumerate(arrays)
        ]
        return Graph(op, inputs, [build(inputs)])
    finally:
        here.line = before
