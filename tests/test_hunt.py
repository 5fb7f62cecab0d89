"""Odds and ends that realistic programs ran into."""

from __future__ import annotations

import collections

import numpy as np
import pytest
import tracefuse as torch
from tracefuse import nn

table = np.ones(3, np.float32)  # named like a key of the dictionaries below
labels = np.array(["cat", "dog"])


def test_a_key_is_not_the_global_of_its_name():
    f = torch.jit(lambda p, x: x * p["table"])
    p = {"table": torch.tensor([2.0])}
    for _ in range(3):
        assert f(p, torch.ones(1)).tolist() == [2.0]
    assert f.cache_info() == {"signatures": 1, "paths": 1, "recordings": 1}


@pytest.mark.parametrize("text", ['globals()["scale"]', 'f.__globals__["scale"]'])
def test_a_global_named_by_a_text_is_watched(text):
    scope: dict = {"scale": 2.0}
    exec(f"def f(x): return x * {text}", scope)
    f = torch.jit(scope["f"])
    got = [f(torch.ones(1)).item(), f(torch.ones(1)).item()]
    scope["scale"] = 3.0
    assert [*got, f(torch.ones(1)).item()] == [2.0, 2.0, 3.0]


def test_verify_beside_an_array_that_no_tensor_can_hold():
    f = torch.jit(lambda x: -x if labels[0] == "cat" else x, verify=True)
    assert f(torch.ones(1)).tolist() == [-1.0]


def test_verify_of_a_step_with_a_scaler():
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0)

    def step(x):
        optimizer.zero_grad()
        scaler.scale(model(x).sum()).backward()
        scaler.step(optimizer)
        scaler.update()

    step = torch.jit(step, verify=True)
    for _ in range(3):
        step(torch.ones(1, 2))
    assert step.cache_info()["paths"] == 1


def mismatched():
    nn.MSELoss()(torch.ones(2, 1), torch.ones(2))


def no_op():
    nn.Linear(0, 1)


def recorded_always():
    f = torch.jit(lambda x: x * np.random.rand())
    for _ in range(20):
        f(torch.ones(1))


@pytest.mark.parametrize("f", [mismatched, no_op, recorded_always])
def test_a_warning_names_the_users_line(f):
    with pytest.warns(UserWarning) as caught:
        f()
    assert {w.filename for w in caught} == {__file__}


def test_verify_of_a_set_that_is_changed():
    seen = {f"word {i}" for i in range(50)}

    def f(x):
        seen.discard("word 7")
        seen.add("word 7")
        return x * len(seen)

    assert torch.jit(f, verify=True)(torch.ones(1)).tolist() == [50.0]


def test_an_argument_becomes_a_variable_at_each_call():
    def slope(x):
        x.requires_grad_(True)
        (x * x).sum().backward()
        return x.grad

    f = torch.jit(slope)
    for _ in range(3):
        assert f(torch.tensor([3.0])).tolist() == [6.0]
    assert f.cache_info()["recordings"] == 1, f.explain()


def test_parameters_frozen_by_the_first_call():
    model = nn.Linear(2, 1)

    def f(x):
        for p in model.parameters():
            p.requires_grad_(False)
        return model(x)

    f = torch.jit(f)
    for _ in range(4):
        assert not f(torch.ones(1, 2)).requires_grad
    assert f.cache_info()["recordings"] == 2


# -- one tensor from two places


def given_and_captured(wrap):
    w = torch.ones(2)
    f = wrap(lambda x: x + w * 10)
    return [f(x) for x in (w, torch.zeros(2), w)]


def given_and_a_grad(wrap):
    p = torch.ones(2, requires_grad=True)
    p.grad = torch.ones(2)
    f = wrap(lambda x: x + p.grad * 10)
    return [f(x) for x in (p.grad, torch.zeros(2), p.grad)]


def two_grads(wrap):
    p, q = (torch.ones(2, requires_grad=True) for _ in "pq")
    p.grad = q.grad = torch.ones(2)
    f = wrap(lambda: p.grad + q.grad * 10)
    before = f()
    q.grad = torch.zeros(2)
    return [before, f()]


def given_and_an_attribute(wrap):
    p = nn.Parameter(torch.ones(2), requires_grad=False)
    model = nn.Module()
    model.p = p
    f = wrap(lambda m, x: m.p + x * 10)
    return [f(model, x) for x in (p, torch.zeros(2), p)]


def captured_written(wrap):
    w = torch.ones(2)
    f = wrap(lambda x: (w.add_(1), x.mul_(2), w + x * 10)[2])
    return [f(x) for x in (w, torch.ones(2), w, w[:])]


def written_beside_what_is_captured(wrap):
    w = torch.ones(2)
    f = wrap(lambda x: (x.mul_(2), w * 1)[1])
    return [f(x) for x in (torch.ones(2), w, torch.ones(2), w)]


def a_part_of_what_is_captured(wrap):
    w = torch.zeros(4)
    f = wrap(lambda x: (w.add_(1), x.mul_(2), w.sum() + x.sum())[2])
    return [f(x) for x in (w, w[1:], torch.ones(4), w[2:], torch.ones(2))]


@pytest.mark.parametrize(
    "program",
    [given_and_captured, given_and_a_grad, two_grads, given_and_an_attribute]
    + [captured_written, written_beside_what_is_captured, a_part_of_what_is_captured],
)
def test_one_tensor_from_two_places(program):
    plain, compiled = program(lambda f: f), program(torch.jit)
    assert [x.tolist() for x in compiled] == [x.tolist() for x in plain]


# -- names


batch = None


def test_an_attribute_is_not_the_global_of_its_name():
    global batch
    holder = nn.Module()
    holder.batch = 2.0
    f = torch.jit(lambda x: x * holder.batch)
    for batch in map(torch.full, [(2,)] * 4, range(4)):
        assert f(batch).tolist() == (batch * 2).tolist()
    assert f.cache_info()["recordings"] == 1


@pytest.mark.parametrize("key", [lambda x: x.shape[0], lambda x: tuple(x.shape)])
def test_what_is_kept_by_size(key):
    known = {}

    def f(x):
        if key(x) not in known:
            known[key(x)] = torch.full(tuple(x.shape), float(len(known)))
        return x + known[key(x)]

    f = torch.jit(f)
    for n in (2, 3, 4, 3, 2, 4):
        assert f(torch.zeros(n)).tolist() == [float((2, 3, 4).index(n))] * n
    probe = {key(torch.zeros(n)) for n in (2, 3, 4)}
    assert all(k in known for k in probe) and len(known) == 3


# -- verify


def test_verify_of_a_queue_that_is_changed():
    last: collections.deque = collections.deque(maxlen=2)

    def f(x):
        last.append(x.sum())
        return sum(last)

    f = torch.jit(f, verify=True)
    assert [f(torch.ones(2) * i).item() for i in range(4)] == [0.0, 2.0, 6.0, 10.0]


@pytest.mark.parametrize("wide", [True, False])
def test_verify_of_what_an_inner_function_writes(wide):
    total = torch.zeros(1)
    inner = torch.jit(lambda x: total.add_(x), verify=wide)
    outer = torch.jit(lambda x: inner(x) * 2, verify=True)
    assert [outer(torch.ones(1)).item() for _ in range(3)] == [2.0, 4.0, 6.0]


# -- data


@pytest.mark.parametrize("way", [lambda x: x.data, lambda x: x.data.clone()])
def test_data_exchanged(way):
    a, b = torch.ones(1), torch.zeros(1)

    def swap():
        a.data, b.data = way(b), way(a)

    f = torch.jit(swap)
    f()
    f()
    f()
    assert (a.item(), b.item()) == (0.0, 1.0)


# -- a learning rate as a plain number


class Plain(torch.optim.Optimizer):
    def __init__(self, params, lr):
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.add_(p.grad, alpha=-group["lr"])


def rates(optimizer, wrap):
    p = nn.Parameter(torch.zeros(1))
    o = optimizer([p], lr=0.5)

    def step():
        o.zero_grad()
        p.sum().backward()
        o.step()
        return o.param_groups[0].get("lr")

    step = wrap(step)
    for lr in (0.5, 0.5, 2.0, 1.0, 1.0, 0.5):
        o.param_groups[0]["lr"] = lr
        yield step(), p.item()


@pytest.mark.parametrize("optimizer", [Plain, torch.optim.SGD])
def test_a_learning_rate_that_is_read_is_no_old_one(optimizer):
    compiled = list(rates(optimizer, torch.jit))
    assert compiled == list(rates(optimizer, lambda f: f))
