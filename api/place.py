"""Where new tensors lie: the device that a factory was asked for, and the default.

`making.device` is that of the sources which are being made in this thread: None for
host memory, else one of kernels/gpu.
"""

from __future__ import annotations

import threading
from typing import Any, Optional, Sequence

from ..tracer.elsewhere import common_device
from ..tracer.later import Later

__all__ = ["Making", "copies", "discover", "eager", "making", "place_for"]

eager = Later("..kernels.gpu.eager", __package__)
copies = Later("..kernels.gpu.copies", __package__)
discover = Later("..kernels.gpu.discover", __package__)


class Making(threading.local):
    """`device` is where sources are made; `default` what `set_default_device` said."""

    device: Optional[Any] = None
    default: Optional[Any] = None
    index = 0  # of the current GPU
    inside = False  # whether a factory runs that was told where

    def __init__(self) -> None:
        self.before: list = []  # the default devices of the `with` statements around


making = Making()


def place_for(arrays: Sequence) -> Any:
    """The device on which a primitive runs: of its arrays, or as sources are wanted."""
    return common_device(arrays) if arrays else making.device
