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
