"""jit: tensors that a function puts into plain places are put there at every call."""

from __future__ import annotations

import pytest
import tracefuse as torch

ROWS = {}


def row(make):
    """Register `make() -> (function, what to look at)`."""
    ROWS[make.__name__] = make
    return make


class Box:
    def __init__(self, **given):
        vars(self).update(given)


class Slots:
    __slots__ = ("h",)


@row
def a_new_item_of_a_dict():
    cache = {}

    def f(x):
        cache["k"] = x * 2
        return cache["k"] + 1

    return f, lambda: cache["k"]


@row
def an_item_that_is_read_before():
    cache = {"k": torch.zeros(3)}

    def f(x):
        cache["k"] = cache["k"] * 0.5 + x
        return cache["k"]

    return f, lambda: cache["k"]


@row
def an_attribute():
    box = Box(h=torch.zeros(3))

    def f(x):
        old, box.h = box.h, box.h * 0.5 + x
        return old, box.h.sum()

    return f, lambda: box.h


@row
def a_slot():
    box = Slots()
    box.h = torch.zeros(3)

    def f(x):
        box.h = box.h * 0.5 + x
        return box.h * 1

    return f, lambda: box.h


@row
def an_item_of_a_list():
    items = [torch.zeros(3), torch.ones(3)]

    def f(x):
        items[0], items[1] = items[1], items[0] + x
        return items[0] * 2

    return f, lambda: items[0] + 10 * items[1]


@row
def a_cell():
    h = torch.zeros(3)

    def f(x):
        nonlocal h
        h = h * 0.5 + x
        return h * 1

    return f, lambda: h


@row
def an_argument_that_is_kept():
    box = Box(last=torch.zeros(3))

    def f(x):
        change = x - box.last
        box.last = x
        return change

    return f, lambda: box.last


@row
def a_view_that_is_kept():
    box = Box(last=torch.zeros(2))

    def f(x):
        y = x * 2
        box.last = y[:2] + box.last
        return y

    return f, lambda: box.last


@row
def assigned_in_one_way_only():
    box = Box(best=torch.zeros(3))

    def f(x):
        if x.sum() > box.best.sum():
            box.best = x * 1
        return box.best * 2

    return f, lambda: box.best


@row
def read_in_one_way_only():
    box = Box(h=torch.zeros(3))

    def f(x):
        if x.sum() > 9:
            return box.h * 2
        box.h = box.h + x
        return x * 1

    return f, lambda: box.h


def shown(x):
    if isinstance(x, tuple):
        return [shown(y) for y in x]
    return x.tolist()


@pytest.mark.parametrize("name", ROWS)
def test_a_tensor_is_assigned_at_every_call(name):
    (plain, want), (recorded, got) = ROWS[name](), ROWS[name]()
    fast = torch.jit(recorded)
    for k in (1, 2, 1, 3, 2, 1, 0, 4, 1, 2, 5, 1):
        x = torch.tensor([1.0, 2.0, 0.5]) * k
        assert shown(fast(x)) == shown(plain(x)), fast.explain()
        assert shown(got()) == shown(want()), fast.explain()
    assert fast.cache_info()["recordings"] <= 5, fast.explain()


def kept():
    box = Box(h=torch.zeros(3))

    def f(x):
        box.h = box.h + x
        return box.h * 2

    return box, torch.jit(f)


def test_what_stands_there_is_looked_at():
    box, fast = kept()
    x = torch.ones(3)
    for _ in range(3):
        fast(x)
    box.h = torch.tensor([5.0, 6.0, 7.0])
    assert fast(x).tolist() == [12, 14, 16]
    assert fast.cache_info()["recordings"] == 2
    box.h = 1.0
    assert fast(x).tolist() == [4, 4, 4]
    box.h = torch.zeros(1)
    assert fast(x).tolist() == [2, 2, 2]
    box.h = torch.zeros(3, dtype=torch.float64)
    assert fast(x).dtype is torch.float64


def test_each_result_is_its_own():
    box, fast = kept()
    x = torch.ones(3)
    held = []
    for _ in range(4):
        fast(x)
        held.append(box.h)
    assert [t[0].item() for t in held] == [1, 2, 3, 4]


def test_gradients_flow_through_what_is_kept():
    w = torch.ones(2, requires_grad=True)
    box = Box(h=torch.zeros(2))

    @torch.jit
    def f(x):
        box.h = x * w
        return box.h.sum()

    for k in (1.0, 2.0, 3.0):
        w.grad = None
        f(torch.full((2,), k))
        (box.h * 2).sum().backward()
        assert w.grad.tolist() == [2 * k, 2 * k]
    assert f.cache_info()["recordings"] == 2


def test_a_place_that_is_assigned_to_keeps_up_with_changing_sizes():
    box = Box()
    box.h = torch.zeros(1)

    @torch.jit
    def step(x):
        t = x * 2
        box.h = t
        return t

    for n in (2, 4, 3, 5, 3, 4, 6):
        x = torch.rand(n, 2)
        assert step(x) is box.h
        assert torch.equal(box.h, x * 2)
    assert step.cache_info()["recordings"] < 7


def test_a_place_that_is_read_and_then_assigned_to():
    box = Box()
    box.h = torch.zeros(1)

    @torch.jit
    def step(x):
        box.h = box.h.sum() + x
        return box.h

    total = 0.0
    for n in (2, 2, 3, 3, 4, 2, 5, 2):
        step(torch.ones(n))
        total = total + 1
        assert box.h.tolist() == [total] * n
        total *= n


@pytest.mark.parametrize("kind", ["cell", "list", "tuple"])
def test_a_place_may_hold_a_tensor_that_is_captured_too(kind):
    box, w = Box(), torch.ones(3)
    several = [w] if kind == "list" else ((w,),)

    @torch.jit
    def step(x):
        other = w if kind == "cell" else several[0]
        other = other[0] if kind == "tuple" else other
        total = (box.h * other).sum() + x.sum()
        box.h = box.h + 1
        return total

    box.h = w * 5
    assert [step(torch.zeros(1)).item() for _ in range(3)] == [15.0, 18.0, 21.0]
    for _ in range(3):  # recorded anew, while one tensor is in both places
        box.h = w
        assert step(torch.zeros(1, 1)).item() == 3.0
    assert [step(torch.zeros(1, 1)).item() for _ in range(3)] == [6.0, 9.0, 12.0]
    assert w.tolist() == [1, 1, 1]


class Trainer:
    """Its caller puts each batch where `step` finds it."""

    def __init__(self):
        self.weight = torch.ones(3)

    def step(self):
        return (self.batch * self.weight).sum()


def test_a_place_that_the_caller_fills_is_read_at_every_call():
    trainer = Trainer()
    step = torch.jit(trainer.step)
    for k in range(6):
        trainer.batch = torch.full((3,), float(k))
        assert step().item() == 3.0 * k
    assert step.cache_info()["recordings"] == 2
    for other in torch.ones(1), torch.ones(2, 3), torch.ones(6)[::2], 2.0:
        trainer.batch = other
        assert step().item() == trainer.step().item()


def test_a_place_that_the_caller_fills_with_several():
    box, weight = Box(), torch.nn.Parameter(torch.ones(3))

    @torch.jit
    def step():
        x, y = box.batch
        loss = (weight * x - y).sum()
        box.loss = loss.detach()
        return loss

    for k in range(6):
        box.batch = torch.full((3,), float(k)), torch.ones(3)
        assert step().item() == box.loss.item() == 3.0 * k - 3
    assert step.cache_info()["recordings"] <= 3


def test_a_place_that_the_caller_fills_with_what_is_captured():
    trainer = Trainer()
    step = torch.jit(trainer.step)
    for k in (5.0, 5.0, None, 5.0, None, 7.0):
        trainer.batch = trainer.weight if k is None else torch.full((3,), k)
        assert step().item() == (3.0 if k is None else 3.0 * k)


def test_a_place_that_goes_back_and_forth_is_recorded_once_for_each():
    pair = [torch.ones(2), torch.zeros(2)]
    box = Box()

    @torch.jit
    def step(x):
        return (box.h * x).sum() + pair[1].sum()

    for k in range(8):
        box.h = pair[k % 2]
        assert step(torch.ones(2)).item() == 2.0 * (1 - k % 2)
    assert step.cache_info()["recordings"] < 5
