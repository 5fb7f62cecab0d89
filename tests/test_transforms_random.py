"""Random programs: vmap beside a loop, and every derivative beside every other."""

from __future__ import annotations

import numpy as np
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
