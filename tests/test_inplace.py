"""Variants that overwrite: identity, results, types, shapes, gradients."""

from __future__ import annotations

import numpy as np
import pytest
import tracefuse as tf
from recording_tools import recorded
from tracefuse.api.arrays.inplace import _NAMES


@pytest.mark.parametrize("name", _NAMES.split())
def test_every_variant_has_its_function(name):
    assert hasattr(tf.Tensor, name) and hasattr(tf.Tensor, f"{name}_")


UNARY = (
    "abs ceil cos exp floor neg relu round sigmoid sin sqrt square tanh zero".split()
)


@pytest.mark.parametrize("name", UNARY)
def test_unary(name):
    x = tf.tensor([[0.25, 1.5], [2.0, 4.0]])
    row, function = x[0], getattr(x, name, None)
    expected = tf.zeros(2, 2) if function is None else function()
    assert getattr(x, f"{name}_")() is x
    assert tf.equal(x, expected) and tf.equal(row, expected[0])


def test_operators_keep_identity():
    x, y = tf.tensor([6.0, 7.0]), tf.tensor([2.0, 3.0])
    before = x
    x += y
    x *= 2
    x -= 1
    x /= 3
    x //= 2
    x **= 2
    x %= 5
    assert x is before
    expected = (((np.array([6.0, 7.0]) + [2, 3]) * 2 - 1) / 3 // 2) ** 2 % 5
    assert x.tolist() == expected.tolist()
    n = tf.tensor([6])
    n &= 3
    n |= 8
    n ^= 1
    n <<= 2
    n >>= 1
    assert n.tolist() == [22]


def test_writes_through_views_when_recorded():
    def program(x):
        x[0].add_(1)
        x.t()[1].mul_(3)
        x.view(-1)[3:].zero_()

    start = np.arange(6.0, dtype=np.float32).reshape(2, 3)
    eager = tf.from_numpy(start.copy())
    program(eager)
    run = recorded(program, tf.from_numpy(start.copy()))
    assert eager.tolist() == run.arguments[0].tolist() == [[1, 6, 3], [0, 0, 0]]


def test_new_contents():
    x = tf.zeros(2, 3)
    assert x.copy_(tf.arange(3)).tolist() == [[0, 1, 2], [0, 1, 2]]
    assert x.fill_(7).sum().item() == 42
    assert x.masked_fill_(x > 1, -1).tolist() == [[-1] * 3] * 2
    assert tf.zeros(2, 2).fill_diagonal_(3).tolist() == [[3, 0], [0, 3]]
    assert x.scatter_(1, tf.tensor([[0], [2]]), 5.0).tolist() == [
        [5, -1, -1],
        [-1, -1, 5],
    ]


def test_the_tensor_becomes_its_view():
    x = tf.arange(6).reshape(2, 3)
    y = x.view(6)
    assert x.t_() is x and x.shape == (3, 2)
    x[0, 1] = 9
    assert y.tolist() == [0, 1, 2, 9, 4, 5]
    assert x.unsqueeze_(0).shape == (1, 3, 2) and x.squeeze_(0).shape == (3, 2)


def test_gradients_through_overwriting():
    x = tf.tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    y.mul_(y.detach() + 1).add_(x)
    y.sum().backward()
    assert x.grad.tolist() == [2 * 3 + 1, 2 * 5 + 1]


# -- bad input


def test_a_leaf_is_not_overwritten():
    x = tf.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
        x.add_(1)
    with tf.no_grad():
        x.add_(1)
    assert x.tolist() == [2, 2]


def test_results_that_do_not_fit():
    with pytest.raises(
        RuntimeError, match="result type Float can't be cast to .* Long"
    ):
        tf.ones(2, dtype=tf.int64).add_(1.5)
    with pytest.raises(
        RuntimeError, match="result type Float can't be cast to .* Long"
    ):
        tf.ones(2, dtype=tf.int64).div_(2)
    with pytest.raises(RuntimeError, match="result type Long can't be cast to .* Bool"):
        tf.ones(2, dtype=tf.bool).add_(1)
    with pytest.raises(RuntimeError, match=r"output with shape \[2\] doesn't match"):
        tf.ones(2).add_(tf.ones(2, 2))
    with pytest.raises(RuntimeError, match=r"size of tensor a \(2\) must match"):
        tf.ones(2).copy_(tf.ones(3))
    with pytest.raises(TypeError, match="must be Tensor, not list"):
        tf.ones(2).copy_([1, 2])
    with pytest.raises(RuntimeError, match="0-dimension value tensor"):
        tf.ones(2).fill_(tf.ones(2))


def test_sizes_that_do_not_fit_are_one_error():
    x = tf.ones(3)
    with pytest.raises(tf.ShapeError) as copied:
        x.copy_(tf.ones(4))
    with pytest.raises(tf.ShapeError) as assigned:
        x[:2] = tf.ones(3)
    for error in copied, assigned:  # nothing of NumPy's shows above it
        assert error.value.__suppress_context__
    assert x.tolist() == [1, 1, 1]
