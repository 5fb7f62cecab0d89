"""Samples of what makes tensors: creation, casts, random draws, in-place writes."""

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
    positive,
    real,
    sample,
    unit,
    whole,
)

X, V = real(3, 4), real(4)
ONE = ("float32",)


def made(name, *args, numpy=None, **options):
    """A sample without tensors among its arguments."""
    return sample(name, *args, numpy=numpy, dtypes=ONE, **options)


def full(value, kind="float32"):
    return lambda *_: np.full((2, 3), value, kind)


CREATION = [
    made("zeros", 2, 3, numpy=full(0)),
    made("ones", 2, 3, numpy=full(1)),
    made("full", (2, 3), 2.5, numpy=full(2.5)),
    made("full:int", (2, 3), 7, numpy=full(7, "int64")),
    made("eye", 3, 4, numpy=lambda: np.eye(3, 4)),
    made("arange", 2, 9, 3, numpy=lambda: np.arange(2, 9, 3)),
    made("arange:real", 0.5, 3, 0.25, numpy=lambda: np.arange(0.5, 3, 0.25)),
    made("linspace", -1, 2, 7, numpy=lambda: np.linspace(-1, 2, 7)),
    made("logspace", -1, 2, 7, numpy=lambda: np.logspace(-1, 2, 7), rtol=1e-5),
    made(
        "tensor", [[1.0, 2.0], [3.0, 4.0]], numpy=lambda: np.array([[1.0, 2], [3, 4]])
    ),
    made("as_tensor", [1, 2, 3], numpy=lambda: np.arange(1, 4)),
    made("scalar_tensor", 2.5, numpy=lambda: 2.5),
    made("empty", 2, 3, call=lambda *s: torch.empty(*s).zero_(), numpy=full(0)),
    made("tril_indices", 3, 4, numpy=lambda: np.stack(np.tril_indices(3, 0, 4))),
    made("triu_indices", 3, 4, numpy=lambda: np.stack(np.triu_indices(3, 0, 4))),
    made("broadcast_shapes", (3, 1), (4,), numpy=lambda: (3, 4)),
    sample("zeros_like", X, numpy=np.zeros_like, exact=True, dtypes=NUMBERS),
    sample("ones_like", X, numpy=np.ones_like, exact=True, dtypes=NUMBERS),
    sample("full_like", X, 2, numpy=lambda x: np.full_like(x, 2), dtypes=NUMBERS),
    sample(
        "empty_like", X, call=lambda x: torch.empty_like(x).fill_(1), numpy=np.ones_like
    ),
    sample("Tensor.new_zeros", X, 2, 3, numpy=full(0)),
    sample("Tensor.new_ones", X, 2, 3, numpy=full(1)),
    sample("Tensor.new_full", X, (2, 3), 2.5, numpy=full(2.5)),
    sample(
        "Tensor.new_empty", X, call=lambda x: x.new_empty(2, 3).zero_(), numpy=full(0)
    ),
    sample("Tensor.new_tensor", X, [1.0, 2.0], numpy=lambda x: np.array([1.0, 2.0])),
    sample(
        "from_numpy",
        X,
        call=lambda x: torch.from_numpy(x.detach().numpy()) * 2,
        numpy=lambda x: x * 2,
    ),
    sample(
        "from_dlpack",
        X,
        call=lambda x: torch.from_dlpack(x.detach()) * 2,
        numpy=lambda x: x * 2,
    ),
]

CASTS = {
    "half": "float16",
    "float": "float32",
    "double": "float64",
    "int": "int32",
    "long": "int64",
    "short": "int16",
    "char": "int8",
    "bool": "bool",
}
CONVERSIONS = [
    *(
        sample(
            f"Tensor.{name}",
            X,
            numpy=lambda x, kind=kind: x.astype(kind),
            order=int(name == "double"),
            exact=True,
            dtypes=(*ALL_FLOATS, "int64"),
        )
        for name, kind in CASTS.items()
    ),
    sample(
        "Tensor.byte", positive(3), numpy=lambda x: x.astype("uint8"), dtypes=FLOATS
    ),
    sample("Tensor.bfloat16", X, call=lambda x: x.bfloat16().float()),
    sample("Tensor.to", X, torch.float64, numpy=lambda x: x.astype("f8"), order=2),
    sample("Tensor.type", X, torch.float64, numpy=lambda x: x.astype("f8")),
    sample("Tensor.type_as", X, whole(0, 2, 1), numpy=lambda x, y: x.astype(int)),
    sample("Tensor.pin_memory", X, numpy=np.copy, order=1),
    sample("Tensor.cpu", X, numpy=np.copy, order=1),
    sample("Tensor.item", real(), numpy=lambda x: 2 * x, call=lambda x: x.item() * 2),
    sample(
        "Tensor.tolist", X, numpy=lambda x: list(x[0]), call=lambda x: x[0].tolist()
    ),
    sample("Tensor.__float__", real(), numpy=float, call=float),
    sample("Tensor.__int__", away(), numpy=int, call=int),
    sample(
        "Tensor.__index__",
        given(2),
        call=lambda i: [10, 20, 30][i],
        dtypes=PLAIN,
        numpy=lambda i: 30,
    ),
    sample(
        "Tensor.__bool__",
        X,
        call=lambda x: x * 2 if x.sum() > 0 else -x,
        numpy=lambda x: x * 2 if x.sum() > 0 else -x,
        order=1,
    ),
    sample("Tensor.__contains__", X, call=lambda x: 7.0 in x, numpy=lambda x: False),
    sample("Tensor.__len__", X, call=len, numpy=len),
    sample("Tensor.size", X, 1, numpy=lambda x: 4),
    sample("Tensor.dim", X, numpy=np.ndim),
    sample("numel", X, numpy=np.size),
    sample("is_tensor", X, numpy=lambda x: True),
    sample("is_floating_point", X, numpy=lambda x: True),
    sample("is_complex", X, numpy=lambda x: False),
    sample("Tensor.element_size", X, dtypes=ONE, numpy=lambda x: 4),
    sample("Tensor.stride", X, call=lambda x: x.t().stride(), numpy=lambda x: (1, 4)),
    sample(
        "Tensor.storage_offset",
        X,
        call=lambda x: x[1, 2:].storage_offset(),
        numpy=lambda x: 6,
    ),
    sample(
        "Tensor.is_contiguous",
        X,
        call=lambda x: x.t().is_contiguous(),
        numpy=lambda x: False,
    ),
    sample("Tensor.__copy__", X, call=lambda x: x.__copy__() * 1, numpy=np.copy),
    sample(
        "Tensor.requires_grad_",
        X,
        numpy=lambda x: 2 * x,
        call=lambda x: _squared(x.detach().clone().requires_grad_()),
    ),
    sample(
        "Tensor.backward",
        X,
        call=lambda x: _squared(x.detach().requires_grad_()),
        numpy=lambda x: 2 * x,
    ),
    sample(
        "Tensor.detach_", X, call=lambda x: (x * 2).detach_(), numpy=lambda x: x * 2
    ),
    sample(
        "grad",
        X,
        call=lambda x: torch.grad(lambda y: (y**3).sum())(x),
        rtol=1e-5,
        numpy=lambda x: 3 * x * x,
    ),
    sample(
        "value_and_grad",
        X,
        rtol=1e-5,
        numpy=lambda x: ((x**3).sum(), 3 * x * x),
        call=lambda x: torch.value_and_grad(lambda y: (y**3).sum())(x),
    ),
    sample(
        "grad_and_value",
        X,
        rtol=1e-5,
        numpy=lambda x: (3 * x * x, (x**3).sum()),
        call=lambda x: torch.grad_and_value(lambda y: (y**3).sum())(x),
    ),
]


def _squared(leaf):
    (leaf * leaf).sum().backward()
    return leaf.grad


RANDOM = [
    made("rand", 2, 3),
    made("randn", 2, 3),
    made("randint", 0, 9, (2, 3)),
    made("randperm", 7),
    made("normal", 1.0, 2.0, (2, 3)),
    sample("normal:tensors", X, positive(3, 4), order=1),
    sample("rand_like", X, dtypes=ALL_FLOATS),
    sample("randn_like", X, dtypes=ALL_FLOATS),
    sample("randint_like", X, 0, 9),
    sample("bernoulli", unit(3, 4)),
    sample("multinomial", unit(3, 4), 2),
    sample("multinomial:again", unit(4), 9, True),
    made("manual_seed", call=lambda: (torch.rand(2), torch.randn(3))),
    *(
        sample(
            f"Tensor.{name}_",
            X,
            *args,
            call=lambda x, *a, n=name: _drawn(x, n, a),
            dtypes=FLOATS,
        )
        for name, args in {
            "uniform": (-1.0, 2.0),
            "normal": (1.0, 2.0),
            "log_normal": (),
            "exponential": (2.0,),
            "cauchy": (),
            "geometric": (0.3,),
            "bernoulli": (0.3,),
            "random": (2, 9),
        }.items()
    ),
]


def _drawn(x, name, args):
    return getattr(x.clone(), f"{name}_")(*args)


def overwritten(name, numpy, *args, order=1, **options):
    """A sample of a method that writes, on a copy of its first argument."""
    method = getattr(torch.Tensor, name)
    return sample(
        f"Tensor.{name}",
        *args,
        numpy=numpy,
        order=order,
        exact=True,
        call=lambda x, *rest: method(x.clone(), *rest),
        **options,
    )


def _diagonal_filled(x):
    x = x.copy()
    np.fill_diagonal(x, 5)
    return x


INPLACE = [
    overwritten(
        "copy_", lambda x, y: np.broadcast_to(y, x.shape), X, V, dtypes=NUMBERS
    ),
    overwritten("fill_", lambda x: np.full_like(x, 3), X, 3, dtypes=NUMBERS),
    overwritten("zero_", np.zeros_like, X, dtypes=NUMBERS),
    overwritten("fill_diagonal_", _diagonal_filled, X, 5, dtypes=NUMBERS),
    overwritten("squeeze_", np.squeeze, real(1, 3)),
    overwritten("unsqueeze_", lambda x: x[:, None], X, 1),
    overwritten("t_", np.transpose, X),
    overwritten("transpose_", np.transpose, X, 0, 1),
    overwritten("swapaxes_", np.transpose, X, 0, 1),
    overwritten("swapdims_", np.transpose, X, 0, 1),
    overwritten("detach_", np.copy, X, order=0),
    sample(
        "Tensor.index_put_",
        X,
        given([2, 0]),
        V,
        order=1,
        exact=True,
        call=lambda x, i, v: x.clone().index_put_((i,), v),
        numpy=lambda x, i, v: _put(x, i, v),
    ),
    *(
        sample(
            f"Tensor.__i{sign}__",
            X,
            away(4),
            order=1,
            call=lambda x, y, sign=sign: getattr(x.clone(), f"__i{sign}__")(y),
            numpy=lambda x, y, sign=sign: getattr(np.copy(x), f"__i{sign}__")(y),
        )
        for sign in "add sub mul truediv floordiv mod".split()
    ),
    sample(
        "Tensor.__ipow__",
        positive(3, 4),
        3,
        call=lambda x, p: _powered(x.clone(), p),
        numpy=lambda x: x**3,
        order=1,
        rtol=1e-5,
    ),
    *(
        sample(
            f"Tensor.__i{sign}__",
            whole(-9, 9, 3, 4),
            whole(0, 4, 4),
            dtypes=PLAIN,
            call=lambda x, y, sign=sign: getattr(x.clone(), f"__i{sign}__")(y),
            numpy=lambda x, y, sign=sign: getattr(np.copy(x), f"__i{sign}__")(y),
        )
        for sign in "and or xor lshift rshift".split()
    ),
]


def _powered(x, p):
    x **= p
    return x


def _put(x, index, value):
    x = x.copy()
    x[index] = value
    return x


SAMPLES = [*CREATION, *CONVERSIONS, *RANDOM, *INPLACE]
