"""`explain`: in plain words, what was compiled, on what it relies, why it recorded."""

from __future__ import annotations

import time

import tracefuse as tf
from tracefuse import jit


def causes(f):
    lines = (line.strip() for line in f.explain().splitlines())
    return [line.partition(": ")[2] for line in lines if line.startswith("recorded (")]


def test_kernels_with_their_lines():
    @jit
    def f(x):
        return (tf.exp(x) @ x).sum()

    text = f.explain(tf.ones(3, 3))
    line = f"test_explain.py:{f.__wrapped__.__code__.co_firstlineno + 2}"
    assert text.startswith("f: 1 recording, 1 signature kept\n")
    assert "signature (float32[3, 3])\n" in text
    assert "path: " in text and "compiled f: 3 kernels" in text
    assert f"{line}: exp" in text and f"{line}: dot" in text
    assert causes(f) == ["it was the first call"]


def test_guards_and_where_ways_part():
    @jit
    def f(x):
        if x.sum() > 0:
            return x + 1
        return x - 1

    f(tf.ones(2)), f(-tf.ones(2))
    line = f"test_explain.py:{f.__wrapped__.__code__.co_firstlineno + 2}"
    text = f.explain()
    assert f"guard at {line}: True" in text and f"guard at {line}: False" in text
    assert f"recorded since {line} came out False" in text
    assert causes(f)[1] == "a guard came out in a way not seen before"


def test_other_arguments():
    @jit
    def f(x, mode="a"):
        return x + 1

    f(tf.ones(2)), f(tf.ones(2, 2)), f(tf.ones(2, 2), "b"), f(tf.ones(2, 2).half(), "b")
    assert causes(f)[1:] == [
        "value 0 of the arguments was float32[2], now float32[2, 2]",
        "it was given 2 values, not 1",
        "value 0 of the arguments was float32[2, 2], now float16[2, 2]",
    ]


def test_modes():
    @jit
    def f(x):
        return x @ x

    x = tf.ones(2, 2)
    f(x)
    with tf.no_grad():
        f(x)
    with tf.autocast("cpu"):
        f(x)
    assert "gradients are off now" in causes(f)
    assert "autocast is in another mode" in causes(f) or len(causes(f)) == 3
    assert "without gradients" in f.explain() and "under autocast" in f.explain()


def test_state_that_changed():
    net = tf.nn.Dropout(0.0)
    kind = "add"

    @jit
    def f(x):
        return net(x) + 1 if kind == "add" else net(x)

    x = tf.ones(2)
    f(x)
    net.eval()
    f(x)
    kind = "keep"
    f(x)
    assert causes(f)[1] == "training is not what it was (True)"
    assert (
        causes(f)[2] == "a variable of an enclosing function is not what it was ('add')"
    )
    assert "watched: modules, optimizers and settings" in f.explain()


def test_the_slow_path():
    @jit
    def f(x):
        return x + time.time()

    f(tf.ones(2)), f(tf.ones(2))
    assert "not kept (2x)" in f.explain()
    assert "slow path: in 2 calls Python ran" in f.explain()

    @jit
    def g(x, i):
        return x[i]

    x = tf.ones(3)
    for i in ([0, 1], [1, 2], [0, 9]):
        try:
            g(x, tf.tensor(i))
        except IndexError:
            pass
    assert "slow path: 1 call ran as plain Python" in g.explain()


def test_a_learning_rate_is_not_the_reason():
    p = tf.nn.Parameter(tf.ones(2))
    optimizer = tf.optim.SGD([p], lr=0.1)

    @jit
    def f(x):
        optimizer.zero_grad()
        (p * x).sum().backward()
        optimizer.step()

    for changed in {}, {"lr": 0.2}, {"lr": 0.3, "weight_decay": 0.1}:
        optimizer.param_groups[0].update(changed)
        f(tf.ones(2))
    assert causes(f)[1:] == ["weight_decay is not what it was (0)"]


def test_a_place_whose_tensor_has_another_size():
    cache = {"k": tf.zeros(1, 2)}

    @jit
    def f(x):
        cache["k"] = tf.cat([cache["k"], x])

    for _ in range(4):
        f(tf.ones(1, 2))
    assert causes(f)[-1] == "k held float32[2, 2], now float32[4, 2]"
