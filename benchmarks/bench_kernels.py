"""Generated NumPy code beside plain NumPy, and beside what else is installed.

    pytest benchmarks --benchmark-group-by=group --benchmark-columns=min,median

Each group computes one thing in several ways; `tracefuse` is the generated code.
"""

from __future__ import annotations

import numpy as np
import pytest
from tracefuse.kernels.numpy.compile import compile
from tracefuse.tracer import algebra as al
from tracefuse.tracer.graph import Graph, make, placeholder
from tracefuse.tracer.types import float32

RNG = np.random.default_rng(0)


def normal(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def run_of(name, inputs, outputs, donated=()):
    return compile(Graph(name, inputs, outputs), donated).run


# -- gelu in its tanh form, over ten million numbers

LARGE = 10_000_000
INNER, CUBE = 0.7978845608028654, 0.044715


def gelu_numpy_pow(x):
    return 0.5 * x * (1 + np.tanh(INNER * (x + CUBE * x**3)))


def gelu_numpy_products(x):
    return 0.5 * x * (1 + np.tanh(INNER * (x + CUBE * x * x * x)))


def gelu_numexpr(x):
    numexpr = pytest.importorskip("numexpr")
    text = "0.5 * x * (1 + tanh(c * (x + d * x * x * x)))"
    given = dict(x=x, c=np.float32(INNER), d=np.float32(CUBE))
    return numexpr.evaluate(text, given)


def gelu_graph():
    x = placeholder("x", (LARGE,), float32)
    y = 0.5 * x * (1.0 + al.tanh(INNER * (x + CUBE * x * x * x)))
    return run_of("gelu", [x], [y])


def gelu_torch():
    torch = pytest.importorskip("torch")

    def gelu(x):
        y = torch.nn.functional.gelu(torch.from_numpy(x), approximate="tanh")
        return y.numpy()

    return gelu


def gelu_jax():
    jax = pytest.importorskip("jax")
    compiled = jax.jit(lambda x: jax.nn.gelu(x, approximate=True))
    return lambda x: compiled(x).block_until_ready()


GELU = {
    "tracefuse": gelu_graph,
    "numpy, x**3": lambda: gelu_numpy_pow,
    "numpy, products": lambda: gelu_numpy_products,
    "numexpr": lambda: gelu_numexpr,
    "torch eager": gelu_torch,
    "jax.jit": gelu_jax,
}


@pytest.mark.benchmark(group="gelu, 1e7 float32")
@pytest.mark.parametrize("way", GELU)
def test_gelu(benchmark, way):
    x, run = normal(LARGE), GELU[way]()
    got = benchmark(run, x)
    got = np.asarray(got[0] if isinstance(got, tuple) else got)
    np.testing.assert_allclose(got, gelu_numpy_products(x), rtol=1e-3, atol=1e-5)


# -- 20 operations on 10 numbers: what a call costs


def chain_graph():
    x = placeholder("x", (10,), float32)
    y = x
    for _ in range(10):
        y = y * 1.5 + 0.25
    return run_of("chain", [x], [y])


def chain_by_hand():
    add, multiply, empty = np.add, np.multiply, np.empty
    a, b = np.array(1.5, np.float32), np.array(0.25, np.float32)

    def chain(x):
        y = empty((10,), np.float32)
        multiply(x, a, y)
        add(y, b, y)
        for _ in range(9):
            multiply(y, a, y)
            add(y, b, y)
        return y

    return chain


def chain_plain():
    def chain(x):
        for _ in range(10):
            x = x * 1.5 + 0.25
        return x

    return chain


CHAIN = {
    "tracefuse": chain_graph,
    "numpy by hand, out=": chain_by_hand,
    "numpy": chain_plain,
}


@pytest.mark.benchmark(group="20 operations on 10 numbers")
@pytest.mark.parametrize("way", CHAIN)
def test_chain(benchmark, way):
    benchmark(CHAIN[way](), normal(10))


# -- rows


def kept(rows, x):
    return rows.reshape((*x.shape[:-1], 1)).expand(x.shape)


def softmax_graph():
    x = placeholder("x", (4096, 1024), float32)
    e = al.exp(x - kept(make("max", (x,), axes=(-1,)), x))
    return run_of("softmax", [x], [e / kept(e.sum((-1,)), x)])


def softmax_numpy():
    def softmax(x):
        e = np.exp(x - x.max(-1, keepdims=True))
        return e / e.sum(-1, keepdims=True)

    return softmax


def softmax_torch():
    torch = pytest.importorskip("torch")
    return lambda x: torch.softmax(torch.from_numpy(x), -1).numpy()


SOFTMAX = {
    "tracefuse": softmax_graph,
    "numpy": softmax_numpy,
    "torch eager": softmax_torch,
}


@pytest.mark.benchmark(group="softmax, 4096 x 1024")
@pytest.mark.parametrize("way", SOFTMAX)
def test_softmax(benchmark, way):
    benchmark(SOFTMAX[way](), normal(4096, 1024))


def layer_norm_graph():
    x = placeholder("x", (4096, 1024), float32)
    w, b = (placeholder(n, (1024,), float32) for n in "wb")
    d = x - kept(x.sum((-1,)) * (1 / 1024), x)
    y = d / kept(al.sqrt((d * d).sum((-1,)) * (1 / 1024) + 1e-5), x)
    return run_of("layer_norm", [x, w, b], [y * w.expand(x.shape) + b.expand(x.shape)])


def layer_norm_numpy():
    def layer_norm(x, w, b):
        d = x - x.mean(-1, keepdims=True)
        return d / np.sqrt((d * d).mean(-1, keepdims=True) + 1e-5) * w + b

    return layer_norm


def layer_norm_torch():
    torch = pytest.importorskip("torch")

    def layer_norm(*arrays):
        x, w, b = map(torch.from_numpy, arrays)
        return torch.nn.functional.layer_norm(x, (1024,), w, b).numpy()

    return layer_norm


LAYER_NORM = {
    "tracefuse": layer_norm_graph,
    "numpy": layer_norm_numpy,
    "torch eager": layer_norm_torch,
}


@pytest.mark.benchmark(group="layer norm, 4096 x 1024")
@pytest.mark.parametrize("way", LAYER_NORM)
def test_layer_norm(benchmark, way):
    benchmark(LAYER_NORM[way](), normal(4096, 1024), normal(1024), normal(1024))


# -- compiling


@pytest.mark.benchmark(group="compiling 3,000 operations")
def test_compile(benchmark):
    x = placeholder("x", (10,), float32)
    y = x
    for k in range(1500):
        y = al.tanh(y + x) if k % 2 else y * 0.5 + x
    graph = Graph("chain", [x], [y])
    benchmark(compile, graph, cache=False)
