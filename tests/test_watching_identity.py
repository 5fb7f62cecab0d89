"""jit: an argument that becomes, or is no more, a tensor that the function captured."""

from __future__ import annotations

import pytest
import tracefuse as torch

ROWS = {}


def row(make):
    """Register `make(w) -> function` that captures the tensor `w`."""
    ROWS[make.__name__] = make
    return make


class Box:
    def __init__(self, **given):
        vars(self).update(given)


@row
def compared_by_is(w):
    return lambda x: x * 2 if x is w else x * 3


@row
def compared_by_is_not(w):
    box = Box(w=w)
    return lambda x: (x * 2 if x is not box.w else x * 3) + box.w


@row
def among_the_items_of_a_list(w):
    some = [torch.zeros(3), w]
    return lambda x: x * (2 if any(x is t for t in some) else 5)


@row
def compared_by_id(w):
    return lambda x: x * (2 if id(x) == id(w) else 5)


@row
def the_key_of_a_dict(w):
    factors = {w: 2.0}
    return lambda x: x * factors.get(x, 7.0)


@row
def compared_to_what_is_kept(w):
    kept = [w, w]

    def f(x):
        return x * (2 if x is kept[0] else 3)

    return f


@pytest.mark.parametrize("name", ROWS)
def test_identity_is_asked_at_each_call(name):
    w, other = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, 2.0, 3.0])
    f = ROWS[name](w)
    fast = torch.jit(f)
    for x in (other, other, w, w, other, torch.ones(3), w, other):
        assert fast(x).tolist() == f(x).tolist(), fast.explain()
    assert fast.cache_info()["recordings"] <= 2, fast.explain()


def test_a_variable_that_is_also_captured():
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    other = torch.tensor([1.0, 2.0], requires_grad=True)

    @torch.jit
    def step(x):
        (x * w).sum().backward()

    for x in (other, other, w, w, other, w):
        w.grad = other.grad = None
        step(x)
        want = [2.0, 4.0] if x is w else [1.0, 2.0]
        assert w.grad.tolist() == want, step.explain()
        assert other.grad is None or x is other


def test_code_that_compares_nothing_pays_nothing():
    w, fast = torch.ones(3), torch.jit(lambda x: x * w if w is not None else x)
    assert fast(torch.ones(3)).tolist() == [1, 1, 1]
    assert "id(" not in fast._all()[0].source
