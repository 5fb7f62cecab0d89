"""What the NVIDIA driver says of itself; no context is made, no memory taken."""

from __future__ import annotations

import ctypes
import sys
from dataclasses import dataclass, field
from typing import Any, Optional

__all__ = ["Driver", "driver"]

_COMPUTE_CAPABILITY = (75, 76)  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, _MINOR


@dataclass
class Driver:
    """The version of CUDA that the driver supports, and a line for each device."""

    version: str
    devices: list[str] = field(default_factory=list)


def driver(library: Optional[Any] = None) -> Optional[Driver]:
    """Ask the driver library (by default the system's); None without a driver."""
    try:
        library = library or ctypes.CDLL(_library_name())
    except OSError:
        return None
    if library.cuInit(0) != 0:
        return Driver("found, but it does not start (cuInit failed)")
    number = _ask(library.cuDriverGetVersion)
    found = Driver(f"CUDA {number // 1000}.{number % 1000 // 10}")
    count = _ask(library.cuDeviceGetCount)
    found.devices = [_device(library, index) for index in range(count)]
    return found


def _library_name() -> str:
    return "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"


def _ask(function: Any, *arguments: Any) -> int:
    number = ctypes.c_int()
    status = function(ctypes.byref(number), *arguments)
    return number.value if status == 0 else 0


def _device(library: Any, index: int) -> str:
    device = _ask(library.cuDeviceGet, index)
    name = ctypes.create_string_buffer(256)
    library.cuDeviceGetName(name, len(name), device)
    size = ctypes.c_size_t()
    library.cuDeviceTotalMem_v2(ctypes.byref(size), device)
    major, minor = (
        _ask(library.cuDeviceGetAttribute, which, device)
        for which in _COMPUTE_CAPABILITY
    )
    gigabytes = size.value / 2**30
    return f"{name.value.decode()}, {gigabytes:.0f} GiB, sm_{major}{minor}"
