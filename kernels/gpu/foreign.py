"""Arrays of other libraries as DeviceArrays: same memory, no copy."""

from __future__ import annotations

from typing import Any

from ...tracer.errors import DeviceError
from .array import DeviceArray
from .device import Device
from .exchange import Foreign, describe, read_capsule

__all__ = ["from_cuda_array", "from_dlpack"]


def from_dlpack(device: Device, other: Any) -> DeviceArray:
    """An array that has `__dlpack__`, on this device; the last holder frees it.

    Work that is already given to the other library's stream comes before what is given
    to the current one from now on. DeviceError when it lies elsewhere.
    """
    where = tuple(int(n) for n in other.__dlpack_device__())
    if where != device.dlpack:
        raise DeviceError(f"{device!r} is {device.dlpack} to DLPack, the array {where}")
    device.flush()
    device.shares = True
    stream = device.stream.handle if where[0] != CPU else None
    memory, shape, strides, dtype, _ = read_capsule(_capsule(other, stream))
    return DeviceArray(device, memory, memory.ptr, shape, strides, dtype)


CPU = 1  # DLPack's number; there are no streams


def _capsule(other: Any, stream: Any) -> Any:
    """From producers of DLPack 1, which know versions, and from those before."""
    try:
        return other.__dlpack__(stream=stream, max_version=(1, 1))
    except TypeError:
        return other.__dlpack__(stream=stream)


def from_cuda_array(device: Device, other: Any) -> DeviceArray:
    """An array that has `__cuda_array_interface__`, on this device."""
    interface = other.__cuda_array_interface__
    if interface.get("mask") is not None:
        raise DeviceError("a masked array is no tensor")
    device.flush()
    device.shares = True
    ptr, shape, strides, dtype = describe(interface)
    if interface.get("stream"):
        device.follow(interface["stream"])
    return DeviceArray(device, Foreign(ptr, keep=other), ptr, shape, strides, dtype)
