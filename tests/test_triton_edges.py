"""Corners that random graphs found, and what must raise."""

from __future__ import annotations

import numpy as np
import pytest
from tracefuse.kernels.numpy.compile import compile as compile_numpy
from tracefuse.kernels.triton.compile import compile
from tracefuse.kernels.triton.interpreter.on_cpu import Interpreter
from tracefuse.tracer import types as ty
from tracefuse.tracer.graph import Graph, constant, make, placeholder
from tracefuse.tracer.interpret import interpret

pytest.importorskip("triton")


def check(inputs, outs, *arrays):
    """Exactly what the graph means; returns what was compiled."""
    graph = Graph("f", inputs, outs)
    made = compile(graph, Interpreter())
    other = compile_numpy(graph, cache=False).run(*arrays)
    for got, want, also in zip(made.run(*arrays), interpret(graph, arrays), other):
        assert (got.shape, got.dtype) == (want.shape, want.dtype)
        got, want, also = (np.asarray(a, float) for a in (got, want, also))
        np.testing.assert_array_equal(got, want)
        np.testing.assert_array_equal(also, want)
    return made


def numbers(shape, dtype=ty.float32):
    return (np.arange(np.prod(shape)) % 7 - 3).reshape(shape).astype(dtype.np)


# -- nothing


def test_results_without_elements():
    x = placeholder("x", (0, 3), ty.float32)
    line = make("iota", (), shape=(1, 0), axis=-1, dtype=ty.uint8)
    check([x], [line, line, x, x * 2.0, x.reshape((3, 0))], numbers((0, 3)))


def test_sums_of_nothing():
    x, y = placeholder("x", (4, 0), ty.float32), placeholder("y", (0, 5), ty.float32)
    outs = [x.sum((-1,)) + 1.0, make("prod", (x,), axes=(-1,)), make("dot", (x, y))]
    outs += [x.sum((-2,)), make("sum", (x,), axes=(-2, -1))]
    assert not check([x, y], outs, numbers((4, 0)), numbers((0, 5))).slow


@pytest.mark.parametrize("mode", ("set", "add", "max"))
def test_nothing_is_written(mode):
    x, u = placeholder("x", (6, 2), ty.float32), placeholder("u", (0, 2), ty.float32)
    i = placeholder("i", (0,), ty.int64)
    y = make("scatter", (x, i, u), batch=0, mode=mode)
    check([x, i, u], [y, y + 1.0], numbers((6, 2)), np.zeros(0, int), numbers((0, 2)))


def test_the_largest_of_nothing_is_an_error():
    x = placeholder("x", (3, 0), ty.float32)
    run = compile(Graph("f", [x], [make("max", (x,), axes=(-1,))]), Interpreter()).run
    with pytest.raises(ValueError, match="no identity"):
        run(numbers((3, 0)))


# -- row numbers

BAD = (5, -6, 2**40, -(2**40))


def at_rows(op, mode, rows):
    x = placeholder("x", (5, 3), ty.float32)
    i, u = placeholder("i", rows, ty.int64), placeholder("u", (*rows, 3), ty.float32)
    if op == "gather":
        return Graph("f", [x, i], [make("gather", (x, i), batch=0) * 2.0])
    return Graph("f", [x, i, u], [make("scatter", (x, i, u), batch=0, mode=mode)])


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("mode", ("", "set", "add", "mul", "max", "min"))
def test_a_row_that_is_none(mode, bad):
    graph = at_rows("scatter" if mode else "gather", mode, (2, 9))
    rows = np.arange(18).reshape(2, 9) % 10 - 5
    given = [numbers((5, 3)), rows, numbers((2, 9, 3))][: len(graph.inputs)]
    machine = Interpreter()
    run, other = compile(graph, machine).run, compile_numpy(graph, cache=False).run
    np.testing.assert_array_equal(run(*given)[0], other(*given)[0])
    rows[1, 4] = bad
    for each in (run, other):
        with pytest.raises(IndexError, match="out of bounds"):
            each(*given)
    rows[1, 4] = 0  # the next call starts afresh
    np.testing.assert_array_equal(run(*given)[0], other(*given)[0])


@pytest.mark.parametrize("mode", ("add", "set"))
def test_one_row_of_each_line_that_is_none(mode):
    x, u = placeholder("x", (4, 5), ty.float32), placeholder("u", (4, 1), ty.float32)
    i = placeholder("i", (4, 1), ty.int64)
    graph = Graph("f", [x, i, u], [make("scatter", (x, i, u), batch=1, mode=mode)])
    run = compile(graph, Interpreter()).run
    for bad in BAD:
        rows = np.array([[0], [bad], [-1], [2]])
        with pytest.raises(IndexError, match="out of bounds"):
            run(numbers((4, 5)), rows, numbers((4, 1)))


@pytest.mark.parametrize("dtype", (ty.int8, ty.uint8, ty.int16, ty.uint32), ids=str)
def test_row_numbers_of_small_types(dtype):
    x, i = placeholder("x", (300, 2), ty.float32), placeholder("i", (9,), dtype)
    u, one = placeholder("u", (9, 2), ty.float32), placeholder("o", (9, 1), ty.float32)
    wide = placeholder("w", (9, 300), ty.float32)
    outs = [make("gather", (x, i), batch=0)]
    outs += [make("scatter", (x, i, u), batch=0, mode=m) for m in ("set", "add")]
    outs += [make("scatter", (wide, i.reshape((9, 1)), one), batch=1, mode="add")]
    shapes = ((300, 2), (9, 2), (9, 1), (9, 300))
    rows = np.array([0, 5, 120, 5, 99, 0, 1, 127, 7]).astype(dtype.np)
    if dtype.is_signed:
        rows[2] = -100
    xs = [numbers(s) for s in shapes]
    check([x, i, u, one, wide], outs, xs[0], rows, *xs[1:])


def test_axes_of_size_1_among_those_of_an_update():
    """They are no reason to divide: neighbours stay neighbours."""
    x, i = placeholder("x", (6, 1, 4), ty.float32), placeholder("i", (3,), ty.int64)
    u = placeholder("u", (3, 1, 4), ty.float32)
    y = make("scatter", (x, i, u), batch=0, mode="add")
    made = check(
        [x, i, u], [y], numbers((6, 1, 4)), np.array([5, 0, 5]), numbers((3, 1, 4))
    )
    assert "x1 + i0," in made.source


# -- the rest


def test_conditions_and_masks_have_names_of_their_own():
    x, u = placeholder("x", (17, 33), ty.float32), placeholder("u", (17, 5), ty.float32)
    y = make("update_slice", (x, u), axis=-1, start=20, step=2)
    outs = [make("argmax", (y,), axis=-2), make("max", (y,), axes=(-1,)), y]
    check([x, u], outs, numbers((17, 33)), numbers((17, 5)))


@pytest.mark.parametrize("dtype", (ty.float16, ty.bfloat16, ty.int8, ty.int64), ids=str)
def test_counting_in_every_type(dtype):
    i = placeholder("i", (4,), ty.int32)
    line = make("iota", (), shape=(70,), axis=-1, dtype=dtype)
    pads = ((2, 3, 1),)
    padded = make("pad", (line + line,), pads=pads, value=1)
    outs = [padded, make("gather", (line, i), batch=0)]
    check([i], outs, np.array([5, -1, 0, 69], np.int32))


@pytest.mark.parametrize("shape", ((8, 16), (5, 4), (3, 7)), ids=str)
def test_random_numbers_that_are_moved(shape):
    """Under a condition as well, four at a time share one draw."""
    state, i = placeholder("s", (2,), ty.int64), placeholder("i", shape, ty.int64)
    bits = make("random_bits", (state,), shape=shape, skip=1)
    four = make("random_bits", (state,), shape=(*shape, 4), skip=2)
    outs = [make("pad", (bits,), pads=((0, 1, 0), (4, 0, 0)), value=3)]
    outs += [make("concat", (bits, bits), axis=-2), bits.permute((-1, -2))]
    outs += [make("gather", (bits.reshape((*shape, 1)), i), batch=2)]
    outs += [make("gather", (four, i), batch=2)]
    check([state, i], outs, np.array([7, 5]), np.zeros(shape, int))


@pytest.mark.parametrize("dtype", (ty.float32, ty.bfloat16), ids=str)
def test_products_over_an_axis_of_size_1(dtype):
    x, y = placeholder("x", (33, 1), dtype), placeholder("y", (1, 15), dtype)
    check(
        [x, y], [make("dot", (x, y))], numbers((33, 1), dtype), numbers((1, 15), dtype)
    )


def test_inputs_named_as_the_host_function_names_things():
    names = "empty solid flag check bad out0 r0 t1 a1 f_0 host0 x x class tl".split()
    inputs = [placeholder(n, (3,), ty.float32) for n in names]
    total = inputs[0]
    for v in inputs[1:]:
        total = total * 2.0 + v
    check(
        inputs, [total, total.sum((-1,))], *[numbers(3) + k for k in range(len(names))]
    )


def test_a_constant_that_a_step_on_the_host_reads():
    i, u = placeholder("i", (3,), ty.int64), placeholder("u", (3, 2), ty.int16)
    x = constant(2, (5, 2), ty.int16)
    y = make("scatter", (x, i, u), batch=0, mode="mul")
    check([i, u], [y], np.array([4, 0, 4]), numbers((3, 2), ty.int16))


@pytest.mark.parametrize("dtype", (ty.float32, ty.float16, ty.bfloat16), ids=str)
@pytest.mark.parametrize("descending", (False, True))
def test_nan_is_sorted_last(dtype, descending):
    x = placeholder("x", (7,), dtype)
    given = np.array([np.nan, 1, -np.inf, np.nan, 0, np.inf, -1]).astype(dtype.np)
    y = make("argsort", (x,), axis=-1, descending=descending)
    check([x], [y], given)
    want = [0, 3, 5, 1, 4, 6, 2] if descending else [2, 6, 4, 1, 5, 0, 3]
    assert interpret(Graph("f", [x], [y]), [given])[0].tolist() == want
