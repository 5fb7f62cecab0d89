"""Transforms of functions whose derivative somebody else provides."""

from __future__ import annotations

import numpy as np
import pytest
import tracefuse as torch
from tracefuse import nn
from tracefuse.func import grad, hessian, jacfwd, jacrev, jvp, vjp, vmap
from transform_tools import close, draw

X = draw(4, 3, seed=1)


class Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * 3 * x * x


@torch.custom_vjp
def cube_by_vjp(x):
    return x**3


cube_by_vjp.defvjp(lambda x: (x**3, x), lambda x, g: (g * 3 * x * x,))


@torch.custom_jvp
def cube_by_jvp(x):
    return x**3


@cube_by_jvp.defjvp
def _cube_rule(primals, tangents):
    ((x,), (t,)) = primals, tangents
    return x**3, 3 * x * x * t


def again(x):
    return torch.checkpoint(lambda x: torch.tanh(x).exp() * x)(x)


def plain_again(x):
    return torch.tanh(x).exp() * x


PAIRS = {
    "Function": (Cube.apply, lambda x: x**3),
    "custom_vjp": (cube_by_vjp, lambda x: x**3),
    "custom_jvp": (cube_by_jvp, lambda x: x**3),
    "checkpoint": (again, plain_again),
}
each = pytest.mark.parametrize("f, plain", PAIRS.values(), ids=PAIRS)
both = pytest.mark.parametrize(
    "compile", [lambda f: f, torch.jit], ids=["eager", "jit"]
)


def total(f):
    return lambda x: (f(x) ** 2).sum()


def mapped(f):
    return lambda x: vmap(lambda r: f(r) * r.sum())(x)


TRANSFORMS = {
    "grad": lambda f: grad(total(f)),
    "vmap": mapped,
    "vmap of grad": lambda f: vmap(grad(total(f))),
    "grad of vmap": lambda f: grad(total(mapped(f))),
    "grad of vmap of vmap": lambda f: grad(total(vmap(vmap(f)))),
    "vmap of grad of vmap": lambda f: vmap(grad(total(vmap(f)))),
    "grad of grad": lambda f: grad(lambda x: (grad(total(f))(x) ** 2).sum()),
    "grad of grad of vmap": lambda f: grad(
        lambda x: (grad(total(mapped(f)))(x) ** 2).sum()
    ),
    "shared": lambda f: grad(lambda x: (vmap(lambda r: f(x[0]) * r)(x)).sum()),
    "jacrev": lambda f: jacrev(lambda x: f(x[0])),
    "jacfwd": lambda f: jacfwd(lambda x: f(x[0])),
    "hessian": lambda f: hessian(lambda x: total(f)(x[0])),
    "jvp": lambda f: lambda x: jvp(f, (x,), (x,)),
    "jvp of vmap": lambda f: lambda x: jvp(mapped(f), (x,), (x,)),
    "vjp": lambda f: lambda x: vjp(f, x)[1](x),
    "chunks": lambda f: grad(total(vmap(f, chunk_size=3))),
}


@both
@each
@pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS)
def test_as_the_plain_function(f, plain, transform, compile):
    run = compile(transform(f))
    for x in (X, X + 1):
        close(run(x), transform(plain)(x), 1e-8)


@both
@each
def test_backward_outside(f, plain, compile):
    slopes = []
    for g in (f, plain):
        x = X.clone().requires_grad_()
        compile(mapped(g))(x).sum().backward()
        slopes.append(x.grad)
    close(*slopes)


class Third(torch.autograd.Function):
    """Says a derivative that is not the true one, so that it cannot be missed."""

    @staticmethod
    def forward(ctx, x, y):
        ctx.save_for_backward(y)
        return x + y

    @staticmethod
    def backward(ctx, g):
        (y,) = ctx.saved_tensors
        return g * 7 * y, g * 11


@both
def test_the_rule_is_kept_where_an_argument_is_shared(compile):
    y = draw(3, seed=2)
    f = lambda x, y: (vmap(Third.apply, in_axes=(0, None))(x, y)).sum()
    by_x, by_y = compile(grad(f, argnums=(0, 1)))(X, y)
    close(by_x, np.tile(7 * y.numpy(), (4, 1)))
    close(by_y, np.full(3, 44.0))


class Clip(torch.autograd.Function):
    """The identity; its cotangent is clipped, which is not linear."""

    @staticmethod
    def forward(ctx, x):
        return x * 1

    @staticmethod
    def backward(ctx, g):
        return torch.where(g > 1, g * 0, g * 2)


def test_forward_mode_at_a_cotangent_of_zero():
    close(jvp(Clip.apply, (X,), (X,))[1], 2 * X)
    close(jacfwd(lambda x: Clip.apply(x))(X[0]), 2 * np.eye(3))


@both
@pytest.mark.parametrize("randomness", ["different", "same"])
def test_a_checkpoint_draws_the_same_mask_again(compile, randomness):
    x = torch.ones(6, 50, dtype=torch.float64)

    def noisy(r):
        return torch.checkpoint(lambda r: nn.functional.dropout(r, 0.5) * 3)(r)

    def f(x):
        out, pull = vjp(vmap(noisy, randomness=randomness), x)
        return out, pull(torch.ones(6, 50, dtype=torch.float64))[0]

    out, slope = compile(f)(x)
    close(out, slope)
    assert np.array_equal(out[0].numpy(), out[1].numpy()) == (randomness == "same")
    assert 0 < int((out == 0).sum()) < 300
