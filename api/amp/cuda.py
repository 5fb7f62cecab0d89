"""`torch.cuda.amp`: the same names for one type of device, as in PyTorch."""

from __future__ import annotations

from typing import Any

from ...tracer.types import DType, float16
from .autocast import autocast as _autocast
from .custom import custom_bwd, custom_fwd
from .grad_scaler import GradScaler as _GradScaler

__all__ = ["autocast", "custom_bwd", "custom_fwd", "GradScaler"]


class autocast(_autocast):
    """`tracefuse.autocast("cuda", ...)`."""

    def __init__(
        self, enabled: bool = True, dtype: DType = float16, cache_enabled: bool = True
    ):
        super().__init__("cuda", dtype, enabled, cache_enabled)


class GradScaler(_GradScaler):
    """`tracefuse.amp.GradScaler("cuda", ...)`."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__("cuda", *args, **kwargs)
