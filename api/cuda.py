"""`tracefuse.cuda`: what a program asks about GPUs, answered for a machine without.

>>> is_available()
False
"""

from __future__ import annotations

from typing import Any

from .device import check_device

__all__ = ["is_available", "device_count", "current_device", "get_device_name"]
__all__ += ["synchronize", "empty_cache", "manual_seed", "manual_seed_all"]


def is_available() -> bool:
    """Whether tensors can lie on a GPU."""
    return False


def device_count() -> int:
    """How many GPUs there are."""
    return 0


def current_device() -> int:
    """The number of the current GPU; DeviceError where there is none."""
    check_device("cuda")
    return 0


def get_device_name(device: Any = None) -> str:
    """The name of a GPU; DeviceError where there is none."""
    check_device("cuda" if device is None else device)
    return "cpu"


def synchronize(device: Any = None) -> None:
    """Wait for a GPU; DeviceError where there is none."""
    check_device("cuda" if device is None else device)


def empty_cache() -> None:
    """Give memory of GPUs back: there is none to give."""


def manual_seed(seed: int) -> None:
    """Seed the current GPU: without one this does nothing, as in PyTorch."""


def manual_seed_all(seed: int) -> None:
    """Seed all GPUs: without one this does nothing, as in PyTorch."""
