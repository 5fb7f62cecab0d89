"""Variables of differentiation that a jitted function makes itself."""

from __future__ import annotations

import tracefuse as torch
from faithful_rows import Box, on, row, vec
from tracefuse import nn


@row
def a_parameter_assigned():
    m = nn.Linear(3, 2)

    def f(x):
        m.weight = nn.Parameter(m.weight.detach() * 0.5)
        return m(x)

    return on(f, vec(1, 2, 3), seen=[m])


@row
def a_parameter_assigned_and_trained():
    m = nn.Linear(3, 2)

    def f(x):
        m.weight = nn.Parameter(m.weight.detach() * 0.5)
        y = m(x)
        y.sum().backward()
        return y.detach()

    return on(f, vec(1, 2, 3), seen=[m])


@row
def a_parameter_that_appears():
    m = nn.Module()

    def f(x):
        m.p = nn.Parameter(x.detach() * 2)
        return (m.p * m.p * x).sum()

    return on(f, vec(1, 2), seen=[m])


@row
def a_variable_kept_outside():
    kept = Box(p=None)

    def f(x):
        kept.p = (x * 2).detach().requires_grad_()
        return kept.p * x

    return on(f, vec(1, 2), seen=[kept])


@row
def a_variable_that_nobody_keeps():
    def f(x):
        w = torch.ones(2, requires_grad=True)
        return (w * x).sum(), w.detach()

    return on(f, vec(1, 2))


@row
def a_variable_that_is_a_part():
    a, kept = vec(1, 2, 3), Box(p=None)

    def f(x):
        kept.p = a.detach()[1:].requires_grad_()
        return kept.p * x

    return on(f, vec(1, 2), seen=[a, kept])


@row
def a_variable_that_is_a_part_of_what_is_written():
    a, kept = vec(1, 2, 3), Box(p=None)

    def f(x):
        a.add_(1)
        kept.p = a.detach()[1:].requires_grad_()
        return kept.p * x * 2

    return on(f, vec(1, 2), seen=[a, kept])


@row
def a_variable_returned_beside_what_comes_of_it():
    def f(x):
        w = (x * 2).detach().requires_grad_()
        return w, (w * w).sum()

    return on(f, vec(1, 2))
