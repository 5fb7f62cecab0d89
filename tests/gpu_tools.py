"""A GPU for tests: host memory, and Triton's interpreter for the kernels."""

from __future__ import annotations

import pytest
from tracefuse.kernels.gpu.discover import pretend
from tracefuse.kernels.gpu.simulated import SimulatedDevice


@pytest.fixture
def gpu():
    """The device that `cuda` is."""
    device = SimulatedDevice()
    with pretend(device):
        yield device


@pytest.fixture
def gpus():
    """Two of them, cuda:0 and cuda:1."""
    devices = SimulatedDevice(0), SimulatedDevice(1)
    with pretend(*devices):
        yield devices
