"""What a recording costs, beside the eager run of the same text.

    pip install '.[bench]'
    pytest benchmarks/bench_recording.py --benchmark-group-by=group \
        --benchmark-columns=min,median

One group for each program, all in one process: its eager run, the recording alone (the
user's Python on recorded values, listened to), a call of a function that records at
every call and finds its compiled pieces by structure, a first call that compiles as
well, PyTorch's eager run of the same text, and `jax.make_jaxpr` of two of them. Tensors
are small, so that what is timed is Python: the worst there is for us. What we ask for:
a recording is no more than three eager runs.
"""

from __future__ import annotations

import time
import warnings
from typing import Any, Callable

import numpy as np
import pytest
import tracefuse
from tracefuse.api import engine
from tracefuse.kernels.numpy import compile as numpy_compile
from tracefuse.tracer.record import Recorder, state
from tracefuse.tracer.watching.codes import Listener

LAYERS, BATCH, WIDTH = 20, 8, 64


def mlp(torch: Any) -> Any:
    layers: list = []
    for _ in range(LAYERS):
        layers += [torch.nn.Linear(WIDTH, WIDTH), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers)


def forward(torch: Any) -> tuple[Callable, tuple]:
    net = mlp(torch)

    def run(x):
        with torch.no_grad():
            return net(x)

    return run, (torch.ones(BATCH, WIDTH),)


def forward_with_grad(torch: Any) -> tuple[Callable, tuple]:
    net = mlp(torch)
    return lambda x: net(x), (torch.ones(BATCH, WIDTH),)


def block(torch: Any) -> tuple[Callable, tuple]:
    """A transformer block: attention of 4 heads, then two layers, each with a norm."""
    nn, heads, part = torch.nn, 4, WIDTH // 4
    first, second = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
    qkv, out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
    up, down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def run(x):
        b, t, d = x.shape
        parts = qkv(first(x)).reshape(b, t, 3, heads, part).permute(2, 0, 3, 1, 4)
        q, k, v = parts[0], parts[1], parts[2]
        a = torch.softmax(q @ k.transpose(-2, -1) / part**0.5, -1) @ v
        x = x + out(a.transpose(1, 2).reshape(b, t, d))
        return x + down(nn.functional.gelu(up(second(x))))

    return run, (torch.ones(2, 16, WIDTH),)


def adam_step(torch: Any) -> tuple[Callable, tuple]:
    net = mlp(torch)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-4)

    def step(x, y):
        optimizer.zero_grad()
        loss = ((net(x) - y) ** 2).mean()
        loss.backward()
        optimizer.step()
        return loss

    return step, (torch.ones(BATCH, WIDTH), torch.zeros(BATCH, WIDTH))


def chain(torch: Any) -> tuple[Callable, tuple]:
    def run(x):
        for _ in range(500):
            x = x * 1.0001 + 0.25
        return x

    return run, (torch.ones(8),)


PROGRAMS = {
    "MLP of 20 layers, no_grad": forward,
    "MLP of 20 layers": forward_with_grad,
    "transformer block": block,
    "training step with Adam": adam_step,
    "1,000 operations in a row": chain,
}


def recorded(f: Callable, args: tuple) -> Recorder:
    """What `jit` does before anything is simplified, looked up or compiled."""
    rec = Recorder("program", engine.run)
    before, state.recorder = state.recorder, rec
    try:
        with Listener():
            f(*args)
    finally:
        state.recorder = before
        rec.undo()
    return rec


def volatile(f: Callable) -> Callable:
    """`f` jitted, and bound to be recorded at every call: it looks at the clock."""

    def run(*args):
        time.time()
        return f(*args)

    return tracefuse.jit(run)


def first_call(f: Callable, args: tuple) -> None:
    engine._cache.clear()
    numpy_compile._known.clear()
    tracefuse.jit(f)(*args)


def pytest_generate_tests(metafunc: Any) -> None:
    metafunc.parametrize("name", PROGRAMS)


@pytest.fixture(autouse=True)
def grouped(benchmark: Any, name: str) -> None:
    benchmark.group = name
    warnings.simplefilter("ignore")


def test_eager(benchmark, name):
    f, args = PROGRAMS[name](tracefuse)
    benchmark(f, *args)


def test_recording(benchmark, name):
    f, args = PROGRAMS[name](tracefuse)
    f(*args)
    benchmark(recorded, f, args)


def test_recording_at_every_call(benchmark, name):
    f, args = PROGRAMS[name](tracefuse)
    jitted = volatile(f)
    for _ in range(9):
        jitted(*args)
    benchmark(jitted, *args)


def test_recording_and_compiling(benchmark, name):
    f, args = PROGRAMS[name](tracefuse)
    f(*args)
    benchmark(first_call, f, args)


def test_torch_eager(benchmark, name):
    f, args = PROGRAMS[name](pytest.importorskip("torch"))
    benchmark(f, *args)


def test_jax_make_jaxpr(benchmark, name):
    jax = pytest.importorskip("jax")
    if PROGRAMS[name] not in (chain, forward):
        pytest.skip("not written for JAX")
    f, args = chain(jax.numpy) if PROGRAMS[name] is chain else jax_mlp(jax)
    benchmark(lambda: jax.make_jaxpr(lambda *given: f(*given))(*args))


def jax_mlp(jax: Any) -> tuple[Callable, tuple]:
    weights = [(np.ones((WIDTH, WIDTH), "f4"), np.ones(WIDTH, "f4"))] * LAYERS

    def run(x, weights):
        for w, b in weights:
            x = jax.nn.relu(x @ w + b)
        return x

    return run, (np.ones((BATCH, WIDTH), "f4"), weights)
