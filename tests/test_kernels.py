"""Generated NumPy code computes what the graphs mean: `interpret` is the oracle."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from tracefuse.kernels.numpy.compile import compile
from tracefuse.kernels.numpy.threads import set_threads, threads
from tracefuse.tracer import algebra as al
from tracefuse.tracer import types as ty
from tracefuse.tracer.graph import Graph, constant, make, placeholder
from tracefuse.tracer.interpret import interpret
from tracefuse.tracer.ops import OPS
from tracefuse.tracer.sizes import Dim

FLOATS = (ty.float32, ty.float64, ty.float16, ty.bfloat16)
INTS = (ty.uint8, ty.int8, ty.int16, ty.int32, ty.int64)
# Shapes of one region: straight, in tiles, ragged, with axes of size 1, empty, 0-d.
SHAPES = ((), (1,), (7,), (3, 5), (0, 4), (1, 6, 1), (50, 1031), (1, 40001))
LINE = dict(zip(FLOATS, (2e-5, 1e-12, 4e-3, 4e-2)))


def arrays_for(graph, seed=0, sizes=None):
    rng = np.random.default_rng(seed)
    return [array_for(v, rng, sizes or {}) for v in graph.inputs]


def array_for(v, rng, sizes):
    shape = tuple(sizes[n.text] if isinstance(n, Dim) else n for n in v.shape)
    if v.dtype is ty.bool_:
        return rng.random(shape) < 0.5
    if not v.dtype.is_floating_point:
        return rng.integers(0, 4, shape).astype(v.dtype.np)
    return np.asarray(rng.normal(size=shape)).astype(v.dtype.np)


def check(graph, arrays=None, exact=False, cache=False):
    """Run generated code and oracle on the same arrays; return the former's results."""
    graph.verify()
    arrays = arrays_for(graph) if arrays is None else arrays
    before = [a.copy() for a in arrays]
    got = compile(graph, cache=cache).run(*arrays)
    want = interpret(graph, before)
    assert len(got) == len(want)
    for v, g, w in zip(graph.outputs, got, want):
        assert isinstance(g, np.ndarray) and g.flags.c_contiguous
        assert (g.shape, g.dtype) == (w.shape, w.dtype)
        compare(g, w, exact, v)
    for a, b in zip(arrays, before):
        np.testing.assert_array_equal(a.astype(float), b.astype(float))
    assert_apart([*got], arrays)
    return got


def compare(got, want, exact, v):
    got, want = (a.astype(np.float64) for a in (got, want))
    if exact or not v.dtype.is_floating_point:
        np.testing.assert_array_equal(got, want)
    else:
        line = LINE[v.dtype]
        scale = max(
            1.0, float(np.max(np.abs(want), initial=0, where=np.isfinite(want)))
        )
        np.testing.assert_allclose(got, want, rtol=line, atol=line * scale)


def assert_apart(results, others):
    for i, a in enumerate(results):
        for b in [*results[:i], *others]:
            assert not np.shares_memory(a, b)


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


def softmax(x, axis=-1):
    kept = x.shape[:axis] + (1,) + x.shape[len(x.shape) + axis + 1 :]
    e = al.exp(x - make("max", (x,), axes=(axis,)).reshape(kept).expand(x.shape))
    return e / e.sum((axis,)).reshape(kept).expand(x.shape)


def layer_norm(x, w, b):
    n, kept = float(x.shape[-1]), x.shape[:-1] + (1,)
    mean = x.sum((-1,)).reshape(kept) * (1 / n)
    d = x - mean.expand(x.shape)
    var = (d * d).sum((-1,)).reshape(kept) * (1 / n)
    y = d / al.sqrt(var + 1e-5).expand(x.shape)
    return y * w.expand(x.shape) + b.expand(x.shape), y


ROWS = ((4, 10), (300, 129), (1, 40000), (7, 5, 1001), (0, 9))


@pytest.mark.parametrize("dtype", FLOATS, ids=lambda t: t.short)
@pytest.mark.parametrize("shape", ROWS, ids=str)
def test_rows(shape, dtype):
    x = placeholder("x", shape, dtype)
    w, b = (placeholder(n, shape[-1:], dtype) for n in "wb")
    y, _ = layer_norm(x, w, b)
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
        "shl shr where cast stop_gradient leaf sum prod max min argmax argmin expand"
        " reshape permute slice pad concat update_slice windows fold dot gather scatter"
        " cumulative argsort input constant iota random_bits".split()
    )
    # Calls are inlined before code is generated.
    assert handled == set(OPS) - {"call", "item"}


def random_graph(seed):
    """A few dozen nodes over one space, its rows and columns, chosen at random."""
    rng = np.random.default_rng(seed)
    shape = [(4, 6), (130, 300), (3, 5, 7), (20, 30, 70)][seed % 4]
    x, y = (placeholder(n, shape, ty.float64) for n in "xy")
    w = placeholder("w", shape[-1:], ty.float64)
    pool = [x, y, w.expand(shape)]
    for _ in range(int(rng.integers(5, 40))):
        a, b = (pool[int(k)] for k in rng.integers(0, len(pool), 2))
        pool.append(random_node(rng, a, b, shape))
    picked = rng.choice(len(pool), 4)
    late = [
        pool[-1].sum((-2,)),
        make("max", (pool[-1],), axes=tuple(range(-len(shape), 0))),
    ]
    return Graph("random", [x, y, w], [*(pool[int(k)] for k in picked), *late])


def random_node(rng, a, b, shape):
    choice = int(rng.integers(0, 9))
    if choice == 0:
        return al.tanh(a)
    if choice == 1:
        return al.where(al.lt(a, b), a, b * 0.5)
    if choice == 2:
        axis = -int(rng.integers(1, len(shape) + 1))
        kept = tuple(1 if i == len(shape) + axis else n for i, n in enumerate(shape))
        op = ("sum", "max")[int(rng.integers(0, 2))]
        return al.tanh(make(op, (a,), axes=(axis,)).reshape(kept)).expand(shape) - b
    if choice == 3:
        axis = -int(rng.integers(1, len(shape) + 1))
        n = shape[axis]
        flipped = make("slice", (a,), axis=axis, start=n - 1, length=n, step=-1)
        return flipped + b * 0.5
    if choice == 4:
        order = tuple(range(-len(shape), 0))
        return (a + b).permute(order[::-1]).permute(order[::-1])
    return [a + b, a - b, a * 0.5, al.maximum(a, b), al.sin(a)][
        choice - 5 if choice > 4 else 4
    ]


@pytest.mark.parametrize("seed", range(60))
def test_random_graphs(seed):
    check(random_graph(seed))


def strided(x):
    """The same numbers with other strides."""
    wide = np.zeros(tuple(2 * n for n in x.shape), x.dtype)
    view = wide[tuple(slice(None, None, 2) for _ in x.shape)]
    view[...] = x
    return view


@pytest.mark.parametrize("seed", range(0, 12))
def test_inputs_need_not_be_contiguous(seed):
    graph = random_graph(seed)
    arrays = [strided(a) for a in arrays_for(graph)]
    check(graph, arrays)
    check(graph, [np.asfortranarray(a) for a in arrays])


@pytest.mark.parametrize("batch", (0, 1, 3, 64, 1000))
def test_symbolic_sizes(batch):
    b = Dim("batch").bind(8)
    x, w = placeholder("x", (b, 60), ty.float32), placeholder("w", (60, 10), ty.float32)
    bias = placeholder("bias", (10,), ty.float32)
    y = make("dot", (x, w)) + bias.expand((b, 10))
    z = al.maximum(y, constant(0, y.shape, y.dtype))
    wide = x.reshape((b * 60,)) * 2.0
    late = (z.sum((-2, -1)), z.sum((-2,)), make("concat", (x, x), axis=-2) * 0.5)
    both = make("concat", (wide, wide), axis=-1).reshape((b * 2, 60))
    outs = [softmax(y), z, wide, *late, x.permute((-1, -2)) + 1.0, both]
    graph = Graph("f", [x, w, bias], outs)
    check(graph, arrays_for(graph, sizes={"batch": batch}))


@pytest.mark.parametrize("name", ("i", "x", "t0", "add", "n", "s1", "x0", "r0", "o"))
def test_symbols_may_be_called_anything(name):
    b = Dim(name).bind(8)
    x = placeholder("x", (b, 60), ty.float32)
    graph = Graph("i", [x], [al.exp(x) + x.sum((-1,)).reshape((b, 1)).expand((b, 60))])
    check(graph, arrays_for(graph, sizes={name: 700}))


def test_names_that_are_no_identifiers_or_ours():
    names = [
        "self.weight",
        "add",
        "s0",
        "r0",
        "class",
        "self.weight",
        "1x",
        "pool",
        "ws",
    ]
    values = [placeholder(n, (3,), ty.float32) for n in names]
    total = values[0]
    for v in values[1:]:
        total = total + al.exp(v)
    check(Graph("<lambda>", values, [total, total * 2.0]))


@pytest.mark.parametrize("n", (6, 40000))
def test_donated_buffers(n):
    x = placeholder("x", (2, n), ty.float32)
    y = al.exp(x)
    outs = [y, y.sum((-1,)), x, y.reshape((n * 2,)), x.permute((-1, -2))]
    graph = Graph("f", [x], outs)
    arrays = arrays_for(graph)
    want = interpret(graph, arrays)
    for donated in ((0,), (1,), (2,), (3,), (4,), (1, 4), (4, 1), (3, 2, 0)):
        buffers = [np.full(outs[k].shape, 9, np.float32) for k in donated]
        got = compile(graph, donated).run(*arrays, *buffers)
        for k, buffer in zip(donated, buffers):
            assert got[k] is buffer
        for g, w in zip(got, want):
            np.testing.assert_allclose(g, w, rtol=1e-5)
        assert_apart(got, arrays)


def test_results_are_never_written_again():
    x = placeholder("x", (5, 7), ty.float32)
    y = al.tanh(x) * 2.0
    run = compile(Graph("f", [x], [y, y.permute((-1, -2)), y, x])).run
    first = run(np.ones((5, 7), np.float32))
    copies = [a.copy() for a in first]
    run(np.zeros((5, 7), np.float32))
    for a, b in zip(first, copies):
        np.testing.assert_array_equal(a, b)


def big_graph():
    x = placeholder("x", (700, 513), ty.float32)
    y = softmax(x)
    return Graph("big", [x], [y, y.sum((-2,)), (x * x).sum((-2, -1)), al.erf(x)])


def test_threads_change_no_bit():
    graph, before = big_graph(), threads()
    arrays = arrays_for(graph)
    run = compile(graph, cache=False).run
    results = []
    try:
        for count in (1, 2, 5):
            set_threads(count)
            results.append(run(*arrays))
    finally:
        set_threads(before)
    for other in results[1:]:
        for a, b in zip(results[0], other):
            np.testing.assert_array_equal(a, b)


def test_two_threads_at_once():
    graph = big_graph()
    run = compile(graph).run
    jobs = [arrays_for(graph, seed) for seed in range(4)]
    want = [run(*job) for job in jobs]
    wrong = []

    def work(k):
        for _ in range(10):
            for a, b in zip(run(*jobs[k]), want[k]):
                if not np.array_equal(a, b):
                    wrong.append(k)

    workers = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


def test_no_warnings_reach_the_user(recwarn):
    for n in (4, 300_000):
        x = placeholder("x", (n,), ty.float32)
        y = al.log(x - x) + al.exp(x * 1e6) + al.sqrt(constant(-1.0, (n,), ty.float32))
        run = compile(Graph("f", [x], [y, y.cast(ty.int32)])).run
        run(np.arange(n, dtype=np.float32) - 1)
    assert not recwarn.list
    with pytest.warns(RuntimeWarning):  # and outside all is as it was
        np.log(np.zeros(3))


def test_an_error_in_a_kernel_is_raised_and_leaves_no_trace():
    x = placeholder("x", (200_000,), ty.float32)
    run = compile(Graph("f", [x], [al.exp(x)])).run
    with pytest.raises(Exception):  # noqa: B017 - whatever NumPy raises
        run(np.array(["a"] * 200_000))
    ones = np.ones(200_000, np.float32)
    np.testing.assert_allclose(run(ones)[0], np.exp(ones), rtol=1e-6)


def test_a_chain_of_20000():
    x = placeholder("x", (10,), ty.float32)
    y = x
    for k in range(10_000):
        y = al.tanh(y + x) if k % 2 else y * 0.5 + x
    check(Graph("chain", [x], [y]))


def test_many_regions():
    x = placeholder("x", (40, 1000), ty.float32)
    total, y = x, x
    for k in range(300):
        y = (
            softmax(y + 0.01 * k)
            if k % 3
            else y.permute((-1, -2)).permute((-1, -2)) + total
        )
        total = total + y.sum((-2,)).expand(x.shape) * 1e-3
    check(Graph("many", [x], [total, y]))


def test_the_source_stands_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("TRACEFUSE_CACHE_DIR", str(tmp_path))
    x = placeholder("x", (3, 4), ty.float32)
    made = compile(Graph("alone", [x], [al.exp(x) * 2.0]), cache=False)
    assert made.path.startswith(str(tmp_path))
    scope = {}
    exec(open(made.path).read(), scope)
    ones = np.ones((3, 4), np.float32)
    np.testing.assert_array_equal(scope["alone"](ones)[0], made.run(ones)[0])
    assert "alone" in repr(made) and made.source in open(made.path).read()


def test_a_cache_folder_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TRACEFUSE_CACHE_DIR", str(tmp_path / "file"))
    x = placeholder("x", (3,), ty.float32)
    made = compile(Graph("f", [x], [x + x]), cache=False)
    assert made.path is None
    np.testing.assert_array_equal(made.run(np.ones(3, np.float32))[0], [2, 2, 2])


def test_equal_graphs_share_an_executable():
    def graph(name, c):
        x = placeholder("x", (3,), ty.float32)
        return Graph(name, [x], [x * c])

    first = compile(graph("f", 2.0))
    assert compile(graph("f", 2.0)) is first
    assert compile(graph("g", 2.0)) is not first
    assert compile(graph("f", 3.0)) is not first
    assert compile(graph("f", 2.0), cache=False) is not first


def test_the_users_lines_are_in_the_source():
    x = placeholder("x", (3,), ty.float32)
    y = al.exp(x)
    y.line = "model.py:12"
    made = compile(Graph("f", [x], [y * 2.0]), cache=False)
    assert "# model.py:12" in made.source
    assert any(record.line == "model.py:12" for record in made.kernels)
