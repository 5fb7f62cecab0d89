"""Writes, views and identity: a jitted function leaves what the plain one leaves.

Each program is a function of nothing that returns (function, arguments, what to look
at). It is run plain and jitted, several times, and everything is compared: results,
which result is which argument, and what the arguments and captured tensors hold.
"""

from __future__ import annotations

import numpy as np
import pytest
import tracefuse as torch
from tracefuse.api.tensor import Tensor


def same_argument_twice():
    x = torch.arange(4.0)

    def f(a, b):
        a += 1
        return a + b

    return f, (x, x), [x]


def different_arguments():
    x, y = torch.arange(4.0), torch.ones(4)

    def f(a, b):
        a += 1
        return a + b

    return f, (x, y), [x, y]


def overlapping_views():
    x = torch.arange(6.0)

    def f(a, b):
        a.mul_(2)
        b += 10
        return a + b

    return f, (x[:4], x[2:]), [x]


def argument_and_captured_view():
    x = torch.arange(6.0)
    v = x[1:3]

    def f(a):
        a += 1
        before = v * 2
        v.zero_()
        return before, a * 1

    return f, (x,), [x, v]


def captured_base_of_argument():
    x = torch.arange(6.0)

    def f(a):
        a += 1
        return x.sum()

    return f, (x[1:3],), [x]


def returned_input():
    x = torch.arange(3.0)

    def f(a):
        a *= 2
        return a

    return f, (x,), [x]


def returned_view():
    x = torch.arange(6.0).reshape(2, 3)

    def f(a):
        a += 1
        return a.T, a[0], a.reshape(-1)[2:]

    return f, (x,), [x]


def two_equal_results():
    x = torch.arange(3.0)

    def f(a):
        y, z = a + 1, a + 1
        y[0] = 100
        return y, z

    return f, (x,), [x]


def results_that_alias():
    x = torch.arange(6.0)

    def f(a):
        y = a * 2
        v = y.reshape(2, 3)[1]
        v += 5
        return y, v

    return f, (x,), [x]


def assignments():
    x, y = torch.arange(12.0).reshape(3, 4), torch.ones(3, 4)
    z = torch.zeros(3, 4)

    def f(x, y, z):
        x[1, 2] = 17
        z[:] = x + y
        x += y
        x[:, 1:3] *= 2
        x.T[0] = 5
        return x.sum()

    return f, (x, y, z), [x, y, z]


def masks_and_indices():
    x = torch.arange(6.0)
    i = torch.tensor([0, 2, 2])

    def f(x, i):
        x[x > 3] = -1.0
        x[i] += 1
        return x[i]

    return f, (x, i), [x]


def write_through_data():
    x = torch.ones(3, requires_grad=True)

    def f():
        x.data.mul_(2)
        y = (x * x).sum()
        with torch.no_grad():
            x.sub_(1)
        return y.detach()

    return f, (), [x]


def non_contiguous():
    x = torch.arange(12.0).reshape(3, 4).T

    def f(a):
        b = a.reshape(-1)
        b += 1
        c = a.contiguous()
        c += 1
        return b, c, a * 2

    return f, (x,), [x]


PROGRAMS = [
    same_argument_twice,
    different_arguments,
    overlapping_views,
    argument_and_captured_view,
    captured_base_of_argument,
    returned_input,
    returned_view,
    two_equal_results,
    results_that_alias,
    assignments,
    masks_and_indices,
    write_through_data,
    non_contiguous,
]


def leaves(result):
    if isinstance(result, tuple):
        return [t for r in result for t in leaves(r)]
    return [result]


def show(tensors):
    return [t.detach().numpy().copy() for t in tensors if isinstance(t, Tensor)]


def relations(results, args):
    """Which results are which arguments, and who shares memory with whom."""
    everything = [t for t in (*results, *args) if isinstance(t, Tensor)]
    shares = [
        np.shares_memory(a.detach().numpy(), b.detach().numpy())
        for a in everything
        for b in everything
    ]
    return [[r is a for a in args] for r in results], shares


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_jitted_as_plain(program):
    plain, args, seen = program()
    f, jit_args, jit_seen = program()
    jitted = torch.jit(f)
    for call in range(4):
        want, got = leaves(plain(*args)), leaves(jitted(*jit_args))
        for a, b in zip(show(want), show(got)):
            np.testing.assert_allclose(b, a, err_msg=f"result of call {call}")
        for a, b in zip(show(seen), show(jit_seen)):
            np.testing.assert_allclose(b, a, err_msg=f"state after call {call}")
        assert relations(want, args) == relations(got, jit_args), f"call {call}"
    assert jitted.cache_info()["recordings"] <= 2, jitted.explain()


def test_results_are_never_overwritten():
    f = torch.jit(lambda x: x * 2)
    x = torch.ones(1000)
    first = f(x)
    held = [f(torch.full((1000,), float(i))) for i in range(5)]
    assert first.tolist() == [2.0] * 1000
    assert [h[0].item() for h in held] == [0.0, 2.0, 4.0, 6.0, 8.0]


def test_numpy_alias_of_a_parameter_sees_the_step():
    p = torch.ones(3)
    seen = p.numpy()

    @torch.jit
    def step():
        p.sub_(1)

    for _ in range(4):
        step()
    assert seen.tolist() == [-3.0] * 3


def test_two_leaves_of_one_tensor():
    a = torch.ones(3)
    x = a.detach().requires_grad_()
    y = a.detach().requires_grad_()

    @torch.jit
    def f():
        x.grad = y.grad = None
        (x * 2 + y * 3).sum().backward()

    for _ in range(3):
        f()
        assert x.grad.tolist() == [2.0] * 3 and y.grad.tolist() == [3.0] * 3


def test_other_aliasing_is_another_signature():
    @torch.jit
    def f(a, b):
        a += 1
        return a + b

    x, y = torch.zeros(2), torch.zeros(2)
    for _ in range(3):
        assert f(x, y)[0].item() == x[0].item() + 0.0
    for _ in range(3):
        before = x[0].item()
        assert f(x, x)[0].item() == 2 * (before + 1)


def test_reading_does_not_depend_on_who_shares_memory():
    f = torch.jit(lambda a, b: a.sum() * 100 + b.sum())
    x = torch.arange(4.0)
    for _ in range(2):
        assert f(x, x[1:3]).item() == 603.0
        assert f(torch.ones(4), torch.zeros(2)).item() == 400.0
        assert f(x, x[2:4]).item() == 605.0
    assert f.cache_info()["recordings"] == 1


def test_views_shifted_against_each_other_are_another_signature():
    @torch.jit
    def f(a, out):
        out.copy_(a * a)
        return a * 1

    b, c = torch.arange(4.0), torch.arange(4.0)
    for view, target in [(slice(3), slice(1, 4)), (slice(1, 4), slice(3))] * 2:
        got = f(b[view], b[target])
        want = f.__wrapped__(c[view], c[target])
        assert got.tolist() == want.tolist() and b.tolist() == c.tolist()


def test_an_argument_that_views_a_captured_tensor():
    base = torch.arange(6.0)

    @torch.jit
    def f(v):
        base.mul_(2)
        return v * 1

    other = base.clone()
    for part in (slice(0, 2), slice(2, 4), slice(0, 2)):
        other.mul_(2)
        assert f(base[part]).tolist() == other[part].tolist()
    assert f(torch.ones(2)).tolist() == [1.0, 1.0]


def test_views_of_a_variable_as_arguments():
    p = torch.arange(4.0).requires_grad_()
    f = torch.jit(lambda a, b: (a * 2).sum() + (b * 3).sum())
    for first, second in [(slice(0, 2), slice(2, 4)), (slice(2, 4), slice(1, 3))] * 2:
        p.grad = None
        f(p[first], p[second]).backward()
        got, p.grad = p.grad.tolist(), None
        f.__wrapped__(p[first], p[second]).backward()
        assert got == p.grad.tolist()
