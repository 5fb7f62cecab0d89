"""autograd.grad's options, autograd.functional, custom_vjp and custom_jvp, and what
histories keep."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
import tracefuse as tf
from tracefuse.autograd import functional as F
from tracefuse.autograd.graph import save_on_cpu, saved_tensors_hooks
from tracefuse.func import grad as func_grad


def tensor(*numbers, lib=tf):
    return lib.tensor(numbers, dtype=lib.float64)


def close(a, b):
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), atol=1e-12)


def flat(found):
    if isinstance(found, tuple):
        return [t for part in found for t in flat(part)]
    return [found]


def one(x):
    return (x**3).sin()


def scalar(x):
    return (x**3).sum()


def two(x, y):
    return x * y, (x + y).exp()


def scalar2(x, y):
    return (x * y.exp()).sum()


CALLS = {
    "vjp": lambda f, t: f.vjp(one, t(1, 2), t(3, 4)),
    "vjp2": lambda f, t: f.vjp(two, (t(1, 2), t(3, 4)), (t(1, 1), t(2, 2))),
    "vjp scalar": lambda f, t: f.vjp(scalar, t(1, 2)),
    "jvp": lambda f, t: f.jvp(one, t(1, 2), t(3, 4)),
    "jvp2": lambda f, t: f.jvp(two, (t(1, 2), t(3, 4)), (t(1, 1), t(2, 2))),
    "jacobian": lambda f, t: f.jacobian(one, t(1, 2)),
    "jacobian2": lambda f, t: f.jacobian(two, (t(1, 2), t(3, 4))),
    "jacobian all at once": lambda f, t: f.jacobian(one, t(1, 2), vectorize=True),
    "hessian": lambda f, t: f.hessian(scalar, t(1, 2)),
    "hessian2": lambda f, t: f.hessian(scalar2, (t(1, 2), t(3, 4))),
    "vhp": lambda f, t: f.vhp(scalar, t(1, 2), t(3, 4)),
    "hvp": lambda f, t: f.hvp(scalar2, (t(1, 2), t(3, 4)), (t(1, 1), t(2, 2))),
    "unused": lambda f, t: f.jacobian(
        lambda x, y: x * 2,
        (
            t(1, 2),
            t(
                3,
            ),
        ),
    ),
    "constant": lambda f, t: f.vjp(lambda x: t(1, 2), t(1, 2), t(1, 1)),
}


@pytest.mark.parametrize("name", CALLS)
def test_functional_against_torch(name):
    torch = pytest.importorskip("torch")
    ours = CALLS[name](F, tensor)
    theirs = CALLS[name](torch.autograd.functional, lambda *n: tensor(*n, lib=torch))
    for a, b in zip(flat(ours), flat(theirs), strict=True):
        assert tuple(a.shape) == tuple(b.shape)
        close(a, b)


def test_functional_without_torch():
    _, product = F.hvp(scalar, tensor(1, 2), tensor(3, 4))
    close(product, tensor(18, 48))
    close(F.hessian(scalar, tensor(1, 2)), tensor([6, 0], [0, 12]))


def test_functional_inside_jit():
    f = tf.jit(lambda x, v: (F.hvp(scalar, x, v)[1], F.jacobian(one, x)))
    for x in (tensor(1, 2), tensor(3, 4)):
        product, jacobian = f(x, tensor(1, 1))
        close(product, 6 * x)
        close(jacobian.diagonal(), 3 * x**2 * (x**3).cos())


def test_create_graph():
    x = tensor(2).requires_grad_()
    found = F.jacobian(one, x, create_graph=True)
    assert found.requires_grad
    found.sum().backward()
    close(x.grad, 6 * x * (x**3).cos() - 9 * x**4 * (x**3).sin())
    assert not F.jacobian(one, x).requires_grad


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda: F.vjp(one, tensor(1, 2)), RuntimeError, "v can only be None"),
        (lambda: F.vjp(one, tensor(1), tensor(1, 2)), RuntimeError, "invalid size"),
        (
            lambda: F.jvp(two, (tensor(1), tensor(1)), (tensor(1),)),
            RuntimeError,
            "invalid length: should be 2 but got 1",
        ),
        (lambda: F.vjp(one, [tensor(1)]), TypeError, "the given inputs has type"),
        (lambda: F.vjp(one, (1,)), TypeError, "value at index 0 has type"),
        (lambda: F.hessian(one, tensor(1, 2)), RuntimeError, "a single element"),
        (lambda: F.hvp(two, (tensor(1),) * 2), RuntimeError, "single Tensor"),
        (
            lambda: F.jacobian(lambda x: tensor(1), tensor(1), strict=True),
            RuntimeError,
            "Output 0 of the user-provided function does not require",
        ),
        (
            lambda: F.jacobian(lambda x, y: x, (tensor(1),) * 2, strict=True),
            RuntimeError,
            "independent of input 1",
        ),
        (lambda: F.jacobian(one, tensor(1), strategy="x"), ValueError, "strategy"),
    ],
)
def test_functional_mistakes(call, error, words):
    with pytest.raises(error, match=words):
        call()


# -- grad and backward


def test_unused_inputs():
    x, y = (tensor(1).requires_grad_() for _ in range(2))
    with pytest.raises(RuntimeError, match="appears to not have been used"):
        tf.autograd.grad(x * 2, [x, y])
    assert tf.autograd.grad(x * 2, [x, y], allow_unused=True)[1] is None
    found = tf.autograd.grad(x * 2, [x, y], materialize_grads=True)
    assert found[1].tolist() == [0.0]
    with pytest.raises(ValueError, match="Expected allow_unused to be True"):
        tf.autograd.grad(x, x, allow_unused=False, materialize_grads=True)


@pytest.mark.parametrize("jitted", [False, True])
def test_batched_gradients(jitted):
    def f(x, weights):
        y = x**3
        return tf.autograd.grad(y, x, weights, is_grads_batched=True)[0]

    f = tf.jit(f) if jitted else f
    x = tensor(1, 2, 3).requires_grad_()
    for _ in range(2):
        close(f(x, tf.eye(3, dtype=tf.float64)), tf.diag(3 * x.detach() ** 2))


def test_backward_of_several_tensors():
    x = tensor(1, 2).requires_grad_()
    tf.autograd.backward([x * 2, (x * x).sum()], [tensor(1, 1), None])
    assert x.grad.tolist() == [4.0, 6.0]


def test_backward_into_inputs_only():
    x, y = (tensor(1).requires_grad_() for _ in range(2))
    (x * y).backward(inputs=[x])
    assert x.grad is not None and y.grad is None
    with pytest.raises(RuntimeError, match="cannot be empty"):
        (x * y).backward(inputs=[])


@pytest.mark.parametrize(
    "gradient, words",
    [
        (tf.ones(3), r"grad_output\[0\] has a shape of torch.Size\(\[3\]\)"),
        (None, "only for scalar outputs"),
    ],
)
def test_wrong_weights(gradient, words):
    with pytest.raises(RuntimeError, match=words):
        tf.ones(2, requires_grad=True).mul(2).backward(gradient)


def test_the_gradient_is_no_alias_of_the_weights():
    x, y = (tf.ones(2, requires_grad=True) for _ in range(2))
    g = tf.ones(2)
    (x + y).backward(g)
    g.zero_()
    x.grad.add_(1)
    assert (x.grad.tolist(), y.grad.tolist()) == ([2.0, 2.0], [1.0, 1.0])


@pytest.mark.parametrize("jitted", [False, True])
def test_sign_has_a_gradient_of_zero(jitted):
    x = tensor(-2, 0, 3).requires_grad_()
    f = tf.jit(tf.sign) if jitted else tf.sign
    f(x).sum().backward()
    assert f(x).tolist() == [-1.0, 0.0, 1.0] and x.grad.tolist() == [0.0, 0.0, 0.0]


# -- custom_vjp, custom_jvp


@tf.custom_vjp
def vjp_sine(x, y):
    return tf.sin(x) * y


vjp_sine.defvjp(
    lambda x, y: (vjp_sine(x, y), {"c": tf.cos(x), "s": tf.sin(x), "y": y}),
    lambda res, g: (10 * res["c"] * g * res["y"], 10 * res["s"] * g),
)


@tf.custom_jvp
def jvp_sine(x, y):
    return tf.sin(x) * y


@jvp_sine.defjvp
def _(primals, tangents):
    (x, y), (dx, dy) = primals, tangents
    return jvp_sine(x, y), 10 * (tf.cos(x) * dx * y + tf.sin(x) * dy)


@pytest.mark.parametrize("f", [vjp_sine, jvp_sine], ids=["vjp", "jvp"])
@pytest.mark.parametrize("jitted", [False, True])
def test_custom_derivatives(f, jitted):
    run = tf.jit(lambda x, y: f(x, y).sum()) if jitted else f
    for _ in range(2):
        x, y = tensor(0.3).requires_grad_(), tensor(2).requires_grad_()
        a, b = tf.autograd.grad(run(x, y), [x, y], create_graph=True)
        close(a, 10 * tf.cos(x) * y)
        close(b, 10 * tf.sin(x))
        inner = 10 if f is vjp_sine else 10  # the rules of the derivatives are plain
        close(tf.autograd.grad(a, x)[0], -inner * tf.sin(x) * y)


@pytest.mark.parametrize("f", [vjp_sine, jvp_sine], ids=["vjp", "jvp"])
def test_custom_derivatives_under_transforms(f):
    x, y = tf.tensor(0.3), tf.tensor(2.0)
    for g in (func_grad(f), tf.jit(func_grad(f))):
        np.testing.assert_allclose(g(x, y).item(), 20 * np.cos(0.3), rtol=1e-6)
    second = func_grad(func_grad(f))(x, y).item()
    np.testing.assert_allclose(second, -20 * np.sin(0.3), rtol=1e-6)


def test_arguments_that_are_not_differentiated():
    calls = []

    def make(kind):
        return kind(lambda f, x, n: f(x) * n, nondiff_argnums=(0, 2))

    vjp, jvp = make(tf.custom_vjp), make(tf.custom_jvp)
    vjp.defvjp(
        lambda f, x, n: (f(x) * n, x), lambda f, n, x, g: (calls.append(n), (g * x,))[1]
    )
    jvp.defjvp(lambda f, n, primals, tangents: (f(primals[0]) * n, tangents[0] * n))
    x = tensor(3).requires_grad_()
    vjp(tf.sin, x, 5).backward()
    assert x.grad.item() == 3.0 and calls == [5]
    jvp(tf.sin, x, n=7).backward()
    assert x.grad.item() == 10.0


def test_nested_arguments_and_results():
    @tf.custom_vjp
    def f(p, x):
        return {"y": p["w"] * x + p["b"]}

    f.defvjp(
        lambda p, x: (f(p, x), (p["w"], x)),
        lambda res, g: ({"w": g["y"] * res[1] * 2, "b": None}, g["y"] * res[0] * 3),
    )
    p = {"w": tensor(2).requires_grad_(), "b": tensor(1).requires_grad_()}
    x = tensor(5).requires_grad_()
    f(p, x)["y"].backward()
    assert (p["w"].grad.item(), p["b"].grad, x.grad.item()) == (10.0, None, 6.0)


def test_custom_mistakes():
    f = tf.custom_vjp(lambda x: x)
    with pytest.raises(AttributeError, match="No VJP defined for custom_vjp function"):
        f(tensor(1))
    f.defvjp(lambda x: x, lambda res, g: (g,))
    with pytest.raises(TypeError, match="must produce a pair"):
        f(tensor(1).requires_grad_())
    f.defvjp(lambda x: (x, None), lambda res, g: g)
    with pytest.raises(TypeError, match="must produce a tuple of length"):
        f(tensor(1, 2).requires_grad_()).sum().backward()


# -- what is kept


def test_packing_what_is_saved():
    packed = []

    def pack(t):
        packed.append(t.tolist())
        return t.numpy().copy()

    x = tensor(1, 2).requires_grad_()
    with saved_tensors_hooks(pack, tf.from_numpy):
        y = x * x
    z = y * 5
    assert packed == [[1.0, 2.0], [1.0, 2.0]]
    z.sum().backward()
    assert x.grad.tolist() == [10.0, 20.0]
    with saved_tensors_hooks(lambda t: t, lambda kept: 3):
        y = x * x
    with pytest.raises(TypeError, match="unpack_hook expected to be a Tensor"):
        y.sum().backward()


def test_packing_for_the_user_and_for_jitted_calls():
    class Cube(tf.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            y = x**3
            ctx.save_for_backward(x, y)
            return y

        @staticmethod
        def backward(ctx, g):
            x, y = ctx.saved_tensors
            return g * 3 * y / x

    for f in (Cube.apply, tf.jit(lambda x: (x * 1).exp().sum())):
        x = tensor(2).requires_grad_()
        with saved_tensors_hooks(lambda t: t * 2, lambda t: t / 2):
            y = f(x)
        with save_on_cpu():
            z = f(x)
        (a,), (b,) = tf.autograd.grad(y, x), tf.autograd.grad(z, x)
        close(a, b)


KEPT = {  # what each operation must not keep: (its operand?, its result?)
    "add": (lambda x: x + 1.0, True, True),
    "sum": (lambda x: x.sum(-1), True, True),
    "reshape": (lambda x: x.reshape(-1) * 2.0, True, True),
    "exp": (lambda x: x.exp(), True, False),
    "sin": (lambda x: x.sin(), False, True),
}


@pytest.mark.parametrize("name", KEPT)
def test_only_what_the_backward_reads_is_kept(name):
    f, operand_dies, result_dies = KEPT[name]
    gc.disable()
    try:
        x = tensor(1, 2).requires_grad_()
        a = x * 2.0
        b = f(a)
        end = b.sum()
        refs = [weakref.ref(t._storage.array) for t in (a, b)]
        del a, b
        assert [ref() is None for ref in refs] == [operand_dies, result_dies]
        end.backward()
        assert all(ref() is None for ref in refs)
    finally:
        gc.enable()


def test_a_history_dies_with_its_tensor():
    gc.disable()
    try:
        x = tensor(1, 2).requires_grad_()
        y = x.exp().tanh().exp()
        ref = weakref.ref(y._storage.array)
        del y
        assert ref() is None
    finally:
        gc.enable()


def test_a_jitted_call_keeps_no_copy_of_what_it_was_given():
    w, x = tf.ones(100, 100, requires_grad=True), tf.ones(10, 100, requires_grad=True)
    y = tf.jit(lambda x: x @ w)(x)
    kept = [entry[1] for entry in y._storage.value.args[0].data]
    assert {id(a) for a in kept} <= {id(w._array), id(x._array)}


@pytest.mark.parametrize("which", ["argument", "captured"])
def test_a_write_after_a_jitted_call_is_noticed(which):
    w, x = tensor(3).requires_grad_(), tensor(2).requires_grad_()
    f = tf.jit(lambda x: (x * w).sum())
    for _ in range(2):
        loss = f(x)
        with tf.no_grad():
            (x if which == "argument" else w).add_(1)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            loss.backward()
    f(x).backward()


def test_a_write_inside_the_call_is_not():
    x, seen = tensor(2).requires_grad_(), tensor(5)

    @tf.jit
    def f(x):
        y = x * seen
        seen.add_(1)
        return y.sum()

    for n in (5.0, 6.0):
        (g,) = tf.autograd.grad(f(x), x)
        assert g.item() == n
