"""Samples of what works element by element."""

from __future__ import annotations

import math
import operator

import numpy as np
import tracefuse as torch
from sampling import (
    ALL_FLOATS,
    FLOATS,
    INTS,
    NUMBERS,
    PLAIN,
    away,
    between,
    inner,
    mask,
    positive,
    real,
    sample,
    special,
    unit,
    whole,
)

erf = np.vectorize(math.erf, otypes=[float])
erfc = np.vectorize(math.erfc, otypes=[float])
inverse_tanh = np.arctanh


def each(names, *args, **options):
    """One sample of each function, beside NumPy's function of the same name."""
    same = {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "atan2": "arctan2"}
    same |= {"asinh": "arcsinh", "acosh": "arccosh", "atanh": "arctanh"}
    same |= {"pow": "power", "sub": "subtract", "mul": "multiply", "div": "true_divide"}
    same |= {"eq": "equal", "ne": "not_equal", "lt": "less", "le": "less_equal"}
    same |= {"gt": "greater", "ge": "greater_equal", "neg": "negative", "round": "rint"}
    same |= {"bitwise_left_shift": "left_shift", "bitwise_right_shift": "right_shift"}
    return [
        sample(name, *args, numpy=getattr(np, same.get(name, name)), **options)
        for name in names.split()
    ]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


X, ROW = real(3, 4), real(4)
smooth = {"order": 2, "dtypes": ALL_FLOATS}
exact = {"exact": True, "dtypes": ALL_FLOATS}

UNARY = [
    *each("neg abs", X, exact=True, order=2, dtypes=(*ALL_FLOATS, "int64", "int32")),
    *each("floor ceil trunc round", X, order=1, **exact),
    *each("exp expm1 sin cos tanh", X, order=2, **exact),
    *each("sqrt log log1p", positive(3, 4), order=2, **exact),
    *each("square", X, order=2, exact=True, dtypes=(*ALL_FLOATS, "int64")),
    *each("sinh cosh exp2 asinh atan sinc", X, **smooth),
    *each("reciprocal log2 log10", positive(3, 4), **smooth),
    *each("tan asin acos atanh", inner(3, 4), **smooth),
    *each("acosh", between(1.5, 3, 3, 4), **smooth),
    *each("deg2rad rad2deg", X, **smooth),
    *each("sign", X, exact=True, order=1, dtypes=(*ALL_FLOATS, *INTS)),
    *each("positive", X, exact=True, order=2, dtypes=NUMBERS),
    *each("isnan isinf isfinite isreal isposinf isneginf", special(3, 4), **exact),
    *each("logical_not", special(3, 4), **exact),
    sample("frac", X, numpy=lambda x: x - np.trunc(x), order=1, dtypes=ALL_FLOATS),
    sample("rsqrt", positive(3, 4), numpy=lambda x: 1 / np.sqrt(x), **smooth),
    sample("sigmoid", X, numpy=sigmoid, **smooth),
    sample("relu", X, numpy=lambda x: np.maximum(x, 0), **smooth),
    sample("erf", X, numpy=erf, **smooth),
    sample("erfc", X, numpy=erfc, **smooth),
    sample(
        "erfinv",
        inner(3, 4),
        call=lambda x: torch.erf(torch.erfinv(x)),
        numpy=lambda x: x,
        rtol=1e-6,
        **smooth,
    ),
    sample("erfinv:slope", inner(3, 4), **smooth),
    sample("logit", unit(3, 4), numpy=lambda p: np.log(p / (1 - p)), **smooth),
    sample(
        "logit:eps",
        unit(3, 4),
        0.3,
        order=1,
        numpy=lambda p: np.log(np.clip(p, 0.3, 0.7) / (1 - np.clip(p, 0.3, 0.7))),
    ),
    sample("round:decimals", X, decimals=2, numpy=lambda x: np.round(x, 2)),
    sample(
        "nan_to_num",
        special(3, 4),
        nan=5.0,
        posinf=6.0,
        neginf=7.0,
        numpy=lambda x: np.nan_to_num(x, nan=5, posinf=6, neginf=7),
        exact=True,
        dtypes=(*FLOATS, "float16"),
    ),
    sample("bitwise_not", whole(-9, 9, 5), numpy=np.invert, dtypes=PLAIN, exact=True),
    sample("bitwise_not:bool", mask(5), numpy=np.invert, dtypes=PLAIN, exact=True),
    sample("clone", X, numpy=np.copy, order=2, exact=True, dtypes=NUMBERS),
    sample("detach", X, numpy=np.copy, exact=True, dtypes=NUMBERS),
]

COMPARISONS = "eq ne lt le gt ge"
BINARY = [
    *each(
        "add sub mul",
        X,
        ROW,
        order=2,
        exact=True,
        dtypes=(*ALL_FLOATS, "int64", "int32"),
    ),
    *each("add mul", real(2, 1, 3), real(4, 1), exact=True, dtypes=NUMBERS),
    *each("div true_divide", X, away(4), order=2, **exact),
    *each("atan2", X, away(4), order=2, **exact),
    *each("maximum minimum", X, ROW, exact=True, order=2, dtypes=NUMBERS),
    *each("fmax fmin", X, ROW, order=1, dtypes=NUMBERS),
    *each("maximum minimum", special(2, 4), real(4), **exact),
    *each("fmax fmin", special(2, 4), real(4), **exact),
    *each(COMPARISONS, whole(0, 3, 3, 4), whole(0, 3, 4), exact=True, dtypes=PLAIN),
    *each(COMPARISONS, special(2, 4), real(4), **exact),
    *each("logical_and logical_or logical_xor", special(3, 4), special(4), **exact),
    *each(
        "bitwise_and bitwise_or bitwise_xor",
        whole(-9, 9, 3, 4),
        whole(-9, 9, 4),
        exact=True,
        dtypes=PLAIN,
    ),
    *each(
        "bitwise_and bitwise_or bitwise_xor",
        mask(3, 4),
        mask(4),
        exact=True,
        dtypes=PLAIN,
    ),
    *each(
        "bitwise_left_shift bitwise_right_shift",
        whole(-9, 9, 3, 4),
        whole(0, 5, 4),
        exact=True,
        dtypes=PLAIN,
    ),
    *each(
        "floor_divide remainder",
        X,
        away(4),
        order=1,
        exact=True,
        dtypes=("float32", "float64", "int64", "int32"),
    ),
    *each("fmod", X, away(4), order=1, dtypes=("float32", "float64", "int64")),
    *each("pow", positive(3, 4), real(4), order=2, exact=True),
    *each("pow", whole(-3, 4, 3, 4), whole(0, 4, 4), exact=True, dtypes=PLAIN),
    *each("hypot logaddexp logaddexp2", X, ROW, **smooth),
    sample("pow:square", X, 2, numpy=np.square, order=2, dtypes=ALL_FLOATS),
    sample("pow:cube", X, 3, numpy=lambda x: x**3, order=2),
    sample("pow:root", positive(3, 4), 0.5, numpy=np.sqrt, order=2, dtypes=ALL_FLOATS),
    sample(
        "pow:real", positive(3, 4), -1.7, numpy=lambda x: x**-1.7, order=2, rtol=4e-6
    ),
    sample("pow:base", 2.5, X, numpy=lambda x: 2.5**x, order=2, rtol=4e-6),
    sample("add:alpha", X, ROW, alpha=2, numpy=lambda x, y: x + 2 * y, **smooth),
    sample("add:number", X, 1.5, numpy=lambda x: x + 1.5, **smooth),
    sample("sub:alpha", X, ROW, alpha=0.5, numpy=lambda x, y: x - y / 2, order=2),
    sample("rsub", X, ROW, alpha=2, numpy=lambda x, y: y - 2 * x, order=2),
    sample(
        "div:trunc",
        X,
        away(4),
        rounding_mode="trunc",
        order=1,
        numpy=lambda x, y: np.trunc(x / y),
    ),
    sample("div:floor", X, away(4), rounding_mode="floor", numpy=np.floor_divide),
    sample(
        "div:whole",
        whole(-9, 9, 3, 4),
        whole(1, 5, 4),
        dtypes=PLAIN,
        rounding_mode="trunc",
        numpy=lambda x, y: np.trunc(x / y).astype(int),
    ),
    sample("xlogy", X, positive(4), numpy=lambda x, y: x * np.log(y), **smooth),
]

OTHER = [
    sample("clamp", X, -0.5, 0.5, numpy=lambda x: np.clip(x, -0.5, 0.5), **smooth),
    sample("clamp:tensors", X, between(-1, 0, 4), positive(1), numpy=np.clip, order=2),
    sample(
        "clamp:whole",
        whole(-9, 9, 9),
        -2,
        3,
        dtypes=PLAIN,
        exact=True,
        numpy=lambda x: np.clip(x, -2, 3),
    ),
    sample("clamp_min", X, 0.1, numpy=lambda x: np.maximum(x, 0.1), order=2),
    sample("clamp_max", X, 0.1, numpy=lambda x: np.minimum(x, 0.1), order=2),
    sample("lerp", X, ROW, 0.3, numpy=lambda x, y: x + 0.3 * (y - x), **smooth),
    sample(
        "lerp:tensor",
        X,
        ROW,
        unit(3, 4),
        order=2,
        numpy=lambda x, y, w: x + w * (y - x),
        rtol=1e-6,
    ),
    sample(
        "addcmul",
        X,
        real(3, 4),
        ROW,
        value=2,
        order=2,
        rtol=1e-5,
        numpy=lambda x, y, z: x + 2 * y * z,
    ),
    sample(
        "addcdiv",
        X,
        real(3, 4),
        away(4),
        value=0.5,
        order=2,
        rtol=1e-5,
        numpy=lambda x, y, z: x + 0.5 * y / z,
    ),
    sample(
        "where", mask(3, 4), X, ROW, numpy=np.where, order=2, exact=True, dtypes=NUMBERS
    ),
    sample(
        "where:number",
        mask(3, 4),
        X,
        0.5,
        order=2,
        numpy=lambda m, x: np.where(m, x, 0.5),
        dtypes=ALL_FLOATS,
    ),
    sample(
        "Tensor.where",
        X,
        mask(3, 4),
        ROW,
        numpy=lambda x, m, y: np.where(m, x, y),
        order=2,
    ),
    sample(
        "masked_fill",
        X,
        mask(4),
        -1.0,
        numpy=lambda x, m: np.where(m, -1.0, x),
        **smooth,
    ),
    sample("isclose", X, X, 0.5, 0.1, numpy=lambda x, y: np.isclose(x, y, 0.5, 0.1)),
    sample(
        "isclose:nan",
        special(8),
        special(8),
        equal_nan=True,
        numpy=lambda x, y: np.isclose(x, y, equal_nan=True),
    ),
    sample("allclose", X, X, 0.5, 0.1, numpy=lambda x, y: np.allclose(x, y, 0.5, 0.1)),
    sample("equal", X, X, numpy=np.array_equal),
]


def flipped(function):
    return lambda y, x: function(x, y)


def _numbers(x):
    return (1 + x) * 2 - (3 - x) / 4 + 2.0 / x - x / 2


OPERATORS = [
    *(
        sample(
            f"Tensor.__{name}__",
            X,
            ROW,
            numpy=getattr(operator, name),
            order=2,
            exact=True,
            dtypes=ALL_FLOATS,
        )
        for name in "add sub mul".split()
    ),
    *(
        sample(
            f"Tensor.__{name}__", X, away(4), numpy=getattr(operator, name), exact=True
        )
        for name in "truediv floordiv mod lt le gt ge eq ne".split()
    ),
    *(
        sample(
            f"Tensor.__r{name}__",
            away(4),
            X,
            exact=True,
            numpy=flipped(getattr(operator, name)),
        )
        for name in "add sub mul truediv floordiv mod".split()
    ),
    *(
        sample(
            f"Tensor.__{name}__",
            whole(-9, 9, 3, 4),
            whole(0, 4, 4),
            exact=True,
            numpy=getattr(operator, name),
            dtypes=PLAIN,
        )
        for name in "xor lshift rshift".split()
    ),
    *(
        sample(
            f"Tensor.__{name}__",
            whole(-9, 9, 3, 4),
            whole(0, 4, 4),
            exact=True,
            numpy=getattr(np, f"bitwise_{name}"),
            dtypes=PLAIN,
        )
        for name in "and or".split()
    ),
    *(
        sample(
            f"Tensor.__r{name}__",
            whole(0, 4, 4),
            whole(-9, 9, 3, 4),
            exact=True,
            numpy=flipped(function),
            dtypes=PLAIN,
        )
        for name, function in {
            "and": np.bitwise_and,
            "or": np.bitwise_or,
            "xor": np.bitwise_xor,
            "lshift": np.left_shift,
            "rshift": np.right_shift,
        }.items()
    ),
    sample(
        "Tensor.__pow__", positive(3, 4), real(4), numpy=np.power, order=2, exact=True
    ),
    sample("Tensor.__rpow__", real(3, 4), 1.5, numpy=lambda x: 1.5**x, order=2),
    sample(
        "Tensor.__neg__", X, numpy=np.negative, order=2, exact=True, dtypes=ALL_FLOATS
    ),
    sample("Tensor.__invert__", mask(3, 4), numpy=np.invert, dtypes=PLAIN, exact=True),
    sample(
        "Tensor.__add__:numbers",
        away(3, 4),
        call=_numbers,
        numpy=_numbers,
        order=2,
        dtypes=FLOATS,
        rtol=1e-5,
    ),
    sample(
        "result_type",
        whole(0, 3, 3),
        real(3),
        dtypes=ALL_FLOATS,
        call=lambda i, x: x.to(torch.result_type(i, x)) + i,
        numpy=lambda i, x: x + i,
    ),
]

SAMPLES = [*UNARY, *BINARY, *OTHER, *OPERATORS]
