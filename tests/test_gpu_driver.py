"""NVIDIA's own packages on a driver made for this test: the calls that arrive there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PROGRAM = """
import sys
import numpy as np
from tracefuse.kernels.gpu.cuda_launch import CudaLauncher
from tracefuse.kernels.gpu.discover import get_device
from tracefuse.kernels.gpu.graphs import Replayed
from tracefuse.kernels.triton.native.binary import Binary

def say(*words):
    print("py", *words, file=sys.stderr, flush=True)

gpu = get_device(0)
say("is", gpu.name, gpu.target, gpu.multiprocessors, gpu.shared_limit)
say("stream", hex(gpu.main.handle))
a, b = gpu.upload(np.arange(64.0)), gpu.empty((64,), np.float64)
gpu.copy(b, a)
gpu.fill(a.ptr, 0, 8)
assert b.numpy().tolist() == list(range(64)) and a.numpy()[0] == 0
say("arrays", a.ptr, b.ptr)
facts = ("*fp64", "*fp64", "i32"), 8, 100_000
run = CudaLauncher(gpu, Binary("twice", "sm_90", b"\\x7fELF" + bytes(60), *facts))[3, 2]
run(a, b, 64)
step = Replayed(gpu, lambda x: (run(x, b, 64), (b[:],))[1])
for _ in range(3):
    step(a)
begin, end = gpu.new_event(True), gpu.new_event(True)
begin.record(), end.record(), end.synchronize()
assert begin.query() and begin.elapsed_time(end) == 1.5
pinned = gpu.pinned((4,), np.float32)
pinned[:] = 7
assert gpu.upload(pinned).numpy().tolist() == [7] * 4
side = gpu.new_stream()
say("side", hex(side.handle))
side.wait_stream(gpu.main)
gpu.lead(1)
assert side.query()
gpu.synchronize()
del a, b, run, step
say("freed", gpu.pool.empty_cache())
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What the driver was told, line by line."""
    compiler = shutil.which("cc")
    if not sys.platform.startswith("linux") or not compiler:
        pytest.skip("needs a C compiler on Linux")
    for package in ("cuda", "cuda.core", "cuda.bindings"):
        if find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    folder = tmp_path_factory.mktemp("driver")
    library, source = folder / "libcuda.so.1", HERE / "fake_driver.c"
    build = [compiler, "-shared", "-fPIC", "-w", "-o", library, source, "-ldl"]
    subprocess.run([*map(str, build)], check=True)
    home = {"LD_LIBRARY_PATH": str(folder), "TRACEFUSE_CACHE_DIR": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, **home},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr.splitlines()


def after(told, word):
    """The rest of the one line that begins so."""
    (line,) = (line for line in told if line.startswith(f"{word} "))
    return line[len(word) + 1 :]


def test_the_device_describes_itself(told):
    assert after(told, "py is") == "Fake GPU sm_90 132 232448"


def test_copies_go_to_our_stream(told):
    stream = after(told, "py stream")
    copies = [t for t in told if t[3:6] in ("h2d", "d2d", "d2h", "mem")]
    assert f"cu h2d 512 {stream}" == copies[0] and f"cu d2d 512 {stream}" == copies[1]
    assert f"cu memset 8 {stream}" == copies[2]


def test_arguments_arrive_as_they_were_packed(told):
    a, b = after(told, "py arrays").split()
    first, inside, *_ = [t for t in told if t.startswith("cu launch")]
    stream = after(told, "py stream")
    wanted = f"launch 3 2 1 of 256, shared 100000, on {stream}: {a} {b} 64 0 0"
    assert first == f"cu {wanted}"
    assert "cu attribute 8 100000 device 0" in told
    assert told.index("cu attribute 8 100000 device 0") < told.index(first)


def test_a_graph_is_captured_apart_and_launched_on_our_stream(told):
    stream = after(told, "py stream")
    (begin,) = (t for t in told if t.startswith("cu begin"))
    apart = begin.split()[2]
    assert begin.endswith("mode 2") and apart != stream
    assert f"cu stream {apart} flags 1" in told
    between = told[told.index(begin) + 1 : told.index("cu end")]
    assert [t for t in between if f"on {apart}: " in t] and len(between) == 1
    assert told.count(f"cu graph {stream}") == 2


def test_streams_wait_for_each_other(told):
    main, side = after(told, "py stream"), after(told, "py side")
    at = told.index(f"py side {side}")
    expected = [f"cu record {main}", f"cu wait {side}", f"cu record {main}"]
    assert told[at + 1 : at + 6] == [*expected, "cu wait 0x1", "cu synchronize"]


def test_memory_goes_back(told):
    assert int(after(told, "py freed")) == 2 << 20
    assert told.count("cu alloc 2097152") == told.count("cu free") == 1
