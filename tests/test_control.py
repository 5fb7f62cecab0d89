"""Loops and branches against plain Python: eager, jitted, traced, saved and loaded."""

from __future__ import annotations

import pytest
import tracefuse as torch
import tracefuse.func as func
from control_tools import check, each_way, rand

# -- scan

W = rand(3, 3, seed=5)


def cell(h, x):
    h = torch.tanh(W @ h + x)
    return h, {"twice": h * 2, "none": None}


def cells(h, xs, order=1):
    ys = []
    for t in range(len(xs))[::order]:
        h, y = cell(h, xs[t])
        ys.append(y["twice"])
    return h, torch.stack(ys[::order])


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("n", [1, 4, 5])
def test_scan_folds_and_stacks(n, order):
    def f(h, xs):
        return torch.scan(cell, h, xs, reverse=order < 0)

    check(f, lambda h, xs: cells(h, xs, order), rand(3), rand(n, 3, seed=1))


def test_scan_of_nothing_returns_the_carry():
    h, xs = rand(3), rand(0, 3)
    for result in each_way(lambda h, xs: torch.scan(cell, h, xs), h, xs):
        assert torch.equal(result[0], h) and result[0] is not h
        assert result[1]["twice"].shape == (0, 3) and result[1]["none"] is None


def test_scan_without_rows_and_of_nested_rows():
    def f(a, pairs):
        def step(carry, pair):
            total, count = carry
            return [total + pair["x"] * pair["y"], count + 1], None

        (total, count), none = torch.scan(step, [a, 0], pairs)
        steps = torch.scan(lambda n, _: (n + 1, n), 0, length=3)
        return total, count, steps, none

    def plain(a, pairs):
        total = a + (pairs["x"] * pairs["y"]).sum(0)
        return total, torch.tensor(4), (torch.tensor(3), torch.arange(3))

    check(f, plain, rand(2), {"x": rand(4, 2), "y": rand(4, 1, seed=3)})


def test_a_carry_that_swaps_places():
    def f(a, b):
        return torch.scan(lambda c, _: ((c[1], c[0] + c[1]), c[0]), (a, b), length=7)

    def plain(a, b):
        ys = []
        for _ in range(7):
            ys.append(a)
            a, b = b, a + b
        return (a, b), torch.stack(ys)

    check(f, plain, rand(2), rand(2, seed=1))


def test_a_number_in_the_carry_takes_the_type_it_meets():
    total, _ = torch.scan(lambda c, x: (c + x, None), 0, rand(3))
    assert total.dtype is torch.float32
    assert torch.scan(lambda c, x: (1, None), rand(1)[0], rand(2))[0].item() == 1.0


def test_nested_loops_with_what_they_read_of_each_other():
    def f(x, m):
        def outer(c, row):
            inner = lambda d, y: (d * 0.5 + y * c.sum(), d)  # noqa: E731
            d, ds = torch.scan(inner, c + m.sum(), row)
            return torch.fori_loop(0, 3, lambda i, v: v * 0.5 + d * i, c), ds

        return torch.scan(outer, x, m)

    def plain(x, m):
        c, all_ds = x, []
        for row in m:
            d, ds = c + m.sum(), []
            for y in row:
                ds.append(d)
                d = d * 0.5 + y * c.sum()
            for i in range(3):
                c = c * 0.5 + d * i
            all_ds.append(torch.stack(ds))
        return c, torch.stack(all_ds)

    check(f, plain, rand(2), rand(3, 4, seed=2))


# -- while_loop, fori_loop


def collatz(n):
    def step(c):
        n, steps = c
        return torch.where(n % 2 == 0, n // 2, 3 * n + 1), steps + 1

    return torch.while_loop(lambda c: c[0] != 1, step, (n, 0))[1]


def plain_collatz(n):
    n, steps = n.item(), 0
    while n != 1:
        n, steps = n // 2 if n % 2 == 0 else 3 * n + 1, steps + 1
    return torch.tensor(steps)


@pytest.mark.parametrize("n", [1, 6, 27])
def test_while_runs_as_long_as_the_numbers_say(n):
    check(collatz, plain_collatz, torch.tensor(n))


def test_one_program_serves_any_number_of_steps():
    jitted = torch.jit(collatz)
    for n in (27, 1, 6):
        assert jitted(torch.tensor(n)).item() == plain_collatz(torch.tensor(n)).item()
    assert jitted.cache_info()["recordings"] == 1


def test_torchs_names_of_the_arguments():
    a, b = torch.while_loop(
        cond_fn=lambda i, x: i < 3,
        body_fn=lambda i, x: (i + 1, x * 2),
        carried_inputs=(torch.tensor(0), torch.ones(2)),
    )
    assert a.item() == 3 and b.tolist() == [8.0, 8.0]
    x = torch.tensor([1.0])
    got = torch.cond(x.sum() > 0, true_fn=torch.sin, false_fn=torch.cos, operands=(x,))
    assert torch.equal(got, x.sin())


def test_fori_loop_with_bounds_of_every_kind():
    body = lambda i, c: c * 0.5 + i  # noqa: E731

    def plain(a, b, c):
        for i in range(int(a), int(b)):
            c = c * 0.5 + i
        return c

    for a, b in [(0, 4), (-2, 3), (3, 3), (4, 2)]:
        wanted = plain(a, b, rand(2))
        numbers = torch.fori_loop(a, b, body, rand(2))
        assert torch.allclose(numbers, wanted)
        bounds = torch.tensor(a), torch.tensor(b)
        assert torch.allclose(torch.fori_loop(*bounds, body, rand(2)), wanted)
        f = lambda a, b, c: torch.fori_loop(a, b, body, c)  # noqa: E731
        check(f, plain, *bounds, rand(2))


def test_a_program_loops_as_often_as_its_arguments_say():
    x = torch.tensor(2.0)
    program = torch.jit.trace(
        lambda n, x: torch.fori_loop(0, n, lambda i, x: x * x, x), (torch.tensor(1), x)
    )
    assert program(torch.tensor(3), x).item() == 256.0
    assert program(torch.tensor(0), x).item() == 2.0


def test_ten_thousand_steps():
    f = torch.jit(lambda x: torch.while_loop(lambda x: x < 1e4, lambda x: x + 1, x))
    assert f(torch.tensor(0.0)).item() == 10_000


# -- cond, switch


def test_cond_takes_one_of_two_ways():
    def f(x):
        twice = lambda x: {"y": torch.tanh(W @ x), "n": 1}  # noqa: E731
        return torch.cond(x.sum() > 0, twice, lambda x: {"y": -x, "n": 0.5}, x)

    def plain(x):
        first = x.sum().item() > 0
        y, n = (torch.tanh(W @ x), 1.0) if first else (-x, 0.5)
        return [y, torch.tensor(n)]

    x = torch.tensor([1.0, 2.0, -0.5])
    jitted, program = torch.jit(f), torch.jit.trace(f, (x,))
    for x in (x, -x):  # noqa: B020
        for g in (jitted, program):
            for a, b in zip(g(x).values(), plain(x)):
                assert torch.allclose(a, b)
    assert jitted.cache_info()["recordings"] == 1


def test_eager_code_runs_the_chosen_branch_only():
    ran = []
    torch.cond(torch.tensor(True), lambda: ran.append(1), lambda: ran.append(2))
    assert ran == [1]


def test_a_branch_not_taken_computes_nothing():
    def f(x):
        return torch.cond(x.sum() > 0, lambda: (x @ x) * W, lambda: W)

    graph = torch.jit(f).lower(rand(3)).graph
    assert not any(v.op == "dot" for v in graph.nodes())


def test_switch_clamps_the_index():
    fs = [lambda x: x, lambda x: x * 2, torch.sin]
    jitted = torch.jit(lambda i, x: torch.switch(i, fs, x))
    x = rand(3)
    for i, at in [(-3, 0), (0, 0), (1, 1), (2, 2), (7, 2)]:
        for result in (
            jitted(torch.tensor(i), x),
            torch.switch(torch.tensor(i), fs, x),
            torch.switch(i, fs, x),
        ):
            assert torch.allclose(result, fs[at](x))
    assert jitted.cache_info()["recordings"] == 1


def test_map_and_associative_scan():
    check(
        lambda x: func.map(lambda row: (row.sum(), row * 2), x),
        lambda x: (x.sum(1), x * 2),
        rand(4, 3),
    )
    for n in (1, 2, 3, 8, 13):
        x = rand(2, n)
        check(
            lambda x: torch.associative_scan(torch.add, x, axis=1),
            lambda x: x.cumsum(1),
            x,
        )
        back = torch.associative_scan(torch.mul, x, reverse=True, axis=1)
        assert torch.allclose(back, x.flip(1).cumprod(1).flip(1))
