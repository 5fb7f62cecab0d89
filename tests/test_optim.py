"""Optimizers: groups, state, saving, closures, and what a recording sees of them."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import tracefuse
from tracefuse import nn, optim

EVERY = [
    lambda p: optim.SGD(p, lr=0.1),
    lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    lambda p: optim.Adam(p, lr=0.1, amsgrad=True),
    lambda p: optim.AdamW(p, lr=0.1),
    lambda p: optim.RMSprop(p, lr=0.01, momentum=0.5, centered=True),
    lambda p: optim.Adagrad(p, lr=0.1, lr_decay=0.1),
    lambda p: optim.Adadelta(p),
]


def problem():
    """A small regression: (model, inputs, targets)."""
    tracefuse.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 1))
    x = tracefuse.randn(20, 3)
    return model, x, x.sum(1, keepdim=True)


def step_of(model, optimizer):
    def step(x, y):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


@pytest.mark.parametrize("make", EVERY)
def test_eager_and_jitted_take_the_same_steps(make):
    model, x, y = problem()
    other = copy.deepcopy(model)
    plain = step_of(model, make(model.parameters()))
    fast = tracefuse.jit(step_of(other, make(other.parameters())))
    losses = [(plain(x, y).item(), fast(x, y).item()) for _ in range(8)]
    np.testing.assert_allclose(*zip(*losses), rtol=1e-4)
    for p, q in zip(model.parameters(), other.parameters()):
        np.testing.assert_allclose(p.tolist(), q.tolist(), rtol=1e-3, atol=1e-5)
    assert fast.cache_info()["recordings"] <= 2


def test_a_schedule_costs_no_recording():
    model, x, y = problem()
    optimizer = optim.Adam(model.parameters(), lr=0.1)
    schedule = optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    fast = tracefuse.jit(step_of(model, optimizer))
    fast(x, y), fast(x, y)
    before = fast.cache_info()["recordings"]
    for _ in range(5):
        schedule.step()
        start = model[0].weight.detach().clone()
        fast(x, y)
        moved = float((model[0].weight - start).abs().max())
        assert moved < 1.5 * optimizer.param_groups[0]["lr"]
    assert fast.cache_info()["recordings"] == before


def test_a_schedule_inside_the_function_goes_on():
    p = tracefuse.ones(1, requires_grad=True)
    optimizer = optim.SGD([p], lr=1.0)
    schedule = optim.lr_scheduler.ExponentialLR(optimizer, 0.5)

    @tracefuse.jit
    def step():
        optimizer.zero_grad()
        p.sum().backward()
        optimizer.step()
        schedule.step()
        return p * 1

    found = [step().item() for _ in range(5)]
    assert found == [0, -0.5, -0.75, -0.875, -0.9375]


def test_other_options_are_seen():
    p = tracefuse.ones(1, requires_grad=True)
    optimizer = optim.SGD([p], lr=0.0, momentum=0.0)

    @tracefuse.jit
    def step():
        optimizer.zero_grad()
        (p * 1).sum().backward()
        optimizer.step()

    step(), step()
    optimizer.param_groups[0]["lr"] = 0.5
    step()
    assert p.item() == 0.5
    optimizer.param_groups[0]["weight_decay"] = 1.0
    step()
    assert p.item() == pytest.approx(-0.25)
    optimizer.add_param_group({"params": [tracefuse.ones(2, requires_grad=True)]})
    step()
    assert p.item() == pytest.approx(-0.625)


def test_groups():
    a, b = (tracefuse.ones(1, requires_grad=True) for _ in range(2))
    optimizer = optim.SGD([{"params": a}, {"params": [b], "lr": 1.0}], lr=0.1)
    (a + b).sum().backward()
    optimizer.step()
    assert a.item() == pytest.approx(0.9) and b.item() == 0
    grad = a.grad
    optimizer.zero_grad(set_to_none=False)
    assert a.grad is grad and grad.item() == 0
    named = optim.SGD([("a", a), ("b", b)])
    assert named.param_groups[0]["param_names"] == ["a", "b"]


def test_parameters_without_a_gradient_stay():
    a, b = (tracefuse.ones(1, requires_grad=True) for _ in range(2))
    optimizer = optim.Adam([a, b])
    a.sum().backward()
    optimizer.step()
    assert a.item() < 1 and b.item() == 1 and b not in optimizer.state


def test_closures():
    p = tracefuse.tensor([4.0], requires_grad=True)
    optimizer = optim.SGD([p], lr=0.25)

    def closure():
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    assert [optimizer.step(closure).item() for _ in range(3)] == [16, 4, 1]


def test_a_tensor_as_rate():
    p = tracefuse.ones(1, requires_grad=True)
    optimizer = optim.SGD([p], lr=tracefuse.tensor(0.5))
    schedule = optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    for _ in range(2):
        optimizer.zero_grad()
        p.sum().backward()
        optimizer.step()
        schedule.step()
    assert p.item() == pytest.approx(0.25)


@pytest.mark.parametrize("make", EVERY)
def test_state_dicts_carry_on(make):
    model, x, y = problem()
    optimizer = make(model.parameters())
    step = step_of(model, optimizer)
    step(x, y), step(x, y)
    other = copy.deepcopy(model)
    second = make(other.parameters())
    second.load_state_dict(optimizer.state_dict())
    step(x, y), step_of(other, second)(x, y)
    for p, q in zip(model.parameters(), other.parameters()):
        assert tracefuse.equal(p, q)


def test_a_state_dict_that_does_not_fit_changes_nothing():
    model, *_ = problem()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    small = optim.SGD([tracefuse.ones(1, requires_grad=True)], lr=9.0)
    with pytest.raises(ValueError, match="doesn't match the size"):
        optimizer.load_state_dict(small.state_dict())
    small.add_param_group({"params": tracefuse.ones(1)})
    with pytest.raises(ValueError, match="different number of parameter groups"):
        optimizer.load_state_dict(small.state_dict())
    assert optimizer.param_groups[0]["lr"] == 0.1
    assert optimizer.state_dict()["param_groups"][0]["params"] == [0, 1, 2, 3]


def test_mistakes_are_named():
    p = tracefuse.ones(1, requires_grad=True)
    for params, error, text in [
        (p, TypeError, "iterable of Tensors"),
        (5, TypeError, "iterable of Tensors"),
        ([], ValueError, "empty parameter list"),
        ([3], TypeError, "only optimize Tensors"),
        ([p * 1], ValueError, "non-leaf"),
        ([{"params": p}, {"params": p}], ValueError, "more than one parameter group"),
        ([{"params": {p}}], TypeError, "ordered collections"),
    ]:
        with pytest.raises(error, match=text):
            optim.SGD(params)
    with pytest.warns(UserWarning, match="duplicate"):
        optim.SGD([p, p])
    for make, text in [
        (lambda: optim.SGD([p], lr=-1), "Invalid learning rate: -1"),
        (lambda: optim.SGD([p], momentum=-1), "Invalid momentum value: -1"),
        (lambda: optim.SGD([p], nesterov=True), "Nesterov"),
        (lambda: optim.Adam([p], betas=(0.9, 1.0)), "beta parameter at index 1: 1.0"),
        (lambda: optim.AdamW([p], weight_decay=-1), "Invalid weight_decay value: -1"),
        (lambda: optim.RMSprop([p], eps=-1), "Invalid epsilon value: -1"),
        (lambda: optim.Adadelta([p], rho=2), "Invalid rho value: 2"),
    ]:
        with pytest.raises(ValueError, match=text):
            make()
    with pytest.raises(TypeError, match="not an Optimizer"):
        optim.lr_scheduler.StepLR(p, 1)


def test_printing():
    p = tracefuse.ones(1, requires_grad=True)
    assert repr(optim.SGD([p], lr=0.5)) == (
        "SGD (\nParameter Group 0\n    dampening: 0\n    differentiable: False\n"
        "    foreach: None\n    fused: None\n    lr: 0.5\n    maximize: False\n"
        "    momentum: 0\n    nesterov: False\n    weight_decay: 0\n)"
    )


# -- schedules


def rates(make, count=6):
    optimizer = optim.SGD([tracefuse.ones(1)], lr=1.0)
    schedule = make(optimizer)
    found = []
    for _ in range(count):
        found.append(optimizer.param_groups[0]["lr"])
        schedule.step()
    return found


s = optim.lr_scheduler


@pytest.mark.parametrize(
    "make, wanted",
    [
        (lambda o: s.StepLR(o, 2, 0.5), [1, 1, 0.5, 0.5, 0.25, 0.25]),
        (lambda o: s.MultiStepLR(o, [1, 4], 0.5), [1, 0.5, 0.5, 0.5, 0.25, 0.25]),
        (lambda o: s.ExponentialLR(o, 0.5), [1, 0.5, 0.25, 0.125, 0.0625, 0.03125]),
        (lambda o: s.LambdaLR(o, lambda e: 1 + e), [1, 2, 3, 4, 5, 6]),
        (lambda o: s.CosineAnnealingLR(o, 2), [1, 0.5, 0, 0.5, 1, 0.5]),
        (lambda o: s.LinearLR(o, 0.5, total_iters=2), [0.5, 0.75, 1, 1, 1, 1]),
    ],
)
def test_schedules(make, wanted):
    assert rates(make) == pytest.approx(wanted, abs=1e-12)


def test_schedules_save_and_load():
    optimizer = optim.SGD([tracefuse.ones(1)], lr=1.0)
    schedule = s.StepLR(optimizer, 2, 0.5)
    schedule.step()
    state = schedule.state_dict()
    other = s.StepLR(optim.SGD([tracefuse.ones(1)], lr=1.0), 5, 0.1)
    other.load_state_dict(state)
    other.step()
    assert other.get_last_lr() == [0.5] and other.last_epoch == 2


def test_plateau_waits_for_patience():
    optimizer = optim.SGD([tracefuse.ones(1)], lr=1.0)
    schedule = s.ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
    found = []
    for metric in (3, 2, tracefuse.tensor(2.0), 2, 2, 2):
        schedule.step(metric)
        found.append(optimizer.param_groups[0]["lr"])
    assert found == [1, 1, 1, 0.5, 0.5, 0.25]
    with pytest.raises(ValueError, match="Factor"):
        s.ReduceLROnPlateau(optimizer, factor=1.0)


def test_clipping():
    p = tracefuse.zeros(2, requires_grad=True)
    p.grad = tracefuse.tensor([3.0, 4.0])
    assert nn.utils.clip_grad_norm_([p], 1.0).item() == 5
    assert p.grad.tolist() == pytest.approx([0.6, 0.8])
    assert nn.utils.clip_grad_norm_(p, 2.0).item() == pytest.approx(1)
    assert p.grad.tolist() == pytest.approx([0.6, 0.8])
    nn.utils.clip_grad_value_(p, 0.7)
    assert p.grad.tolist() == pytest.approx([0.6, 0.7])
    assert nn.utils.clip_grad_norm_([], 1.0).item() == 0
    p.grad = tracefuse.tensor([float("inf"), 0.0])
    with pytest.raises(RuntimeError, match="non-finite"):
        nn.utils.clip_grad_norm_(p, 1.0, error_if_nonfinite=True)
