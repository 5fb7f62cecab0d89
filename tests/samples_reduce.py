"""Samples of reductions, running sums, order statistics and products."""

from __future__ import annotations

import numpy as np
import tracefuse as torch
from sampling import (
    ALL_FLOATS,
    FLOATS,
    NUMBERS,
    PLAIN,
    away,
    given,
    mask,
    positive,
    real,
    sample,
    special,
    unit,
    whole,
)

X, CUBE = real(3, 4), real(2, 3, 4)
ACCUMULATED = {"dtypes": ALL_FLOATS, "rtol": 4e-6}


def log_sum_exp(x, axis, keepdims=False):
    return np.log(np.exp(x).sum(axis, keepdims=keepdims))


def softmax(x, axis):
    return np.exp(x - log_sum_exp(x, axis, True))


def over(name, numpy, *variants, **options):
    """One sample for each choice of axes."""
    return [
        sample(
            f"{name}:{v}",
            CUBE,
            **v,
            order=2,
            rtol=1e-5,
            **options,
            numpy=lambda x, v=v: numpy(x, **_numpys(v)),
        )
        for v in variants
    ]


def _numpys(options):
    names = {"dim": "axis", "keepdim": "keepdims", "correction": "ddof"}
    return {names[k]: v for k, v in options.items()}


AXES = ({}, {"dim": 1}, {"dim": (0, -1)}, {"dim": -2, "keepdim": True})
REDUCTIONS = [
    *over("sum", np.sum, *AXES, dtypes=ALL_FLOATS),
    *over("mean", np.mean, *AXES, dtypes=ALL_FLOATS),
    *over("prod", np.prod, {}, {"dim": 1}, {"dim": -2, "keepdim": True}),
    *over("amax", np.max, *AXES, dtypes=ALL_FLOATS),
    *over("amin", np.min, *AXES, dtypes=ALL_FLOATS),
    *over("var", np.var, {"correction": 1}, {"dim": 1, "correction": 0}),
    *over("std", np.std, {"correction": 1}, {"dim": (0, 2), "correction": 1}),
    *over("logsumexp", log_sum_exp, *AXES[1:], dtypes=ALL_FLOATS),
    sample("sum:int", whole(-9, 9, 3, 4), 1, numpy=lambda x: x.sum(1), dtypes=PLAIN),
    sample("sum:bool", mask(3, 4), numpy=np.sum, dtypes=PLAIN),
    sample("sum:many", real(40, 300), 0, numpy=lambda x: x.sum(0), rtol=2e-5),
    sample("prod:int", whole(1, 4, 3, 4), 1, numpy=lambda x: x.prod(1), dtypes=PLAIN),
    sample("all", special(3, 4), 1, numpy=lambda x: x.all(1), dtypes=ALL_FLOATS),
    sample("any", special(3, 4), 0, numpy=lambda x: x.any(0), dtypes=ALL_FLOATS),
    sample("all:bool", mask(3, 4), numpy=np.all, dtypes=PLAIN),
    sample("count_nonzero", special(3, 4), 1, numpy=lambda x: np.count_nonzero(x, 1)),
    sample("nansum", special(8), numpy=np.nansum),
    sample("nanmean", special(3, 8), 1, numpy=lambda x: np.nanmean(x, 1)),
    sample("var_mean", X, 1, numpy=lambda x: (x.var(1, ddof=1), x.mean(1)), order=2),
    sample("std_mean", X, 1, numpy=lambda x: (x.std(1, ddof=1), x.mean(1)), order=2),
    sample("aminmax", X, dim=1, numpy=lambda x: (x.min(1), x.max(1)), order=2),
    sample("max", X, numpy=np.max, order=2, exact=True, dtypes=NUMBERS),
    sample("min", X, numpy=np.min, order=2, exact=True, dtypes=NUMBERS),
    sample(
        "max:dim", X, 1, numpy=lambda x: (x.max(1), x.argmax(1)), order=2, exact=True
    ),
    sample(
        "min:dim", X, 0, numpy=lambda x: (x.min(0), x.argmin(0)), order=2, exact=True
    ),
    sample("max:two", X, real(4), numpy=np.maximum, order=1),
    sample("argmax", X, 1, numpy=lambda x: x.argmax(1), dtypes=NUMBERS),
    sample("argmin", X, 0, True, numpy=lambda x: x.argmin(0)[None], dtypes=NUMBERS),
    sample("argmax:all", special(3, 4), numpy=np.argmax),
    sample("softmax", X, 1, numpy=lambda x: softmax(x, 1), order=2, **ACCUMULATED),
    sample(
        "softmax:first", X, dim=0, numpy=lambda x: softmax(x, 0), order=2, rtol=4e-6
    ),
    sample(
        "log_softmax",
        X,
        1,
        order=2,
        **ACCUMULATED,
        numpy=lambda x: x - log_sum_exp(x, 1, True),
    ),
]


def _p_norm(p):
    return lambda x: (np.abs(x) ** p).sum(1) ** (1 / p)


NORMS = [
    sample("norm", X, numpy=np.linalg.norm, order=2, rtol=4e-6, dtypes=ALL_FLOATS),
    sample("norm:3", X, 3, 1, numpy=_p_norm(3), order=2, rtol=1e-5),
    sample("norm:1", away(3, 4), 1, 1, numpy=_p_norm(1), order=2),
    sample("norm:inf", X, float("inf"), 0, numpy=lambda x: np.abs(x).max(0), order=1),
    sample("linalg.vector_norm", X, 2, 1, numpy=_p_norm(2), order=2, rtol=4e-6),
    sample(
        "linalg.matrix_norm",
        CUBE,
        order=2,
        rtol=4e-6,
        numpy=lambda x: np.sqrt((x * x).sum((1, 2))),
    ),
    sample("linalg.norm", X, numpy=np.linalg.norm, order=2, rtol=4e-6),
]

SCANS = [
    sample("cumsum", CUBE, 1, numpy=lambda x: x.cumsum(1), order=2, **ACCUMULATED),
    sample(
        "cumsum:int", whole(-9, 9, 3, 4), 1, numpy=lambda x: x.cumsum(1), dtypes=PLAIN
    ),
    sample("cumprod", X, 1, numpy=lambda x: x.cumprod(1), order=2, rtol=4e-6),
    sample(
        "cummax",
        X,
        1,
        order=1,
        dtypes=ALL_FLOATS,
        numpy=lambda x: (np.maximum.accumulate(x, 1), _where_top(x, 1)),
    ),
    sample(
        "cummin",
        X,
        0,
        order=1,
        numpy=lambda x: (np.minimum.accumulate(x, 0), _where_top(-x, 0)),
    ),
    sample(
        "logcumsumexp",
        X,
        1,
        order=2,
        rtol=4e-6,
        numpy=lambda x: np.log(np.exp(x).cumsum(1)),
    ),
    sample("trapezoid", X, numpy=lambda x: (x[:, 1:] + x[:, :-1]).sum(1) / 2, order=1),
    sample(
        "trapezoid:at",
        X,
        real(4),
        order=1,
        rtol=4e-6,
        numpy=lambda y, x: ((y[:, 1:] + y[:, :-1]) * np.diff(x)).sum(1) / 2,
    ),
    sample(
        "cumulative_trapezoid",
        X,
        order=1,
        rtol=4e-6,
        numpy=lambda x: ((x[:, 1:] + x[:, :-1]) / 2).cumsum(1),
    ),
]


def _where_top(x, axis):
    """The index of the last one that equals the running maximum."""
    x = np.moveaxis(x, axis, -1)
    hit = x == np.maximum.accumulate(x, -1)
    at = np.maximum.accumulate(np.where(hit, np.arange(x.shape[-1]), 0), -1)
    return np.moveaxis(at, -1, axis)


def _sorted(x, axis, sign=1):
    at = np.argsort(sign * x, axis, kind="stable")
    return np.take_along_axis(x, at, axis), at


def _kth(k, axis):
    return lambda x: tuple(np.take(part, k - 1, axis) for part in _sorted(x, axis))


def _top(k):
    return lambda x: tuple(part[:, :k] for part in _sorted(x, 1, -1))


SORTED = [
    sample("sort", X, numpy=lambda x: _sorted(x, -1), order=2, dtypes=FLOATS),
    sample(
        "sort:down",
        X,
        0,
        descending=True,
        order=1,
        dtypes=NUMBERS,
        numpy=lambda x: _sorted(x.astype("f8"), 0, -1),
    ),
    sample(
        "argsort", X, 0, numpy=lambda x: np.argsort(x, 0, kind="stable"), dtypes=NUMBERS
    ),
    sample("msort", X, numpy=lambda x: np.sort(x, 0), order=1),
    sample("topk", X, 2, numpy=_top(2), order=2),
    sample(
        "topk:smallest",
        X,
        2,
        1,
        False,
        order=1,
        numpy=lambda x: tuple(part[:, :2] for part in _sorted(x, 1)),
    ),
    sample("kthvalue", X, 2, numpy=_kth(2, 1), order=1),
    sample("median", real(3, 5), numpy=np.median, order=1),
    sample("median:dim", real(3, 5), 1, numpy=_kth(3, 1), order=1),
    sample(
        "nanmedian",
        special(3, 9),
        1,
        call=lambda x, d: torch.nanmedian(x, d).values,
        numpy=lambda x: _nan_median(x),
    ),
    sample(
        "quantile",
        X,
        0.3,
        1,
        numpy=lambda x: np.quantile(x, 0.3, 1),
        order=1,
        rtol=4e-6,
    ),
    sample(
        "quantile:many",
        X,
        given([0.1, 0.5]),
        0,
        rtol=4e-6,
        numpy=lambda x, q: np.quantile(x, q, 0),
    ),
    sample("unique", whole(0, 4, 9), numpy=np.unique, dtypes=PLAIN),
    sample(
        "unique:all",
        whole(0, 4, 9),
        return_inverse=True,
        return_counts=True,
        dtypes=PLAIN,
        numpy=lambda x: _unique(x),
    ),
    sample(
        "unique_consecutive",
        given([1, 1, 2, 2, 1]),
        dtypes=PLAIN,
        numpy=lambda x: np.array([1, 2, 1]),
    ),
    sample("searchsorted", given([0.1, 0.2, 0.7]), unit(2, 3), numpy=np.searchsorted),
    sample(
        "searchsorted:right",
        given([0, 2, 2, 5]),
        whole(0, 6, 4),
        right=True,
        dtypes=PLAIN,
        numpy=lambda a, v: np.searchsorted(a, v, "right"),
    ),
    sample(
        "bucketize",
        unit(2, 3),
        given([0.1, 0.2, 0.7]),
        numpy=lambda v, a: np.searchsorted(a, v),
    ),
    sample(
        "bincount",
        whole(0, 5, 9),
        minlength=7,
        dtypes=PLAIN,
        numpy=lambda x: np.bincount(x, minlength=7),
    ),
    sample(
        "bincount:weights",
        whole(0, 5, 9),
        positive(9),
        minlength=7,
        numpy=lambda x, w: np.bincount(x, w, 7),
    ),
    sample("histc", X, 5, -2, 2, numpy=lambda x: np.histogram(x, 5, (-2, 2))[0]),
    sample("isin", whole(0, 9, 3, 4), given([1, 5, 7]), numpy=np.isin, dtypes=PLAIN),
]


def _nan_median(x):
    ordered = np.sort(x, 1)
    counts = (~np.isnan(x)).sum(1)
    return ordered[np.arange(len(x)), (counts - 1) // 2]


def _unique(x):
    values, inverse, counts = np.unique(x, return_inverse=True, return_counts=True)
    return values, inverse, counts


A, B, V = real(2, 3, 4), real(2, 4, 5), real(4)
W = real(4, 5)
dots = {"order": 2, "rtol": 1e-5, "dtypes": ALL_FLOATS}


def product(name, numpy, *args, dtypes=FLOATS, **options):
    return sample(
        name, *args, numpy=numpy, order=2, rtol=1e-5, dtypes=dtypes, **options
    )


PRODUCTS = [
    product("matmul", np.matmul, A, B, dtypes=ALL_FLOATS),
    product("matmul:broadcast", np.matmul, real(3, 1, 2, 4), B),
    product("matmul:vector", np.matmul, A, V),
    product("matmul:vectors", np.matmul, V, V),
    product("matmul:row", np.matmul, V, B),
    product("Tensor.__matmul__", np.matmul, X, W),
    sample(
        "matmul:int",
        whole(-5, 5, 3, 4),
        whole(-5, 5, 4, 2),
        numpy=np.matmul,
        dtypes=PLAIN,
    ),
    product("mm", np.matmul, X, W, dtypes=ALL_FLOATS),
    product("bmm", np.matmul, A, B),
    product("mv", np.matmul, X, V),
    product("dot", np.dot, V, V),
    product("outer", np.outer, V, real(3)),
    product("inner", np.inner, X, V),
    product("kron", np.kron, real(2, 3), real(2, 2)),
    product("tensordot", lambda a, b: np.tensordot(a, b, 1), A, real(4, 2), 1),
    product(
        "tensordot:axes",
        lambda a, b: np.tensordot(a, b, ([0, 2], [0, 1])),
        A,
        B,
        ([0, 2], [0, 1]),
    ),
    product(
        "einsum",
        lambda a, b: np.einsum("bij,bjk->ik", a, b),
        A,
        B,
        call=lambda a, b: torch.einsum("bij,bjk->ik", a, b),
    ),
    product(
        "einsum:diagonal",
        lambda a: np.einsum("bii->bi", a),
        real(2, 3, 3),
        call=lambda a: torch.einsum("bii->bi", a),
    ),
    product(
        "einsum:dots",
        lambda a, b: np.einsum("...i,i->...", a, b),
        A,
        V,
        call=lambda a, b: torch.einsum("...i,i->...", a, b),
    ),
    product(
        "addmm", lambda c, a, b: 0.5 * c + 2 * a @ b, real(5), X, W, beta=0.5, alpha=2
    ),
    product("addmm:whole", lambda c, a, b: c + a @ b, real(3, 5), X, W),
    product("addmv", lambda c, a, b: c + a @ b, real(3), X, V),
    product("addr", lambda c, a, b: c + np.outer(a, b), X, real(3), V),
    product("baddbmm", lambda c, a, b: c + a @ b, real(2, 3, 5), A, B),
    product("addbmm", lambda c, a, b: c + (a @ b).sum(0), real(3, 5), A, B),
    product("linalg.vecdot", lambda a, b: (a * b).sum(-1), X, V),
    product("trace", np.trace, real(3, 4)),
    product("linalg.diagonal", lambda x: np.diagonal(x, 1, 1, 2), A, offset=1),
    product(
        "cartesian_prod",
        lambda a, b: np.stack([np.repeat(a, 2), np.tile(b, 3)], 1),
        real(3),
        real(2),
    ),
]

SAMPLES = [*REDUCTIONS, *NORMS, *SCANS, *SORTED, *PRODUCTS]
