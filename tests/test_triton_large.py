"""Large arrays: rows in passes, sums in parts, and positions beyond 32 bits."""

from __future__ import annotations

import numpy as np
import pytest
from fusion_graphs import layer_norm_with_gradient, softmax, stretch
from tracefuse.kernels.triton.compile import compile
from tracefuse.kernels.triton.interpreter.on_cpu import Interpreter
from tracefuse.kernels.triton.native.ahead import compile_kernel
from tracefuse.tracer import algebra as al
from tracefuse.tracer import types as ty
from tracefuse.tracer.graph import Graph, make, placeholder
from tracefuse.tracer.interpret import interpret

pytest.importorskip("triton")


def check(graph, rtol=2e-5):
    rng = np.random.default_rng(3)
    drawn = (np.asarray(rng.normal(size=v.shape)) for v in graph.inputs)
    arrays = [a.astype(v.dtype.np) for a, v in zip(drawn, graph.inputs)]
    found = compile(graph, Interpreter())
    for v, g, w in zip(graph.outputs, found.run(*arrays), interpret(graph, arrays)):
        assert (g.shape, g.dtype) == (w.shape, w.dtype)
        scale = float(np.abs(w).max(initial=1))
        np.testing.assert_allclose(g, w, rtol=rtol, atol=rtol * scale, err_msg=v.op)
    return found


LONG = (33_000, 50_257, 200_000)


@pytest.mark.parametrize("width", LONG)
def test_long_rows(width):
    x = placeholder("x", (2, width), ty.float32)
    outs = [softmax(x), make("argmax", (x,), axis=-1), make("min", (x,), axes=(-1,))]
    outs += [make("cumulative", (x,), axis=-1, mode=m) for m in ("add", "max")]
    found = check(Graph("rows", [x], outs), 1e-4)
    assert not found.slow


@pytest.mark.parametrize("width", (33_000, 50_257))
def test_long_rows_normalised_and_back(width):
    ins, outs = layer_norm_with_gradient(2, width)
    check(Graph("norm", ins, outs), 2e-4)


def test_columns():
    x = placeholder("x", (100_000, 3), ty.float32)
    e = al.exp(x * 0.1)
    outs = [e.sum((-2,)), make("max", (e,), axes=(-2,)), make("argmin", (x,), axis=-2)]
    outs += [softmax(x), make("prod", (x * 0.0 + 1.0,), axes=(-2,)), x.sum((-2, -1))]
    check(Graph("columns", [x], outs), 1e-4)


@pytest.mark.parametrize("shape", ((4099, 37), (1031, 5, 17), (17, 1021, 3), (5, 1, 7)))
def test_sums_of_odd_sizes_over_every_choice_of_axes(shape):
    x = placeholder("x", shape, ty.float64)
    y = al.tanh(x) + 0.25
    outs = [y]
    for k in range(1, 1 << len(shape)):
        axes = tuple(a for a in range(-len(shape), 0) if k >> (-a - 1) & 1)
        outs += [y.sum(axes), make("max", (y * 2.0,), axes=axes)]
    check(Graph("sums", [x], outs), 1e-11)


def test_rows_and_columns_at_once():
    x = placeholder("x", (70, 9000), ty.float32)
    d = x - stretch(make("max", (x,), axes=(-1,)), x)
    p = al.exp(d) / stretch(al.exp(d).sum((-1,)), x)
    outs = [p, p.sum((-2,)), d.sum((-1,)), (p * x).sum((-2,)), p.sum((-2, -1))]
    check(Graph("both", [x], outs), 1e-4)


# -- positions beyond 32 bits: such arrays are compiled for, not made


def texts(ins, outs):
    found = compile(Graph("far", ins, outs), Interpreter()).program.kernels.values()
    for kernel in found:
        compile_kernel(kernel, None, "sm_90")
    return [k.source for k in found]


def test_a_space_beyond_32_bits():
    x = placeholder("x", (1 << 17,), ty.float32)
    wide = x.expand((1 << 16, 1 << 17)) * 2.0
    first, *_ = texts([x], [wide.sum((-2, -1))])
    assert "program_id(0).to(tl.int64)" in first


def test_a_stride_beyond_32_bits():
    x = placeholder("x", (1 << 33,), ty.float32)
    given = dict(axis=-1, start=5, length=8192, step=1 << 20)
    (text,) = texts([x], [make("slice", (x,), **given)])
    assert "x0 + (i0.to(tl.int64) * 1048576 + 5)" in text


def test_a_row_number_far_out():
    x = placeholder("x", (1 << 20, 5000), ty.float32)
    i = placeholder("i", (9,), ty.int32)
    found = texts([x, i], [make("gather", (x, i), batch=0)])
    assert any(".to(tl.int64) * 5000" in t for t in found)


def test_a_product_too_large_for_32_bits():
    """Each thread holds one wide number: the place where its tile begins."""
    x = placeholder("x", (1 << 16, 64), ty.bfloat16)
    w = placeholder("w", (64, 50_257), ty.bfloat16)
    (*_, text) = texts([x, w], [make("dot", (x, w))])
    assert "(pm * BM).to(tl.int64) * 50257 + ((i0 - pm * BM) * 50257 + i1)" in text


@pytest.mark.parametrize("mode", ("set", "add"))
def test_writing_far_out(mode):
    x = placeholder("x", (1 << 20, 5000), ty.float32)
    i = placeholder("i", (9,), ty.int64)
    u = placeholder("u", (9, 5000), ty.float32)
    found = texts([x, i, u], [make("scatter", (x, i, u), batch=0, mode=mode)])
    assert any(".to(tl.int64) * 5000" in t for t in found)


def test_small_positions_take_32_bits():
    x = placeholder("x", (1000, 1000), ty.float32)
    found = texts([x], [x.permute((-1, -2)) * 2.0, softmax(x)])
    assert not any("int64" in t for t in found)
