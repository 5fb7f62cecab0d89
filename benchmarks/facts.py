"""What a record says about where it was measured."""

from __future__ import annotations

import platform
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import tracefuse
from tracefuse.kernels.triton.native.ahead import triton_version

from .measure import Setting

__all__ = ["clocks", "head"]

SEEN = ("clocks.sm", "clocks.mem", "temperature.gpu", "power.draw")
ONCE = ("name", "driver_version", "clocks.max.sm", "clocks.max.mem", "power.limit")


def head(setting: Setting) -> dict[str, Any]:
    """Device, driver, versions, clocks, and the time."""
    device = setting.device
    found: dict[str, Any] = {
        "date": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
        "command": sys.argv[1:],
        "device": device.name,
        "target": device.target,
        "memory": device.total_memory,
        "multiprocessors": device.multiprocessors,
        "simulated": setting.simulated,
        "python": platform.python_version(),
        "versions": versions(),
    }
    for peer in setting.peers:
        found["versions"].update(peer.facts())
    if not setting.simulated:
        found.update(driver=asked(ONCE), clocks=clocks())
    return found


def versions() -> dict[str, Any]:
    """Of what works here."""
    found = {"tracefuse": tracefuse.__version__, "triton": triton_version()}
    for name in ("numpy", "cuda-core", "cuda-bindings"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def clocks() -> dict[str, str]:
    """Clocks, temperature and power at this moment; nothing without nvidia-smi."""
    return asked(SEEN)


def asked(names: tuple[str, ...]) -> dict[str, str]:
    """What nvidia-smi says; it is only asked, never told."""
    query = f"--query-gpu={','.join(names)}"
    command = ["nvidia-smi", query, "--format=csv,noheader", "--id=0"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return {}
    told = done.stdout.strip().split(", ")
    return dict(zip(names, told)) if len(told) == len(names) else {}
