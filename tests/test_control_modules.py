"""Loops in modules, training steps, transforms and threads, beside plain Python."""

from __future__ import annotations

import threading

import pytest
import tracefuse as torch
from control_tools import rand
from tracefuse import nn
from tracefuse.tracer.errors import TraceError


class Plain(nn.Module):
    """A small recurrent network, its loop in Python."""

    def __init__(self):
        super().__init__()
        self.given, self.kept = nn.Linear(4, 8), nn.Linear(8, 8)
        self.drop, self.read = nn.Dropout(0.5), nn.Linear(8, 1)

    def step(self, h, x):
        h = self.drop(torch.tanh(self.kept(h) + self.given(x)))
        return h, h

    def forward(self, xs):
        h = torch.zeros(xs.shape[1], 8)
        for t in range(xs.shape[0]):
            h, _ = self.step(h, xs[t])
        return self.read(h)


class Looped(Plain):
    """The same as a scan."""

    def forward(self, xs):
        h, _ = torch.scan(self.step, torch.zeros(xs.shape[1], 8), xs)
        return self.read(h)


def trained(module, wrap):
    """The losses of a few steps."""
    xs, y = rand(6, 2, 4), rand(2, 1, seed=1)
    optimizer = torch.optim.Adam(module.parameters(), lr=0.01)

    def step(xs, y):
        optimizer.zero_grad()
        loss = ((module(xs) - y) ** 2).mean()
        loss.backward()
        optimizer.step()
        return loss

    torch.manual_seed(1)
    step = wrap(step)
    return torch.stack([step(xs, y).detach() for _ in range(4)])


@pytest.mark.parametrize("wrap", [lambda f: f, torch.jit], ids=["eager", "jit"])
def test_training_through_a_scan_with_dropout(wrap):
    torch.manual_seed(0)
    plain, looped = Plain(), Looped()
    looped.load_state_dict(plain.state_dict())
    wanted = trained(plain, lambda f: f)
    assert torch.allclose(trained(looped, wrap), wanted, rtol=1e-5)


def test_a_traced_module_draws_as_the_plain_one():
    torch.manual_seed(0)
    plain, looped, xs = Plain(), Looped(), rand(6, 2, 4)
    looped.load_state_dict(plain.state_dict())
    program = torch.jit.trace(looped, (xs,))
    for _ in range(2):
        torch.manual_seed(5)
        wanted = plain(xs)
        torch.manual_seed(5)
        assert torch.allclose(program(xs), wanted, atol=1e-6)


def test_buffers_have_to_be_carried():
    norm, xs = nn.BatchNorm1d(4), rand(3, 2, 4)
    before = norm.running_mean.clone()
    with pytest.raises(TraceError, match="Carry the tensor"):
        torch.scan(lambda c, x: (c, norm(x)), 0, xs)
    assert torch.equal(norm.running_mean, before)


def test_grad_mode_is_that_of_the_caller():
    w = rand(3).requires_grad_()
    loop = lambda: torch.fori_loop(0, 2, lambda i, c: c * w, rand(3))  # noqa: E731
    assert loop().requires_grad
    with torch.no_grad():
        assert not loop().requires_grad

    def inside(i, c):
        with torch.no_grad():
            return c * w

    assert not torch.fori_loop(0, 2, inside, rand(3)).requires_grad


def test_gradients_inside_of_steps():
    def descent(w):
        slope = torch.grad(lambda w: (w**4).sum())
        w, _ = torch.scan(lambda w, _: (w - 0.1 * slope(w), None), w, length=3)
        return (w * w).sum()

    def plain(w):
        for _ in range(3):
            w = w - 0.4 * w**3
        return (w * w).sum()

    def backward(w):
        def step(w, _):
            v = w.detach().requires_grad_()
            (v * v).sum().backward()
            return w - 0.1 * v.grad, None

        return torch.scan(step, w, length=3)[0]

    w = rand(3) * 0.5
    assert torch.allclose(torch.grad(descent)(w), torch.grad(plain)(w), atol=1e-6)
    assert torch.allclose(backward(w), w * 0.8**3)


def test_jitted_functions_inside_and_many_threads():
    inner = torch.jit(lambda h: torch.sin(h) * 2)
    f = torch.jit(lambda h: torch.fori_loop(0, 50, lambda i, h: inner(h) + i, h))
    wanted, found = f(rand(3)), []
    calls = [
        threading.Thread(target=lambda: found.extend(f(rand(3)) for _ in range(20)))
        for _ in range(4)
    ]
    for call in calls:
        call.start()
    for call in calls:
        call.join()
    assert len(found) == 80 and all(torch.equal(x, wanted) for x in found)


def test_numbers_of_python_and_steps_that_change():
    f = torch.jit(lambda n, a, x: torch.fori_loop(0, n, lambda i, c: c * a + i, x))
    for n, a in [(3, 0.5), (3, 1.5), (5, 2.5), (0, 0.5)]:
        wanted = rand(2)
        for i in range(n):
            wanted = wanted * a + i
        assert torch.allclose(f(n, a, rand(2)), wanted)


def test_vmap_of_random_steps():
    def walk(x):
        return torch.scan(lambda c, _: (c + torch.rand(2), None), x, length=3)[0]

    found = torch.vmap(walk, randomness="same")(torch.zeros(4, 2))
    assert all(torch.equal(row, found[0]) for row in found)
    found = torch.vmap(walk, randomness="different")(torch.zeros(4, 2))
    assert len({*found.reshape(-1).tolist()}) == 8
