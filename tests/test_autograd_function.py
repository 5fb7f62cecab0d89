"""Operations with a backward of their own: eager, jitted, and where the two meet."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
import tracefuse as tf
from tracefuse.autograd import Function
from tracefuse.autograd.function import once_differentiable
from tracefuse.func import grad as func_grad


class Exp(Function):
    """exp(k x): saves an input, a result and a number."""

    @staticmethod
    def forward(ctx, x, k):
        y = tf.exp(x * k)
        ctx.save_for_backward(x, None, y)
        ctx.k = k
        return y

    @staticmethod
    def backward(ctx, g):
        x, nothing, y = ctx.saved_tensors
        assert nothing is None
        return g * y * ctx.k, None


class Twice(Function):
    """The newer form."""

    @staticmethod
    def forward(x, y):
        return x * y, x + y

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, g, h):
        x, y = ctx.saved_tensors
        return g * y * 10 + h, g * x * 10 + h


def variable(*numbers):
    return tf.tensor(numbers, dtype=tf.float64, requires_grad=True)


WAYS = {
    "eager": lambda f: f,
    "jitted": lambda f: tf.jit(f),
}


@pytest.fixture(params=WAYS)
def way(request):
    """The function as it is, or jitted and called once before."""
    return WAYS[request.param]


def test_three_orders_of_derivatives(way):
    f = way(lambda x: Exp.apply(x, 2.0).sum())
    for _ in range(3):
        x = variable(0.1, 0.2)
        (g,) = tf.autograd.grad(f(x), x, create_graph=True)
        (h,) = tf.autograd.grad(g.sum(), x, create_graph=True)
        (third,) = tf.autograd.grad(h.sum(), x)
        exact = np.exp(2 * np.array([0.1, 0.2]))
        for power, found in enumerate((g, h, third), 1):
            np.testing.assert_allclose(found.detach().numpy(), exact * 2**power)


def test_backward_inside_a_jitted_function():
    @tf.jit
    def step(x):
        loss = Exp.apply(x, 3.0).sum()
        loss.backward()
        return loss.detach()

    for _ in range(3):
        x = variable(0.5)
        step(x)
        np.testing.assert_allclose(x.grad.numpy(), 3 * np.exp(1.5))
    assert step.cache_info()["paths"] == 1


def test_the_newer_form_and_several_results(way):
    f = way(lambda x, y: Twice.apply(x, y))
    x, y = variable(2.0), variable(3.0)
    a, b = f(x, y)
    assert (a.item(), b.item()) == (6.0, 5.0)
    (a * 2 + b).sum().backward()
    assert (x.grad.item(), y.grad.item()) == (61.0, 41.0)


def test_only_one_result_is_used(way):
    f = way(lambda x, y: Twice.apply(x, y))
    x, y = variable(2.0), variable(3.0)
    f(x, y)[0].sum().backward()  # the other gradient arrives as zeros
    assert (x.grad.item(), y.grad.item()) == (30.0, 20.0)


def test_absent_gradients_are_none_when_asked_for():
    seen = []

    class Sparse(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.set_materialize_grads(False)
            return x * 1, x * 2

        @staticmethod
        def backward(ctx, g, h):
            seen.append((g is None, h is None))
            return h * 2

    x = variable(1.0)
    Sparse.apply(x)[1].sum().backward()
    assert seen == [(True, False)] and x.grad.item() == 2.0


def test_needs_input_grad_and_plain_arguments():
    seen = []

    class Scale(Function):
        @staticmethod
        def forward(ctx, x, options, w):
            seen.append(ctx.needs_input_grad)
            return x * w * options["by"]

        @staticmethod
        def backward(ctx, g):
            return g, None, g

    Scale.apply(variable(1.0), {"by": 2}, tf.ones(1, dtype=tf.float64)).backward()
    assert seen == [(True, False, False)]


def test_not_differentiable_results(way):
    class Split(Function):
        @staticmethod
        def forward(ctx, x):
            flat, whole = x * 2, x.to(tf.int64)
            ctx.mark_non_differentiable(flat)
            return x * 3, flat, whole

        @staticmethod
        def backward(ctx, g, *others):
            assert all((o == 0).all() for o in others)
            return g * 3

    x = variable(1.5)
    y, flat, whole = way(Split.apply)(x)
    assert y.requires_grad and not flat.requires_grad and not whole.requires_grad
    y.sum().backward()
    assert x.grad.item() == 3.0


def test_writing_in_place(way):
    class Double(Function):
        @staticmethod
        def forward(ctx, x):
            x.mul_(2)
            ctx.mark_dirty(x)
            return x

        @staticmethod
        def backward(ctx, g):
            return g * 20

    def f(x):
        y = x * 1
        view = y[:1]
        z = Double.apply(y)
        assert z is y
        return z.sum() + view.sum()

    x = variable(1.0, 2.0)
    out = way(f)(x)
    assert out.item() == 8.0
    out.backward()
    assert x.grad.tolist() == [40.0, 20.0]


def test_writing_a_leaf_in_place_is_refused():
    class Double(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.mark_dirty(x)
            return x.mul_(2)

    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
        Double.apply(variable(1.0))


def test_returning_the_argument():
    class Same(Function):
        @staticmethod
        def forward(ctx, x):
            return x

        @staticmethod
        def backward(ctx, g):
            return g * 7

    x = variable(1.0)
    y = Same.apply(x)
    assert y is not x
    y.sum().backward()
    assert x.grad.item() == 7.0


def test_a_gradient_is_summed_to_the_shape_of_its_input():
    class Add(Function):
        @staticmethod
        def forward(ctx, x, y):
            return x + y

        @staticmethod
        def backward(ctx, g):
            return g, g

    x, y = variable(1.0, 2.0), variable(3.0)
    Add.apply(x, y).sum().backward()
    assert (x.grad.tolist(), y.grad.tolist()) == ([1.0, 1.0], [2.0])


def returning(gradient):
    class Bad(Function):
        @staticmethod
        def forward(ctx, x, k):
            return x * k

        @staticmethod
        def backward(ctx, g):
            return gradient

    return lambda: Bad.apply(variable(1.0, 2.0), 3).sum().backward()


@pytest.mark.parametrize(
    "gradient, words",
    [
        ((1.0, None), r"expected Variable or None \(got float\)"),
        (tf.ones(2), r"incorrect number of gradients \(expected 2, got 1\)"),
        ((tf.ones(2), tf.ones(2)), "different than None at position 2"),
        ((tf.ones(3), None), r"invalid gradient at index 0 - got \[3\] but expected"),
    ],
)
def test_wrong_gradients(gradient, words):
    with pytest.raises(RuntimeError, match=words):
        returning(gradient)()


def test_more_nones_than_arguments_are_fine():
    returning((tf.ones(2), None, None))()


def test_what_cannot_be_saved():
    class Save(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(3)

    with pytest.raises(TypeError, match="argument 0 is of type int"):
        Save.apply(variable(1.0))


def test_no_backward_at_all():
    class Forward(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

    with pytest.raises(NotImplementedError, match="You must implement either"):
        Forward.apply(variable(1.0)).backward()


def test_saved_tensors_are_used_up_and_checked():
    x = variable(1.0)
    y = Exp.apply(x, 1.0)
    y.backward(retain_graph=True)
    y.backward()
    with pytest.raises(RuntimeError, match="a second time"):
        y.backward()
    x = variable(1.0) * 1
    y = Exp.apply(x, 1.0)
    x += 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()
    x = variable(1.0)
    y = Exp.apply(x, 1.0)
    z = y * 1
    y += 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.backward()


def test_nothing_saved_can_be_differentiated_twice():
    class Plain(Function):
        @staticmethod
        def forward(ctx, x):
            return x + 1

        @staticmethod
        def backward(ctx, g):
            return g

    x = variable(1.0)
    y = Plain.apply(x)
    y.backward()
    y.backward()
    assert x.grad.item() == 2.0


def test_once_differentiable():
    class Square(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        @once_differentiable
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return 2 * x * g

    x = variable(3.0)
    (g,) = tf.autograd.grad(Square.apply(x).sum() * x, x, create_graph=True)
    assert g.item() == 27.0
    with pytest.raises(RuntimeError, match="marked with @once_differentiable"):
        g.backward()


def test_without_gradients_it_just_computes(way):
    f = way(lambda x: Exp.apply(x, 2.0))
    assert not f(tf.ones(1)).requires_grad
    with tf.no_grad():
        assert not f(variable(1.0)).requires_grad


def test_names():
    y = Exp.apply(variable(1.0), 1.0)
    assert y.grad_fn.name() == "ExpBackward"
    assert "grad_fn=<ExpBackward>" in repr(y)
    ((step, _), *_) = y.grad_fn.next_functions
    assert step.name() == "AccumulateGrad"


def test_under_a_transform():
    exact = 4 * np.exp(0.2)
    f = func_grad(func_grad(lambda x: Exp.apply(x, 2.0)))
    for g in (f, tf.jit(f)):
        found = g(tf.tensor(0.1, dtype=tf.float64))
        np.testing.assert_allclose(found.numpy(), exact)


def test_a_captured_tensor_in_the_backward():
    w = tf.tensor([3.0], dtype=tf.float64, requires_grad=True)

    class Times(Function):
        @staticmethod
        def forward(ctx, x):
            return x * w

        @staticmethod
        def backward(ctx, g):
            return g * w

    f = tf.jit(lambda x: Times.apply(x).sum())
    for value in (3.0, 3.0, 5.0):
        with tf.no_grad():
            w.fill_(value)
        x = variable(1.0)
        f(x).backward()
        assert x.grad.item() == value


def test_an_unused_result_keeps_nothing_alive():
    class Big(Function):
        @staticmethod
        def forward(ctx, x):
            between = x * 2
            held.append(weakref.ref(between._storage))
            y = between * 2
            held.append(weakref.ref(y._storage))
            ctx.save_for_backward(between, y)
            return y

        @staticmethod
        def backward(ctx, g):
            return g * 4

    gc.disable()
    try:
        for end in (lambda y: None, lambda y: y.sum().backward()):
            held: list = []
            y = Big.apply(variable(1.0))
            assert all(ref() is not None for ref in held)
            end(y)
            if y.grad_fn is None:
                pytest.fail("it has a history")
            del y
            assert all(ref() is None for ref in held)
    finally:
        gc.enable()


@pytest.mark.parametrize("jitted", [False, True])
def test_against_torch(jitted):
    torch = pytest.importorskip("torch")

    def run(lib, wrap):
        class Mix(lib.autograd.Function):
            @staticmethod
            def forward(ctx, x, y, k):
                a, b = (x * y).tanh(), x + k
                ctx.save_for_backward(x, y, a)
                return a, b

            @staticmethod
            def backward(ctx, g, h):
                x, y, a = ctx.saved_tensors
                slope = g * (1 - a * a)
                return slope * y + h, slope * x, None

        x = lib.tensor([0.5, -0.3], dtype=lib.float64, requires_grad=True)
        y = lib.tensor([1.5, 0.2], dtype=lib.float64, requires_grad=True)

        def f(x, y):
            a, b = Mix.apply(x, y, 2)
            return (a * b).sum()

        grads = lib.autograd.grad(wrap(f)(x, y), [x, y], create_graph=True)
        seconds = lib.autograd.grad((grads[0] * grads[1]).sum(), [x, y])
        return [t.detach().numpy() for t in (*grads, *seconds)]

    ours = run(tf, tf.jit if jitted else lambda f: f)
    for a, b in zip(ours, run(torch, lambda f: f)):
        np.testing.assert_allclose(a, b)
