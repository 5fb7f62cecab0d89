"""What a call costs, and a training step: tracefuse beside NumPy, PyTorch and JAX.

    pip install '.[bench]'
    pytest benchmarks --benchmark-group-by=group --benchmark-columns=min,median

Peers that are not installed are skipped; all run in the same process and run.
"""

from __future__ import annotations

import gc
import tracemalloc

import numpy as np
import pytest
import tracefuse
from tracefuse.kernels.numpy import fresh

B, D, H, C = 256, 784, 256, 10


@pytest.mark.benchmark(group="one op on 10 elements")
class TestOneOp:
    def test_numpy(self, benchmark):
        x = np.ones(10, np.float32)
        benchmark(lambda: x + 1)

    def test_tracefuse_cached(self, benchmark):
        f, x = tracefuse.jit(lambda x: x + 1), tracefuse.ones(10)
        f(x)
        benchmark(f, x)

    def test_tracefuse_eager(self, benchmark):
        x = tracefuse.ones(10)
        benchmark(lambda: x + 1)

    def test_torch_eager(self, benchmark):
        torch = pytest.importorskip("torch")
        x = torch.ones(10)
        benchmark(lambda: x + 1)

    def test_jax_jit(self, benchmark):
        jax = pytest.importorskip("jax")
        f, x = jax.jit(lambda x: x + 1), jax.numpy.ones(10)
        f(x)
        benchmark(lambda: f(x).block_until_ready())


@pytest.mark.benchmark(group="20 ops on 10 elements")
class TestChain:
    def test_numpy_by_hand(self, benchmark):
        x, out = np.ones(10, np.float32), np.empty(10, np.float32)
        a, b = np.array(1.5, np.float32), np.array(0.25, np.float32)

        def chain():
            np.multiply(x, a, out)
            np.add(out, b, out)
            for _ in range(9):
                np.multiply(out, a, out)
                np.add(out, b, out)
            return out

        benchmark(chain)

    def test_tracefuse(self, benchmark):
        f, x = tracefuse.jit(chain), tracefuse.ones(10)
        f(x)
        benchmark(f, x)

    def test_jax(self, benchmark):
        jax = pytest.importorskip("jax")
        f, x = jax.jit(chain), jax.numpy.ones(10)
        f(x)
        benchmark(lambda: f(x).block_until_ready())

    def test_torch_eager(self, benchmark):
        torch = pytest.importorskip("torch")
        x = torch.ones(10)
        benchmark(chain, x)


def chain(x):
    for _ in range(10):
        x = x * 1.5 + 0.25
    return x


def digits():
    rng = np.random.default_rng(0)
    x = rng.random((B, D), np.float32)
    w1 = rng.standard_normal((D, H), np.float32) * 0.05
    w2 = rng.standard_normal((H, C), np.float32) * 0.05
    return x, rng.integers(0, C, B), w1, np.zeros(H, "f4"), w2, np.zeros(C, "f4")


def torch_step(torch, x, y, params):
    """One SGD step of a 784-256-10 MLP, as both libraries spell it."""

    def step(x, y):
        w1, b1, w2, b2 = params
        for p in params:
            p.grad = None
        z = (x @ w1 + b1).relu() @ w2 + b2
        loss = -z.log_softmax(-1).gather(1, y.unsqueeze(1)).mean()
        loss.backward()
        with torch.no_grad():
            for p in params:
                p -= 0.1 * p.grad
        return loss

    return step


def numpy_step(x, y, w1, b1, w2, b2):
    """The same by hand."""
    rows = np.arange(B)

    def step():
        h = x @ w1 + b1
        a = np.maximum(h, 0)
        z = a @ w2 + b2
        z -= z.max(1, keepdims=True)
        p = np.exp(z)
        total = p.sum(1, keepdims=True)
        loss = -(z - np.log(total))[rows, y].mean()
        p /= total
        p[rows, y] -= 1
        p /= B
        da = p @ w2.T
        da[h <= 0] = 0
        rate = np.float32(0.1)
        for w, g in ((w2, a.T @ p), (b2, p.sum(0)), (w1, x.T @ da), (b1, da.sum(0))):
            w -= rate * g
        return loss

    return step


@pytest.mark.benchmark(group="MLP step 784-256-10, batch 256")
class TestStep:
    def test_numpy_by_hand(self, benchmark):
        benchmark(numpy_step(*digits()))

    def test_tracefuse_jit(self, benchmark):
        self.tracefuse(benchmark, tracefuse.jit)

    def test_tracefuse_eager(self, benchmark):
        self.tracefuse(benchmark, lambda f: f)

    def tracefuse(self, benchmark, wrap):
        x, y, *params = map(tracefuse.from_numpy, digits())
        step = wrap(torch_step(tracefuse, x, y, [p.requires_grad_() for p in params]))
        for _ in range(3):
            step(x, y)
        benchmark(step, x, y)

    def test_torch_eager(self, benchmark):
        torch = pytest.importorskip("torch")
        x, y, *params = map(torch.from_numpy, digits())
        step = torch_step(torch, x, y, [p.requires_grad_() for p in params])
        benchmark(step, x, y)

    def test_jax_jit(self, benchmark):
        jax = pytest.importorskip("jax")
        x, y, *params = digits()

        def loss(params, x, y):
            w1, b1, w2, b2 = params
            z = jax.nn.relu(x @ w1 + b1) @ w2 + b2
            return -jax.numpy.take_along_axis(
                jax.nn.log_softmax(z), y[:, None], 1
            ).mean()

        @jax.jit
        def step(params, x, y):
            value, grads = jax.value_and_grad(loss)(params, x, y)
            return value, [p - 0.1 * g for p, g in zip(params, grads)]

        params = list(map(jax.numpy.asarray, params))
        jax.block_until_ready(step(params, x, y))
        benchmark(lambda: jax.block_until_ready(step(params, x, y)))


def held():
    """Bytes of NumPy's arrays that are alive, large results held back included."""
    domain = tracemalloc.DomainFilter(True, np.lib.tracemalloc_domain)
    traces = tracemalloc.take_snapshot().filter_traces([domain]).traces
    return sum(trace.size for trace in traces) + sum(map(len, fresh._kept))


def peak_of(make):
    """(a step, the most that one call of it holds beyond data and parameters).

    Scratch and gradients that stay from call to call count. (What PyTorch and JAX
    allocate is not NumPy's, so theirs cannot be measured this way.)
    """
    fresh.forget()
    tracemalloc.start()
    try:
        arrays = digits()
        data, step = sum(a.nbytes for a in arrays), make(*arrays)
        del arrays
        for _ in range(6):
            step()
        gc.collect()
        stays, before = held() - data, tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        step()
        return step, stays + tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


def tracefuse_step(wrap):
    def make(*arrays):
        x, y, *params = map(tracefuse.from_numpy, arrays)
        params = [p.requires_grad_() for p in params]
        step = wrap(torch_step(tracefuse, x, y, params))
        return lambda: step(x, y)

    return make


HOLDING = {
    "numpy by hand": numpy_step,
    "tracefuse, jit": tracefuse_step(tracefuse.jit),
    "tracefuse, eager": tracefuse_step(lambda f: f),
}


@pytest.mark.benchmark(group="MLP step 784-256-10, batch 256: peak of memory")
@pytest.mark.parametrize("way", HOLDING)
def test_peak(benchmark, way):
    """The name of each row says the peak; its time is that of the same step."""
    step, peak = peak_of(HOLDING[way])
    benchmark.name = f"{way}: {peak / 1e6:.2f} MB"
    benchmark.extra_info["peak_bytes"] = peak
    benchmark(step)


@pytest.mark.benchmark(group="record and compile")
@pytest.mark.parametrize("ops", [1000, 3000])
def test_record_and_compile(benchmark, ops):
    """Linear in the number of operations; 3,000 in under 3 s is what we ask for."""

    def run():
        shift = float(np.random.rand())  # a new program every time

        @tracefuse.jit
        def f(x):
            for _ in range(ops // 2):
                x = x * 1.0001 + shift
            return x

        return f(tracefuse.ones(8))

    benchmark.pedantic(run, rounds=3)
