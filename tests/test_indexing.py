"""`t[...]` against NumPy (and PyTorch): eager, with gradients, and recorded."""

from __future__ import annotations

import random

import numpy as np
import pytest
import tracefuse as tf
from index_samples import numpy_views, random_index, random_shape, spelled
from recording_tools import recorded

SEEDS = range(8)
ROUNDS = 40


def sample(r):
    """An array, and an index that fits it."""
    while True:
        shape = random_shape(r)
        array = np.arange(float(np.prod(shape)), dtype=np.float32).reshape(shape)
        items = random_index(r, shape)
        seen, key = numpy_views(array, items)
        try:
            seen[key]
        except IndexError:  # the arrays do not broadcast
            continue
        return array, items


def read_all(array, items):
    """The same reading in the three ways a tensor can be read."""
    key = spelled(items, tf.from_numpy)
    read = lambda t: t[key]  # noqa: E731
    yield "eager", read(tf.from_numpy(array)).numpy()
    leaf = tf.from_numpy(array).requires_grad_()
    yield "tracked", read(leaf).detach().numpy()
    yield "recorded", recorded(read, tf.from_numpy(array)).outputs[0]


@pytest.mark.parametrize("seed", SEEDS)
def test_reading(seed):
    r = random.Random(seed)
    for _ in range(ROUNDS):
        array, items = sample(r)
        seen, key = numpy_views(array, items)
        for how, found in read_all(array, items):
            assert found.shape == seen[key].shape, (how, array.shape, items)
            assert (found == seen[key]).all(), (how, array.shape, items)


def values_for(r, shape):
    """Something that broadcasts to `shape`."""
    kind = r.choice(("number", "full", "stretched", "one"))
    if kind == "number":
        return 7.5
    if kind == "stretched":
        shape = tuple(1 if r.random() < 0.4 else n for n in shape)
        shape = shape[r.randint(0, len(shape)) :]
    shape = (1,) if kind == "one" else shape
    return np.arange(100.0, 100 + np.prod(shape), dtype=np.float32).reshape(shape)


def written_all(array, items, value):
    """The array after the same writing in the three ways."""
    key = spelled(items, tf.from_numpy)
    new = tf.from_numpy(value) if isinstance(value, np.ndarray) else value

    def write(t, value):
        t[key] = value

    eager = tf.from_numpy(array.copy())
    write(eager, new)
    yield "eager", eager.numpy()
    if isinstance(value, np.ndarray):
        tracked = tf.from_numpy(array.copy())
        write(tracked, tf.from_numpy(value).requires_grad_())
        yield "tracked", tracked.detach().numpy()
    run = recorded(lambda t: write(t, new), tf.from_numpy(array.copy()))
    yield "recorded", run.arguments[0]


@pytest.mark.parametrize("seed", SEEDS)
def test_writing(seed):
    r = random.Random(seed)
    for _ in range(ROUNDS):
        array, items = sample(r)
        expected = array.copy()
        seen, key = numpy_views(expected, items)
        value = values_for(r, seen[key].shape)
        seen[key] = value
        for how, found in written_all(array, items, value):
            assert (found == expected).all(), (how, array.shape, items)


@pytest.mark.parametrize("seed", SEEDS)
def test_reading_as_torch_does(seed):
    torch = pytest.importorskip("torch")
    r = random.Random(seed)
    for _ in range(ROUNDS):
        array, items = sample(r)
        expected = torch.from_numpy(array)[spelled(items, torch.from_numpy)]
        for how, found in read_all(array, items):
            assert found.shape == tuple(expected.shape), (how, array.shape, items)
            assert (found == expected.numpy()).all(), (how, array.shape, items)


# -- views and copies


def test_basic_indexing_is_a_view():
    x = tf.zeros(3, 4)
    x[1][2] = 5
    x[:, 1:3][0, 0] = 6
    x[..., -1].add_(1)
    assert x.tolist() == [[0, 6, 0, 1], [0, 0, 5, 1], [0, 0, 0, 1]]


def test_picking_is_a_copy():
    x = tf.zeros(3)
    y = x[[0, 1]]
    y[0] = 5
    x[x == 0][0] = 7
    assert x.tolist() == [0, 0, 0]


def test_whole_slice_is_another_object_on_the_same_memory():
    x = tf.zeros(2)
    y = x[:]
    assert y is not x
    y[0] = 1
    assert x.tolist() == [1, 0]


def test_assignment_keeps_identity_when_recorded():
    def program(x):
        before = x
        x[1, 2] = 17
        x[:] = x + 1
        assert before is x
        return x

    run = recorded(program, tf.zeros(2, 3))
    assert run.arguments[0].tolist() == [[1, 1, 1], [1, 1, 18]]


def test_a_mask_that_is_written_leaves_no_guard():
    def program(x, v):
        x[x > 1] = v

    run = recorded(program, tf.arange(4.0), tf.tensor([10.0, 20.0]))
    assert run.arguments[0].tolist() == [0, 1, 10, 20]
    assert not run.recorder.guards and run.recorder.volatile is None


def test_a_mask_that_is_read_says_why_it_is_not_kept():
    run = recorded(lambda x: x[x > 1], tf.arange(4.0))
    assert run.outputs[0].tolist() == [2, 3]
    assert "mask" in run.recorder.volatile


def test_a_recorded_number_is_no_guard():
    run = recorded(lambda x, i: x[i], tf.arange(4.0), tf.tensor(2))
    assert run.outputs[0] == 2 and not run.recorder.guards


def test_index_put():
    x, i = tf.zeros(3), tf.tensor([0, 0, 2])
    assert x.index_put((i,), tf.tensor(1.0), accumulate=True).tolist() == [2, 0, 1]
    assert x.tolist() == [0, 0, 0]
    x.index_put_((i,), tf.ones(3))
    assert x.tolist() == [1, 0, 1]


def test_gradients_count_repeats():
    x = tf.arange(3.0).requires_grad_()
    (x[[0, 0, 2]] * tf.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert x.grad.tolist() == [3, 0, 3]


def test_gradients_through_a_write():
    x, v = tf.ones(3).requires_grad_(), tf.tensor([5.0]).requires_grad_()
    y = x * 2
    y[1:2] = v * 3
    (y * y).sum().backward()
    assert x.grad.tolist() == [8, 0, 8] and v.grad.tolist() == [90]


# -- bad input


@pytest.mark.parametrize(
    ("index", "error", "text"),
    [
        (5, IndexError, "index 5 is out of bounds for dimension 0 with size 2"),
        ((0, -4), IndexError, "index -4 is out of bounds for dimension 1 with size 3"),
        ((0, 0, 0), IndexError, "too many indices for tensor of dimension 2"),
        (slice(None, None, -1), ValueError, "step must be greater than zero"),
        (1.5, IndexError, "only integers, slices"),
        ("a", TypeError, "str"),
        ([7], IndexError, "index 7 is out of bounds for dimension 0 with size 2"),
        ([True], IndexError, "The shape of the mask"),
        ((..., ...), IndexError, "single ellipsis"),
        (([0, 1], [0, 1, 2]), IndexError, "could not be broadcast together"),
    ],
)
def test_wrong_indices(index, error, text):
    x = tf.zeros(2, 3)
    for t in (x, x.requires_grad_()):
        with pytest.raises(error, match=text.replace("(", r"\(")):
            t[index]


def test_wrong_values():
    x = tf.zeros(2, 3)
    with pytest.raises(RuntimeError, match="shape mismatch: value tensor of shape"):
        x[[0, 1]] = tf.ones(5)
    with pytest.raises(RuntimeError, match="shape mismatch"):
        x[x == 0] = tf.ones(4)
    with pytest.raises(RuntimeError, match="dtypes match, got Float .* Double"):
        x[[0, 1]] = tf.ones(2, 3, dtype=tf.float64)
    with pytest.raises(TypeError, match="can't assign a list"):
        x[0] = [1, 2, 3]
    with pytest.raises(IndexError, match="must be long, int, byte or bool"):
        x[tf.tensor([0.5])]
    assert x.tolist() == [[0, 0, 0], [0, 0, 0]]
