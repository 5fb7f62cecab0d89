"""Generated NumPy code computes what the graphs mean: `interpret` is the oracle."""

from __future__ import annotations

import numpy as np
import pytest
from fusion_graphs import layer_norm, random_graph, softmax
from kernel_checks import FLOATS, INTS, SHAPES, check
from tracefuse.kernels.numpy.compile import compile
from tracefuse.tracer import algebra as al
from tracefuse.tracer import types as ty
from tracefuse.tracer.control import GRAPHS
from tracefuse.tracer.graph import Graph, constant, make, placeholder
from tracefuse.tracer.ops import OPS


def unary(op, dtype, shape):
    x = placeholder("x", shape, dtype)
    return Graph(op, [x], [make(op, (x,))])


def binary(op, dtype, shape):
    x, y = (placeholder(n, shape, dtype) for n in "xy")
    return Graph(op, [x, y], [make(op, (x, y))])


UNARY = "neg abs floor round sqrt exp expm1 log log1p sin cos tanh erf erfinv".split()
BINARY = "add sub mul div pow atan2 maximum minimum eq ne lt le idiv rem".split()
BITS = "and or xor".split()


@pytest.mark.parametrize("dtype", FLOATS, ids=lambda t: t.short)
@pytest.mark.parametrize("op", UNARY)
def test_unary(op, dtype):
    for shape in ((), (5,), (40009,)):
        check(unary(op, dtype, shape), exact=op not in ("erf", "erfinv"))


@pytest.mark.parametrize("dtype", FLOATS, ids=lambda t: t.short)
@pytest.mark.parametrize("op", BINARY)
def test_binary(op, dtype):
    for shape in ((), (5,), (40009,)):
        check(binary(op, dtype, shape), exact=True)


@pytest.mark.parametrize("dtype", (*INTS, ty.bool_), ids=lambda t: t.short)
def test_integers(dtype):
    ops = [*BITS, "eq", "lt", "maximum", "add", "mul"]
    ops += [] if dtype is ty.bool_ else ["sub", "idiv", "rem", "shl", "shr", "pow"]
    for op in ops:
        for shape in ((3, 4), (33000,)):
            check(binary(op, dtype, shape), exact=True)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_chain_over_shapes(shape):
    x, y = (placeholder(n, shape, ty.float32) for n in "xy")
    z = al.tanh(x * y + 0.5) - al.where(al.lt(x, y), x, -y)
    check(Graph("chain", [x, y], [z, z * 2.0, al.le(x, z)]), exact=True)


@pytest.mark.parametrize("dtype", (*FLOATS, ty.int32, ty.uint8), ids=lambda t: t.short)
def test_where_and_casts(dtype):
    for shape in ((6,), (70001,)):
        c = placeholder("c", shape, ty.bool_)
        x, y = (placeholder(n, shape, dtype) for n in "xy")
        z = al.where(c, x, y)
        outs = [z, al.where(c, z, constant(0, shape, dtype)), z.cast(ty.float32) * 0.5]
        outs += [al.where(c, constant(1, shape, dtype), z), z.cast(ty.int64)]
        check(Graph("where", [c, x, y], outs), exact=True)


def test_where_keeps_nan_apart():
    x = placeholder("x", (40000,), ty.float32)
    z = al.where(al.lt(x, constant(0, x.shape, x.dtype)), x * 0.0, al.sqrt(x))
    got = check(Graph("f", [x], [z]), exact=True)
    assert not np.isnan(got[0]).any()


ROWS = ((4, 10), (300, 129), (1, 40000), (7, 5, 1001), (0, 9))


@pytest.mark.parametrize("dtype", FLOATS, ids=lambda t: t.short)
@pytest.mark.parametrize("shape", ROWS, ids=str)
def test_rows(shape, dtype):
    x = placeholder("x", shape, dtype)
    w, b = (placeholder(n, shape[-1:], dtype) for n in "wb")
    y = layer_norm(x, w, b)
    check(Graph("f", [x, w, b], [softmax(x), y, softmax(x * 2.0).sum((-1,))]))


@pytest.mark.parametrize("axis", (-1, -2, -3))
def test_softmax_over_any_axis(axis):
    for shape in ((3, 4, 5), (9, 70, 80)):
        x = placeholder("x", shape, ty.float64)
        check(Graph("f", [x], [softmax(x, axis)]))


@pytest.mark.parametrize("op", ("sum", "prod", "max", "min"))
@pytest.mark.parametrize("shape", ((3, 4, 5), (6, 70, 111), (2, 3, 30011)), ids=str)
def test_reductions(op, shape):
    for axes in ((-1,), (-2,), (-3,), (-3, -1), (-2, -1), (-3, -2), (-3, -2, -1)):
        x = placeholder("x", shape, ty.float64)
        y = al.tanh(x) * 0.01 + 1.0
        r = make(op, (y,), axes=axes)
        check(Graph("f", [x], [r, al.exp(r * 0.01)]))


@pytest.mark.parametrize("dtype", (*FLOATS, *INTS, ty.bool_), ids=lambda t: t.short)
def test_reductions_of_every_type(dtype):
    for shape in ((3, 4), (210, 211)):
        for axes in ((-1,), (-2,), (-2, -1)):
            x = placeholder("x", shape, dtype)
            outs = [make(op, (x,), axes=axes) for op in ("sum", "max", "min")]
            check(Graph("f", [x], outs))


def test_argmax_and_argmin():
    for shape in ((5, 6), (300, 200), (3, 200, 300)):
        for axis in (-1, -2):
            x = placeholder("x", shape, ty.float32)
            outs = [make(op, (x + x,), axis=axis) for op in ("argmax", "argmin")]
            check(Graph("f", [x], outs), exact=True)


@pytest.mark.parametrize("shape", ((6, 4), (300, 250)), ids=str)
def test_views_and_what_reads_them(shape):
    x = placeholder("x", shape, ty.float32)
    t = x.permute((-1, -2))
    s = make("slice", (t,), axis=-2, start=1, length=shape[1] // 2, step=2)
    back = make("slice", (x,), axis=-1, start=shape[1] - 1, length=shape[1], step=-1)
    r = (t * 2.0).reshape((shape[0] * shape[1],))
    outs = [t, al.exp(t), s, s + 1.0, back, back * 3.0, r, t.reshape(r.shape) - r]
    outs += [x.reshape((shape[0], 1, shape[1])), x, x, s.sum((-1,)), t.sum((-1,))]
    check(Graph("f", [x], outs))


@pytest.mark.parametrize("n", (5, 400))
def test_movement_that_writes(n):
    x, u = placeholder("x", (n, 90), ty.float32), placeholder("u", (n, 30), ty.float32)
    y = x * 2.0
    outs = [
        make("pad", (x,), pads=((1, 2, 0), (0, 1, 2)), value=-1.5),
        make("pad", (y,), pads=((0, 0, 0), (2, 0, 0)), value=-float("inf")),
        make("concat", (y, u, x), axis=-1),
        make("update_slice", (y, u), axis=-1, start=3, step=2),
        make("update_slice", (x, u + 1.0), axis=-1, start=0, step=1),
    ]
    check(Graph("f", [x, u], outs), exact=True)


@pytest.mark.parametrize("mode", ("set", "add", "mul", "max", "min"))
@pytest.mark.parametrize("batch", (0, 1))
def test_index(mode, batch):
    for rows, count in ((6, 4), (50, 300)):
        lead = (3,) * batch
        x = placeholder("x", (*lead, rows, 7), ty.float64)
        index = placeholder("index", (*lead, count), ty.int64)
        u = placeholder("u", (*lead, count, 7), ty.float64)
        y = make("scatter", (x, index, u), batch=batch, mode=mode)
        outs = [y, make("gather", (y * 1.0, index), batch=batch)]
        check(Graph("f", [x, index, u], outs))


def test_an_index_out_of_bounds():
    x, index = placeholder("x", (4, 3), ty.float32), placeholder("i", (2,), ty.int64)
    run = compile(Graph("f", [x, index], [make("gather", (x, index), batch=0)])).run
    with pytest.raises(IndexError, match="index 9 is out of bounds"):
        run(np.ones((4, 3), np.float32), np.array([1, 9]))
    got = run(np.arange(12, dtype=np.float32).reshape(4, 3), np.array([-1, 0]))
    np.testing.assert_array_equal(got[0][:, 0], [9, 0])


@pytest.mark.parametrize("dtype", (*FLOATS, ty.int64), ids=lambda t: t.short)
def test_dot(dtype):
    for lead in ((), (2, 3)):
        a = placeholder("a", (*lead, 5, 7), dtype)
        b = placeholder("b", (*lead, 4, 7), dtype)
        swap = tuple(range(-len(lead) - 2, -2)) + (-1, -2)
        y = make("dot", (a, b.permute(swap)))
        check(Graph("f", [a, b], [y, y + y]))


def test_dot_with_a_weight_that_is_shared():
    x, w = placeholder("x", (6, 5, 7), ty.float32), placeholder("w", (7, 4), ty.float32)
    y = make("dot", (x * 2.0, w.expand((6, 7, 4))))
    check(Graph("f", [x, w], [y, make("dot", (x, w.expand((6, 7, 4))))]))


def windows(x, size, stride=(1, 1), dilation=(1, 1)):
    return make("windows", (x,), size=size, stride=stride, dilation=dilation)


@pytest.mark.parametrize("stride", (1, 2))
def test_windows(stride):
    for n in (3, 40):
        x = placeholder("x", (n, 2, 14, 15), ty.float32)
        w = windows(al.tanh(x), (3, 2), (stride, stride))
        best = make("max", (w,), axes=(-2, -1))
        raw = make("sum", (windows(x, (3, 3), (2, stride), (2, 1)),), axes=(-1, -2))
        given = dict(shape=(14, 15), stride=(stride, stride), dilation=(1, 1))
        outs = [w, best, raw * 0.1, make("fold", (w * 1.0,), **given), w + 1.0]
        columns = w.permute((-6, -4, -3, -5, -2, -1))
        rows = w.shape[0] * w.shape[2] * w.shape[3]
        outs.append(columns.reshape((rows, 12)))
        check(Graph("f", [x], outs))


@pytest.mark.parametrize("dtype", FLOATS, ids=lambda t: t.short)
def test_scans(dtype):
    x = placeholder("x", (6, 9), dtype)
    outs = [make("cumulative", (x,), axis=-1, mode=m) for m in ("add", "mul", "max")]
    outs += [make("cumulative", (x + x,), axis=-2, mode="min")]
    outs += [make("argsort", (x,), axis=-1, descending=d) for d in (True, False)]
    check(Graph("f", [x], outs))


def test_sources():
    state = placeholder("state", (2,), ty.int64)
    bits = make("random_bits", (state,), shape=(5, 3), skip=2)
    line = make("iota", (), shape=(4, 5), axis=-2, dtype=ty.float32)
    big = make("iota", (), shape=(300, 200), axis=-1, dtype=ty.int64)
    outs = [bits, bits.cast(ty.float32) * 0.5, line, line + 1.0, big * 2, big]
    outs += [constant(3, (2, 2), ty.int32), constant(float("nan"), (), ty.float32)]
    check(Graph("f", [state], outs), exact=True)


def test_every_primitive_is_generated():
    handled = set(UNARY + BINARY + BITS) | set(
        "shl shr where cast stop_gradient leaf again sum prod max min argmax argmin"
        " expand"
        " reshape permute slice pad concat update_slice windows fold dot gather scatter"
        " cumulative argsort input constant iota random_bits".split()
    )
    # Calls are inlined before code is generated.
    assert handled == set(OPS) - {*GRAPHS, "item"}


@pytest.mark.parametrize("seed", range(60))
def test_random_graphs(seed):
    check(random_graph(seed))


@pytest.mark.parametrize("width", (1, 2, 10, 16))
def test_narrow_rows(width):
    for n in (7, 600, 30_000):
        x = placeholder("x", (n, width), ty.float32)
        r = make("prod", (x,), axes=(-1,))
        check(Graph("f", [x], [softmax(x), r, al.exp(x).sum((-1,)), x.sum((-1, -2))]))
