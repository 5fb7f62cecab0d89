"""Samples of function transforms."""

from __future__ import annotations

import numpy as np
import tracefuse as torch
from sampling import FLOATS, real, sample

X, V = real(3, 4), real(4)
LAYER = torch.nn.Linear(4, 2, dtype=torch.float64)
LAYERS = [torch.nn.Linear(4, 2, dtype=torch.float64) for _ in range(3)]


def cube(x):
    return (x**3).sum()


def moved(name, call, numpy=None, *, args=(X,), order=1, **options):
    """A transform applied, at arguments of either float type."""
    return sample(
        name, *args, call=call, numpy=numpy, rtol=1e-5, dtypes=FLOATS, **options
    )


def _called(x):
    weight = x[:2].double()
    return torch.functional_call(LAYER, {"weight": weight}, (x.double(),)).to(x.dtype)


def _stacked(x):
    params, _ = torch.stack_module_state(LAYERS)
    base = LAYERS[0]
    each = torch.vmap(lambda p: torch.functional_call(base, p, (x.double(),)))
    return each(params).detach().to(x.dtype)


SAMPLES = [
    moved(
        "vmap", lambda x: torch.vmap(torch.dot)(x, x * 2), lambda x: 2 * (x * x).sum(1)
    ),
    moved(
        "vmap:columns",
        lambda x: torch.vmap(torch.cumsum, (1, None), 1)(x, 0),
        lambda x: np.cumsum(x, 0),
    ),
    moved("vmap:grad", lambda x: torch.vmap(torch.grad(cube))(x), lambda x: 3 * x * x),
    moved("vjp", lambda x: torch.vjp(cube, x)[1](x.sum())[0]),
    moved(
        "jvp",
        lambda x: torch.jvp(torch.sin, (x,), (x,)),
        lambda x: (np.sin(x), x * np.cos(x)),
    ),
    moved(
        "linearize",
        lambda x: torch.linearize(torch.sin, x)[1](x),
        lambda x: x * np.cos(x),
    ),
    moved(
        "jacrev",
        lambda v: torch.jacrev(lambda v: v * v)(v),
        lambda v: np.diag(2 * v),
        args=(V,),
    ),
    moved(
        "jacfwd",
        lambda v: torch.jacfwd(lambda v: v * v)(v),
        lambda v: np.diag(2 * v),
        args=(V,),
    ),
    moved(
        "hessian",
        lambda v: torch.hessian(cube)(v),
        lambda v: np.diag(6 * v),
        args=(V,),
    ),
    moved("functional_call", _called),
    moved("stack_module_state", _stacked, order=0),
]
