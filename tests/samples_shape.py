"""Samples of what moves elements: shapes, joining, parts, indices, scatters."""

from __future__ import annotations

import numpy as np
import tracefuse as torch
from sampling import (
    ALL_FLOATS,
    FLOATS,
    NUMBERS,
    PLAIN,
    given,
    mask,
    real,
    sample,
    shuffled,
    special,
    whole,
)

X, CUBE, V = real(3, 4), real(2, 3, 4), real(4)
SQUARE = real(2, 3, 3)


def move(name, numpy, *args, **options):
    """A sample that only moves elements: exact in every type, linear."""
    options = {"order": 1, "exact": True, "dtypes": NUMBERS, **options}
    return sample(name, *args, numpy=numpy, **options)


SHAPES = [
    move("reshape", lambda x: x.reshape(4, -1), X, 4, -1),
    move(
        "reshape:permuted",
        lambda x: x.T.reshape(2, 6),
        X,
        call=lambda x: x.t().reshape(2, 6),
    ),
    move("Tensor.view", lambda x: x.reshape(2, 6), X, 2, 6),
    move("reshape_as", lambda x, y: x.reshape(4, 3), X, real(4, 3)),
    move("view_as", lambda x, y: x.reshape(4, 3), X, real(4, 3)),
    move("permute", lambda x: x.transpose(2, 0, 1), CUBE, 2, 0, 1),
    move("transpose", lambda x: x.swapaxes(0, 2), CUBE, 0, 2),
    move("movedim", lambda x: np.moveaxis(x, 0, -1), CUBE, 0, -1),
    move("t", np.transpose, X),
    move("adjoint", np.transpose, X),
    move("Tensor.T", np.transpose, X, call=lambda x: x.T),
    move("Tensor.mT", lambda x: x.swapaxes(1, 2), CUBE, call=lambda x: x.mT),
    move("Tensor.H", np.transpose, X, call=lambda x: x.H),
    move("Tensor.mH", lambda x: x.swapaxes(1, 2), CUBE, call=lambda x: x.mH),
    move("flatten", lambda x: x.reshape(2, 12), CUBE, 1),
    move("unflatten", lambda x: x.reshape(3, 2, 2), X, 1, (2, 2)),
    move("ravel", np.ravel, X),
    move("squeeze", np.squeeze, real(1, 3, 1)),
    move("squeeze:dim", lambda x: x.squeeze(2), real(1, 3, 1), 2),
    move("unsqueeze", lambda x: x[:, None], X, 1),
    move("expand", lambda x: np.broadcast_to(x, (3, 4)), V, 3, -1),
    move("expand_as", lambda x, y: np.broadcast_to(x, (3, 4)), V, X),
    move("broadcast_to", lambda x: np.broadcast_to(x, (2, 3, 4)), X, (2, 3, 4)),
    move("broadcast_tensors", np.broadcast_arrays, X, V),
    move("atleast_1d", np.atleast_1d, real()),
    move("atleast_2d", np.atleast_2d, V),
    move("atleast_3d", np.atleast_3d, X),
    move("Tensor.contiguous", np.transpose, X, call=lambda x: x.t().contiguous()),
    move("Tensor.repeat", lambda x: np.tile(x, (2, 1, 2)), X, 2, 1, 2),
    move("tile", lambda x: np.tile(x, 2), X, 2),
    move("repeat_interleave", lambda x: np.repeat(x, 2, 1), X, 2, 1),
    move("flip", lambda x: np.flip(x, (0, 2)), CUBE, (0, 2)),
    move("fliplr", np.fliplr, X),
    move("flipud", np.flipud, X),
    move("roll", lambda x: np.roll(x, 1), X, 1),
    move("roll:dims", lambda x: np.roll(x, (1, -2), (0, 1)), X, (1, -2), (0, 1)),
    move("rot90", np.rot90, X),
    move("Tensor.unfold", lambda x: np.stack([x[:, 0:2], x[:, 2:4]], 1), X, 1, 2, 2),
    move("diag", np.diag, X),
    move("diag:matrix", lambda x: np.diag(x, 1), V, 1),
    move("diagflat", np.diagflat, real(2, 2)),
    move("diagonal", lambda x: np.diagonal(x, 1, 0, 2), CUBE, 1, 0, 2),
    move("diag_embed", lambda x: np.stack([np.diag(row) for row in x]), X),
    move("tril", np.tril, X),
    move("triu", lambda x: np.triu(x, 1), SQUARE, 1),
]

JOINING = [
    move(
        "cat",
        lambda *a: np.concatenate(a, 1),
        X,
        real(3, 2),
        call=lambda *a: torch.cat(a, 1),
    ),
    move("stack", lambda *a: np.stack(a, 1), X, X, call=lambda *a: torch.stack(a, 1)),
    *(
        move(
            name,
            lambda *a, name=name: getattr(np, name)(a),
            X,
            X,
            call=lambda *a, name=name: getattr(torch, name)(a),
        )
        for name in ("hstack", "vstack", "dstack", "column_stack")
    ),
    move("split", lambda x: (x[:, :3], x[:, 3:]), X, 3, 1),
    move("split:sizes", lambda x: (x[:1], x[1:]), X, [1, 2]),
    move("split_with_sizes", lambda x: (x[:1], x[1:]), X, [1, 2]),
    move("chunk", lambda x: (x[:, :2], x[:, 2:]), X, 2, 1),
    move("tensor_split", lambda x: tuple(np.array_split(x, 3, 1)), X, 3, 1),
    move("hsplit", lambda x: tuple(np.hsplit(x, 2)), X, 2),
    move("vsplit", lambda x: tuple(np.vsplit(x, [1, 2])), X, [1, 2]),
    move("dsplit", lambda x: tuple(np.dsplit(x, 2)), CUBE, 2),
    move("unbind", lambda x: tuple(x.T), X, 1),
    move("Tensor.__iter__", lambda x: tuple(x), X, call=lambda x: tuple(x)),
    move(
        "meshgrid",
        lambda a, b: np.meshgrid(a, b, indexing="ij"),
        V,
        real(3),
        indexing="ij",
    ),
]


def _put(x, index, value, accumulate=False):
    x = x.copy()
    np.add.at(x, index, value) if accumulate else x.__setitem__(index, value)
    return x


def at(index, *args, numpy=None, dtypes=NUMBERS, **options):
    """Reading by an index of plain numbers and slices."""
    return move(
        f"Tensor.__getitem__:{index}",
        numpy or (lambda x: x[index]),
        *args,
        call=lambda x: x[index],
        dtypes=dtypes,
        **options,
    )


def assign(index, value):
    """Writing to a copy by an index; both the tensor and the value get gradients."""

    def call(x, v):
        x = x.clone()
        x[index] = v
        return x

    return move(
        f"Tensor.__setitem__:{index}",
        lambda x, v: _put(x, index, v),
        X,
        value,
        call=call,
    )


def _write_through_views(x, v):
    x = x * 2
    x[1:].t()[::2] = v
    x[0, 1] = 17.0
    return x


def _write_numpy(x, v):
    x = x * 2
    x[1:].T[::2] = v
    x[0, 1] = 17.0
    return x


INDEXING = [
    at(1, X),
    at((slice(None), -1), X),
    at((slice(1, None), slice(0, 4, 2)), X),
    at((Ellipsis, None, 2), CUBE),
    at((0, slice(None), [2, 0]), CUBE, numpy=lambda x: x[0][:, [2, 0]]),
    at([2, 0, 0], X),
    at(([0, 2], [1, 1]), X),
    at(([0, 1], slice(None), [3, 0]), CUBE),
    move(
        "Tensor.__getitem__:tensor",
        lambda x, i: x[i],
        X,
        whole(-3, 3, 2, 5),
        call=lambda x, i: x[i],
    ),
    move(
        "Tensor.__getitem__:mask",
        lambda x, m: x[m],
        X,
        mask(3, 4),
        call=lambda x, m: x[m],
    ),
    move(
        "Tensor.__getitem__:rows", lambda x, m: x[m], X, mask(3), call=lambda x, m: x[m]
    ),
    assign(1, V),
    assign((slice(None), 2), real(3)),
    assign((0, 0), real()),
    assign(([0, 2], [1, 3]), real(2)),
    assign((slice(0, 3, 2), slice(1, None)), real(2, 3)),
    move(
        "Tensor.__setitem__:views",
        _write_numpy,
        X,
        real(2, 2),
        call=_write_through_views,
        dtypes=ALL_FLOATS,
    ),
    move("select", lambda x: x[:, 2], X, 1, 2),
    move("narrow", lambda x: x[:, 1:3], X, 1, 1, 2),
    move("index_select", lambda x, i: x[:, i], X, 1, whole(0, 4, 6)),
    move("masked_select", lambda x, m: x[m], X, mask(3, 4)),
    move("take", lambda x, i: x.ravel()[i], X, whole(0, 12, 2, 3)),
    move(
        "take_along_dim",
        lambda x, i: np.take_along_axis(x, i, 1),
        X,
        whole(0, 4, 3, 2),
        1,
    ),
    move("gather", lambda x, i: np.take_along_axis(x, i, 0), X, 0, whole(0, 3, 2, 4)),
    move(
        "index_put",
        lambda x, i, v: _put(x, (i,), v),
        X,
        shuffled(3),
        X,
        call=lambda x, i, v: torch.index_put(x, (i,), v),
    ),
    move(
        "index_put:add",
        lambda x, i, v: _put(x, (i,), v, True),
        X,
        whole(0, 3, 5),
        real(5, 4),
        call=lambda x, i, v: torch.index_put(x, (i,), v, True),
        exact=False,
        dtypes=FLOATS,
    ),
    sample("nonzero", special(3, 4), numpy=lambda x: np.argwhere(x)),
    sample("nonzero:tuple", mask(3, 4), as_tuple=True, numpy=np.nonzero, dtypes=PLAIN),
    sample("argwhere", mask(3, 4), numpy=np.argwhere, dtypes=PLAIN),
    sample("where:one", mask(3, 4), numpy=np.nonzero, dtypes=PLAIN),
]


def _scattered(function):
    def along(x, i, u):
        x = x.copy()
        for place in np.ndindex(*i.shape):
            to = (i[place], *place[1:])
            x[to] = function(x[to], u[place] if np.ndim(u) else u)
        return x

    return along


ROWS = whole(0, 3, 5, 4)
summed = {"order": 1, "rtol": 4e-6, "dtypes": FLOATS}
SCATTERS = [
    move(
        "scatter",
        lambda x, i, u: _put(x, (i, np.arange(4)[None]), u),
        X,
        0,
        given([[0, 1, 2, 0], [1, 2, 0, 1]]),
        real(2, 4),
    ),
    move(
        "scatter:value",
        lambda x, i: _scattered(lambda a, b: b)(x, i, 2.0),
        X,
        0,
        ROWS,
        2.0,
    ),
    sample(
        "scatter_add",
        X,
        0,
        ROWS,
        real(5, 4),
        **summed,
        numpy=_scattered(lambda a, b: a + b),
    ),
    *(
        sample(
            f"scatter_reduce:{how}",
            X,
            0,
            ROWS,
            real(5, 4),
            how,
            numpy=_scattered(f),
            **summed,
        )
        for how, f in {
            "sum": lambda a, b: a + b,
            "prod": lambda a, b: a * b,
            "amax": np.maximum,
            "amin": np.minimum,
        }.items()
    ),
    sample("scatter_reduce:mean", X, 0, ROWS, real(5, 4), "mean", **summed),
    sample(
        "index_add",
        X,
        1,
        whole(0, 4, 6),
        real(3, 6),
        **summed,
        numpy=lambda x, i, u: _put(x, (slice(None), i), u, True),
    ),
    move(
        "index_copy", lambda x, i, u: _put(x, (slice(None), i), u), X, 1, shuffled(4), X
    ),
    move(
        "index_fill",
        lambda x, i: _put(x, (slice(None), i), 5.0),
        X,
        1,
        given([0, 2]),
        5.0,
    ),
    move(
        "masked_scatter",
        lambda x, m, u: _put(x, m, u.ravel()[: m.sum()]),
        X,
        mask(3, 4),
        real(12),
    ),
]

SAMPLES = [*SHAPES, *JOINING, *INDEXING, *SCATTERS]
