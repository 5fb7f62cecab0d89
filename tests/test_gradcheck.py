"""gradcheck and gradgradcheck find wrong derivatives; anomaly mode finds NaN."""

from __future__ import annotations

import inspect

import pytest
import tracefuse as tf
from tracefuse.autograd import (
    Function,
    GradcheckError,
    detect_anomaly,
    gradcheck,
    gradgradcheck,
    set_detect_anomaly,
)


def double(*numbers):
    return tf.tensor(numbers, dtype=tf.float64, requires_grad=True)


class Wrong(Function):
    """x**2 with a derivative that is half of what it should be."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, g):
        return g * ctx.saved_tensors[0]


class WrongTwice(Function):
    """x**3 with a right first and a wrong second derivative."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 3 * g * x * x.detach()


RIGHT = {
    "one": (lambda x: x.sin(), (double(0.3, 0.4),)),
    "two": (lambda x, y: (x * y, x / y), (double(0.3, 0.4), double(1.0, 2.0))),
    "matrix": (
        lambda a, b: a @ b,
        (
            tf.randn(2, 3, dtype=tf.float64).requires_grad_(),
            tf.randn(3, 2, dtype=tf.float64).requires_grad_(),
        ),
    ),
    "plain arguments": (lambda x, n, y: x * n * y, (double(0.3), 3, tf.ones(1))),
    "jitted": (tf.jit(lambda x: x.exp().sin()), (double(0.3, 0.4),)),
    "unused": (lambda x, y: x * 2, (double(0.3), double(0.4))),
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_derivatives(name):
    f, inputs = RIGHT[name]
    assert gradcheck(f, inputs)
    assert name == "unused" or gradgradcheck(f, inputs)


def test_a_wrong_derivative_is_named():
    with pytest.raises(GradcheckError) as found:
        gradcheck(lambda y, x: (y * 1, Wrong.apply(x)), (double(1.0), double(3.0)))
    text = str(found.value)
    assert text.startswith("Jacobian mismatch for output 1 with respect to input 1,")
    assert "numerical:tensor([[6.0000]]" in text
    assert "analytical:tensor([[3.]]" in text
    assert isinstance(found.value, RuntimeError)


def test_without_an_exception():
    assert not gradcheck(Wrong.apply, (double(3.0),), raise_exception=False)
    assert not gradgradcheck(WrongTwice.apply, double(3.0), raise_exception=False)


def test_a_wrong_second_derivative():
    assert gradcheck(WrongTwice.apply, double(3.0))
    with pytest.raises(GradcheckError, match="Jacobian mismatch for output 0"):
        gradgradcheck(WrongTwice.apply, double(3.0))


def test_tolerances():
    nearly = lambda x: Wrong.apply(x) * 1e-6  # noqa: E731
    assert gradcheck(nearly, double(1.0))
    assert not gradcheck(nearly, double(1.0), atol=1e-9, raise_exception=False)


def test_an_unsteady_backward():
    calls = []

    class Unsteady(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            calls.append(1)
            return g * (2 + 1e-7 * len(calls))

    with pytest.raises(GradcheckError, match="not reentrant"):
        gradcheck(Unsteady.apply, double(1.0))
    assert gradcheck(Unsteady.apply, double(1.0), nondet_tol=1e-3)


def test_nothing_to_check():
    with pytest.raises(ValueError, match="at least one input tensor to require"):
        gradcheck(lambda x: x, tf.ones(2))


def test_the_message_is_that_of_torch():
    torch = pytest.importorskip("torch")

    def message(lib, check):
        x = lib.tensor([1.0, 2.0], dtype=lib.float64, requires_grad=True)
        with pytest.raises(RuntimeError) as found:
            check(lambda x: x * x.detach(), (x,))
        return str(found.value).replace("torch.", "tracefuse.")

    theirs = message(torch, torch.autograd.gradcheck)
    ours = message(tf, gradcheck)
    assert ours.split("tensor")[0] == theirs.split("tensor")[0]
    assert ours.count("tensor") == theirs.count("tensor") == 2


# -- anomaly mode


def line_of(f, text):
    """ "file.py:12" of the first line of `f` that holds `text`."""
    lines, first = inspect.getsourcelines(f)
    (at,) = [i for i, line in enumerate(lines) if text in line][:1]
    return f"test_gradcheck.py:{first + at}"


def test_the_line_of_the_first_nan():
    def loss(x):
        y = x * 1.0
        root = y.sqrt()
        return (root * 0.0).sum()

    x = tf.tensor([-1.0], requires_grad=True)
    with pytest.warns(UserWarning, match="Anomaly Detection has been enabled"):
        mode = detect_anomaly()
    with mode, pytest.raises(RuntimeError) as found:
        loss(x).backward()
    text = str(found.value)
    start = "Function 'SqrtBackward0' returned nan values in its 0th output."
    assert text.startswith(start)
    assert line_of(loss, "sqrt") in text
    assert "In the forward" in text


def test_a_nan_of_the_backward_alone():
    x = tf.zeros(1, requires_grad=True)
    with set_detect_anomaly(True), pytest.raises(RuntimeError) as found:
        (x.sqrt() * 0.0).sum().backward()
    assert "SqrtBackward0" in str(found.value)
    assert "In the forward" not in str(found.value)


def test_a_nan_of_the_users_own_backward():
    class Broken(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, g):
            return g * float("nan")

    x = tf.ones(1, requires_grad=True)
    with set_detect_anomaly(True):
        with pytest.raises(RuntimeError, match="Function 'BrokenBackward' returned"):
            (Broken.apply(x) * 2).backward()


def test_jitted_functions_too():
    f = tf.jit(lambda x: (x.sqrt() * 0.0).sum())
    x = tf.tensor([-1.0], requires_grad=True)
    f(x).backward()  # no mode, no complaint
    with set_detect_anomaly(True):
        with pytest.raises(RuntimeError, match="SqrtBackward0"):
            f(x).backward()
    f(x).backward()


def test_the_mode_ends():
    before = tf.config.disable_jit
    with set_detect_anomaly(True):
        assert tf.autograd.is_anomaly_enabled()
        with set_detect_anomaly(True, check_nan=False):
            assert not tf.autograd.is_anomaly_check_nan_enabled()
            x = tf.tensor([-1.0], requires_grad=True)
            (x.sqrt() * 0.0).sum().backward()
        assert tf.autograd.is_anomaly_check_nan_enabled()
    assert not tf.autograd.is_anomaly_enabled()
    assert tf.config.disable_jit == before
    set_detect_anomaly(True)
    set_detect_anomaly(False)
    assert not tf.autograd.is_anomaly_enabled()


def test_no_nan_no_difference():
    x = double(1.0, 2.0)
    (x.exp() * x).sum().backward()
    y = double(1.0, 2.0)
    with set_detect_anomaly(True):
        (y.exp() * y).sum().backward()
    assert x.grad.tolist() == y.grad.tolist()
