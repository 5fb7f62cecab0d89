"""Random programs that write, beside the plain ones, PyTorch, a loop, differences."""

from __future__ import annotations

import warnings

import mutation_maker as maker
import numpy as np
import pytest
import tracefuse as tf
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
LATE = "inplace operation"  # eager, a history notices that its numbers were overwritten


def quick(examples):
    """So many examples, however long they take."""
    return settings(max_examples=examples, deadline=None, suppress_health_check=QUIET)


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@quick(60)
@given(lines=maker.programs(), sequence=maker.calls(), grad=st.booleans())
def test_jitted_as_plain(lines, sequence, grad):
    want = maker.trail(tf, maker.compiled(tf, lines), sequence, grad)
    got = maker.trail(tf, tf.jit(maker.compiled(tf, lines)), sequence, grad)
    for a, b in until(want, got, lambda a, b: a[0] == "raised" and LATE in a[2]):
        assert maker.alike(a, b), "\n".join([*lines, f"plain  {a}", f"jitted {b}"])


@quick(40)
@given(lines=maker.programs(), sequence=maker.calls(), grad=st.booleans())
def test_plain_as_torch(lines, sequence, grad):
    torch = pytest.importorskip("torch")
    assume(not (grad and any(".data" in one or "set_" in one for one in lines)))
    want = maker.trail(torch, maker.compiled(torch, lines), sequence, grad)
    got = maker.trail(tf, maker.compiled(tf, lines), sequence, grad)
    raised = lambda a, b: "raised" in (a[0], b[0])  # not always for the same reasons
    for a, b in until(want, got, raised):
        assert maker.alike(a, b, 1e-3), "\n".join([*lines, f"torch {a}", f"ours {b}"])


def until(want, got, end):
    """Pairs of what came, up to the first one that ends it."""
    for a, b in zip(want, got):
        if end(a, b):
            return
        yield a, b


@quick(40)
@given(lines=maker.programs(maker.SMOOTH, ()), seed=st.integers(0, 99))
def test_mapped_as_a_loop(lines, seed):
    f = maker.compiled(tf, lines)

    def one(x, y):
        return [t for t in f(x * 1, y * 1, w * 1, h * 1, 1) if isinstance(t, tf.Tensor)]

    w, h = tf.tensor([0.5, -1.0, 2.0]), tf.ones(2)
    rows = [map(tf.tensor, maker.numbers((3, seed + i))) for i in range(3)]
    rows = [[t.float() for t in row] for row in rows]
    want = outcome(lambda: [one(*row) for row in rows])
    got = outcome(lambda: tf.vmap(one)(*map(tf.stack, zip(*rows))))
    assume(want is not None and got is not None)
    for k, results in enumerate(want):
        for a, b in zip(results, got):
            assert maker.alike(maker.shown(a), maker.shown(b[k])), "\n".join(lines)


def outcome(run):
    """What it returns; None where it raises."""
    try:
        return run()
    except (RuntimeError, ValueError, IndexError, TypeError):
        return None


@quick(40)
@given(lines=maker.programs(maker.SMOOTH, ()), seed=st.integers(0, 99))
def test_slopes_as_differences(lines, seed):
    f = maker.compiled(tf, lines)
    point = np.stack(maker.numbers((3, seed, 0, 1)))
    along = np.random.default_rng(seed).standard_normal(point.shape)

    def total(z):
        w, h = tf.tensor([0.5, -1.0, 2.0], dtype=tf.float64), tf.ones(2)
        x, y = z * 1
        found = f(x, y, w, h, 1)[:5]
        return sum((t.double() * (i + 1)).sum() for i, t in enumerate(found))

    slope = outcome(
        lambda: tf.func.grad(total)(tf.tensor(point.tolist(), dtype=tf.float64))
    )
    assume(slope is not None)
    at = lambda step: total(
        tf.tensor((point + step * along).tolist(), dtype=tf.float64)
    )
    near = [(at(s) - at(-s)).item() / (2 * s) for s in (1e-5, 1e-6)]
    assume(np.isclose(*near, rtol=1e-3, atol=1e-4))  # no kink in between
    want = float((slope.numpy() * along).sum())
    assert np.isclose(near[1], want, rtol=1e-3, atol=1e-3), "\n".join(lines)
