"""The first call of a function of fifty operations, in this fresh process.

    python -m benchmarks.cold tracefuse|torch|jax [--simulate]

prints how many seconds the import took, and the call; the GPU was in use before.
"""

from __future__ import annotations

import argparse
import json
import time
from importlib import import_module
from typing import Any, Callable

from . import functions

__all__ = ["main"]

ROWS, WIDTH = 512, 1024


def with_tracefuse(simulated: bool) -> tuple[Callable, Callable]:
    """The call, and what waits for its result."""
    library = import_module("tracefuse")
    if simulated:
        device = import_module("benchmarks.ours").simulate()
    else:
        device = import_module("tracefuse.kernels.gpu.discover").get_device(0)
    shape = (4, 16) if simulated else (ROWS, WIDTH)
    x, w = library.ones(*shape).to("cuda"), library.ones(shape[1]).to("cuda")
    device.synchronize()
    f = library.jit(functions.fifty(library))
    return lambda: f(x, w), device.synchronize


def with_torch(simulated: bool) -> tuple[Callable, Callable]:
    """The same of PyTorch."""
    library = import_module("torch")
    x = library.ones(ROWS, WIDTH, device="cuda")
    w = library.ones(WIDTH, device="cuda")
    library.cuda.synchronize()
    f = library.compile(functions.fifty(library), dynamic=False)
    return lambda: f(x, w), library.cuda.synchronize


def with_jax(simulated: bool) -> tuple[Callable, Callable]:
    """The same of JAX."""
    library = import_module("jax")
    jnp = library.numpy

    def fifty(x: Any, w: Any) -> Any:
        y = x
        for n in range(9):
            y = jnp.tanh(y * w) + x / (n + 1.5)
            y = y - y.mean(-1, keepdims=True)
        return library.nn.softmax(y, -1) * library.nn.sigmoid(x) + jnp.exp(w)

    x, w = jnp.ones((ROWS, WIDTH), "float32"), jnp.ones(WIDTH, "float32")
    (x + 1).block_until_ready()
    run = library.jit(fifty)
    return lambda: run(x, w).block_until_ready(), lambda: None


LIBRARIES = {"tracefuse": with_tracefuse, "torch": with_torch, "jax": with_jax}


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="benchmarks.cold", description=__doc__)
    parser.add_argument("library", choices=LIBRARIES)
    parser.add_argument("--simulate", action="store_true")
    options = parser.parse_args()
    begin = time.perf_counter()
    call, wait = LIBRARIES[options.library](options.simulate)
    ready = time.perf_counter()
    call()
    wait()
    first = time.perf_counter() - ready
    print(json.dumps({"import_s": ready - begin, "call_s": first}))


if __name__ == "__main__":
    main()
