"""Every row of the Triton table, interpreted, against the NumPy meaning."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("triton")

from hypothesis import given, settings
from hypothesis import strategies as st
from lowering_tools import (
    agree,
    crossed,
    defined,
    hard,
    node,
    run_pointwise,
    run_rows,
    ulps,
)
from tracefuse.kernels.triton import lowering
from tracefuse.kernels.triton.interpreter.interpreter import Interpreted
from tracefuse.kernels.triton.kernel import Config, Kernel, Param, pointer
from tracefuse.kernels.triton.native.build import build, gpu_target, run_stages
from tracefuse.kernels.triton.native.sources import load_source
from tracefuse.tracer.ops import OPS
from tracefuse.tracer.philox import random_bits
from tracefuse.tracer.types import DTYPES, HALVES, bool_, float32, int64

POINTWISE = [n for n, o in OPS.items() if o.kind in ("pointwise", "compare")]
MARKS = ("stop_gradient", "leaf", "again")
PLAIN = [n for n in POINTWISE if n not in ("cast", "where", *MARKS)]
CASES = [(op, t) for op in PLAIN for t in defined(op)]
UNARY = "neg abs floor round sqrt exp expm1 log log1p sin cos tanh erf erfinv".split()
# Units in the last place; what is not named here is exact.
LIMITS = {
    **{"exp": 2, "expm1": 3, "log1p": 4, "tanh": 5, "erf": 6, "erfinv": 4},
    **{"atan2": 4, "pow": 40, "maximum": 0.5, "minimum": 0.5},  # either zero is right
}
names = lambda case: case if isinstance(case, str) else case.short


def test_the_table_has_every_primitive_in_its_order():
    assert list(lowering.ROWS) == list(OPS)
    kinds = [k for k, rows in lowering._ROWS.items() for _ in rows]
    assert kinds == [o.kind for o in OPS.values()]


def meaning(op: str, args: list) -> np.ndarray:
    with np.errstate(all="ignore"):
        return OPS[op].meaning(*args)


def arguments(op: str, dtype) -> list:
    count = 1 if op in UNARY else 2
    args = crossed(dtype, count)
    if op == "pow" and not dtype.is_floating_point:
        args = [a[args[1] >= 0] for a in args]  # NumPy refuses negative exponents
    return args


@pytest.mark.parametrize("op, dtype", CASES, ids=names)
def test_pointwise(op, dtype):
    args = arguments(op, dtype)
    v = node(op, [dtype] * len(args))
    got, want = run_pointwise(v, args), meaning(op, args)
    assert got.dtype == want.dtype
    if not dtype.is_floating_point or want.dtype == bool:
        np.testing.assert_array_equal(got, want)
    else:
        # A half type may round a float32 that is off by an ulp to its other side.
        limit = LIMITS.get(op, 0)
        assert ulps(got, want) <= (min(limit, 1) if dtype in HALVES else limit)


@pytest.mark.parametrize("op", list(LIMITS)[:-2])
@pytest.mark.parametrize("half", HALVES, ids=names)
def test_half_types_are_the_rounded_float32(op, half):
    args = arguments(op, half)
    got = run_pointwise(node(op, [half] * len(args)), args)
    wide = [a.astype(np.float32) for a in args]
    with np.errstate(all="ignore"):
        want = run_pointwise(node(op, [float32] * len(args)), wide).astype(half.np)
    assert ulps(got, want) == 0


@pytest.mark.parametrize("new", DTYPES.values(), ids=names)
@pytest.mark.parametrize("old", DTYPES.values(), ids=names)
def test_cast(old, new):
    x = hard(old)
    if old.is_floating_point and new.category == 1:
        low, high = np.iinfo(new.np).min, np.iinfo(new.np).max
        wide = x.astype(np.float64)
        x = x[np.isfinite(wide) & (wide > low - 1.0) & (wide < high * (1 - 2e-16))]
    got = run_pointwise(node("cast", [old], dtype=new), [x])
    with np.errstate(all="ignore"):
        want = OPS["cast"].meaning(x, new)
    assert agree(got, want)


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=names)
def test_where(dtype):
    a, b = crossed(dtype, 2)
    test = np.arange(a.size) % 3 == 0
    v = node("where", [bool_, dtype, dtype])
    got = run_pointwise(v, [test, a, b])
    assert agree(got, np.where(test, a, b))


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=names)
def test_literal(dtype):
    for value in hard(dtype):
        text = lowering.literal(value.item(), dtype)
        v = node("where", [bool_, dtype, dtype])
        source = lowering.expression(v, ["c", text, "x"])
        assert source == f"tl.where(c, {text}, x)"
        got = run_constant(dtype, text)
        assert agree(got, value)
        assert np.signbit(got.astype(np.float64)) == np.signbit(np.float64(value))


def run_constant(dtype, text):
    stored = lowering.store_cast(text, dtype)
    source = f"@triton.jit\ndef fill(out):\n    tl.store(out, {stored})\n"
    out = np.zeros(1, dtype.np)
    Interpreted(load_source("test_fill", source)["fill"])[1](out)
    return out[0]


def test_what_numpy_does_not_define_is_refused():
    with pytest.raises(TypeError, match="sqrt is not defined for int32"):
        v = node("abs", [DTYPES["int32"]])
        v.op = "sqrt"
        lowering.expression(v, ["x"])


REDUCE = [n for n, o in OPS.items() if o.kind == "reduce"]


def matrix(dtype, shape, seed):
    rng = np.random.default_rng(seed)
    if dtype is bool_:
        return rng.random(shape) < 0.5
    if dtype.is_floating_point:
        return np.round(rng.normal(size=shape) * 2, 1).astype(dtype.np)
    info = np.iinfo(dtype.np)
    return rng.integers(info.min, info.max, shape, dtype.np, endpoint=True)


def reduced(op: str, dtype, shape: tuple, axis: int):
    if op in ("argmax", "argmin"):
        return node(op, [dtype], shape, axis=axis)
    return node(op, [dtype], shape, axes=(axis,))


def close(got, want, dtype, total):
    if not dtype.is_floating_point:
        np.testing.assert_array_equal(got, want)
        return
    eps = {"f64": 1e-14, "f32": 4e-6, "f16": 2e-3, "bf16": 2e-2}[dtype.short]
    scale = eps * total
    wide = got.astype(np.float64), want.astype(np.float64)
    np.testing.assert_allclose(*wide, rtol=eps, atol=scale)


@pytest.mark.parametrize("op", REDUCE)
@pytest.mark.parametrize("dtype", DTYPES.values(), ids=names)
@settings(max_examples=6, deadline=None)
@given(r=st.integers(1, 5), c=st.integers(1, 40), axis=st.sampled_from((-1, -2)))
def test_reduce(op, dtype, r, c, axis):
    x = matrix(dtype, (r, c), r * c)
    if op == "prod" and dtype.is_floating_point:
        x = (1 + x / 64).astype(dtype.np)
    v = reduced(op, dtype, (r, c), axis)
    want = OPS[op].meaning(x, **v.attrs)
    got = run_rows(v, x)
    assert got.dtype == want.dtype
    if op in ("sum", "prod"):
        close(got, want, dtype, np.abs(x.astype(np.float64)).sum())
    else:
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("op", ["max", "min", "argmax", "argmin"])
@pytest.mark.parametrize("row", ["1 nan 3 nan 0", "-inf -inf -inf", "2 7 7 2"])
def test_nan_wins_and_the_first_of_equals(op, row):
    x = np.array([row.split()], np.float32)
    v = reduced(op, float32, x.shape, -1)
    np.testing.assert_array_equal(run_rows(v, x), OPS[op].meaning(x, **v.attrs))


@pytest.mark.parametrize("mode", ["add", "mul", "max", "min"])
@pytest.mark.parametrize("dtype", DTYPES.values(), ids=names)
@settings(max_examples=5, deadline=None)
@given(r=st.integers(1, 5), c=st.integers(1, 40), axis=st.sampled_from((-1, -2)))
def test_scan(mode, dtype, r, c, axis):
    x = matrix(dtype, (r, c), r * c)
    if mode == "mul" and dtype.is_floating_point:
        x = (1 + x / 64).astype(dtype.np)
    v = node("cumulative", [dtype], (r, c), axis=axis, mode=mode)
    want = OPS["cumulative"].meaning(x, axis, mode)
    got = run_rows(v, x)
    assert got.dtype == want.dtype
    close(got, want, dtype, np.abs(x.astype(np.float64)).sum())


def test_partial_results_are_joined_by_what_reduces():
    assert lowering.combine("sum", float32, "a", "b") == "a + b"
    assert lowering.combine("max", float32, "a", "b") == "lib.maximum(a, b)"
    assert lowering.combine("prod", bool_, "a", "b") == "a & b"
    assert lowering.neutral("max", int64) == f"tl.full((), {-(2**63)}, tl.int64)"


# -- what only a compiler can say


def everything(dtype) -> list:
    """Every node that takes such elements, with the text of its arguments."""
    ops = [op for op, t in CASES if t is dtype]
    nodes = [node(op, [dtype] * (1 if op in UNARY else 2)) for op in ops]
    casts = [node("cast", [dtype], dtype=new) for new in DTYPES.values()]
    return [(v, lowering.expression(v, ["a", "b"])) for v in nodes + casts] + [
        *((v, lowering.scan(v, "a", 0)) for v in scans(dtype)),
        *((v, folded(v)) for v in folds(dtype)),
    ]


def folded(v) -> str:
    return lowering.finish(v, lowering.reduction(v, "a", 0, "i"))


def scans(dtype) -> list:
    modes = ("add", "mul", "max", "min")
    return [node("cumulative", [dtype], axis=-1, mode=mode) for mode in modes]


def folds(dtype) -> list:
    return [reduced(op, dtype, (5,), -1) for op in REDUCE]


def everything_source(dtype) -> str:
    load = lowering.load_cast("tl.load({} + i)", dtype)
    lines = ["@triton.jit", "def every(x, y, out, B: tl.constexpr):"]
    lines += ["    i = tl.arange(0, B)"]
    lines += [f"    a = {load.format('x')}", f"    b = {load.format('y')}"]
    for n, (v, text) in enumerate(everything(dtype)):
        stored = lowering.store_cast("r", v.dtype)
        place = "tl.arange(0, 1)" if OPS[v.op].kind == "reduce" else "i"
        pointer = f"out.to(tl.pointer_type({lowering.memory_type(v.dtype)}))"
        lines.append(f"    r = {text}")
        lines.append(f"    tl.store({pointer} + {8 * n} * B + {place}, {stored})")
    return "\n".join([*lines, ""])


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=names)
def test_every_row_compiles_for_a_gpu(dtype):
    source, memory = everything_source(dtype), pointer(dtype)
    params = tuple(Param(name, memory) for name in ("x", "y", "out"))
    config = Config((("B", 128),))
    assert build(Kernel("every", source, params, ("1",)), config, "sm_90").code


LIBRARY = "exp expm1 log1p tanh erf erfinv round".split()
LIBRARY += "atan2 power remainder floor_divide".split()


@pytest.mark.parametrize("name", LIBRARY)
def test_library_functions_do_not_spill(name):
    two = name in ("atan2", "power", "remainder", "floor_divide")
    given = "tl.load(x + i), tl.load(y + i)" if two else "tl.load(x + i)"
    source = f"""\
@triton.jit
def one(x, y, out, B: tl.constexpr):
    i = tl.arange(0, B)
    tl.store(out + i, lib.{name}({given}))
"""
    params = tuple(Param(name, "*fp32") for name in ("x", "y", "out"))
    kernel = Kernel("one", source, params, ("1",))
    asm, _ = run_stages(kernel, Config((("B", 1024),)), gpu_target("sm_90"))
    assert ".local" not in asm["ptx"]


def random_source(place: str) -> str:
    return f"""\
@triton.jit
def draw(state, out, n, B: tl.constexpr):
    seed, start = tl.load(state), tl.load(state + 1)
    i = tl.program_id(0) * B + tl.arange(0, B)
    word = lib.random_word(seed, start + 3, {place})
    tl.store(out + i, word, mask=i < n)
"""


STATES = [(0, 0), (-5, 1 << 33), (1 << 40, (1 << 32) - 9)]


@pytest.mark.parametrize("seed, start", STATES)
def test_random_words_are_those_of_the_cpu(seed, start):
    out = np.zeros(50, np.uint32)
    fn = load_source("test_draw", random_source("i"))["draw"]
    Interpreted(fn)[(2,)](np.array([seed, start]), out, 50, B=32)
    np.testing.assert_array_equal(out, random_bits(seed, start + 3, 50))


@pytest.mark.parametrize("place", ["i", "0", "i.to(tl.int64)"])
def test_random_words_compile(place):
    params = (Param("state", "*i64"), Param("out", "*u32"), Param("n", "i32"))
    kernel = Kernel("draw", random_source(place), params, ("1",))
    assert build(kernel, Config((("B", 128),)), "sm_90").code


SCALARS = """\
@triton.jit
def alone(x, y, out, B: tl.constexpr):
    a, b = tl.load(x), tl.load(y)
    tl.store(out, lib.tanh(a))
    tl.store(out + 1, lib.remainder(a, b))
    tl.store(out + 2, lib.power(a, b))
    tl.store(out + 3, lib.round(a))
    tl.store(out + 4, lib.maximum(a, b))
    tl.store(out + 5 + tl.arange(0, B), lib.splat(a, [B]))
"""


def test_library_functions_take_single_numbers():
    x, y, out = np.array([3.7], "f4"), np.array([-1.5], "f4"), np.zeros(9, "f4")
    Interpreted(load_source("test_alone", SCALARS)["alone"])[1](x, y, out, B=4)
    want = [np.tanh(x), x % y, x**y, np.rint(x), np.maximum(x, y), *[x] * 4]
    np.testing.assert_allclose(out, np.concatenate(want), rtol=1e-6)
    params = tuple(Param(name, "*fp32") for name in ("x", "y", "out"))
    kernel = Kernel("alone", SCALARS, params, ("1",))
    assert build(kernel, Config((("B", 4),)), "sm_90").code
