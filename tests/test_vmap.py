"""vmap: axes and trees, random numbers, writes, and what it refuses."""

from __future__ import annotations

import functools
import gc
from collections import OrderedDict

import numpy as np
import pytest
import tracefuse as torch
from tracefuse import nn
from tracefuse.func import grad, vmap
from tracefuse.tracer.errors import TraceError
from transform_tools import close, draw

X = draw(2, 3, seed=1)
both = pytest.mark.parametrize(
    "compile", [lambda f: f, torch.jit], ids=["eager", "jit"]
)


# -- axes


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2, -3])
def test_any_axis_in_and_out(axis):
    x = draw(2, 3, 4)
    want = np.moveaxis(np.exp(x.numpy()), axis, 0)
    close(vmap(torch.exp, in_axes=axis)(x), want)
    close(vmap(torch.exp, in_axes=axis, out_axes=axis)(x), np.exp(x.numpy()))
    close(vmap(torch.exp, out_axes=axis)(x), np.moveaxis(np.exp(x.numpy()), 0, axis))


def test_shared_arguments():
    a, b = draw(3, 2), draw(2, seed=1)
    close(vmap(torch.dot, in_axes=(0, None))(a, b), a.numpy() @ b.numpy())
    close(vmap(torch.dot, (None, 1))(b, a.T), a.numpy() @ b.numpy())
    close(vmap(lambda x, k: x * k, in_axes=(0, None))(a, 3), a * 3)
    close(vmap(lambda x: x + b)(a), a + b)


def test_trees_of_axes():
    f = lambda t: {"sum": t["a"] + t["b"][0], "b": t["b"][1]}
    a, b, c = draw(2, 3), draw(3, 2, seed=1), draw(3, seed=2)
    axes = ({"b": (1, None), "a": 0},)
    found = vmap(f, in_axes=axes, out_axes={"sum": 1, "b": None})({"a": a, "b": (b, c)})
    close(found["sum"], (a + b.T).T)
    close(found["b"], c)
    whole = vmap(f, in_axes=({"a": 0, "b": 0},))({"a": a, "b": (b.T, a)})
    close(whole["b"], a)
    kind = OrderedDict(a=a, b=(a, a))
    assert list(vmap(f)(kind)) == ["sum", "b"]


def test_a_list_of_axes_and_none_as_an_argument():
    close(vmap(lambda x, y: x * y, in_axes=[0, None])(X, 2.0), X * 2)
    f = lambda x, mask: x if mask is None else x * mask
    close(vmap(f)(X, None), X)


def test_keyword_arguments():
    f = lambda x, *, w, scale=1: (x * w).sum() * scale
    close(vmap(f)(X, w=X, scale=2), (X * X).sum(1) * 2)
    close(vmap(f, in_dims=0)(X, w=X[0]), (X * X[0]).sum(1))


def test_pytorchs_names():
    close(vmap(torch.sin, in_dims=1, out_dims=1)(X), torch.sin(X))


def test_nested():
    a, b = draw(3), draw(4, seed=1)
    outer = vmap(vmap(torch.mul, in_axes=(None, 0)), in_axes=(0, None))
    close(outer(a, b), np.outer(a, b))
    x = draw(2, 3, 4)
    close(vmap(vmap(vmap(torch.sin)))(x), torch.sin(x))
    close(
        vmap(lambda m: vmap(lambda r: r - m.sum())(m))(x),
        x - x.sum((1, 2), keepdim=True),
    )


def test_results_that_no_example_changes():
    close(vmap(lambda x: torch.ones(2))(X), np.ones((2, 2)))
    shared = draw(2)
    assert vmap(lambda x: (x, shared), out_axes=(0, None))(X)[1] is shared
    assert vmap(lambda x: (x, "name"), out_axes=(0, None))(X)[1] == "name"


def test_the_size_can_be_given():
    close(vmap(lambda: torch.ones(2), axis_size=3)(), np.ones((3, 2)))
    f = vmap(lambda x: x * torch.rand(()), None, axis_size=4, randomness="different")
    assert len(set(f(torch.ones(())).tolist())) == 4


def test_no_example_at_all():
    x = torch.ones(0, 3)
    assert tuple(vmap(lambda r: (r * 2).sum())(x).shape) == (0,)


def test_in_the_function_a_tensor_has_the_shape_of_one_example():
    seen = []

    def f(x):
        seen.append((tuple(x.shape), x.ndim, len(x), x.numel(), x.dtype))
        return x.reshape(-1)

    vmap(f)(draw(5, 2, 3))
    assert seen == [((2, 3), 2, 2, 6, torch.float64)]


def test_sizes_that_vary_in_one_program():
    f = torch.jit(vmap(lambda x: (x * x).sum()), dynamic_shapes=None)
    for n in (2, 3, 5, 7, 2):
        x = draw(n, 3)
        close(f(x), (x * x).sum(1))


def test_a_symbolic_number_of_examples():
    batch = torch.Dim("batch")
    f = lambda x: vmap(lambda r: torch.softmax(r, 0).cumsum(0))(x)
    jitted = torch.jit(f, dynamic_shapes={"x": {0: batch}})
    for n in (3, 5, 8):
        close(jitted(draw(n, 3)), f(draw(n, 3)))
    assert jitted.cache_info()["recordings"] <= 2


# -- chunks


@both
@pytest.mark.parametrize("size", [1, 2, 3, 5, 9])
def test_chunks_change_nothing(compile, size):
    x, w = draw(5, 3), draw(3, 2, seed=1)
    f = lambda x, w: (torch.tanh(x @ w), w.sum())
    found = compile(vmap(f, in_axes=(0, None), out_axes=(0, None), chunk_size=size))
    close(found(x, w), f(x, w))
    torch.manual_seed(3)
    one = vmap(lambda x: x * torch.randn(3), randomness="different")(x)
    torch.manual_seed(3)
    cut = vmap(lambda x: x * torch.randn(3), randomness="different", chunk_size=size)(x)
    close(one, cut)


# -- random numbers


@both
def test_random_numbers_differ_or_not(compile):
    f = lambda x: x + torch.rand(3)
    x = torch.zeros(4, 3)
    different = compile(vmap(f, randomness="different"))
    assert len(set(different(x).ravel().tolist())) == 12
    same = compile(vmap(f, randomness="same"))(x)
    assert len(set(same.ravel().tolist())) == 3
    assert not np.array_equal(different(x), different(x))


@both
def test_draws_do_not_repeat_afterwards(compile):
    def f(x):
        before = torch.rand(3)
        rows = vmap(
            lambda r: r + torch.rand(3) + 0 * torch.rand(1), randomness="different"
        )
        return before, rows(x), torch.rand(3)

    torch.manual_seed(1)
    numbers = [
        n for part in compile(f)(torch.zeros(4, 3)) for n in part.ravel().tolist()
    ]
    numbers += torch.rand(8).tolist()
    assert len(set(numbers)) == 3 + 12 + 3 + 8


def test_the_same_seed_gives_the_same_numbers():
    f = vmap(lambda x: nn.functional.dropout(x, 0.5), randomness="different")
    results = []
    for run in (f, f, torch.jit(f)):
        torch.manual_seed(5)
        results.append(run(torch.ones(6, 50)))
    close(results[0], results[1])
    close(results[0], results[2])
    assert not np.array_equal(results[0][0], results[0][1])


def test_nested_random_numbers():
    inner = lambda x: vmap(lambda y: y + torch.rand(()), randomness="different")(x)
    f = vmap(inner, randomness="different")
    assert len(set(f(torch.zeros(3, 4)).ravel().tolist())) == 12
    g = vmap(inner, randomness="same")
    assert len(set(g(torch.zeros(3, 4)).ravel().tolist())) == 4


def test_random_numbers_unasked_are_an_error():
    with pytest.raises(RuntimeError, match="randomness error mode"):
        vmap(lambda x: x + torch.rand(3))(X)
    with pytest.raises(RuntimeError, match="'error', 'different', or 'same'. Got sane"):
        vmap(lambda x: x, randomness="sane")


def test_numbers_drawn_outside_are_shared():
    def f(x):
        noise = torch.rand(3)
        return vmap(lambda r: r + noise, randomness="different")(x)

    found = torch.jit(f)(torch.zeros(4, 3))
    close(found, torch.stack([found[0]] * 4))


# -- writes


def normalize_(x):
    x -= x.mean()
    x[0] = 5.0
    return x.sum()


@both
def test_writes_to_examples_are_seen_by_the_caller(compile):
    x, loop = draw(3, 4), draw(3, 4)
    want = torch.stack([normalize_(row) for row in loop])
    close(compile(vmap(normalize_))(x), want)
    close(x, loop)


def test_writes_through_another_axis():
    x = torch.zeros(3, 2)
    vmap(lambda c, k: c.add_(k), in_axes=(1, 0))(x, torch.tensor([1.0, 2.0]))
    close(x, np.array([[1.0, 2.0]] * 3))
    vmap(lambda c: c.fill_(7.0), chunk_size=2)(x)
    close(x, np.full((3, 2), 7.0))


def test_writes_to_tensors_of_its_own():
    def f(x):
        table = torch.zeros(3, dtype=torch.float64)
        table[1] = x.sum()
        table[:1] += x[0]
        return table

    want = torch.stack([torch.stack([r[0], r.sum(), r[0] * 0]) for r in X])
    close(vmap(f)(X), want)


def test_one_tensor_given_twice_is_one_tensor():
    def f(x, y):
        x += 1
        return y * 1

    x = X.clone()
    close(vmap(f)(x, x), X + 1)
    close(x, X + 1)


def test_shared_tensors_take_what_is_the_same_for_all():
    shared, count = torch.zeros(2), torch.tensor(0)

    def f(x):
        shared.add_(1.0)
        count.add_(1)
        return x * 2

    close(vmap(f)(X), X * 2)
    close(shared, np.ones(2))
    assert count.item() == 1


@both
def test_shared_tensors_do_not_take_what_differs(compile):
    shared = torch.zeros(3, dtype=torch.float64)

    def f(x):
        shared.add_(x)
        return x

    with pytest.raises(TraceError, match="test_vmap.py:.*all examples of vmap share"):
        compile(vmap(f))(X)
    close(shared, np.zeros(3))


def test_a_refused_write_inside_a_recording_is_undone():
    def f(x):
        total = torch.zeros(3, dtype=torch.float64)
        try:
            vmap(lambda r: total.add_(r))(x)
        except TraceError:
            return total + 1
        return total

    close(torch.jit(f)(X), np.ones(3))


def test_gradients_of_shared_parameters_are_not_filled():
    layer = nn.Linear(3, 1).double()

    def f(x):
        layer(x).sum().backward()
        return x

    with pytest.raises(TraceError, match="all examples of vmap share"):
        vmap(f)(X)
    assert layer.weight.grad is None


def test_backward_on_a_variable_of_one_example():
    def f(x):
        leaf = x.detach().clone().requires_grad_()
        (leaf**3).sum().backward()
        return leaf.grad

    close(vmap(f)(X), 3 * X * X)


# -- what Python cannot see


@both
@pytest.mark.parametrize(
    "look",
    [
        lambda x: x if x.sum() > 0 else -x,
        lambda x: x * round(x.sum().item()),
        lambda x: x * float(x[0]),
        lambda x: x[: int(x.argmax())],
        lambda x: x[x > 0],
        lambda x: torch.nonzero(x),
        lambda x: x.tolist() and x,
        lambda x: x * 2 if x[0] in (1.0, 2.0) else x,
    ],
)
def test_numbers_that_differ_are_not_for_python(compile, look):
    with pytest.raises(TraceError, match=r"test_vmap.py:\d+: .*`where` or `cond`"):
        compile(vmap(look))(X)


def test_numbers_that_a_jitted_function_follows_may_differ():
    f = torch.jit(vmap(lambda x: x * x.sum().item()))
    for x in (X, X + 1):
        close(f(x), x * x.sum(1, keepdim=True))


def test_a_followed_number_does_not_escape():
    def f(x):
        kept = []
        vmap(lambda r: kept.append(r.sum().item()) or r)(x)
        return x * kept[-1]

    with pytest.raises(TraceError, match="a number of one example is kept"):
        torch.jit(f)(X)


@both
def test_numbers_that_all_share_are(compile):
    flag = torch.tensor(True)
    f = compile(vmap(lambda x, k: x * k if flag else -x, in_axes=(0, None)))
    close(f(X, 2), X * 2)
    flag.logical_not_()
    close(f(X, 2), -X)


def test_an_error_in_the_function_leaves_everything_as_it_was():
    shared, kept = torch.zeros(2), []

    def f(x):
        shared.add_(1.0)
        y = x * 2
        kept.append(y)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        vmap(f)(X)
    close(shared, np.ones(2))  # a write before the error stays, as in plain Python
    with pytest.raises(RuntimeError, match="never computed"):
        kept[0] + 1


@both
def test_a_tensor_of_one_example_does_not_escape(compile):
    kept = []

    def f(x):
        kept.append(x * 2)
        return x

    close(compile(vmap(f))(X), X)
    with pytest.raises(RuntimeError, match="never computed"):
        kept[0].sum()
    gc.collect()


# -- what it refuses


@pytest.mark.parametrize(
    "call, match",
    [
        (lambda: vmap(torch.sin, in_axes="x")(X), "expected axes to be int, None or"),
        (lambda: vmap(torch.sin, in_axes=1.5)(X), "expected axes to be int, None or"),
        (lambda: vmap(torch.sin, in_axes=(0, 0))(X), "not compatible with the struct"),
        (lambda: vmap(torch.sin, in_axes={"a": 0})(X), "not compatible"),
        (lambda: vmap(torch.sin, in_axes=((0, 0),))(X), "not compatible"),
        (lambda: vmap(torch.sin, in_axes=2)(X), "expected -2 <= axis < 2"),
        (lambda: vmap(torch.sin)(torch.ones(())), "dimensionality 0"),
        (lambda: vmap(torch.mul)(X, 3.0), "input of type <class 'float'>"),
        (lambda: vmap(torch.mul)(X, X.T), r"same size .*got sizes \[2, 3\]"),
        (lambda: vmap(torch.sin, in_axes=None)(X), "at least one Tensor"),
        (lambda: vmap(lambda: X)(), "at least one Tensor"),
        (lambda: vmap(lambda x: 1.0)(X), "must only return Tensors, got type"),
        (lambda: vmap(lambda x: x, out_axes=3)(X), "got axis 3 for a tensor of dim"),
        (lambda: vmap(lambda x: x, out_axes=(0, 0))(X), "not compatible"),
        (lambda: vmap(lambda x: x, out_axes=None)(X), "out_axes is None"),
        (lambda: vmap(lambda x: (x, x), out_axes=(0, None))(X), "out_axes is None"),
        (lambda: vmap(torch.sin, chunk_size=0), "chunk_size should be None or"),
        (lambda: vmap(torch.sin, axis_size=4)(X), r"got sizes \[4, 2\]"),
    ],
)
def test_errors_say_what_was_wrong(call, match):
    with pytest.raises(ValueError, match=match):
        call()


def test_twenty_thousand_operations():
    def f(x):
        for _ in range(20_000):
            x = x + 1.0
        return x.sum()

    close(vmap(grad(f))(X), np.ones((2, 3)))


def test_a_tensor_can_be_printed_in_the_function(capsys):
    vmap(lambda x: print(x) or x)(X)
    out = capsys.readouterr().out
    assert out == "tensor(one of many, size=(3,), dtype=tracefuse.float64)\n"


def test_any_callable():
    class Scale:
        def __call__(self, x):
            return x * 2

    close(vmap(Scale())(X), X * 2)
    close(vmap(functools.partial(torch.mul, other=X[0]))(X), X * X[0])
    layer = nn.Linear(3, 2).double()
    close(vmap(layer)(X), layer(X).detach())
    close(
        vmap(grad(lambda x: layer(x).sum()))(X),
        layer.weight.detach().sum(0).expand(2, 3),
    )


# -- beside the others


def test_beside_torch():
    other = pytest.importorskip("torch")
    import torch.func as theirs

    x, w = np.float64(draw(4, 3)), np.float64(draw(3, 5, seed=1))

    def loss(lib, w, x):
        return (lib.tanh(x @ w) ** 2).sum()

    per = lambda lib, fn: fn.vmap(fn.grad(functools.partial(loss, lib)), (None, 0))
    want = per(other, theirs)(other.tensor(w), other.tensor(x)).numpy()
    close(per(torch, torch.func)(torch.tensor(w), torch.tensor(x)), want)
    for name in ("jacrev", "jacfwd", "hessian"):
        find = lambda lib, fn, name=name: getattr(fn, name)(
            lambda w: lib.tanh(lib.tensor(x[0]) @ w).sum()
        )(lib.tensor(w))
        close(find(torch, torch.func), find(other, theirs).numpy())


def test_beside_jax():
    jax = pytest.importorskip("jax")
    x, w = draw(4, 3, dtype=np.float32), draw(3, 5, seed=1, dtype=np.float32)
    np_ = jax.numpy

    def loss(lib, w, x):
        return (lib.tanh(x @ w) ** 2).sum()

    want = jax.vmap(jax.grad(lambda w, x: loss(np_, w, x)), (None, 0))(
        *map(np.array, (w, x))
    )
    found = vmap(grad(lambda w, x: loss(torch, w, x)), (None, 0))(w, x)
    close(found, np.array(want), 1e-5)
    f = lambda lib, x: {
        "a": lib.sin(x) * x.sum(),
        "b": x[::-1] if lib is np_ else x.flip(0),
    }
    row = np.array(x[0])
    want = jax.jacfwd(lambda x: f(np_, x))(row)
    close(torch.jacfwd(lambda x: f(torch, x))(x[0]), dict(want), 1e-5)
