"""The door to NVIDIA's packages: nothing is imported before it is needed.

`core` is cuda.core, `driver` the driver's own functions (cuda.bindings.driver). Tests
put stubs in their place.
"""

from __future__ import annotations

import threading
from typing import Any

from ...tracer.errors import DeviceError
from ...tracer.later import Later

__all__ = ["checked", "core", "current", "driver"]

core: Any = Later("cuda.core")
driver: Any = Later("cuda.bindings.driver")


class Current(threading.local):
    """The device whose context a thread has."""

    device: Any = None


current = Current()


def checked(result: tuple) -> Any:
    """What a driver's function gave besides its status; DeviceError when it failed."""
    status, *rest = result
    if int(status):
        name = getattr(status, "name", str(status))
        raise DeviceError(f"the CUDA driver says {name}")
    return rest[0] if len(rest) == 1 else tuple(rest)
