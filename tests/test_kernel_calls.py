"""How compiled graphs are called: strides, symbols, buffers, threads, caches."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from fusion_graphs import random_graph, softmax
from kernel_checks import arrays_for, assert_apart, check
from tracefuse.kernels.numpy import fresh
from tracefuse.kernels.numpy.compile import compile
from tracefuse.kernels.numpy.threads import set_threads, threads
from tracefuse.tracer import algebra as al
from tracefuse.tracer import types as ty
from tracefuse.tracer.graph import Graph, constant, make, placeholder
from tracefuse.tracer.interpret import interpret
from tracefuse.tracer.sizes import Dim


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


def test_memory_of_large_results_is_taken_again_once_nobody_holds_it():
    x = placeholder("x", (600, 700), ty.float32)
    run = compile(Graph("large", [x], [x + 1.0])).run
    ones = np.ones((600, 700), np.float32)
    fresh.forget()
    first = run(ones)[0]
    where, part = first.ctypes.data, first[3:, 5:]
    del first
    assert run(ones)[0].ctypes.data != where  # a view of it is alive
    np.testing.assert_array_equal(part, 2)
    del part
    assert where in {run(ones)[0].ctypes.data for _ in range(2)}
    held = [run(ones)[0] for _ in range(3)]
    assert_apart(held, [])
    assert all(map(fresh.owns, held)) and not fresh.owns(held[0][1:])
    assert held[0][1:][2:].base is held[0]


def test_nothing_in_a_graph_becomes_code():
    x = placeholder("x\n); import os #", (3, 4), ty.float32)
    y = al.exp(x)
    y.line = 'evil@3.py:1"""\nraise SystemExit\n#'
    name = 'f"""\nraise SystemExit\n"""'
    check(Graph(name, [x], [y * 2.0, y.sum((-1,))]))


@pytest.mark.parametrize("value", ("0, __import__('os')", "None", ("0",)))
def test_an_attribute_of_the_wrong_kind_is_refused(value):
    x, index = placeholder("x", (3, 4), ty.float32), placeholder("i", (3,), ty.int64)
    y = make("argsort", (x,), axis=-1, descending=False)
    y.attrs["axis"] = value
    with pytest.raises(TypeError, match="axis is made of numbers"):
        compile(Graph("f", [x], [y]))
    z = make("scatter", (x, index, x), batch=0, mode="add")
    z.attrs["mode"] = value
    with pytest.raises(ValueError, match="mode is one of set, add"):
        compile(Graph("f", [x, index], [z]))
