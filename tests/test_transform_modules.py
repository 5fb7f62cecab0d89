"""Modules as functions of their parameters, and ensembles of them."""

from __future__ import annotations

import numpy as np
import pytest
import tracefuse as torch
from tracefuse import nn
from tracefuse.func import functional_call, stack_module_state, vmap
from transform_tools import close, draw

X = draw(2, 3, seed=1)


def test_functional_call_leaves_the_module_alone():
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)).double()
    params = {k: p.detach() * 2 for k, p in model.named_parameters()}
    before = dict(model.named_parameters())
    found = functional_call(model, params, (X,))
    assert all(model.get_parameter(k) is p for k, p in before.items())
    by_hand = torch.tanh(X @ params["0.weight"].T + params["0.bias"])
    close(found, by_hand @ params["2.weight"].T + params["2.bias"])
    part = functional_call(model, {"2.bias": params["2.bias"]}, X)
    close(part, model(X) - before["2.bias"] + params["2.bias"])


def test_functional_call_when_the_forward_fails():
    model = nn.Linear(3, 1)
    weight = model.weight
    with pytest.raises(RuntimeError):
        functional_call(model, {"weight": torch.ones(1, 3)}, (torch.ones(2, 5),))
    assert model.weight is weight


def test_functional_call_writes_into_the_buffers_given():
    model = nn.BatchNorm1d(3).double()
    buffers = {k: b.clone() for k, b in model.named_buffers()}
    functional_call(model, buffers, (X,))
    assert not np.allclose(buffers["running_mean"].numpy(), 0)
    close(model.running_mean, np.zeros(3))


def test_functional_call_refuses():
    model = nn.Linear(3, 1)
    one = {"weight": torch.ones(1, 3)}
    with pytest.raises(ValueError, match="appeared in multiple dictionaries"):
        functional_call(model, (one, one), (X,))
    with pytest.raises(ValueError, match="to be a dict"):
        functional_call(model, 3, (X,))
    with pytest.raises(ValueError, match="to be dictionaries"):
        functional_call(model, (one, 3), (X,))
    with pytest.raises(RuntimeError, match="Missing key.*bias.*Unexpected key.*'b'"):
        functional_call(model, {**one, "b": one["weight"]}, (X,), strict=True)


def test_tied_weights_stay_tied():
    model = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False))
    model[1].weight = model[0].weight
    w, x = torch.eye(3) * 2, torch.ones(1, 3)
    close(functional_call(model, {"0.weight": w}, (x,)), np.full((1, 3), 4.0))
    with pytest.raises(ValueError, match="multiple values"):
        functional_call(model, {"0.weight": w, "1.weight": w + 1}, (x,))


@pytest.mark.parametrize("compile", [lambda f: f, torch.jit], ids=["eager", "jit"])
def test_an_ensemble(compile):
    models = [nn.Linear(3, 2).double() for _ in range(4)]
    params, buffers = stack_module_state(models)
    assert params["weight"].requires_grad and not buffers
    base = models[0]
    each = lambda p, x: functional_call(base, p, (x,))
    run = compile(vmap(each, in_axes=(0, None)))
    want = np.stack([m(X).detach().numpy() for m in models])
    close(run(params, X), want)
    close(run(params, X), want)
    run(params, X).sum().backward()
    assert tuple(params["weight"].grad.shape) == (4, 2, 3)


def test_stacking_refuses():
    with pytest.raises(RuntimeError, match="at least one model, got 0"):
        stack_module_state([])
    with pytest.raises(RuntimeError, match="same training/eval mode"):
        stack_module_state([nn.Linear(1, 1), nn.Linear(1, 1).eval()])
    with pytest.raises(RuntimeError, match="same class"):
        stack_module_state([nn.Linear(1, 1), nn.Tanh()])
    frozen = nn.Linear(1, 1).requires_grad_(False)
    with pytest.raises(RuntimeError, match="same .requires_grad"):
        stack_module_state([nn.Linear(1, 1), frozen])
