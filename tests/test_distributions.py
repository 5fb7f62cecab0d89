"""Random variables: their formulas, their draws, and PyTorch's numbers."""

from __future__ import annotations

import numpy as np
import pytest
import tracefuse as tf
from tracefuse import distributions as D

ROWS = [[0.5, 1.5, 0.2], [2.0, 0.3, 1.0]]
# Name, parameters, values in the support.
CASES = [
    ("Normal", (ROWS, ROWS[::-1]), ROWS),
    ("LogNormal", (ROWS, [0.5, 0.4, 0.3]), ROWS),
    ("Laplace", (ROWS, [1.0, 2.0, 0.5]), ROWS),
    ("Uniform", ([0.0, 0.1, 0.2], [3.0, 4.0, 5.0]), ROWS),
    ("Exponential", (ROWS,), ROWS),
    ("Bernoulli", ([0.2, 0.5, 0.9],), [[1.0, 0.0, 1.0]]),
    ("Geometric", ([0.2, 0.5, 0.9],), [[1.0, 0.0, 3.0]]),
    ("Categorical", (ROWS,), [[0, 2], [1, 1]]),
    ("OneHotCategorical", (ROWS,), [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]),
]
NAMES = [name for name, *_ in CASES]


def made(module, torch, name, parameters):
    return getattr(module, name)(*map(torch.tensor, parameters))


@pytest.mark.parametrize("name, parameters, values", CASES, ids=NAMES)
def test_the_numbers_of_pytorch(name, parameters, values):
    torch = pytest.importorskip("torch")
    ours = made(D, tf, name, parameters)
    theirs = made(torch.distributions, torch, name, parameters)
    x, y = tf.tensor(values), torch.tensor(values)
    assert tuple(ours.batch_shape) == tuple(theirs.batch_shape)
    assert tuple(ours.event_shape) == tuple(theirs.event_shape)
    pairs = [(ours.log_prob(x), theirs.log_prob(y))]
    pairs += [(ours.entropy(), theirs.entropy())]
    if name != "Categorical":
        pairs += [(ours.mean, theirs.mean)]
    if "Categorical" not in name:
        pairs += [(ours.variance, theirs.variance), (ours.stddev, theirs.stddev)]
    if name in ("Normal", "LogNormal", "Laplace", "Uniform", "Exponential"):
        quarter = tf.tensor(0.25), torch.tensor(0.25)
        pairs += [(ours.cdf(x), theirs.cdf(y))]
        pairs += [(ours.icdf(quarter[0]), theirs.icdf(quarter[1]))]
    for a, b in pairs:
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("name, parameters, values", CASES, ids=NAMES)
def test_draws_have_the_mean_that_the_formula_says(name, parameters, values):
    tf.manual_seed(0)
    d = made(D, tf, name, parameters)
    drawn = d.sample((20_000,))
    assert tuple(drawn.shape) == (20_000, *d.batch_shape, *d.event_shape)
    if name == "Categorical":
        drawn, mean = tf.nn.functional.one_hot(drawn, 3).float(), d.probs
    else:
        mean = d.mean
    np.testing.assert_allclose(drawn.mean(0), mean, rtol=0.08, atol=0.02)
    assert not drawn.requires_grad


@pytest.mark.parametrize("name, parameters, values", CASES, ids=NAMES)
def test_jitted_as_eager(name, parameters, values):
    def work(x, *given):
        d = getattr(D, name)(*given)
        return d.log_prob(x), d.sample((4,)), D.kl_divergence(d, d)

    given = [tf.tensor(values), *map(tf.tensor, parameters)]
    jitted = tf.jit(work)
    for _ in range(2):
        tf.manual_seed(3)
        eager = work(*given)
        tf.manual_seed(3)
        for a, b in zip(jitted(*given), eager):
            np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6)


def pairs_for_divergence(module, torch):
    t = torch.tensor
    yield module.Normal(t(0.5), t(2.0)), module.Normal(t(-1.0), t(0.7))
    yield module.LogNormal(t(0.5), t(2.0)), module.LogNormal(t(-1.0), t(0.7))
    yield module.Laplace(t(0.5), t(2.0)), module.Laplace(t(-1.0), t(0.7))
    yield module.Uniform(t(0.5), t(2.0)), module.Uniform(t(0.0), t(3.0))
    yield module.Uniform(t(0.5), t(2.0)), module.Uniform(t(1.0), t(3.0))
    yield module.Exponential(t(0.5)), module.Exponential(t(2.0))
    yield module.Bernoulli(t(0.2)), module.Bernoulli(logits=t(0.7))
    yield module.Geometric(t(0.2)), module.Geometric(t(0.7))
    yield module.Categorical(t(ROWS)), module.Categorical(logits=t(ROWS[::-1]))
    p, q = (module.Normal(t(ROWS), t(s)) for s in (1.0, 2.0))
    yield module.Independent(p, 1), module.Independent(q, 1)


def test_divergences():
    torch = pytest.importorskip("torch")
    theirs = pairs_for_divergence(torch.distributions, torch)
    for ours, others in zip(pairs_for_divergence(D, tf), theirs):
        a = D.kl_divergence(*ours)
        b = torch.distributions.kl_divergence(*others)
        np.testing.assert_allclose(a, b, rtol=1e-4)


def test_gradients_reach_the_parameters_through_rsample():
    scale = tf.tensor(2.0, requires_grad=True)
    drawn = D.Normal(tf.tensor(1.0), scale).rsample((5,))
    drawn.sum().backward()
    assert tf.allclose(scale.grad, ((drawn - 1) / 2).sum())


def test_a_policy_learns():
    """Reinforcement by the score of what was drawn: arm 2 pays."""
    tf.manual_seed(0)
    logits = tf.zeros(3, requires_grad=True)
    optimizer = tf.optim.Adam([logits], lr=0.1)

    @tf.jit
    def step():
        d = D.Categorical(logits=logits)
        action = d.sample((16,))
        loss = -(d.log_prob(action) * (action == 2).float()).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    for _ in range(60):
        step()
    assert D.Categorical(logits=logits).probs[2] > 0.9


def test_multinomial():
    torch = pytest.importorskip("torch")
    weights, counts = [1.0, 3.0, 4.0], [2.0, 3.0, 5.0]
    ours = D.Multinomial(10, tf.tensor(weights))
    theirs = torch.distributions.Multinomial(10, torch.tensor(weights))
    a, b = ours.log_prob(tf.tensor(counts)), theirs.log_prob(torch.tensor(counts))
    np.testing.assert_allclose(a, b, rtol=1e-5)
    drawn = ours.sample((500,))
    assert (drawn.sum(-1) == 10).all() and drawn.shape == (500, 3)


WRONG = [
    (lambda: D.Normal(0.0, -1.0), "parameter scale of distribution Normal"),
    (lambda: D.Uniform(1.0, 0.0), "not defined when low>= high"),
    (lambda: D.Bernoulli(1.5), "Interval"),
    (lambda: D.Bernoulli(), "Either `probs` or `logits`"),
    (lambda: D.Categorical(tf.tensor([0.5, -0.1])), "Simplex"),
    (lambda: D.Categorical(tf.ones(2)).log_prob(tf.tensor(2)), "IntegerInterval"),
    (lambda: D.Independent(D.Normal(0.0, 1.0), 1), "actual 1 vs 0"),
]


@pytest.mark.parametrize("call, said", WRONG)
def test_bad_input(call, said):
    with pytest.raises(ValueError, match=said):
        call()


def test_unknown_pairs():
    with pytest.raises(NotImplementedError, match="Normal and Uniform"):
        D.kl_divergence(D.Normal(0.0, 1.0), D.Uniform(0.0, 1.0))
