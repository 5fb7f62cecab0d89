"""Tensors that look at other memory: `resize_`, `set_`, `.data`, as in PyTorch."""

from __future__ import annotations

import pytest
import tracefuse as tf


def grown(lib):
    x = lib.zeros(2)
    x.resize_(4)[2:] = 7
    return x, x.resize_(1, 2), x.resize_(0), x.resize_(3)[:2]


def part(lib):
    x = lib.arange(6.0)
    x[2:4].resize_(3).mul_(10)
    return x, x[4:].resize_(2, 1), x.view(2, 3)[1].resize_(1)


def order(lib):
    x = lib.arange(6.0).reshape(2, 3).t()
    return x.resize_(3, 2), x.resize_(2, 2), x


def alike(lib):
    return lib.arange(4).resize_as_(lib.ones(2, 2)), lib.ones(3).resize_((2, 1))


def shared(lib):
    x, y, z = lib.zeros(2), lib.ones(3), lib.ones(1)
    x.set_(y[1:])
    x.add_(1)
    assert z.set_().numel() == 0
    return x, y


@pytest.mark.parametrize("program", [grown, part, order, alike, shared])
def test_as_torch_does(program):
    torch = pytest.importorskip("torch")
    ours, theirs = program(tf), program(torch)
    assert [x.tolist() for x in ours] == [x.tolist() for x in theirs]
    assert [tuple(x.stride()) for x in ours] == [tuple(x.stride()) for x in theirs]


def test_what_cannot_be_resized():
    x = tf.ones(2, requires_grad=True)
    for t in (x, x * 2):
        with pytest.raises(RuntimeError, match="cannot resize variables that require"):
            t.resize_(1)
    y = tf.ones(2)
    view = y[:1]
    with pytest.raises(RuntimeError, match="storage that is not resizable: other"):
        y.resize_(3)
    assert view.tolist() == [1] and y.resize_(1).shape == (1,)
    with pytest.raises(RuntimeError, match="negative"):
        y.resize_(-1)
    with pytest.raises(RuntimeError, match="float32"):
        tf.ones(2, dtype=tf.int64).set_(y)


def test_a_variable_is_not_transposed_in_place():
    x = tf.ones(2, 3, requires_grad=True)
    with pytest.raises(RuntimeError, match="leaf Variable"):
        x.t_()
    with tf.no_grad():
        assert x.t_().shape == (3, 2)


def test_a_failure_leaves_what_was_looked_at():
    a = tf.ones(2)

    def f(x):
        a.data = a * 2
        return x.map_(1)  # there is no such method

    for _ in range(2):
        with pytest.raises(AttributeError):
            tf.jit(f)(tf.ones(1))
    assert a.tolist() == [4, 4]  # what Python did before it raised stays
    kept = a._storage

    def g(x):
        a.data = a * 2
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tf.jit(g)(tf.ones(1))
    assert a.tolist() == [4, 4] and a._storage is kept


def test_data_assigned_is_kept_as_a_path():
    a = tf.zeros(2)
    f = tf.jit(lambda x: setattr(a, "data", a + x))
    for _ in range(5):
        f(tf.ones(2))
    assert a.tolist() == [5, 5] and f.cache_info()["recordings"] <= 2
    a.data = tf.zeros(3)  # assigned outside: found anew
    assert f(tf.ones(1)) is None and a.tolist() == [1, 1, 1]


def test_a_program_has_no_tensors_to_assign_data_of():
    a = tf.zeros(2)

    def f(x):
        a.data = a + x
        return a * 2

    with pytest.raises(tf.TraceError, match="assigns .data"):
        tf.jit.trace(f, tf.ones(2))


def test_verify_beside_data_that_is_assigned():
    a = tf.zeros(2)
    view = a[:1]

    def f(x):
        a.data = a + x
        return a * 2

    f = tf.jit(f, verify=True)
    assert [f(tf.ones(2)).tolist() for _ in range(3)] == [[2, 2], [4, 4], [6, 6]]
    assert view.tolist() == [0]


def test_the_softmax_of_nothing_is_nothing():
    x = tf.ones(0)
    assert tf.softmax(x, 0).shape == (0,) and tf.log_softmax(x, 0).shape == (0,)
