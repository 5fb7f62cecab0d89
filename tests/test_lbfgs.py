"""L-BFGS: valleys, limits, state, and PyTorch's very steps."""

from __future__ import annotations

import pytest
import tracefuse as tf


def valley(torch, line=None, rate=1.0, steps=5, jit=False, **options):
    """Rosenbrock's function in three variables; losses, place, evaluations."""
    x = torch.tensor([-1.5, 2.0, 0.3], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [x], lr=rate, max_iter=30, history_size=5, line_search_fn=line, **options
    )

    def closure():
        optimizer.zero_grad()
        a, b = x[:-1], x[1:]
        loss = (100 * (b - a**2) ** 2 + (1 - a) ** 2).sum()
        loss.backward()
        return loss

    closure = torch.jit(closure) if jit else closure
    losses = [optimizer.step(closure).detach().item() for _ in range(steps)]
    return losses, x.tolist(), optimizer.state[x]["func_evals"]


@pytest.mark.parametrize("jit", [False, True])
def test_it_finds_the_bottom(jit):
    losses, place, _ = valley(tf, "strong_wolfe", jit=jit)
    assert losses[0] > 1000 and losses[-1] < 1e-9
    assert place == pytest.approx([1, 1, 1], abs=1e-4)


@pytest.mark.parametrize("line, rate", [(None, 0.01), ("strong_wolfe", 1.0)])
def test_the_steps_of_pytorch(line, rate):
    torch = pytest.importorskip("torch")
    ours, theirs = valley(tf, line, rate), valley(torch, line, rate)
    assert ours[0] == pytest.approx(theirs[0], rel=1e-5, abs=1e-12)
    assert ours[1] == pytest.approx(theirs[1], rel=1e-5)
    assert ours[2] == theirs[2]


def test_limits_hold():
    assert valley(tf, None, 1e-3, steps=1, max_eval=4)[2] == 4
    assert valley(tf, "strong_wolfe", steps=1, tolerance_grad=1e9)[2] == 1


def test_its_state_is_saved_and_loaded():
    def made():
        x = tf.tensor([3.0, 1.0], requires_grad=True)
        optimizer = tf.optim.LBFGS([x], lr=0.1, max_iter=3)

        def closure():
            optimizer.zero_grad()
            loss = (x**4).sum()
            loss.backward()
            return loss

        return x, optimizer, closure

    x, optimizer, closure = made()
    optimizer.step(closure)
    y, other, closure_y = made()
    other.load_state_dict(optimizer.state_dict())
    with tf.no_grad():
        y.copy_(x)
    optimizer.step(closure)
    other.step(closure_y)
    assert tf.equal(x, y)


def test_bad_input():
    x = tf.ones(2, requires_grad=True)
    with pytest.raises(TypeError, match="needs a closure"):
        tf.optim.LBFGS([x]).step()
    with pytest.raises(ValueError, match="parameter groups"):
        tf.optim.LBFGS([{"params": [x]}, {"params": [tf.ones(1, requires_grad=True)]}])
    with pytest.raises(RuntimeError, match="only 'strong_wolfe'"):
        tf.optim.LBFGS([x], line_search_fn="armijo")
    with pytest.raises(ValueError, match="learning rate"):
        tf.optim.LBFGS([x], lr=-1)
