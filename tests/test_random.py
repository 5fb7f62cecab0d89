"""Random tensors: the same eager and recorded, reproducible, and well distributed."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tracefuse as tf
from recording_tools import recorded

FLOATS = [tf.float32, tf.float64, tf.float16, tf.bfloat16]
DRAWS = {
    **{f"rand {d.name}": lambda d=d: tf.rand(5, 7, dtype=d) for d in FLOATS},
    **{f"randn {d.name}": lambda d=d: tf.randn(5, 7, dtype=d) for d in FLOATS},
    "randint": lambda: tf.randint(3, 9, (50,)),
    "wide randint": lambda: tf.randint(-(2**62), 2**62, (50,)),
    "randperm": lambda: tf.randperm(20),
    "normal": lambda: tf.normal(1.0, 2.0, (4,)),
    "normal of tensors": lambda: tf.normal(tf.zeros(3), tf.ones(3)),
    "bernoulli": lambda: tf.bernoulli(tf.full((9,), 0.5)),
    "multinomial": lambda: tf.multinomial(tf.ones(5), 3),
    "with replacement": lambda: tf.multinomial(tf.ones(2, 5), 9, True),
    "uniform_": lambda: tf.zeros(9).uniform_(-1, 1),
    "normal_": lambda: tf.zeros(9).normal_(3, 2),
    "exponential_": lambda: tf.zeros(9).exponential_(2),
    "random_": lambda: tf.zeros(9).random_(5),
    "geometric_": lambda: tf.zeros(9).geometric_(0.3),
    "cauchy_": lambda: tf.zeros(9).cauchy_(),
    "log_normal_": lambda: tf.zeros(9).log_normal_(),
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_the_same_bits_eager_and_recorded(draw):
    tf.manual_seed(3)
    eager = [draw().numpy(), draw().numpy()]
    tf.manual_seed(3)
    traced = recorded(lambda: (draw(), draw())).outputs
    for a, b in zip(eager, traced):
        assert a.dtype == b.dtype and a.tobytes() == np.ascontiguousarray(b).tobytes()
    assert eager[0].tobytes() != eager[1].tobytes()


def empirical_gap(sample, cdf):
    """Kolmogorov's statistic, times the square root of the sample's size."""
    ordered = np.sort(sample.reshape(-1))
    n = len(ordered)
    below = np.array([cdf(x) for x in ordered])
    gap = np.maximum(below - np.arange(n) / n, np.arange(1, n + 1) / n - below)
    return gap.max() * math.sqrt(n)


CDFS = {
    "rand": (lambda: tf.rand(20000), lambda x: x),
    "randn": (lambda: tf.randn(20000), lambda x: 0.5 * math.erfc(-x / math.sqrt(2))),
    "exponential": (
        lambda: tf.empty(20000).exponential_(2.0),
        lambda x: 1 - math.exp(-2 * x),
    ),
    "cauchy": (
        lambda: tf.empty(20000).cauchy_(),
        lambda x: 0.5 + math.atan(x) / math.pi,
    ),
}


@pytest.mark.parametrize(("draw", "cdf"), CDFS.values(), ids=CDFS)
def test_distributions(draw, cdf):
    tf.manual_seed(0)
    assert empirical_gap(draw().numpy(), cdf) < 1.95  # one in a thousand is larger


@pytest.mark.parametrize("dtype", FLOATS)
def test_one_never_appears(dtype):
    tf.manual_seed(1)
    sample = tf.rand(100000, dtype=dtype).to(tf.float64)
    assert 0 <= sample.min().item() and sample.max().item() < 1


def test_integers_are_even_and_inside():
    tf.manual_seed(2)
    counts = np.bincount(tf.randint(0, 7, (70000,)).numpy())
    assert len(counts) == 7 and abs(counts - 10000).max() < 500
    wide = tf.randint(-(2**62), 2**62, (1000,)).numpy()
    assert (abs(wide) > 2**60).any() and wide.min() < 0 < wide.max()


def test_permutations():
    tf.manual_seed(4)
    assert sorted(tf.randperm(100).tolist()) == list(range(100))
    firsts = np.bincount([tf.randperm(4)[0].item() for _ in range(800)])
    assert abs(firsts - 200).max() < 70


def test_multinomial():
    tf.manual_seed(5)
    weights = tf.tensor([0.0, 1.0, 2.0, 1.0])
    counts = np.bincount(tf.multinomial(weights, 40000, True).numpy(), minlength=4)
    assert counts[0] == 0 and abs(counts[1:] - [10000, 20000, 10000]).max() < 600
    rows = tf.multinomial(weights.expand(50, 4), 3).tolist()
    assert all(sorted(row) == [1, 2, 3] for row in rows)


# -- state


def test_generators_are_apart():
    a, b = tf.Generator().manual_seed(1), tf.Generator().manual_seed(1)
    tf.manual_seed(0)
    before = tf.get_rng_state()
    first = tf.rand(3, generator=a)
    assert tf.equal(first, tf.rand(3, generator=b))
    assert not tf.equal(first, tf.rand(3, generator=a))
    assert tf.equal(before, tf.get_rng_state())
    assert a.initial_seed() == 1


def test_state_goes_back():
    tf.manual_seed(7)
    tf.rand(5)
    state = tf.get_rng_state()
    first = tf.rand(5)
    with tf.fork_rng():
        tf.manual_seed(99)
        tf.rand(5)
    tf.set_rng_state(state)
    assert tf.equal(tf.rand(5), first)
    with pytest.raises(TypeError, match="RNG state"):
        tf.set_rng_state(tf.zeros(3))


def test_seeds_wrap_like_words():
    draws = [
        tf.rand(2, generator=tf.Generator().manual_seed(s)) for s in (-1, 2**64 - 1)
    ]
    assert tf.equal(*draws)
    with pytest.raises(ValueError, match="Overflow"):
        tf.manual_seed(2**64)


def test_a_recording_draws_on_from_where_the_generator_is():
    tf.manual_seed(8)
    tf.rand(3)
    expected = tf.rand(3).numpy()
    tf.manual_seed(8)
    tf.rand(3)
    run = recorded(lambda: tf.rand(3))
    assert (run.outputs[0] == expected).all()
    assert dict((g, n) for g, (_, n) in run.recorder.generators.items()) == {
        tf.default_generator: 1
    }


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: tf.rand(2, dtype=tf.int64), NotImplementedError),
        (lambda: tf.randint(5, 3, (2,)), RuntimeError),
        (lambda: tf.randint(5), TypeError),
        (lambda: tf.randperm(-1), RuntimeError),
        (lambda: tf.normal(0.0, -1.0, (2,)), RuntimeError),
        (lambda: tf.bernoulli(tf.tensor([0.5, 2.0])), RuntimeError),
        (lambda: tf.multinomial(tf.ones(3), 5), RuntimeError),
        (lambda: tf.multinomial(-tf.ones(3), 1), RuntimeError),
        (lambda: tf.multinomial(tf.zeros(3), 1), RuntimeError),
        (lambda: tf.ones(2).uniform_(3, 1), RuntimeError),
        (lambda: tf.ones(2).exponential_(-1), RuntimeError),
        (lambda: tf.ones(2).bernoulli_(2.0), RuntimeError),
        (lambda: tf.ones(2, dtype=tf.int64).normal_(), NotImplementedError),
    ],
)
def test_wrong_calls(call, error):
    with pytest.raises(error):
        call()
