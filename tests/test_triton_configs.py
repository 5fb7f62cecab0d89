"""Whatever configuration tuning picks, the numbers are right and the code compiles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fusion_graphs import layer_norm_with_gradient, random_graph, softmax
from tracefuse.kernels.triton.compile import compile
from tracefuse.kernels.triton.interpreter.on_cpu import Interpreter
from tracefuse.kernels.triton.native.ahead import compile_kernel
from tracefuse.kernels.triton.native.figures import inspect_binary
from tracefuse.tracer import algebra as al
from tracefuse.tracer import types as ty
from tracefuse.tracer.graph import Graph, make, placeholder
from tracefuse.tracer.interpret import interpret
from triton_maker import Maker
from triton_steps import STEPS

pytest.importorskip("triton")
LINE = {ty.float32: 2e-5, ty.float64: 1e-11, ty.float16: 4e-3, ty.bfloat16: 4e-2}


class Tuned(Interpreter):
    """Runs every kernel in configuration number `n` of its own."""

    def __init__(self, n):
        super().__init__()
        self.n, self.used = n, 0

    def launcher(self, kernel):
        self.used = max(self.used, len(kernel.configs))
        config = kernel.configs[self.n % len(kernel.configs)]
        return super().launcher(replace(kernel, configs=(config,)))


def check(graph):
    """In every configuration that a kernel of the graph has."""
    rng = np.random.default_rng(7)
    drawn = (np.asarray(rng.normal(size=v.shape)) for v in graph.inputs)
    arrays = [a.astype(v.dtype.np) for a, v in zip(drawn, graph.inputs)]
    want, n, most = interpret(graph, arrays), 0, 1
    while n < most:
        machine = Tuned(n)
        got = compile(graph, machine).run(*arrays)
        for v, g, w in zip(graph.outputs, got, want):
            g, w = (np.asarray(a, np.float64) for a in (g, w))
            line = LINE.get(v.dtype, 0)
            scale = float(np.abs(w).max(initial=1))
            np.testing.assert_allclose(g, w, rtol=line, atol=line * scale)
        n, most = n + 1, machine.used
    return most


SHAPES = (
    ((), (100, 70, 130)),
    ((), (65, 200, 17)),
    ((3,), (33, 20, 129)),
    ((2,), (2, 3, 2)),
)


@pytest.mark.parametrize("lead, sizes", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", (ty.float32, ty.bfloat16), ids=lambda t: t.short)
def test_products(lead, sizes, dtype):
    m, k, n = sizes
    x, y = (
        placeholder("x", (*lead, m, k), dtype),
        placeholder("y", (*lead, n, k), dtype),
    )
    b = placeholder("b", (n,), dtype)
    z = make("dot", (x, y.permute((*range(-len(lead) - 2, -2), -1, -2))))
    z = al.tanh(z * 0.1 + b.expand(z.shape))
    assert check(Graph("product", [x, y, b], [z])) > (1 if m > 60 else 0)


def test_rows_columns_and_turns():
    x = placeholder("x", (130, 70), ty.float32)
    outs = [softmax(x), x.permute((-1, -2)) * 2.0, x.sum((-2,)), al.exp(x)]
    outs += [make("cumulative", (x,), axis=-2, mode="add")]
    assert check(Graph("f", [x], outs)) > 1


def test_a_layer_norm_and_its_gradient():
    assert check(Graph("f", *layer_norm_with_gradient(70, 129))) > 1


@pytest.mark.parametrize("seed", (1, 2))
def test_random_graphs(seed):
    check(random_graph(seed))


# -- machine code


def kernels(seed):
    """The kernels of a random graph, with what they are called."""
    rng = np.random.default_rng(seed)
    graph = Maker(lambda n: int(rng.integers(n))).graph(STEPS, int(rng.integers(4, 12)))
    return list(compile(graph, Interpreter()).program.kernels.values())


@pytest.mark.parametrize("seed", (11, 12))
@pytest.mark.parametrize("target", ("sm_80", "sm_90", "sm_100"))
def test_random_kernels_compile(target, seed):
    for kernel in kernels(seed)[:3]:
        figures = inspect_binary(compile_kernel(kernel, None, target))
        assert figures.stack <= 16, kernel.source
