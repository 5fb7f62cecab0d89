"""Sorting long axes, running sums of long rows, and scatter of every kind."""

from __future__ import annotations

import numpy as np
import pytest
from tracefuse.kernels.triton.compile import compile
from tracefuse.kernels.triton.interpreter.on_cpu import Interpreter
from tracefuse.kernels.triton.special import scanning, sorting
from tracefuse.tracer import types as ty
from tracefuse.tracer.graph import Graph, make, placeholder
from tracefuse.tracer.interpret import interpret

pytest.importorskip("triton")
TYPES = tuple(ty.DTYPES.values())


def numbers(shape, dtype, seed=0, special=False):
    """Small whole numbers, far out in uint64; NaN and infinities if `special`."""
    rng = np.random.default_rng(seed)
    found = (rng.integers(0, 9, shape) - 4 * dtype.is_signed).astype(dtype.np)
    if dtype is ty.uint64:
        found += np.uint64(2**63 - 4)
    if special and dtype.is_floating_point and found.size > 3:
        line = found.reshape(-1)
        line[::5], line[1], line[2] = np.nan, -np.inf, np.inf
    return found


def check(graph, *arrays, near=0.0):
    made = compile(graph, Interpreter())
    with np.errstate(all="ignore"):
        (got,), (want,) = made.run(*arrays), interpret(graph, arrays)
    assert (got.dtype, got.shape) == (want.dtype, want.shape)
    got, want = got.astype(float), want.astype(float)
    np.testing.assert_allclose(got, want, rtol=near, atol=0, equal_nan=True)
    assert not made.slow
    return made


# -- sorting


def order_of(shape, axis, dtype, descending):
    x = placeholder("x", shape, dtype)
    y = make("argsort", (x,), axis=axis, descending=descending)
    return Graph("f", [x], [y])


PLACES = (((37,), -1), ((3, 50), -1), ((65, 2), -2), ((2, 16, 3), -2), ((1, 3), -2))


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@pytest.mark.parametrize("descending", (False, True))
def test_merging_runs(monkeypatch, dtype, descending):
    """Stable, NaN as the largest, whatever the length and the axis."""
    monkeypatch.setattr(sorting, "RUN", 8)
    monkeypatch.setattr(sorting, "LONGEST", 8)
    for shape, axis in PLACES:
        given = numbers(shape, dtype, special=True)
        check(order_of(shape, axis, dtype, descending), given)


def test_a_long_axis_is_sorted_in_rounds():
    given = numbers((5003,), ty.float32, special=True)
    made = check(order_of((5003,), -1, ty.float32, True), given)
    assert len(made.kernels) <= 4 + 8  # runs of 32, merged in 8 rounds


def test_a_short_axis_is_sorted_by_counting():
    made = check(order_of((2, 90), -1, ty.int64, False), numbers((2, 90), ty.int64))
    assert len(made.kernels) == 2


# -- running sums


@pytest.mark.parametrize("dtype", (ty.float32, ty.bfloat16, ty.int64), ids=str)
@pytest.mark.parametrize("mode", ("add", "mul", "max", "min"))
@pytest.mark.parametrize("shape, axis", (((2, 20_011), -1), ((20_011, 3), -2)))
def test_blocks_of_a_long_row_side_by_side(shape, axis, dtype, mode):
    given = numbers(shape, dtype)
    if mode == "mul":
        given = np.where(given == 1, 1, -1).astype(dtype.np)
    elif mode != "add" and dtype.is_floating_point:
        given.reshape(-1)[-100] = np.nan
    x = placeholder("x", shape, dtype)
    y = make("cumulative", (x,), axis=axis, mode=mode)
    made = check(Graph("f", [x], [y]), given, near=1e-2 if dtype in ty.HALVES else 1e-6)
    assert len(made.kernels) == 3


def test_many_long_rows_take_one_kernel(monkeypatch):
    monkeypatch.setattr(scanning, "FULL", 2)
    x = placeholder("x", (5, 17_000), ty.float32)
    y = make("cumulative", (x,), axis=-1, mode="add")
    made = check(Graph("f", [x], [y]), numbers((5, 17_000), ty.float32), near=1e-6)
    assert len(made.kernels) == 1


# -- scatter

ROWS = ((0, (5, 3), (2, 9)), (1, (4, 7), (4, 6)), (1, (3, 6, 2), (3, 1)))
ROWS += ((1, (3, 6), (3, 1)), (0, (40,), (90,)))


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@pytest.mark.parametrize("mode", ("set", "add", "mul", "max", "min"))
def test_scatter_in_every_type(dtype, mode):
    """On the device, and the same whatever order updates come in."""
    for batch, shape, where in ROWS:
        x, i = placeholder("x", shape, dtype), placeholder("i", where, ty.int64)
        u = placeholder("u", where + shape[batch + 1 :], dtype)
        y = make("scatter", (x, i, u), batch=batch, mode=mode)
        rows = np.random.default_rng(5).integers(-shape[batch], shape[batch], where)
        special = mode in ("max", "min", "set")
        given = numbers(x.shape, dtype, special=special)
        new = numbers(u.shape, dtype, seed=1, special=special)
        if mode == "mul":  # exact in every type
            new = np.where(new > new.min(), 1, 0).astype(dtype.np)
        check(Graph("f", [x, i, u], [y]), given, rows, new)


def test_products_of_many_updates_are_close():
    x, i = placeholder("x", (7,), ty.float32), placeholder("i", (300,), ty.int64)
    u = placeholder("u", (300,), ty.float32)
    y = make("scatter", (x, i, u), batch=0, mode="mul")
    rng = np.random.default_rng(2)
    new = rng.uniform(0.9, 1.1, 300).astype(np.float32)
    given = numbers((7,), ty.float32), rng.integers(0, 7, 300), new
    check(Graph("f", [x, i, u], [y]), *given, near=1e-5)
