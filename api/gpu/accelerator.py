"""`tracefuse.accelerator`: programs that do not say which kind of GPU they mean.

All names and meanings are PyTorch's. The accelerator is "cuda" where there is a GPU;
without one, asking is no error and using it is a RuntimeError (DeviceError).

>>> current_accelerator() is None or is_available()
True
"""

from __future__ import annotations

from typing import Any, Optional

from ...tracer.types import DTYPES
from .. import cuda
from ..device import device
from . import memory, streams
from .memory import empty_cache

__all__ = ["current_accelerator", "current_device_idx", "current_device_index"]
__all__ += ["current_stream", "device_count", "device_index", "empty_cache"]
__all__ += ["get_device_capability", "get_memory_info", "is_available"]
__all__ += ["max_memory_allocated", "max_memory_reserved", "memory_allocated"]
__all__ += ["memory_reserved", "memory_stats", "reset_peak_memory_stats"]
__all__ += ["set_device_idx", "set_device_index", "set_stream", "synchronize"]

is_available, device_count = cuda.is_available, cuda.device_count
current_device_index = current_device_idx = cuda.current_device
set_device_index = set_device_idx = cuda.set_device
synchronize, device_index = cuda.synchronize, cuda.device
current_stream, set_stream = streams.current_stream, streams.set_stream
get_memory_info, memory_stats = memory.mem_get_info, memory.memory_stats
memory_allocated, memory_reserved = memory.memory_allocated, memory.memory_reserved
max_memory_allocated = memory.max_memory_allocated
max_memory_reserved = memory.max_memory_reserved
reset_peak_memory_stats = memory.reset_peak_memory_stats


def current_accelerator(check_available: bool = False) -> Optional[device]:
    """`device("cuda")`, which has no number; None where there is no GPU.

    PyTorch's argument makes no difference: nothing is built for one kind of GPU.
    """
    return device("cuda") if cuda.is_available() else None


def get_device_capability(device: Any = None) -> dict[str, Any]:
    """The element types that tensors on it may have, under "supported_dtypes"."""
    cuda.found(device)
    return {"supported_dtypes": set(DTYPES.values())}
