"""Which GPUs there are: found once, and never an error."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import Iterator, Optional

from ...tracer.errors import DeviceError
from . import driver as door
from .cuda import CudaDevice
from .device import Device
from .simulated import SimulatedDevice

__all__ = ["devices", "get_device", "pretend", "simulated", "told", "why_none"]

_lock = threading.Lock()
_found: Optional[tuple[tuple[Device, ...], Optional[str]]] = None


def devices() -> tuple[Device, ...]:
    """The GPUs, by number; nothing without a driver. Too old ones say so (`unusable`).

    >>> isinstance(devices(), tuple)
    True
    """
    return _look()[0]


def why_none() -> Optional[str]:
    """Why there is no GPU to work with, for people; None when there is one."""
    found, reason = _look()
    if any(d.unusable is None for d in found):
        return None
    return reason or "; ".join(str(d.unusable) for d in found) or "there is no GPU"


def get_device(index: int = 0) -> Device:
    """The GPU of this number; DeviceError, with the reason, when it cannot be used."""
    found = devices()
    if not 0 <= index < len(found):
        reason = told() if found else why_none()
        raise DeviceError(f"no GPU cuda:{index}: {reason}")
    if found[index].unusable:
        raise DeviceError(f"cuda:{index}: {found[index].unusable}")
    return found[index]


def told() -> str:
    """How many GPUs there are, and their names: "there is 1: cuda:0 (NVIDIA H200)"."""
    found = devices()
    named = ", ".join(f"{d.label} ({d.name})" for d in found)
    return f"there {'is' if len(found) == 1 else 'are'} {len(found)}: {named}"


@contextmanager
def pretend(*others: Device) -> Iterator[None]:
    """These are the GPUs for a while: for tests."""
    global _found
    before, _found = _found, (others, None)
    try:
        yield
    finally:
        _found = before


def _look() -> tuple[tuple[Device, ...], Optional[str]]:
    global _found
    if _found is None:
        with _lock:
            _found = _found or _search()
    return _found


def _search() -> tuple[tuple[Device, ...], Optional[str]]:
    wanted = simulated()
    if wanted:
        return tuple(SimulatedDevice(i) for i in range(wanted)), None
    try:
        count = len(door.core.Device.get_all_devices())
        return tuple(CudaDevice(i) for i in range(count)), None
    except ImportError:
        return (), "cuda-core is not installed: pip install 'tracefuse[gpu]'"
    except Exception as error:  # the bindings raise all kinds when there is no driver
        return (), f"{type(error).__name__}: {error}"


def simulated() -> int:
    """How many GPUs to simulate: programs for one run, slowly, in host memory.

    ValueError when the environment's word is no number.
    """
    wanted = os.environ.get("TRACEFUSE_SIMULATE_GPU") or "0"
    if not wanted.isdigit():
        raise ValueError(
            f"TRACEFUSE_SIMULATE_GPU is how many GPUs to simulate, not {wanted!r}"
        )
    return int(wanted)
