"""Derivatives of loops and branches, and vmap of them, beside plain Python and JAX."""

from __future__ import annotations

import gc
import io
import resource

import numpy as np
import pytest
import tracefuse as torch
from control_tools import flat, rand
from tracefuse.tracer.errors import TraceError

D = torch.float64
W, H, XS = (
    rand(3, 3, dtype=D) * 0.5,
    rand(3, seed=1, dtype=D),
    rand(5, 3, seed=2, dtype=D),
)


def cell(w):
    def step(carry, x):
        h, k = carry
        h = torch.tanh(w @ h + x * h)
        return (h, k + 1), h * x * k

    return step


def looped(w, h, xs):
    (h, _), ys = torch.scan(cell(w), (h, 0), xs)
    return (h * h).sum() + (ys * ys).sum()


def plain(w, h, xs):
    ys = 0
    for k in range(len(xs)):
        (h, _), y = cell(w)((h, k), xs[k])
        ys = ys + (y * y).sum()
    return (h * h).sum() + ys


def by_branch(w, h, xs):
    y = torch.cond(
        h.sum() > 0, lambda h: (w @ h).exp(), lambda h: (w.t() @ h).sin() * h.sum(), h
    )
    return (y * y * xs.sum()).sum()


def plain_branch(w, h, xs):
    y = (w @ h).exp() if h.sum().item() > 0 else (w.t() @ h).sin() * h.sum()
    return (y * y * xs.sum()).sum()


def nested(w, h, xs):
    def row(c, x):
        inner = lambda i, v: torch.cond(  # noqa: E731
            v.sum() > 0, lambda v: v * x * 0.5, lambda v: torch.tanh(w @ v + i), v
        )
        return torch.fori_loop(0, 3, inner, c), c.sum()

    c, sums = torch.scan(row, h, xs, reverse=True)
    return (c * c).sum() + (sums * sums).sum()


def plain_nested(w, h, xs):
    sums = 0
    for x in xs.flip(0):
        sums = sums + h.sum() ** 2
        for i in range(3):
            h = h * x * 0.5 if h.sum().item() > 0 else torch.tanh(w @ h + i)
    return (h * h).sum() + sums


PAIRS = [(looped, plain), (by_branch, plain_branch), (nested, plain_nested)]
pairs = pytest.mark.parametrize("f, g", PAIRS, ids=["scan", "cond", "nested"])
signs = pytest.mark.parametrize("sign", [1, -1])


def grads(f, *args):
    """Eager: loss.backward() and the gradients it leaves."""
    args = [x.detach().clone().requires_grad_() for x in args]
    loss = f(*args)
    loss.backward()
    return [loss.detach(), *(x.grad for x in args)]


def close(found, wanted):
    assert len(found) == len(wanted)
    for x, y in zip(found, wanted):
        assert torch.allclose(x, y, rtol=1e-9, atol=1e-12)


@pairs
@signs
def test_gradients_are_those_of_the_python_loop(f, g, sign):
    args = W, H * sign, XS
    wanted = grads(g, *args)
    close(grads(f, *args), wanted)
    close(grads(torch.jit(f), *args), wanted)
    slopes = torch.grad(f, argnums=(0, 1, 2))
    close(slopes(*args), wanted[1:])
    jitted = torch.jit(slopes)
    for _ in range(2):
        close(jitted(*args), wanted[1:])


@pairs
@signs
def test_a_loaded_program_has_the_same_gradients(f, g, sign):
    args, file = (W, H * sign, XS), io.BytesIO()
    torch.jit.trace(f, args).save(file)
    file.seek(0)
    close(grads(torch.jit.load(file), *args), grads(g, *args))


def squares(f):
    """One number made of the gradients of `f`, in a way that eager code can take."""

    def loss(*args):
        found = torch.autograd.grad(f(*args), args, create_graph=True)
        return sum((x * x).sum() for x in found)

    return loss


def transformed(f):
    slopes = torch.grad(f, argnums=(0, 1, 2))
    return lambda *args: sum((x * x).sum() for x in slopes(*args))


@pairs
@signs
def test_gradients_of_gradients(f, g, sign):
    args = W, H * sign, XS
    wanted = grads(squares(g), *args)[1:]
    close(grads(squares(f), *args)[1:], wanted)
    close(torch.grad(transformed(f), argnums=(0, 1, 2))(*args), wanted)
    close(torch.jit(torch.grad(transformed(f), argnums=(0, 1, 2)))(*args), wanted)


def test_a_forward_beside_its_gradient_runs_once():
    graph = torch.jit(torch.value_and_grad(looped)).lower(W, H, XS).graph
    loops = [v for v in graph.nodes() if v.op == "scan"]
    assert [v.attrs["reverse"] for v in loops] == [False, True]


def test_only_what_is_wanted_is_pulled_back():
    slope = torch.jit(torch.grad(lambda h: looped(W, h, XS)))
    (back,) = [v for v in slope.lower(H).graph.nodes() if v.attrs.get("reverse")]
    assert back.attrs["carry"] == 1  # no sum for the gradient of W


def test_where_gradients_stop_inside():
    def f(x):
        step = lambda c, _: (c * x.detach() + c.detach() * x, None)  # noqa: E731
        return torch.scan(step, x, length=2)[0].sum()

    def g(x):
        c = x
        for _ in range(2):
            c = c * x.detach() + c.detach() * x
        return c.sum()

    close(grads(f, H), grads(g, H))
    close([torch.jit(torch.grad(f))(H)], grads(g, H)[1:])


# -- while: forward mode only


def until(w, h, xs):
    body = lambda c: (c[0] + 1, torch.sin(w @ c[1]) + xs[0], c[2])  # noqa: E731
    k, h, _ = torch.while_loop(lambda c: c[0] < 4, body, (0, h, xs))
    return (h * h).sum() * k


def test_reverse_mode_refuses_a_loop_of_unknown_length():
    h = H.clone().requires_grad_()
    with pytest.raises(TraceError, match=r"while_loop.*test_control_gradients.py:\d+"):
        until(W, h, XS).backward()
    with pytest.raises(TraceError, match="use scan"):
        torch.grad(until)(W, H, XS)
    n = torch.tensor(3)
    with pytest.raises(TraceError, match="bounds that are computed"):
        powers = lambda h, n: torch.fori_loop(0, n, lambda i, h: h * h, h)  # noqa: E731
        torch.jit(torch.grad(lambda h: powers(h, n).sum()))(H)
    assert until(W, h, XS).item() == until(W, H, XS).item()


def test_what_does_not_depend_on_it_passes_a_while():
    def f(x, y):
        n, y = torch.while_loop(
            lambda c: c[0] < 3, lambda c: (c[0] + 1, c[1] * 2), (x, y)
        )
        return (y * 3 * x).sum()

    assert (
        torch.grad(lambda x: f(x.detach(), torch.ones(())) * x)(torch.tensor(1.0)) == 12
    )


@pytest.mark.parametrize("f", [looped, by_branch, nested, until])
@pytest.mark.parametrize("at", [0, 1, 2])
def test_forward_mode_by_finite_differences(f, at):
    args = [W, H, XS]
    way = rand(*args[at].shape, seed=9, dtype=D)
    ways = [way if i == at else torch.zeros_like(x) for i, x in enumerate(args)]
    ends = []
    for step in (1e-6, -1e-6):
        ends.append(f(*(x + step * v for x, v in zip(args, ways))))
    wanted = (ends[0] - ends[1]) / 2e-6
    push = lambda *args: torch.func.jvp(f, args, tuple(ways))[1]  # noqa: E731
    for g in (push, torch.jit(push)):
        assert torch.allclose(g(*args), wanted, rtol=1e-6, atol=1e-8)


# -- vmap


def carried(h, xs):
    return torch.scan(cell(W), (h, 0), xs)


def counted(h, xs):
    n = (xs.sum() * 0 + h.sum() * 3).to(torch.int64) % 5
    body = lambda c: (c[0] + 1, torch.sin(c[1]), c[2])  # noqa: E731
    return torch.while_loop(lambda c: c[0] < n, body, (0, h, xs))


def fixed(h, xs):
    return torch.fori_loop(0, 3, lambda i, h: torch.sin(h) + i, h)


def chosen(h, xs):
    one = lambda h: (h * 2, 1)  # noqa: E731
    return torch.cond(h.sum() > 0, one, lambda h: (torch.sin(h) * xs.sum(), 0), h)


@pytest.mark.parametrize("f", [carried, counted, fixed, chosen])
@pytest.mark.parametrize("dims", [(0, 0), (0, None), (None, 0), (1, 2)])
def test_vmap_is_a_python_loop(f, dims):
    shapes = [(3,), (5, 3)]
    args = []
    for i, (shape, dim) in enumerate(zip(shapes, dims)):
        wide = list(shape)
        if dim is not None:
            wide.insert(dim, 4)
        args.append(rand(*wide, seed=i, dtype=D))
    each = []
    for n in range(4):
        one = [x if d is None else x.select(d, n) for x, d in zip(args, dims)]
        each.append(flat(f(*one)))
    wanted = [torch.stack(rows) for rows in zip(*each)]
    mapped = torch.vmap(f, in_dims=dims)
    for g in (mapped, torch.jit(mapped)):
        found = flat(g(*args))
        assert len(found) == len(wanted)
        for x, y in zip(found, wanted):
            assert x.dtype is y.dtype and torch.allclose(x, y)


def test_vmap_of_a_gradient_and_a_gradient_of_vmap():
    hs = rand(4, 3, seed=3, dtype=D)
    slope = torch.grad(lambda h: nested(W, h, XS))
    wanted = torch.stack([slope(h) for h in hs])
    assert torch.allclose(torch.vmap(slope)(hs), wanted)
    total = lambda hs: torch.vmap(lambda h: nested(W, h, XS))(hs).sum()  # noqa: E731
    assert torch.allclose(torch.grad(total)(hs), wanted)


# -- memory


def test_ten_thousand_steps_leave_nothing_behind():
    step = lambda c: (c[0] + 1, torch.sin(c[1]) + 0.5)  # noqa: E731
    f = torch.jit(
        lambda n: torch.while_loop(lambda c: c[0] < n, step, (0, rand(64)))[1]
    )
    f(torch.tensor(10))
    gc.collect()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(5):
        f(torch.tensor(10_000))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1000  # KB


# -- JAX, where it is installed


def test_the_same_numbers_as_jax():
    jax = pytest.importorskip("jax")
    jnp, lax = jax.numpy, jax.lax

    def theirs(w, h, xs):
        def step(carry, x):
            h, k = carry
            h = jnp.tanh(w @ h + x * h)
            h = lax.cond(h.sum() > 0, lambda h: h * 2, lambda h: -h, h)
            return (h, k + 1), lax.switch(k % 3, [jnp.sin, jnp.cos, lambda h: h], h)

        (h, k), ys = lax.scan(step, (h, 0), xs, reverse=True)
        h = lax.fori_loop(0, 3, lambda i, h: h * 0.5 + i, h)
        sums = lax.associative_scan(jnp.multiply, ys, reverse=True)
        return (h * ys.sum(0)).sum() + sums.sum() * k

    def ours(w, h, xs):
        def step(carry, x):
            h, k = carry
            h = torch.tanh(w @ h + x * h)
            h = torch.cond(h.sum() > 0, lambda h: h * 2, lambda h: -h, h)
            fs = [torch.sin, torch.cos, lambda h: h]
            return (h, k + 1), torch.switch(k % 3, fs, h)

        (h, k), ys = torch.scan(step, (h, 0), xs, reverse=True)
        h = torch.fori_loop(0, 3, lambda i, h: h * 0.5 + i, h)
        sums = torch.associative_scan(torch.mul, ys, reverse=True)
        return (h * ys.sum(0)).sum() + sums.sum() * k

    args = [x.float() for x in (W, H, XS)]
    arrays = [x.numpy() for x in args]
    value, slopes = jax.value_and_grad(theirs, argnums=(0, 1, 2))(*arrays)
    for f in (ours, torch.jit(ours)):
        found = grads(f, *args)
        np.testing.assert_allclose(found[0].item(), value, rtol=1e-4)
        for x, y in zip(found[1:], slopes):
            np.testing.assert_allclose(x.numpy(), y, rtol=2e-4, atol=1e-5)
