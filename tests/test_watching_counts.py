"""jit: an int read from a tensor is followed: one recording, whatever it is."""

from __future__ import annotations

import pytest
import tracefuse as torch

FOLLOWED = {
    "handed out": lambda n, x: n,
    "counted": lambda n, x: n + 1,
    "compared with a size": lambda n, x: n / len(x),
    "twice": lambda n, x: n * 2 - n,
    "negative": lambda n, x: -n,
    "absolute": lambda n, x: abs(n - 3),
    "rounded": lambda n, x: round(n),
    "times a float": lambda n, x: n * 0.5,
    "beside floats": lambda n, x: x * n,
    "beside ints": lambda n, x: x.long() + n,
    "dividing": lambda n, x: x / (n + 1),
    "halved": lambda n, x: x.long() // (n + 1),
    "as a tensor": lambda n, x: torch.tensor(n) + torch.tensor([n, 1]),
    "filling": lambda n, x: torch.full((2,), n),
    "a power of a tensor": lambda n, x: x**2 * n,
    "summed": lambda n, x: sum([n, n, 1]),
    "beside a float of a tensor": lambda n, x: n + x.sum().item(),
    "where": lambda n, x: torch.where(x > n, x, n),
}
GUARDED = {
    "an index": lambda n, x: x[n],
    "a bound": lambda n, x: x[:n],
    "a size": lambda n, x: torch.zeros(n),
    "text": lambda n, x: f"{n} {n:3d}",
    "bits": lambda n, x: n & 3,
    "a remainder": lambda n, x: (n % 3, n // 2, n**2),
    "a float": lambda n, x: float(n),
    "an int": lambda n, x: int(n),
    "a range": lambda n, x: sum(x[i] for i in range(n)),
    "a key": lambda n, x: {1: 2}.get(n, 5),
}


def shown(result):
    if isinstance(result, torch.Tensor):
        return result.dtype, result.tolist()
    return type(result), result


def check(read, f):
    fast = torch.jit(lambda c, x: f(read(c), x))
    x = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])
    for n in (1, 3, 2, 4, 3, 1, 0, 2):
        c = torch.arange(5) < n
        assert shown(fast(c, x)) == shown(f(n, x)), fast.explain()
    return fast.cache_info()["recordings"]


@pytest.mark.parametrize("name", FOLLOWED)
def test_the_number_of_a_count_is_followed(name):
    assert check(lambda c: c.sum().item(), FOLLOWED[name]) == 1


@pytest.mark.parametrize("name", FOLLOWED)
def test_an_int_of_which_nothing_is_known_is_followed(name):
    assert check(lambda c: c.long().cumsum(0).max().item(), FOLLOWED[name]) <= 2


@pytest.mark.parametrize("name", GUARDED)
def test_what_needs_the_very_number_is_guarded(name):
    assert check(lambda c: c.sum().item(), GUARDED[name]) <= 6


def test_it_decides():
    f = lambda n, x: x * 2 if n > 2 else x * 3
    assert check(lambda c: c.sum().item(), f) == 2


def test_a_running_total():
    total = [0]

    def f(c):
        n = c.sum().item()
        total[0] += n
        return n / c.numel()

    fast = torch.jit(f)
    for n in (1, 3, 2, 4, 3):
        assert fast(torch.arange(5) < n) == n / 5
    assert total == [13] and type(total[0]) is int
    assert fast.cache_info()["recordings"] <= 3, fast.explain()


@pytest.mark.parametrize("n", [2**62, -(2**62), 2**63 - 1, -(2**63), 3])
@pytest.mark.parametrize(
    "f",
    [
        lambda n: n + n,
        lambda n: n * n,
        lambda n: n * 2**50,
        lambda n: -n,
        lambda n: abs(n),
        lambda n: n + 1.0,
        lambda n: n / 3,
        lambda n: n > 2**62 - 1,
        lambda n: n * 2**40 * 2**40,
    ],
)
def test_ints_have_no_end(f, n):
    fast, t = torch.jit(lambda t: f(t.item())), torch.tensor(n)
    for _ in range(2):
        got = fast(t)
        assert got == f(n) and type(got) is type(f(n))
        assert fast(torch.tensor(5)) == f(5)
