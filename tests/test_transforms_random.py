"""Random programs: vmap beside a loop, and every derivative beside every other."""

from __future__ import annotations

import numpy as np
import pytest
import tracefuse as torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tracefuse.func import grad, jacfwd, jacrev, jvp, vmap
from transform_tools import close, draw

W = draw(3, 3, seed=11)
ORDER = torch.tensor([2, 0, 0])


def put(x, y):
    x = x * 1
    x[0] = y[1]
    x[1:] += y[:2]
    return x


def view_of_view(x, y):
    z = x * y
    z.reshape(3, 1)[1:].view(-1).mul_(2.0)
    return z


def masked(x, y):
    z = x + 0.0
    z[torch.tensor([True, False, True])] = y[:2]
    return z


STEPS = [
    lambda x, y: x + y,
    lambda x, y: x * y - 1,
    lambda x, y: torch.tanh(x @ W) + y,
    lambda x, y: torch.where(x > y, x * x, y),
    lambda x, y: x[ORDER] * y.flip(0),
    lambda x, y: torch.cumsum(x, 0) / (1 + y * y),
    lambda x, y: torch.softmax(x, 0) - y.mean(),
    lambda x, y: torch.outer(x, y).sum(0).sin(),
    lambda x, y: torch.cat([y[1:], x[:1]]),
    lambda x, y: torch.zeros(3, dtype=x.dtype).index_add_(0, ORDER, x * y),
    lambda x, y: x.gather(0, y.argsort()),
    lambda x, y: x - vmap(torch.dot, in_axes=(0, None))(torch.outer(x, x), y),
    lambda x, y: x + grad(lambda z: (torch.sin(z) * y).sum())(x),
    lambda x, y: (x.unsqueeze(0) @ W @ y.unsqueeze(1)).squeeze() * x.sign(),
    put,
    view_of_view,
    masked,
]
PROGRAMS = st.lists(
    st.tuples(st.sampled_from(range(len(STEPS))), st.integers(0, 9), st.integers(0, 9)),
    min_size=1,
    max_size=7,
)


def program(plan):
    """A function of two vectors: each step takes two of the results before it."""

    def f(x, y):
        made = [x, y]
        for step, a, b in plan:
            made.append(STEPS[step](made[a % len(made)], made[b % len(made)]))
        return made[-1]

    return f


@settings(max_examples=60, deadline=None)
@given(PROGRAMS, st.sampled_from([(0, 0), (0, None), (None, 0), (1, 0), (0, 1)]))
def test_vmap_beside_a_loop(plan, axes):
    f = program(plan)
    given = [draw(3) if a is None else draw(3, 3, seed=k) for k, a in enumerate(axes)]
    rows = [
        [x] * 3 if a is None else list(x.T if a else x) for x, a in zip(given, axes)
    ]
    loop = np.stack([f(x, y).numpy() for x, y in zip(*rows)])
    for run in (vmap(f, axes), torch.jit(vmap(f, axes)), vmap(f, axes, chunk_size=2)):
        close(run(*given), loop, 1e-7)


@settings(max_examples=40, deadline=None)
@given(PROGRAMS)
def test_derivatives_beside_each_other(plan):
    f, x, y = program(plan), draw(3), draw(3, seed=1)
    at = lambda x: f(x, y)
    matrix = jacrev(at)(x)
    close(jacfwd(at)(x), matrix, 1e-7)
    close(torch.jit(jacfwd(at))(x), matrix, 1e-7)
    t = draw(3, seed=2)
    close(jvp(at, (x,), (t,))[1], matrix.numpy() @ t.numpy(), 1e-7)
    xs, ys = draw(2, 3, seed=3), draw(2, 3, seed=4)
    weigh = lambda g: lambda xs: (g(xs, ys) * torch.sin(xs)).sum()
    loop = lambda xs, ys: torch.stack([f(x, y) for x, y in zip(xs, ys)])
    close(grad(weigh(vmap(f)))(xs), grad(weigh(loop))(xs), 1e-7)


# -- random numbers in loops and branches


def in_scan(x):
    return torch.scan(lambda c, _: (c + 1, torch.rand(3)), x, None, length=4)[1]


def in_while(x):
    step = lambda c: (c[0] + 1, torch.cat([c[1][1:], torch.rand(1)]))
    return torch.while_loop(lambda c: c[0] < 4, step, (x * 0, torch.zeros(4)))[1]


def until_its_own_end(x):
    step = lambda c: (c[0] + 1, torch.cat([c[1][1:], torch.rand(1)]))
    return torch.while_loop(lambda c: c[0] < 4, step, (x - x.floor(), torch.zeros(4)))[
        1
    ]


def in_fori(x):
    return torch.fori_loop(
        0, 3, lambda i, c: torch.cat([c[2:], torch.randn(2)]), x * W[0]
    )


def in_cond(x):
    return torch.cond(x > 0.5, lambda: torch.rand(2), lambda: -torch.rand(2))


def in_a_loop_in_a_loop(x):
    inner = lambda c, _: (c, torch.rand(2) + torch.rand(2))
    return torch.scan(
        lambda c, _: torch.scan(inner, c, None, length=2), x, None, length=3
    )[1]


def before_and_after(x):
    return torch.cat([torch.rand(3), in_scan(x).reshape(-1), torch.rand(2)])


LOOPS = [in_scan, in_while, until_its_own_end, in_fori, in_cond, in_a_loop_in_a_loop]
LOOPS += [before_and_after]


def drawn(f, xs, **kind):
    """What is drawn, and what comes next, eager and jitted alike."""
    found = []
    for wrap in (lambda f: f, torch.jit):
        torch.manual_seed(3)
        made = wrap(vmap(f, **kind))(xs)
        found.append([made.tolist(), torch.rand(5).tolist()])
    assert found[0] == found[1]
    return [np.array(each) for each in found[0]]


@pytest.mark.parametrize("f", LOOPS)
def test_draws_in_loops_differ_by_example(f):
    made, after = drawn(f, torch.linspace(0, 1, 4), randomness="different")
    own = [*np.abs(made).ravel(), *after]
    assert len(set(own)) == len(own)  # nothing is drawn twice
    again, _ = drawn(f, torch.linspace(0, 1, 4), randomness="different", chunk_size=3)
    np.testing.assert_array_equal(made, again)


@pytest.mark.parametrize("f", LOOPS)
def test_draws_in_loops_are_the_same_for_all(f):
    made, after = drawn(f, torch.zeros(3), randomness="same")
    assert (made == made[0]).all()
    torch.manual_seed(3)
    np.testing.assert_array_equal(f(torch.zeros(())).numpy(), made[0])
    np.testing.assert_array_equal(torch.rand(5).tolist(), after)


def test_draws_in_loops_in_two_vmaps():
    xs = torch.zeros(2, 3)
    inner = vmap(in_scan, randomness="different")
    made, _ = drawn(inner, xs, randomness="different")
    assert made.shape == (2, 3, 4, 3) and len(set(made.ravel())) == made.size
    made, _ = drawn(inner, xs, randomness="same")
    assert (made[0] == made[1]).all() and len(set(made[0].ravel())) == made[0].size


def test_gradients_through_draws_in_loops():
    def f(x):
        step = lambda c, _: (c * torch.rand(()), c)
        return torch.scan(step, x, None, length=3)[0]

    def loss(xs):
        return vmap(f, randomness="different")(xs).sum()

    xs = torch.ones(3)
    torch.manual_seed(3)
    slopes = grad(loss)(xs)
    torch.manual_seed(3)
    close(slopes, vmap(f, randomness="different")(xs).numpy(), 1e-6)
    assert len(set(slopes.tolist())) == 3
