"""What is measured beside cases: ceilings, the cost of a call, the time to compile."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator

import numpy as np
import tracefuse
from tracefuse.kernels.gpu.graphs import Replayed
from tracefuse.kernels.gpu.programs import machine_of
from tracefuse.kernels.triton.compile import compile

from . import functions
from .clock import by_host
from .measure import Setting, ways
from .peer_torch import Torch

__all__ = ["cold", "copies", "dispatch", "products"]

ROUNDS, CALLS = 7, 1000  # of a small program
PATIENCE = 60  # seconds for a process that compiles


def copies(setting: Setting) -> dict[str, Any]:
    """How fast the device moves bytes: read and written ones are counted."""
    size = 1 << 10 if setting.simulated else 1 << 30
    ours, device = setting.ours[0], setting.device
    x, y = (device.empty((size,), np.uint8) for _ in range(2))
    named: list[Any] = [("driver", ours, lambda: device.copy(y, x))]
    torch = setting.torch
    if torch is not None:
        a, b = (torch.empty(size, dtype=torch.uint8, device="cuda") for _ in range(2))
        named.append(("torch copy_", _torch(setting), lambda: b.copy_(a)))
    return {"bytes": 2 * size, "ways": ways(named, setting.seconds)}


def products(setting: Setting) -> dict[str, Any]:
    """How fast the device multiplies bfloat16 matrices: cuBLAS, on random numbers."""
    size = 16 if setting.simulated else 8192
    torch = setting.torch
    if torch is None:
        return {"flops": 2 * size**3, "ways": {}}
    a, b = (torch.randn(size, size, device="cuda").bfloat16() for _ in range(2))
    named = [("torch eager", _torch(setting), lambda: a @ b)]
    return {"flops": 2 * size**3, "ways": ways(named, setting.seconds)}


def _torch(setting: Setting) -> Torch:
    return next(p for p in setting.peers if isinstance(p, Torch))


def dispatch(setting: Setting) -> dict[str, Any]:
    """Microseconds of host time for a call of a small cached program."""
    calls = _tracefuse_calls(setting)
    if setting.torch is not None:
        calls += _torch_calls(_torch(setting))
    calls += [each for p in setting.peers for each in _jax_calls(p)]
    rounds, count = (1, 2) if setting.simulated else (ROUNDS, CALLS)
    found: dict[str, list[float]] = {name: [] for name, _, _ in calls}
    for _, engine, call in calls:
        by_host(engine, call, 5)
    for _ in range(rounds):
        for name, engine, call in calls:
            found[name] += by_host(engine, call, count)
    return {"ways": {name: _host(times) for name, times in found.items()}}


def _host(times: list[float]) -> dict[str, Any]:
    middle = sorted(times)[len(times) // 2]
    return {"host": {"median_us": middle, "min_us": min(times), "count": len(times)}}


def _tracefuse_calls(setting: Setting) -> list[tuple[str, Any, Any]]:
    """As users call it, with and without graphs; the same below the face."""
    ours, device = setting.ours[0], setting.device
    host = tracefuse.ones(1024)
    x = host.to(device.label)
    run, plain = (tracefuse.jit(functions.small(tracefuse)) for _ in range(2))
    with without_graphs():
        plain(x)
    graph = tracefuse.jit(functions.small(tracefuse)).lower(host).graph
    made = compile(graph, machine_of(device))
    array = device.upload(np.ones(1024, np.float32))
    again = Replayed(device, made.run)
    return [
        ("tracefuse", ours, lambda: run(x)),
        ("tracefuse without graphs", ours, lambda: plain(x)),
        ("tracefuse executable", ours, lambda: made.run(array)),
        ("tracefuse executable, replayed", ours, lambda: again(array)),
    ]


@contextmanager
def without_graphs() -> Iterator[None]:
    """What is recorded in here is launched kernel by kernel."""
    before = tracefuse.config.cuda_graphs
    tracefuse.config.cuda_graphs = False
    try:
        yield
    finally:
        tracefuse.config.cuda_graphs = before


def _torch_calls(engine: Torch) -> list[tuple[str, Any, Any]]:
    torch = engine.torch
    x, f = torch.ones(1024, device="cuda"), functions.small(torch)
    plain = torch.compile(f, dynamic=False)
    quick = torch.compile(functions.small(torch), mode="reduce-overhead")
    return [
        ("torch eager", engine, lambda: f(x)),
        ("torch.compile", engine, lambda: plain(x)),
        ("torch.compile reduce-overhead", engine, lambda: quick(x)),
    ]


def _jax_calls(engine: Any) -> list[tuple[str, Any, Any]]:
    jax = getattr(engine, "jax", None)
    if jax is None:
        return []
    x, f = jax.numpy.ones(1024, "float32"), jax.jit(engine.functions["small"])

    def call() -> None:
        engine.last = f(x)

    return [("jax.jit", engine, call)]


def cold(setting: Setting) -> dict[str, Any]:
    """Seconds to the first result of fifty operations, in fresh processes.

    Twice each: the first finds an empty cache folder, the second what the first left.
    """
    libraries = ["tracefuse"]
    if setting.torch is not None:
        libraries.append("torch")
    if any(hasattr(p, "jax") for p in setting.peers):
        libraries.append("jax")
    return {"ways": {name: _twice(name, setting.simulated) for name in libraries}}


def _twice(library: str, simulated: bool) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        first, second = (_fresh(library, simulated, folder) for _ in range(2))
    return {"cold": first, "from_disk": second}


def _fresh(library: str, simulated: bool, folder: str) -> dict[str, Any]:
    names = ("TRACEFUSE_CACHE_DIR", "TRITON_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR")
    more = dict.fromkeys((*names, "JAX_COMPILATION_CACHE_DIR"), folder)
    more["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    command = [sys.executable, "-m", "benchmarks.cold", library]
    try:
        done = subprocess.run(
            command + ["--simulate"] * simulated,
            env={**os.environ, **more},
            cwd=Path(__file__).parent.parent,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
    except subprocess.TimeoutExpired:
        return {"problem": f"stopped after {PATIENCE} s"}
    if done.returncode:
        return {"problem": done.stderr[-300:]}
    return json.loads(done.stdout.strip().splitlines()[-1])
