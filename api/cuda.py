"""`tracefuse.cuda`: which GPUs there are, and which of them is meant.

Without one, asking is no error; using one is (DeviceError). All names and meanings are
PyTorch's.

>>> is_available() == (device_count() > 0)
True
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ..tracer.errors import OutOfMemoryError
from .device import device as named_device
from .device import place, where
from .place import discover, making
from .tensor import Tensor

__all__ = ["is_available", "device_count", "current_device", "get_device_name"]
__all__ += ["get_device_capability", "get_device_properties", "set_device", "device"]
__all__ += ["device_of", "synchronize", "init", "is_initialized", "ipc_collect"]
__all__ += ["is_bf16_supported", "is_current_stream_capturing", "OutOfMemoryError"]


def is_available() -> bool:
    """Whether tensors can lie on a GPU."""
    return discover.why_none() is None


def device_count() -> int:
    """How many GPUs can be used."""
    return sum(d.unusable is None for d in discover.devices())


def found(device: Any = None) -> Any:
    """The GPU that is meant: None the current one. DeviceError where it is missing,
    ValueError for the CPU."""
    there = place("cuda" if device is None else device)
    if there is None:
        raise ValueError(f"Expected a cuda device, but got: {named_device(device)}")
    return there


def current_device() -> int:
    """The number of the current GPU of this thread; DeviceError where there is none."""
    return found().index


def set_device(device: Any) -> None:
    """Make it the current GPU of this thread: what "cuda" means."""
    if isinstance(device, int) and device < 0:
        return
    making.index = found(device).index


class device:
    """The current GPU is another in here; None or a negative number changes nothing."""

    def __init__(self, device: Any):
        plain = device is None or (isinstance(device, int) and device < 0)
        self.idx = making.index if plain else found(device).index

    def __enter__(self) -> None:
        self.prev_idx, making.index = making.index, self.idx

    def __exit__(self, *exc: Any) -> None:
        making.index = self.prev_idx


class device_of(device):
    """The current GPU is that of a tensor in here (of the CPU: as it is)."""

    def __init__(self, tensor: Tensor):
        there = where(tensor)
        super().__init__(None if there is None else there.index)


def get_device_name(device: Any = None) -> str:
    """The name of a GPU; DeviceError where there is none."""
    return found(device).name


def get_device_capability(device: Any = None) -> tuple[int, int]:
    """Major and minor number of what a GPU can do: (9, 0)."""
    return found(device).capability


class Properties(NamedTuple):
    """What is known about a GPU."""

    name: str
    major: int
    minor: int
    total_memory: int
    multi_processor_count: int


def get_device_properties(device: Any = None) -> Properties:
    """Name, capability, bytes of memory and number of multiprocessors of a GPU."""
    there = found(device)
    major, minor = there.capability
    facts = (there.name, major, minor, there.total_memory, there.multiprocessors)
    return Properties(*facts)


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """Whether the current GPU computes in bfloat16: all that can be used do."""
    return is_available()


def is_current_stream_capturing() -> bool:
    """Whether this thread captures a CUDA graph: only our own programs ever do."""
    return is_available() and found().capturing


def synchronize(device: Any = None) -> None:
    """Wait until a GPU has done all it was given.

    Raises what a kernel found wrong meanwhile: IndexError for an index out of bounds.
    """
    found(device).synchronize()


def init() -> None:
    """Nothing: a GPU is opened when it is first used."""


def ipc_collect() -> None:
    """Nothing: no memory is shared between processes."""


def is_initialized() -> bool:
    """Whether there is a GPU that can be used."""
    return is_available()
