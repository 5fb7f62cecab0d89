"""A program that brings machine code runs where no compiler is.

Nothing stands between it and a GPU but the driver, for which a stub stands in: it
writes down which code it is given and what is launched.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import tracefuse as torch
from tracefuse import nn
from tracefuse.api.files import container

LOADER = """
import hashlib, json, sys, warnings

class WithoutTriton:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] != "triton":
            return self.finder.find_spec(name, path, target)

sys.meta_path = [WithoutTriton(finder) for finder in sys.meta_path]
path, target, kernels = sys.argv[1], sys.argv[2], sys.argv[3] == "kernels"

from fake_cuda import Core, Driver
from tracefuse.kernels.gpu import driver as door

log, codes = [], []
door.core = Core(log, 1, (int(target[3:-1]), int(target[-1])))
door.driver = Driver(log, 1 << 28)
given = door.core.from_cubin

def from_cubin(code, *, name=""):
    codes.append([name, hashlib.sha256(code).hexdigest()])
    return given(code, name=name)

door.core.ObjectCode.from_cubin = from_cubin

import tracefuse as torch

program = torch.jit.load(path, map_location="cuda", kernels=kernels)
x = torch.ones(4, 16).to("cuda")
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    for _ in range(4):
        shapes = [list(t.shape) for t in program(x)]
said = [str(each.message) for each in said]
launched = [row[1] for row in log if row[0] == "launch"]
graphs = sum(row[0] == "graph" for row in log)
triton = [name for name in sys.modules if name.partition(".")[0] == "triton"]
print(json.dumps([codes, launched, graphs, triton, shapes, said]))
"""


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A model's file with machine code for two targets, and what it names."""
    pytest.importorskip("triton")
    folder = tmp_path_factory.mktemp("programs")
    net = nn.Sequential(nn.Linear(16, 8), nn.GELU(), nn.LayerNorm(8))

    def both(x):
        y = net(x)
        return y.softmax(-1), y.sum(0)

    program = torch.jit.trace(both, torch.randn(4, 16))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRACEFUSE_CACHE_DIR", str(folder / "cache"))
        program.save(folder / "program", ("sm_80", "sm_90"))
    arrays, _ = container.read(folder / "program")
    codes = [a.tobytes() for name, a in arrays.items() if name.startswith("~kernel.")]
    return folder / "program", [json.loads(c.split(b"\n")[1]) for c in codes]


def loaded(path, target, how, folder):
    """What a process without triton, and with an empty cache, did with the file."""
    folders = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    env = {**os.environ, "TRACEFUSE_CACHE_DIR": str(folder)}
    env["PYTHONPATH"] = os.pathsep.join(filter(None, folders))
    command = [sys.executable, "-c", LOADER, str(path), target, how]
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("target", ["sm_80", "sm_90"])
def test_the_stored_code_is_launched_without_triton(saved, target, tmp_path):
    path, stored = saved
    known = {h["name"]: h["code"] for h in stored if h["target"] == target}
    codes, launched, graphs, triton, shapes, said = loaded(
        path, target, "kernels", tmp_path
    )
    assert said == triton == [] and shapes == [[4, 8], [8]]
    assert codes and all(known[name] == digest for name, digest in codes)
    assert set(launched) == {name for name, _ in codes} and graphs > 0
    assert not any(tmp_path.rglob(f"*.{target}"))  # nothing was compiled


def test_without_the_stored_code_it_says_what_is_missing(saved, tmp_path):
    codes, launched, _, triton, shapes, said = loaded(
        saved[0], "sm_90", "plain", tmp_path
    )
    assert codes == launched == triton == [] and shapes == [[4, 8], [8]]
    assert "runs as NumPy" in said[0] and "needs triton: pip install" in said[0]
