"""Copies between memories, whatever the layouts, types and devices."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...tracer.elsewhere import Elsewhere
from ...tracer.types import BY_NUMPY
from .array import DeviceArray, span
from .device import Device
from .eager import compute
from .solid import solid, spread

__all__ = ["compute", "converted", "copied", "copy_into", "moved", "zeros"]


def copied(array: DeviceArray) -> DeviceArray:
    """The same numbers in contiguous memory of their own."""
    device = array.device
    out = device.empty(array.shape, array.dtype)
    device.copy(out, solid(device, array))
    return out


def zeros(device: Device, shape: tuple, dtype: np.dtype) -> DeviceArray:
    """An array full of zeros."""
    out = device.empty(shape, dtype)
    if out.nbytes:
        device.fill(out.ptr, 0, out.nbytes)
    return out


def converted(array: DeviceArray, dtype: np.dtype) -> DeviceArray:
    """The same numbers in another element type."""
    return compute("cast", [array], {"dtype": BY_NUMPY[dtype]})


def moved(array: Any, device: Any, wait: bool = True) -> Any:
    """The numbers of an array on a device, or (None) in host memory; itself where it
    is there already. Without `wait`, pinned memory may still be read afterwards."""
    if isinstance(array, Elsewhere):
        if array.device is device:
            return array
        array = array.numpy()  # type: ignore[attr-defined]
    return array if device is None else _uploaded(array, device, wait)


def _uploaded(array: np.ndarray, device: Device, wait: bool) -> DeviceArray:
    found = device.upload(array)
    if wait and device.is_pinned(array):
        device.stream.synchronize()
    return found


def copy_into(out: Any, source: Any, casting: str = "unsafe") -> None:
    """`np.copyto`, where at least one of the two lies on a device."""
    if not isinstance(out, DeviceArray):
        np.copyto(out, source.numpy(), casting="unsafe")
        return
    device = out.device
    device.flush()  # what waits reads what is there now
    source = _there(device, source, out)
    if source.shape != out.shape:
        if np.broadcast_shapes(source.shape, out.shape) != out.shape:
            raise ValueError(f"{source.shape} cannot be broadcast to {out.shape}")
        source = source.expand(out.shape)
    if _overlap(out, source):
        source = copied(source)
    if out.contiguous:
        device.copy(out, solid(device, source))
    else:
        spread(device, out, solid(device, source))


def _there(device: Device, source: Any, like: DeviceArray) -> DeviceArray:
    """The source on the device, in the type of `like`."""
    if not isinstance(source, DeviceArray):
        with np.errstate(all="ignore"):
            return device.upload(np.asarray(source).astype(like.dtype))
    if source.device is not device:
        source = device.upload(source.numpy())
    return source if source.dtype == like.dtype else converted(source, like.dtype)


def _overlap(a: DeviceArray, b: DeviceArray) -> bool:
    if a.memory is not b.memory or a.device is not b.device or not a.size:
        return False
    (low, size), (other, length) = span(a), span(b)
    return low < other + length and other < low + size
