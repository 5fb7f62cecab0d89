"""Configurations by the clock: what cannot run is left out and said, few are tried."""

from __future__ import annotations

import json
import logging
from dataclasses import replace

import numpy as np
import pytest
from gpu_kernels import BLOCKS, axpy
from tracefuse.kernels.gpu import tuning
from tracefuse.kernels.gpu.machine import GpuMachine
from tracefuse.kernels.gpu.simulated import SimulatedDevice
from tracefuse.kernels.triton.compile import compile
from tracefuse.kernels.triton.kernel import Config
from tracefuse.tracer.errors import CompileError
from tracefuse.tracer.graph import Graph, make, placeholder
from tracefuse.tracer.types import bfloat16

pytest.importorskip("triton")


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setattr(tuning, "folder", lambda: tmp_path)
    return tmp_path


def remembered(home):
    (path,) = home.glob("tuned/*/*.json")
    return json.loads(path.read_text())


def trial(times):
    """A clock that is known; an error is one of the launch."""

    def measure(config):
        found = times[dict(config.constants)["B"]]
        if isinstance(found, Exception):
            raise found
        return found

    return measure


def test_what_fails_at_its_launch_is_left_out_and_said(home, caplog):
    clock = trial({1024: RuntimeError("out of resources"), 256: 2.0, 2048: 3.0})
    with caplog.at_level(logging.INFO, "tracefuse.tuning"):
        found = tuning.choose(axpy(BLOCKS), SimulatedDevice(), (8,), True, clock)
    assert found == BLOCKS[1]
    told = remembered(home)
    assert told["chosen"]["constants"] == [["B", 256]]
    assert [ms for _, ms in told["took"]] == [2.0, 3.0]
    assert len(told["left out"]) == 1 and "out of resources" in told["left out"][0]
    assert "axpy without" in caplog.text and "out of resources" in caplog.text


def test_when_all_fail_each_says_why(home):
    clock = trial(dict.fromkeys((1024, 256, 2048), RuntimeError("no")))
    with pytest.raises(CompileError, match=r"axpy \(model.py:12\)(.|\n)*256(.|\n)*no"):
        tuning.choose(axpy(BLOCKS), SimulatedDevice(), (8,), True, clock)
    assert not list(home.iterdir())


def test_patience_ends_with_the_best_so_far(home, monkeypatch):
    monkeypatch.setattr(tuning, "PATIENCE", -1.0)
    clock = trial({1024: 3.0, 256: 1.0, 2048: 2.0})
    found = tuning.choose(axpy(BLOCKS), SimulatedDevice(), (8,), True, clock)
    assert found == BLOCKS[0] and len(remembered(home)["took"]) == 1


@pytest.mark.parametrize("capability, tried", (((8, 0), 1), ((9, 0), 2), ((10, 0), 3)))
def test_a_device_tries_what_its_generation_has(home, capability, tried):
    needs = zip(BLOCKS, (0, 90, 100))
    kernel = axpy(tuple(replace(c, needs=n) for c, n in needs))
    device = SimulatedDevice(capability=capability)
    asked = []
    tuning.choose(kernel, device, (8,), True, lambda c: asked.append(c) or 1.0)
    assert len(asked) == (tried if tried > 1 else 0)


def test_programs_that_stay_are_as_many_as_multiprocessors():
    kernel = replace(axpy(), grid=("min(cdiv(n, B), SMS)",))
    config = Config((("B", 256),))
    assert tuning.grid_of(kernel, config, {"n": 10_000}, 4) == (4,)
    assert tuning.grid_of(kernel, config, {"n": 300}, 4) == (2,)


def test_a_product_is_right_in_whatever_the_clock_finds(home, monkeypatch):
    monkeypatch.setattr(tuning, "PATIENCE", 100.0)
    x, y = (placeholder(n, (128, 128), bfloat16) for n in "xy")
    device = SimulatedDevice()
    run = compile(
        Graph("f", [x, y], [make("dot", (x, y))]), GpuMachine(device, timing=True)
    )
    rng = np.random.default_rng(0)
    arrays = [rng.integers(-2, 3, (128, 128)).astype(bfloat16.np) for _ in "xy"]
    (got,) = run.run(*map(device.upload, arrays))
    a, b = (v.astype(np.float32) for v in arrays)
    np.testing.assert_array_equal(device.download(got).astype(np.float32), a @ b)
    told = remembered(home)
    assert not told["left out"]
    forms = {dict(c["constants"])["TMA"] for c, _ in told["took"]}
    assert forms == {0, 1}, "descriptors are tried on sm_90, warps apart are not"
