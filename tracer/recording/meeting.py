"""On which device a recording computes: that of the tensors it meets."""

from __future__ import annotations

from typing import Any, Optional

from ..elsewhere import Elsewhere, away, several
from ..where import user_line

__all__ = ["Meeting"]


class Meeting:
    """The part of a recorder that knows where its program runs.

    A program runs on one device. Host numbers without axes go along; other tensors in
    host memory must be moved to the device before they are used.
    """

    device: Any = None  # None: in host memory
    host_line: Optional[str] = None  # of the first tensor met in host memory

    def meet(self, device: Any) -> None:
        """From here on it computes on this device; DeviceError if it does elsewhere."""
        if device is self.device:
            return
        if self.device is not None:
            raise several(self.device.label, f"{device.label} ({user_line()})")
        if self.host_line is not None:
            raise several(device.label, f"cpu (met at {self.host_line})")
        self.device = device

    def meet_array(self, array: Any) -> None:
        """The same for the array of a tensor that it reads."""
        if isinstance(array, Elsewhere):
            self.meet(array.device)
        elif array.ndim and self.device is not None:
            raise several(self.device.label, f"cpu ({user_line()})")
        elif array.ndim and self.host_line is None and away.used:
            self.host_line = user_line() or "?"
