"""Odds and ends that realistic programs ran into."""

from __future__ import annotations

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
    f = torch.jit(lambda x: x * table[0])
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


def test_a_variable_made_of_an_argument_is_said():
    def slope(x):
        x.requires_grad_(True)
        (x * x).sum().backward()
        return x.grad

    f = torch.jit(slope)
    for _ in range(3):
        assert f(torch.tensor([3.0])).tolist() == [6.0]
    assert "sets requires_grad of a tensor from outside" in f.explain()


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
