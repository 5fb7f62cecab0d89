"""Arrays whose numbers lie elsewhere than in host memory: on a GPU.

What the floors above and below must agree on is this little: the base class by which
such an array is told from NumPy's, and whether the process has any.
"""

from __future__ import annotations

from typing import Any, Callable, Iterable, Optional

from .errors import DeviceError

__all__ = ["Elsewhere", "away", "common_device", "device_of", "several"]


class Elsewhere:
    """An array on a `device`: shape, strides and dtype are NumPy's, numbers are not.

    `seen(meaning, attrs)` is a view of it, `copy()` its numbers in memory of their own,
    `item()` its only element, `numpy()` a copy in host memory, `ptr` its address.
    """

    __slots__ = ()
    device: Any
    ptr: int
    numpy: Callable[[], Any]
    copy: Callable[[], Any]


class Away:
    """Whether this process has ever had such an array: without, nothing is asked."""

    used = False


away = Away()


def device_of(array: Any) -> Optional[Any]:
    """The device of an array; None when it lies in host memory."""
    return array.device if isinstance(array, Elsewhere) else None


def common_device(arrays: Iterable[Any]) -> Optional[Any]:
    """The device of all these arrays; None when they lie in host memory.

    DeviceError, in PyTorch's words, when they lie on several. Host arrays without axes
    go along with any device.
    """
    found, host = None, False
    for a in arrays:
        if isinstance(a, Elsewhere):
            if found is not None and a.device is not found:
                raise several(found.label, a.device.label)
            found = a.device
        else:
            host = host or bool(a.ndim)
    if host and found is not None:
        raise several(found.label, "cpu")
    return found


def several(one: str, other: str) -> DeviceError:
    """What is raised for tensors on two devices."""
    return DeviceError(
        "Expected all tensors to be on the same device, but found at least two "
        f"devices, {one} and {other}!"
    )
