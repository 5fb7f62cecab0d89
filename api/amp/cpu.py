"""`torch.cpu.amp`: the same names for the CPU, as PyTorch still has them."""

from __future__ import annotations

from typing import Any

from ...tracer.types import DType, bfloat16
from .autocast import autocast as _autocast
from .grad_scaler import GradScaler as _GradScaler

__all__ = ["autocast", "GradScaler"]


class autocast(_autocast):
    """`tracefuse.autocast("cpu", ...)`."""

    def __init__(
        self, enabled: bool = True, dtype: DType = bfloat16, cache_enabled: bool = True
    ):
        super().__init__("cpu", dtype, enabled, cache_enabled)


class GradScaler(_GradScaler):
    """`tracefuse.amp.GradScaler("cpu", ...)`."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__("cpu", *args, **kwargs)
