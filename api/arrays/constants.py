"""Numbers and names that programs pass around."""

from __future__ import annotations

import math

__all__ = ["inf", "nan", "pi", "e", "newaxis", "strided", "memory_format", "layout"]
__all__ += ["contiguous_format", "preserve_format", "channels_last"]

inf, nan, pi, e = math.inf, math.nan, math.pi, math.e
newaxis = None


class layout:
    """How a tensor is stored: always strided."""

    def __init__(self, name: str):
        self.name = name

    def __repr__(self) -> str:
        return f"tracefuse.{self.name}"


class memory_format(layout):
    """The order of elements that a caller would like; results are row-major."""


strided = layout("strided")
contiguous_format = memory_format("contiguous_format")
preserve_format = memory_format("preserve_format")
channels_last = memory_format("channels_last")
