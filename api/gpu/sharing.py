"""Tensors on the device memory of other libraries, without a copy."""

from __future__ import annotations

from typing import Any, Optional

from ...tracer.later import Later
from ..device import place
from ..tensor import Tensor, fresh

__all__ = ["from_cuda_array", "from_device"]

foreign = Later("...kernels.gpu.foreign", __package__)
CUDA = 2  # DLPack's number


def from_device(other: Any) -> Optional[Tensor]:
    """A tensor on memory that DLPack shows on a GPU; None for what lies elsewhere."""
    kind, index = (int(n) for n in other.__dlpack_device__())
    if kind != CUDA:
        return None
    return fresh(foreign.from_dlpack(place(f"cuda:{index}"), other))


def from_cuda_array(other: Any) -> Tensor:
    """A tensor on the memory of what has `__cuda_array_interface__`: it lies on the
    current GPU."""
    return fresh(foreign.from_cuda_array(place("cuda"), other))
