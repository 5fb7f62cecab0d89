"""Function transforms: derivatives as linear maps, Jacobians, and their composition."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
import tracefuse as torch
from tracefuse import func
from tracefuse.api.transforms.linear import _read
from tracefuse.func import (
    grad,
    hessian,
    jacfwd,
    jacobian,
    jacrev,
    jvp,
    linearize,
    vjp,
    vmap,
)
from tracefuse.tracer.graph import placeholder
from tracefuse.tracer.types import float32
from transform_tools import close, draw, leaves_of, slopes

W = draw(3, 4, seed=7)
FUNCTIONS = {
    "product": lambda x: torch.sin(x) * x,
    "matrix": lambda x: torch.tanh(x @ W),
    "sum": lambda x: (x * x).sum(),
    "row sums": lambda x: torch.softmax(x, -1).sum(0),
    "norm": lambda x: x.norm() * x.flip(0),
    "where": lambda x: torch.where(x > 0, x * x, -x),
    "rows": lambda x: x[[0, 0, 1]] * 2,
    "scan": lambda x: torch.cumsum(x, 0) * torch.cumprod(x, 1),
    "largest": lambda x: x.amax(1) + x.max(),
    "written": lambda x: written(x),
    "reshaped": lambda x: x.reshape(-1)[1:4].exp(),
}


def written(x):
    y = x * 1
    y[0] = y[1] * 2
    y += 1
    return y * x


X = draw(2, 3, seed=1)
each_function = pytest.mark.parametrize("f", FUNCTIONS.values(), ids=FUNCTIONS)


# -- one derivative, many ways


@each_function
@pytest.mark.parametrize("transform", [jacrev, jacfwd, jacobian])
def test_jacobians_beside_differences(f, transform):
    close(transform(f)(X), slopes(f, X), 1e-6)


@each_function
def test_vjp_is_a_row_and_jvp_a_column_of_the_jacobian(f):
    matrix, n = jacrev(f)(X).numpy(), X.numel()
    out, pull = vjp(f, X)
    g, t = draw(*out.shape, seed=2), draw(2, 3, seed=3)
    flat = matrix.reshape(-1, n)
    close(pull(g)[0], (g.numpy().ravel() @ flat).reshape(2, 3))
    (same, moved), (value, push) = jvp(f, (X,), (t,)), linearize(f, X)
    close((same, value), (out, f(X)))
    close(moved, (flat @ t.numpy().ravel()).reshape(tuple(out.shape)))
    close(push(t), moved)


@each_function
def test_hessians_beside_differences(f):
    loss = lambda x: (f(x) ** 2).sum()
    found = hessian(loss)(X)
    assert tuple(found.shape) == (2, 3, 2, 3)
    close(found, slopes(grad(loss), X), 1e-5)
    close(jacrev(jacfwd(loss))(X), found, 1e-8)
    close(jacrev(jacrev(loss))(X), found, 1e-8)
    close(jacfwd(jacfwd(loss))(X), found, 1e-8)


@each_function
def test_transforms_in_jit(f):
    loss = lambda x: (f(x) ** 2).sum()
    t = draw(2, 3, seed=3)
    for g in (
        jacrev(f),
        jacfwd(f),
        hessian(loss),
        lambda x: jvp(f, (x,), (t,)),
        lambda x: vjp(loss, x)[1](torch.ones((), dtype=torch.float64)),
        lambda x: linearize(f, x)[1](t),
        vmap(grad(lambda row: (row**2).sum())),
    ):
        jitted = torch.jit(g)
        for x in (X, X + 1, X):
            close(jitted(x), g(x))


@each_function
def test_vmap_beside_a_loop_and_its_gradient(f):
    xs = draw(4, 2, 3, seed=5)
    want = np.stack([f(x).numpy() for x in xs])
    close(vmap(f)(xs), want)
    close(torch.jit(vmap(f))(xs), want)
    total = lambda mapped: lambda x: (mapped(x) ** 2).sum()
    loop = lambda x: torch.stack([f(row) for row in x])
    close(grad(total(vmap(f)))(xs), grad(total(loop))(xs))
    rows = torch.stack([jacrev(f)(x) for x in xs])
    close(vmap(jacrev(f))(xs), rows)
    close(vmap(jacfwd(f))(xs), rows)


def test_a_jitted_function_records_inline():
    f = torch.jit(lambda x: torch.sin(x) * x)
    f(X)
    plain = FUNCTIONS["product"]
    close(vmap(f)(X), plain(X))
    close(jacrev(f)(X), jacrev(plain)(X))
    close(
        torch.jit(vmap(grad(lambda r: f(r).sum())))(X),
        grad(lambda x: plain(x).sum())(X),
    )


def test_vjp_of_vmap_of_jvp():
    f = lambda x: torch.sin(x).prod()
    g = vmap(lambda x, t: jvp(f, (x,), (t,))[1])
    t = draw(2, 3, seed=8)
    out, pull = vjp(g, X, t)
    by_hand = [jvp(f, (x,), (d,))[1].item() for x, d in zip(X, t)]
    close(out, np.array(by_hand))
    found = pull(torch.ones(2, dtype=torch.float64))
    close(found[1], torch.stack([grad(f)(x) for x in X]))
    close(found[0], torch.stack([hessian(f)(x) @ d for x, d in zip(X, t)]))


# -- a network over a dict of parameters


def net_params(seed=0):
    return {
        "w1": draw(3, 4, seed=seed),
        "b1": draw(4, seed=seed + 1),
        "w2": draw(4, 2, seed=seed + 2),
    }


def net(params, x):
    return torch.tanh(x @ params["w1"] + params["b1"]) @ params["w2"]


def loss_of(params, x, y):
    return ((net(params, x) - y) ** 2).sum()


def test_per_example_gradients_match_a_loop():
    params, x, y = net_params(), draw(5, 3, seed=4), draw(5, 2, seed=5)
    per_example = vmap(grad(loss_of), in_axes=(None, 0, 0))
    loop = [grad(loss_of)(params, a, b) for a, b in zip(x, y)]
    want = {k: torch.stack([g[k] for g in loop]) for k in params}
    close(per_example(params, x, y), want)
    close(torch.jit(per_example)(params, x, y), want)
    whole = grad(lambda p: sum(loss_of(p, a, b) for a, b in zip(x, y)))(params)
    close({k: v.sum(0) for k, v in want.items()}, whole)


def test_the_hessian_of_a_network():
    params, x, y = net_params(), draw(3, seed=4), draw(2, seed=5)
    found = torch.jit(hessian(loss_of))(params, x, y)
    assert list(found) == list(params) and list(found["w1"]) == list(params)
    assert tuple(found["w1"]["w2"].shape) == (3, 4, 4, 2)
    for name in params:
        by = lambda p, name=name: grad(loss_of)({**params, name: p}, x, y)["b1"]
        close(found["b1"][name], slopes(by, params[name]), 1e-5)


def test_products_with_the_hessian():
    params, x, y = net_params(), draw(3, seed=4), draw(2, seed=5)
    v = net_params(seed=9)
    f = lambda p: loss_of(p, x, y)
    over_reverse = jvp(grad(f), (params,), (v,))[1]
    full = hessian(f)(params)
    want = {
        a: sum(np.tensordot(full[a][b].numpy(), v[b].numpy(), v[b].ndim) for b in v)
        for a in params
    }
    close(over_reverse, want)
    inner = lambda p: sum((g * v[k]).sum() for k, g in grad(f)(p).items())
    close(grad(inner)(params), want)


# -- pytrees, aux, argnums


class Point(NamedTuple):
    x: torch.Tensor
    y: torch.Tensor


def test_trees_in_trees_out():
    f = lambda p, q: {"sum": p.x + q[0], "both": [p.x * q[0], p.y.sum()]}
    p, q = Point(draw(2), draw(3, seed=1)), [draw(2, seed=2)]
    found = jacrev(f, argnums=(0, 1))(p, q)
    assert isinstance(found["sum"], tuple) and isinstance(found["sum"][0], Point)
    assert tuple(found["both"][1][0].y.shape) == (3,)
    close(found["both"][0][1][0], np.diag(p.x.numpy()))
    close(found["sum"][0].y, np.zeros((2, 3)))
    close(leaves_of(jacfwd(f, argnums=(0, 1))(p, q)), leaves_of(found))
    out, pull = vjp(f, p, q)
    by_p, by_q = pull(out)
    assert isinstance(by_p, Point) and isinstance(by_q, list)
    one, moved = jvp(f, (p, q), (p, q))
    close(moved["sum"], one["sum"])


def test_a_single_argument_by_number_from_behind():
    f = lambda x, y: x * y
    a, b = draw(2), draw(2, seed=1)
    close(jacrev(f, argnums=-1)(a, b), np.diag(a.numpy()))
    close(grad(lambda x, y: (x * y).sum(), argnums=1)(a, b), a)


@pytest.mark.parametrize(
    "argnums, match",
    [
        (2, "Got argnum=2, but only 2 positional inputs"),
        ((), "non-empty and unique"),
        ((0, 0), "non-empty and unique"),
        ("x", "argnum must be int"),
    ],
)
def test_bad_argnums(argnums, match):
    with pytest.raises(RuntimeError, match=match):
        jacrev(lambda x, y: x * y, argnums=argnums)(X, X)


@pytest.mark.parametrize("transform", [jacrev, jacfwd, hessian])
def test_aux_of_jacobians(transform):
    f = lambda x: ((x**3).sum(), {"twice": x * 2, "name": "n"})
    found, aux = transform(f, has_aux=True)(X)
    close(found, transform(lambda x: f(x)[0])(X))
    close(aux["twice"], X * 2)
    assert aux["name"] == "n"


def test_aux_of_linear_maps():
    f = lambda x: (x * x, x + 1)
    out, pull, aux = vjp(f, X, has_aux=True)
    close((out, aux, pull(out)[0]), (X * X, X + 1, 2 * X**3))
    out, moved, aux = jvp(f, (X,), (X,), has_aux=True)
    close((out, moved, aux), (X * X, 2 * X * X, X + 1))
    out, push, aux = linearize(f, X, has_aux=True)
    close((out, push(X), aux), (X * X, 2 * X * X, X + 1))


def test_aux_has_to_be_a_pair():
    with pytest.raises(RuntimeError, match="has_aux is True"):
        grad(lambda x: x.sum(), has_aux=True)(X)


def test_outputs_that_hold_no_derivatives():
    f = lambda x: (x.argmax(), x * 2)
    out, moved = jvp(f, (X,), (X,))
    assert moved[0].dtype is torch.int64 and moved[0].item() == 0
    found = jacrev(f)(X)
    close(found[0], np.zeros((2, 3)))
    out, pull = vjp(f, X)
    close(pull(out)[0], X * 4)


def test_strict_forward_mode():
    with pytest.raises(RuntimeError, match="independent of the inputs"):
        jvp(lambda x: torch.ones(2), (X,), (X,), strict=True)
    close(jvp(lambda x: torch.ones(2), (X,), (X,))[1], np.zeros(2))


# -- errors


def test_cotangents_have_to_fit():
    _, pull = vjp(lambda x: (x, x), X)
    with pytest.raises(RuntimeError, match="pytree structure of cotangents"):
        pull(X)
    with pytest.raises(RuntimeError, match=r"cotangent 1 has a shape of \[2\]"):
        pull((X, torch.ones(2)))
    with pytest.raises(RuntimeError, match="cotangent 0 must be a Tensor"):
        pull((1.0, X))


def test_cotangents_and_tangents_take_the_type_of_what_they_belong_to():
    g = torch.ones(2, 3)
    assert vjp(torch.sin, X)[1](g)[0].dtype is torch.float64
    assert jvp(torch.sin, (X,), (g,))[1].dtype is torch.float64
    close(linearize(torch.sin, X)[1](g), torch.cos(X))


def test_tangents_have_to_fit():
    with pytest.raises(RuntimeError, match="pytree structure of tangents"):
        jvp(lambda x: x, (X,), (X, X))
    with pytest.raises(RuntimeError, match="Expected primals to be a tuple"):
        jvp(lambda x: x, X, X)
    with pytest.raises(RuntimeError, match="Mismatch in shape: tangent 0"):
        jvp(lambda x: x, (X,), (torch.ones(4),))


def test_functions_of_tensors_to_tensors():
    with pytest.raises(RuntimeError, match="must be tensors, got type float"):
        vjp(lambda x: 1.0, X)
    with pytest.raises(TypeError, match="floating-point arguments, not .*int64"):
        jacrev(lambda x: x * 1.0)(torch.arange(3))
    with pytest.raises(ValueError, match="chunk_size"):
        jacrev(lambda x: x, chunk_size=0)


def test_an_index_out_of_range_is_the_users_error():
    with pytest.raises(IndexError, match="out of bounds"):
        vmap(lambda x, i: x[i])(X, torch.tensor([0, 9]))


# -- what a linear map keeps


def test_linear_maps_outlive_what_they_were_made_from():
    x = X.clone()
    out, pull = vjp(lambda x: torch.exp(x), x)
    x.zero_()
    for g in (out, out * 2):
        close(pull(g)[0], g * torch.exp(X))


def test_linear_maps_keep_what_they_read_before_it_is_stretched():
    x = placeholder("x", (3,), float32)
    g = placeholder("g", (1000, 3), float32)
    assert _read([x.expand((1000, 3)) * g * 2.0], [g]) == [x]


def test_linear_maps_are_differentiable():
    def f(x):
        return vjp(torch.sin, x)[1](x)[0].sum()

    close(grad(f)(X), torch.cos(X) - X * torch.sin(X))
    x = X.clone().requires_grad_()
    _, pull = vjp(torch.sin, x)
    pull(X)[0].sum().backward()
    close(x.grad, -X * torch.sin(X))


def test_linear_maps_are_used_inside_and_outside_jit():
    _, pull = vjp(torch.sin, X)
    close(torch.jit(lambda g: pull(g)[0])(X), X * torch.cos(X))
    close(vmap(lambda g: pull(g)[0])(torch.stack([X, 2 * X]))[1], 2 * X * torch.cos(X))


def test_the_function_runs_once():
    calls = []

    def f(x):
        calls.append(1)
        return x * x

    _, pull = vjp(f, X)
    pull(X), pull(X)
    jacrev(f)(X)
    vmap(f, chunk_size=1)(X)
    assert len(calls) == 3


def test_chunks_of_a_jacobian():
    f = FUNCTIONS["product"]
    for size in (1, 4, 6, 100):
        close(jacrev(f, chunk_size=size)(X), jacrev(f)(X))


@pytest.mark.parametrize("compile", [lambda f: f, torch.jit], ids=["eager", "jit"])
def test_without_gradients_around(compile):
    leaf = X.clone().requires_grad_()

    def f(leaf):
        with torch.no_grad():
            return [
                grad(lambda x: (x * leaf).sum())(X),
                jvp(lambda x: x * leaf, (X,), (X,))[1],
                vmap(lambda x: x * 2)(leaf),
                vmap(lambda x: x)(leaf),
                vjp(lambda x: x * leaf, X)[1](X)[0],
            ]

    results = compile(f)(leaf)
    assert not any(t.requires_grad for t in results)
    close(results[0], X)


def test_gradients_flow_through_transforms_to_leaves_outside():
    leaf = X.clone().requires_grad_()
    vmap(lambda x: (x**2).sum())(leaf).sum().backward()
    close(leaf.grad, 2 * X)
    leaf.grad = None
    grad(lambda x: (x**2 * leaf).sum())(X).sum().backward()
    close(leaf.grad, 2 * X)


def test_no_grad_inside_a_mapped_function():
    def f(x):
        with torch.no_grad():
            y = x * x
        return (y * x).sum()

    close(grad(lambda x: vmap(f)(x).sum())(X), X * X)
    close(vmap(grad(f))(X), X * X)


# -- forward mode leaves nothing behind


def count(f, *args):
    nodes = torch.jit(f).lower(*args).graph.nodes()
    return sorted(v.op for v in nodes if v.op not in ("input", "constant"))


def test_forward_mode_is_as_small_as_written_by_hand():
    x, t = draw(5, 3), draw(5, 3, seed=1)
    w, v = draw(3, 4, seed=2), draw(4, seed=3)

    def by_hand(x, t):
        y = torch.tanh(x @ w)
        return y @ v, ((t @ w) * (1 - y * y)) @ v

    found = count(lambda x, t: jvp(lambda x: torch.tanh(x @ w) @ v, (x,), (t,)), x, t)
    assert len(found) <= len(count(by_hand, x, t))
    sine = lambda x, t: jvp(lambda x: torch.sin(x) * x, (x,), (t,))[1]
    assert found.count("tanh") == 1
    assert len(count(sine, x, t)) <= len(
        count(lambda x, t: t * torch.cos(x) * x + t * torch.sin(x), x, t)
    )


# -- nothing goes stale


def test_what_a_transformed_function_reads_is_watched():
    settings = {"scale": 2.0}
    f = torch.jit(vmap(lambda x: x * settings["scale"]))
    close(f(X), X * 2)
    settings["scale"] = 3.0
    close(f(X), X * 3)
    g = torch.jit(jacrev(lambda x: x * settings["scale"]))
    close(g(X[0]), 3 * np.eye(3))
    settings["scale"] = 5.0
    close(g(X[0]), 5 * np.eye(3))


def test_the_same_names_in_both_places():
    names = "grad value_and_grad grad_and_value vjp jvp linearize vmap jacrev jacfwd"
    names += " jacobian hessian functional_call stack_module_state"
    for name in names.split():
        assert getattr(torch, name) is getattr(func, name)
    assert torch.jacobian is torch.jacrev


def test_what_is_wrong_with_axes_is_said_in_the_words_that_were_given():
    pair = torch.ones(2), torch.ones(2)
    with pytest.raises(ValueError, match=r"in_dims=\(0,\)\): the axes"):
        vmap(lambda a, b: a + b, in_dims=(0,))(*pair)
    with pytest.raises(ValueError, match=r"in_axes=\(0,\)\): the axes"):
        vmap(lambda a, b: a + b, in_axes=(0,))(*pair)
    with pytest.raises(ValueError, match="its out_dims is None"):
        vmap(lambda a: a, out_dims=None)(pair[0])
    with pytest.raises(ValueError, match="set out_dims to None"):
        vmap(lambda a: 3, in_dims=0)(pair[0])
