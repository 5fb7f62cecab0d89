"""Small kernels around rows of the Triton table, and numbers that are hard on them."""

from __future__ import annotations

import numpy as np
from tracefuse.kernels.triton import lowering
from tracefuse.kernels.triton.interpreter.interpreter import Interpreted
from tracefuse.kernels.triton.native.sources import load_source
from tracefuse.tracer.graph import Value, make, placeholder
from tracefuse.tracer.ops import OPS
from tracefuse.tracer.types import BY_NUMPY, DTYPES, HALVES, DType, bool_

REALS = [0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 1.5, 2.5, -2.5, 3.0, -7.0, 0.3, 80.0]
REALS += [1e-4, -90.0, 1000.5, np.inf, -np.inf, np.nan]
EDGES = {"f32": [1e-40, -3e38, 8388607.5], "f64": [1e-310, 1e300, 4503599627370495.5]}
EDGES |= {"f16": [6e-8, 65504.0], "bf16": [1e-40, 3e38]}


def hard(dtype: DType) -> np.ndarray:
    """Special values, and a few plain ones."""
    if dtype is bool_:
        return np.array([False, True])
    if dtype.is_floating_point:
        plain = np.random.default_rng(3).normal(size=40) * 4
        with np.errstate(all="ignore"):
            return np.concatenate([REALS, EDGES[dtype.short], plain]).astype(dtype.np)
    info = np.iinfo(dtype.np)
    near = [0, 1, 2, 3, 5, 7, 8, 31, 63, 64, 100, info.max, info.max - 1, info.min]
    near += [-1, -2, -3, -7, -8, -100, info.min + 1] if info.min else []
    return np.array(near, dtype.np)


def crossed(dtype: DType, count: int) -> list[np.ndarray]:
    """Every value against every other: `count` arrays, their size no power of 2."""
    arrays = np.meshgrid(*[hard(dtype)] * count)
    return [np.ascontiguousarray(a.ravel()) for a in arrays]


def node(op: str, dtypes: list[DType], shape: tuple = (5,), **attrs: object) -> Value:
    """A node of fresh inputs."""
    inputs = (placeholder(f"x{i}", shape, t) for i, t in enumerate(dtypes))
    return make(op, tuple(inputs), **attrs)


def defined(op: str) -> list[DType]:
    """The element types for which NumPy has a meaning that keeps them."""
    found = []
    kept = OPS[op].kind != "compare"
    for dtype in DTYPES.values():
        x = np.ones(2, dtype.np)
        want = dtype.np if kept else np.dtype(bool)
        if any(_gives(op, [x] * n, want) for n in (1, 2)):
            found.append(dtype)
    return found


def _gives(op: str, args: list, dtype: np.dtype) -> bool:
    try:
        return OPS[op].meaning(*args).dtype == dtype
    except (TypeError, ValueError):
        return False


def pointwise_source(v: Value, block: int = 1024) -> str:
    """A kernel of one pointwise node over flat arrays."""
    names = [f"x{i}" for i in range(len(v.args))]
    lines = [
        "@triton.jit",
        f"def one({', '.join(names)}, out, n, B: tl.constexpr = {block}):",
        "    i = tl.program_id(0) * B + tl.arange(0, B)",
        "    m = i < n",
    ]
    for name, a in zip(names, v.args):
        text = f"tl.load({name} + i, mask=m, other=0)"
        lines.append(f"    {name}r = {lowering.load_cast(text, a.dtype)}")
    text = lowering.expression(v, [f"{name}r" for name in names])
    lines.append(f"    r = {text}")
    lines.append(f"    tl.store(out + i, {lowering.store_cast('r', v.dtype)}, mask=m)")
    return "\n".join([*lines, ""])


def run_pointwise(v: Value, args: list[np.ndarray]) -> np.ndarray:
    """A pointwise node interpreted."""
    out = np.empty(args[0].shape, v.dtype.np)
    kernel = Interpreted(load_source(f"test_{v.op}", pointwise_source(v))["one"])
    kernel[(-(-out.size // 1024),)](*args, out, out.size)
    return out


def rows_source(v: Value, body: str, keep: bool) -> str:
    """A kernel that holds a matrix as one tile; `keep`: all of it is stored."""
    (x,) = v.args
    load = "tl.load(x + i * C + j, mask=m, other=0)"
    scan = v.op == "cumulative"
    dull = lowering.neutral(v.attrs["mode"] if scan else v.op, x.dtype)
    axis = (v.attrs["axis"] if "axis" in v.attrs else v.attrs["axes"][0]) + 2
    place, mask = "i * C + j", "m"
    if not keep:
        place, mask = ("j", "j < C") if axis == 0 else ("i", "i < R")
    return "\n".join(
        [
            "@triton.jit",
            "def rows(x, out, R, C, BR: tl.constexpr, BC: tl.constexpr):",
            "    i = tl.arange(0, BR)[:, None]",
            "    j = tl.arange(0, BC)[None, :]",
            "    m = (i < R) & (j < C)",
            f"    a = {lowering.load_cast(load, x.dtype)}",
            f"    a = tl.where(m, a, {dull})",
            f"    r = {body}",
            f"    r = {lowering.finish(v, 'r')}",
            f"    r = {lowering.store_cast('r', v.dtype)}",
            f"    tl.store(out + {place}, r, mask={mask})",
            "",
        ]
    )


def run_rows(v: Value, x: np.ndarray) -> np.ndarray:
    """A reduction or scan of a matrix interpreted."""
    keep = v.op == "cumulative"
    axis = (v.attrs["axis"] if "axis" in v.attrs else v.attrs["axes"][0]) + 2
    if keep:
        body = lowering.scan(v, "a", axis)
    else:
        body = lowering.reduction(v, "a", axis, "ij"[axis])
    fn = load_source(f"test_{v.op}", rows_source(v, body, keep))["rows"]
    out = np.empty(tuple(v.shape), v.dtype.np)
    sizes = {"BR": 1 << (x.shape[0] - 1).bit_length()}
    sizes["BC"] = 1 << (x.shape[1] - 1).bit_length()
    Interpreted(fn)[1](x, out, *x.shape, **sizes)
    return out


def agree(got: np.ndarray, want: np.ndarray) -> bool:
    """Whether all numbers are equal, NaN to NaN (ml_dtypes' too)."""
    assert got.dtype == want.dtype and got.shape == want.shape
    return bool(((got == want) | ((got != got) & (want != want))).all())


def ulps(got: np.ndarray, want: np.ndarray) -> float:
    """The largest difference in units of the last place; inf where NaN or inf differ.

    Zeros of different signs differ by half a unit.
    """
    wide = np.float32 if BY_NUMPY[want.dtype] in HALVES else want.dtype
    a, b = got.astype(wide), want.astype(wide)
    if (np.isnan(a) != np.isnan(b)).any() or (np.isinf(a) & (a != b)).any():
        return np.inf
    with np.errstate(all="ignore"):
        scale = np.abs(np.spacing(want)).astype(wide)
        off = np.where((a == b) | np.isnan(b), 0, np.abs(a - b) / scale).max()
    signs = (np.signbit(a) != np.signbit(b))[~np.isnan(b)]
    return float(max(off, 0.5 * signs.any()))
