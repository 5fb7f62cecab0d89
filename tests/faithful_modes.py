"""Grad mode, dtypes, autocast, random numbers, and state kept by a program."""

from __future__ import annotations

import random

import numpy as np
import tracefuse as torch
from faithful_rows import Box, pos, row, vec
from tracefuse import nn


@row(saved=True)
def grad_mode_around_the_call():
    w = vec(1, 2, 3).requires_grad_()
    flip = lambda: torch.set_grad_enabled(not torch.is_grad_enabled())
    return (lambda x: w * x), [pos(), flip, pos(), flip, pos()]


@row(saved=True)
def grad_mode_inside():
    w = vec(1, 2, 3).requires_grad_()

    def f(x):
        with torch.no_grad():
            y = w * x
        return y, w * y, torch.is_grad_enabled()

    return f, [pos()]


@row
def grad_mode_read():
    flip = lambda: torch.set_grad_enabled(not torch.is_grad_enabled())
    f = lambda x: x * (2 if torch.is_grad_enabled() else 3)
    return f, [pos(), flip, pos(), flip, pos()]


@row
def the_default_dtype():
    def flip():
        double = torch.get_default_dtype() is torch.float64
        torch.set_default_dtype(torch.float32 if double else torch.float64)

    return (lambda x: torch.ones(3) * 0.1 + x), [pos(), flip, pos(), flip, pos()]


@row(saved=True)
def autocast_around_the_call():
    w = torch.arange(9.0).reshape(3, 3)

    def f(x, on):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=on):
            return (x @ w).dtype, x @ w

    return f, [(torch.eye(3), on) for on in (False, True, False)]


@row(saved=True)
def draws_are_those_of_eager():
    f = lambda x: (torch.rand(3) + x, torch.randn(2), torch.randperm(4))
    return f, [pos(), lambda: torch.manual_seed(3), pos(), pos()]


@row
def draws_from_a_generator():
    g = torch.Generator().manual_seed(5)
    f = lambda x: x + torch.rand(3, generator=g)
    return f, [pos(), lambda: g.manual_seed(5), pos()], g


@row(saved=True)
def the_state_of_the_generator():
    c = Box(kept=torch.get_rng_state())

    def restore():
        torch.set_rng_state(c.kept)

    return (lambda x: x + torch.rand(3)), [pos(), restore, pos(), restore, pos()]


@row(saved="has no recording to save")
def a_fork_of_the_generator():
    def f(x):
        with torch.random.fork_rng():
            a = torch.rand(3)
        return a + x, torch.rand(3)

    return f, [pos(), pos()]


@row(saved="has no recording to save")
def a_seed_inside():
    def f(x, seed):
        torch.manual_seed(seed)
        return x + torch.rand(3)

    return f, [(vec(1, 1, 1), s) for s in (1, 2, 1)]


@row(saved=True)
def draws_under_a_branch():
    f = lambda x: x + torch.rand(3) if x.sum() > 0 else x
    return f, [pos(), (vec(-1, -1, -1),), pos()]


@row(saved="has no recording to save")
def draws_of_numpy():
    rng = np.random.default_rng(3)
    return (lambda x: x * rng.random()), [pos(), pos()]


@row(saved="has no recording to save")
def draws_of_python():
    rng = random.Random(3)
    return (lambda x: x * rng.random()), [pos(), pos()]


@row
def exponential_moving_average():
    m, average = nn.Linear(3, 2), nn.Linear(3, 2)

    def f(decay):
        with torch.no_grad():
            for a, p in zip(average.parameters(), m.parameters()):
                a.mul_(decay).add_(p, alpha=1 - decay)
                p.add_(1)

    return f, [(k,) for k in (0.9, 0.99, 0.9)], m, average


@row
def a_recurrent_state_kept():
    c = Box(h=torch.zeros(2))
    cell = nn.Linear(5, 2)

    def f(x):
        c.h = torch.tanh(cell(torch.cat([x, c.h]))).detach()
        return c.h

    reset = lambda: setattr(c, "h", torch.zeros(2))
    return f, [pos(), pos(), reset, pos()], c
