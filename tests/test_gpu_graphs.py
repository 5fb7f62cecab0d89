"""Programs that are replayed, and configurations that are chosen: on a simulation."""

from __future__ import annotations

import gc

import numpy as np
import pytest
from fake_cuda import fake  # noqa: F401
from gpu_kernels import BLOCKS, axpy
from tracefuse.kernels.gpu import tuning
from tracefuse.kernels.gpu.discover import get_device
from tracefuse.kernels.gpu.graphs import MOST, Replayed
from tracefuse.kernels.gpu.machine import GpuMachine
from tracefuse.kernels.gpu.simulated import SimulatedDevice
from tracefuse.kernels.gpu.streams import Launcher
from tracefuse.kernels.triton.compile import compile
from tracefuse.kernels.triton.native.ahead import triton_version
from tracefuse.kernels.triton.native.binary import Binary
from tracefuse.tracer.errors import CompileError
from tracefuse.tracer.graph import Graph, make, placeholder
from tracefuse.tracer.types import float32

BINARY = Binary("axpy", "sm_90", b"code", ("*fp32", "*fp32", "*fp32", "i32"))


class Sums(Launcher):
    """Launches o = 2 x + y without an interpreter."""

    def __init__(self, device):
        self.device = device

    def __getitem__(self, grid):
        def launch(x, y, o, n):
            view = self.device.host_view
            call = ("launch", "axpy", grid, self.device.stream.handle)
            action = lambda: np.copyto(view(o), view(x) * 2 + view(y))  # noqa: E731
            self.device.told(call, action)

        return launch


@pytest.fixture
def device(monkeypatch):
    made = SimulatedDevice()
    monkeypatch.setattr(made, "load", lambda *_: Sums(made))
    return made


def program(device, x, y):
    """x -> 2 (2 x + y) + y, with scratch memory between."""
    run = device.launcher(axpy(), BLOCKS[0])[1,]
    t = device.empty(x.shape, x.dtype)
    run(x, y, t, 8)
    o = device.empty(x.shape, x.dtype)
    run(t, y, o, 8)
    return (o,)


def floats(device, value):
    return device.upload(np.full(8, value, np.float32))


@pytest.fixture
def step(device):
    return Replayed(device, lambda x, y: program(device, x, y))


def value(array):
    host = array.numpy()
    assert (host == host[0]).all()
    return float(host[0])


def test_the_second_call_replays(device, step):
    x, y = floats(device, 1), floats(device, 10)
    assert value(step(x, y)[0]) == 34 and not step.captures
    assert value(step(x, y)[0]) == 34 and step.refused is None
    device.calls.clear()
    device.upload(np.full(8, 2, np.float32), x)
    assert value(step(x, y)[0]) == 38
    told = [call[0] for call in device.calls]
    assert told == ["copy in", "replay", "launch", "launch", "copy out"]


def test_nothing_is_computed_while_capturing(device):
    x, y = floats(device, 1), floats(device, 10)
    (o,), work = device.capture(lambda: program(device, x, y), "lane")
    assert device.count("launch") == 0 and np.isnan(o.numpy()).all()
    work.replay(device.stream)
    assert value(o) == 34 and not device.capturing


def test_results_that_are_held_stay_as_they_are(device, step):
    x, y = floats(device, 0), floats(device, 1)
    step(x, y)
    held = []
    for n in range(MOST + 3):
        device.upload(np.full(8, n, np.float32), x)
        held.append(step(x, y)[0])
    assert [value(a) for a in held] == [4 * n + 3 for n in range(MOST + 3)]
    assert len(step.captures) == MOST


def test_a_view_holds_a_result_too(device, step):
    x, y = floats(device, 1), floats(device, 1)
    step(x, y)
    view = step(x, y)[0][3:].reshape(5, 1)
    device.upload(np.full(8, 5, np.float32), x)
    step(x, y)
    assert value(view.reshape(5)) == 7 and len(step.captures) == 2


def test_a_loop_that_keeps_its_last_result_needs_two_captures(device, step):
    x, y = floats(device, 1), floats(device, 1)
    loss = None
    for _ in range(20):
        loss = step(x, y)
    assert len(step.captures) == 2 and value(loss[0]) == 7
    reserved = device.pool.statistics().reserved
    for _ in range(20):
        loss = step(x, y)
    assert device.pool.statistics().reserved == reserved


def test_inputs_from_elsewhere_are_copied_in(device, step):
    y = floats(device, 1)
    for n in range(6):
        batch = floats(device, n)
        assert value(step(batch, y)[0]) == 4 * n + 3
        kept = batch  # so that the next one lies elsewhere
    assert [own is not None for own in step.own] == [True, False]
    assert len(step.captures) == 1 and value(kept) == 5
    device.calls.clear()
    step(floats(device, 9), y)
    assert device.count("copy") == 1


def test_what_is_written_comes_back(device):
    def update(x, y):
        device.launcher(axpy(), BLOCKS[0])[1,](x, y, x, 8)
        return (x,)

    step = Replayed(device, update, written=(0,))
    y, kept = floats(device, 1), []
    for n in range(4):
        x = floats(device, n)
        (out,) = step(x, y)
        assert out is x and value(x) == 2 * n + 1
        kept.append(x)
    x = kept[-1]
    assert [value(step(x, y)[0]) for _ in range(3)] == [15, 31, 63]
    assert [value(a) for a in kept[:3]] == [1, 3, 5]


def test_inputs_that_share_what_is_written_are_not_torn_apart(device):
    def update(x, y):
        device.launcher(axpy(), BLOCKS[0])[1,](x, y, x, 8)
        return ()

    step = Replayed(device, update, written=(0,))
    kept = []
    for _ in range(4):
        x = floats(device, 1)
        step(x, x[0:])
        kept.append(x)
        assert value(x) == 3
    assert "shares its memory" in step.refused


def test_a_program_that_waits_is_not_captured(device):
    def waits(x):
        return (device.upload(x.numpy() + 1),)

    step, x = Replayed(device, waits), floats(device, 1)
    assert [value(step(x)[0]) for _ in range(3)] == [2, 2, 2]
    assert "while work is captured" in step.refused


def test_an_error_of_the_program_leaves_the_device_usable(device):
    def fails(x):
        if device.capturing:
            raise ValueError("mine")
        return (x,)

    step, x = Replayed(device, fails), floats(device, 1)
    step(x)
    with pytest.raises(ValueError, match="mine"):
        step(x)
    assert not device.capturing and value(x) == 1


def test_checks_of_a_captured_program_are_made_after_each_replay(device):
    seen = []

    def check():
        seen.append(1)

    def checked(x):
        device.checks[check] = None
        return ()

    step, x = Replayed(device, checked), floats(device, 1)
    for n in range(1, 5):
        step(x)
        device.synchronize()
        assert len(seen) == n


def test_other_streams_come_in_order(device, step):
    x, y = floats(device, 1), floats(device, 1)
    step(x, y), step(x, y)
    side = device.new_stream()
    with device.on(side):
        step(x, y)
    waits = [call for call in device.calls if call[0] == "wait"]
    assert waits == [("wait", side.handle, device.main.handle)]


def test_a_graph_that_is_gone_gives_its_memory_back(device):
    step = Replayed(device, lambda x, y: program(device, x, y))
    x, y = floats(device, 1), floats(device, 1)
    out = [step(x, y) for _ in range(3)]
    del out, step
    gc.collect()
    allocated = device.pool.statistics().allocated
    assert allocated == x.memory.size + y.memory.size
    device.pool.empty_cache()
    assert device.pool.statistics().reserved == 2 << 20


def test_little_memory_means_plain_launches():
    device = SimulatedDevice(memory=2 << 20)
    device.load = lambda *_: Sums(device)
    step = Replayed(device, lambda x, y: program(device, x, y))
    x, y = floats(device, 1), floats(device, 1)
    assert [value(step(x, y)[0]) for _ in range(3)] == [7, 7, 7]
    assert step.refused is None and not step.captures


def test_a_cuda_graph_is_captured_and_launched(fake):  # noqa: F811
    log = fake()
    gpu = get_device(0)
    gpu.launcher(axpy(), BLOCKS[0], BINARY)
    step = Replayed(gpu, lambda x, y: program(gpu, x, y))
    x, y = floats(gpu, 1), floats(gpu, 1)
    for _ in range(3):
        step(x, y)
    stream = gpu.main.handle
    said = [c[0] for c in log if c[0] in ("begin", "launch", "end", "graph")]
    assert said == [*["launch"] * 2, "begin", *["launch"] * 2, "end", *["graph"] * 2]
    begin = next(c for c in log if c[0] == "begin")
    inside = {c[3] for c in log[log.index(begin) :] if c[0] == "launch"}
    assert begin[1] == "relaxed" and inside == {begin[2]} != {stream}
    assert ("stream", True) in log and log[-1] == ("graph", stream)
    with pytest.raises(ZeroDivisionError):
        gpu.capture(lambda: 1 / 0, "lane")
    assert [c[0] for c in log[-3:]] == ["begin", "end", "close"]


@pytest.mark.skipif(triton_version() is None, reason="triton is not installed")
def test_a_whole_program_runs_and_is_replayed():
    device = SimulatedDevice()
    x = placeholder("x", (33, 17), float32)
    y = make("tanh", (x,))
    graph = Graph("rows", [x], [y, y.sum((-1,))])
    step = Replayed(device, compile(graph, GpuMachine(device)).run)
    for n in range(3):
        host = np.random.default_rng(n).normal(size=(33, 17)).astype(np.float32)
        for wide in (host, np.repeat(host, 2, 1)[:, ::2]):
            tanh, sums = step(device.upload(wide))
            assert np.allclose(tanh.numpy(), np.tanh(host), atol=1e-6)
            assert np.allclose(sums.numpy(), np.tanh(host).sum(-1), atol=1e-5)
    assert step.captures and step.refused is None


# Choosing


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TRACEFUSE_CACHE_DIR", str(tmp_path))
    return tmp_path / "triton" / "tuned" / "simulated_device"


def times(**by_block):
    """A clock that is known."""
    asked = []

    def trial(config):
        asked.append(dict(config.constants)["B"])
        return by_block[f"b{asked[-1]}"]

    return trial, asked


def test_without_the_clock_the_first_is_chosen(device, folder):
    assert tuning.choose(axpy(BLOCKS), device, ()) is BLOCKS[0]
    assert not folder.exists()


def test_the_fastest_is_chosen_and_remembered(device, folder):
    trial, asked = times(b1024=3.0, b256=1.0, b2048=2.0)
    given = (*(floats(device, 0) for _ in range(3)), 8)
    for _ in range(2):
        chosen = tuning.choose(axpy(BLOCKS), device, given, True, trial)
        assert chosen == BLOCKS[1]
    assert asked == [1024, 256, 2048] and len(list(folder.iterdir())) == 1
    tuning.choose(axpy(BLOCKS), device, (*given[:3], 900), True, trial)
    assert len(asked) == 6


@pytest.mark.parametrize("damage", ["", "{", '{"warps": 3}', "[]"])
def test_a_broken_memory_is_made_anew(device, folder, damage):
    trial, asked = times(b1024=3.0, b256=1.0, b2048=2.0)
    for _ in range(2):
        assert tuning.choose(axpy(BLOCKS), device, (8,), True, trial) == BLOCKS[1]
        (path,) = folder.iterdir()
        good = path.read_text()
        path.write_text(damage)
    assert len(asked) == 6
    tuning.choose(axpy(BLOCKS), device, (8,), True, trial)
    assert path.read_text() == good


def test_candidates_that_do_not_compile_are_left_out(device, monkeypatch):
    def load(kernel, config, binary):
        if config != BLOCKS[2]:
            raise CompileError("too much shared memory")
        return Sums(device)

    monkeypatch.setattr(device, "load", load)
    trial, asked = times(b2048=2.0)
    assert tuning.choose(axpy(BLOCKS), device, (8,), True, trial) == BLOCKS[2]
    assert tuning.choose(axpy(BLOCKS), device, (8,)) == BLOCKS[2]
    assert asked == [2048]
    for timing in (True, False):
        with pytest.raises(CompileError, match=r"axpy \(model.py:12\)(.|\n)*too much"):
            tuning.choose(axpy(BLOCKS[:2]), device, (8,), timing)


def test_the_clock_runs_each_candidate_on_the_device(device):
    given = (*(floats(device, 1) for _ in range(3)), 8)
    assert tuning.choose(axpy(BLOCKS), device, given, True) in BLOCKS
    launches = [c for c in device.calls if c[0] == "launch"]
    assert len(launches) == 3 * (tuning.WARM + tuning.ROUNDS)
    assert value(given[2]) == 3


def test_a_kernel_that_updates_is_timed_on_copies(device):
    x = floats(device, 1)
    kernel = axpy(BLOCKS, tags=frozenset(["updates"]))
    tuning.choose(kernel, device, (x, x, x, 8), True)
    assert value(x) == 1
