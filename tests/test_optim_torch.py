"""Optimizers and schedules beside PyTorch's, over twenty steps."""

from __future__ import annotations

import numpy as np
import pytest
import tracefuse as tf

torch = pytest.importorskip("torch")
RNG = np.random.default_rng(0)
SHAPES = [(3, 4), (4,), ()]
START = [np.asarray(RNG.standard_normal(s), np.float32) for s in SHAPES]
TARGET = [np.asarray(RNG.standard_normal(s), np.float32) for s in SHAPES]

OPTIMIZERS = [
    ("SGD", {}),
    ("SGD", dict(lr=0.1, momentum=0.9)),
    ("SGD", dict(lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.1)),
    ("SGD", dict(lr=0.1, momentum=0.8, dampening=0.3)),
    ("SGD", dict(lr=1e-4, weight_decay=0.1, maximize=True)),
    ("Adam", {}),
    ("Adam", dict(lr=0.1, betas=(0.8, 0.9), eps=1e-3)),
    ("Adam", dict(lr=0.1, weight_decay=0.1, amsgrad=True)),
    ("Adam", dict(lr=0.1, maximize=True)),
    ("AdamW", {}),
    ("AdamW", dict(lr=0.1, weight_decay=0.3, amsgrad=True)),
    ("RMSprop", {}),
    ("RMSprop", dict(lr=0.05, alpha=0.9, momentum=0.9, weight_decay=0.1)),
    ("RMSprop", dict(lr=0.05, centered=True, momentum=0.5, maximize=True)),
    ("Adagrad", dict(lr=0.1)),
    ("Adagrad", dict(lr=0.1, lr_decay=0.1, weight_decay=0.1)),
    ("Adagrad", dict(lr=0.1, initial_accumulator_value=0.5)),
    ("Adadelta", {}),
    ("Adadelta", dict(lr=0.5, rho=0.8, weight_decay=0.1)),
]


def make(module, lift, name, options, groups=False):
    params = [lift(x.copy()).requires_grad_() for x in START]
    given = params
    if groups:
        second = {"params": params[1:], "lr": options.get("lr", 0.01) / 3}
        given = [{"params": params[:1]}, second]
    return params, getattr(module.optim, name)(given, **options)


def steps(lift, params, optimizer, count, after=lambda: None):
    targets = [lift(x.copy()) for x in TARGET]
    for _ in range(count):
        optimizer.zero_grad()
        loss = sum(((p - t) ** 4).sum() for p, t in zip(params, targets))
        loss.backward()
        optimizer.step()
        after()


def check(ours, theirs):
    for p, q in zip(ours, theirs):
        found, wanted = p.detach().numpy(), q.detach().numpy()
        np.testing.assert_allclose(found, wanted, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("groups", [False, True])
@pytest.mark.parametrize("name, options", OPTIMIZERS)
def test_trajectories(name, options, groups):
    p, opt = make(tf, tf.from_numpy, name, options, groups)
    q, other = make(torch, torch.from_numpy, name, options, groups)
    steps(tf.from_numpy, p, opt, 20)
    steps(torch.from_numpy, q, other, 20)
    check(p, q)
    ours, theirs = opt.state_dict(), other.state_dict()
    assert ours["param_groups"] == theirs["param_groups"]
    assert repr(opt) == repr(other)
    for key, state in theirs["state"].items():
        found = ours["state"].get(key, {})
        wanted = {k: v for k, v in state.items() if v is not None}
        assert found.keys() == wanted.keys()
        for k, v in wanted.items():
            assert str(found[k].dtype).split(".")[1] == str(v.dtype).split(".")[1]
            np.testing.assert_allclose(
                found[k].numpy(), v.numpy(), rtol=1e-4, atol=1e-6
            )


@pytest.mark.parametrize("name, options", OPTIMIZERS)
def test_going_on_from_a_state_dict(name, options):
    p, opt = make(tf, tf.from_numpy, name, options)
    steps(tf.from_numpy, p, opt, 3)
    q, other = make(tf, tf.from_numpy, name, {**options, "lr": 0.7})
    for a, b in zip(q, p):
        a.data = b.detach().clone()
    other.load_state_dict(opt.state_dict())
    steps(tf.from_numpy, p, opt, 3)
    steps(tf.from_numpy, q, other, 3)
    check(p, q)


SCHEDULES = [
    ("StepLR", dict(step_size=3, gamma=0.5)),
    ("MultiStepLR", dict(milestones=[2, 5, 5], gamma=0.5)),
    ("ExponentialLR", dict(gamma=0.9)),
    ("LambdaLR", dict(lr_lambda=lambda e: 1 / (1 + e))),
    ("MultiplicativeLR", dict(lr_lambda=lambda e: 0.9)),
    ("CosineAnnealingLR", dict(T_max=5, eta_min=0.01)),
    ("ConstantLR", dict(factor=0.5, total_iters=4)),
    ("LinearLR", dict(start_factor=0.25, total_iters=6)),
    ("PolynomialLR", dict(total_iters=8, power=2.0)),
    ("CosineAnnealingWarmRestarts", dict(T_0=3, T_mult=2)),
    ("OneCycleLR", dict(max_lr=0.5, total_steps=20)),
    ("OneCycleLR", dict(max_lr=0.5, epochs=4, steps_per_epoch=5, pct_start=0.5,
                        anneal_strategy="linear")),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name, options", SCHEDULES)
def test_schedules(name, options):
    def rates(module, lift):
        params, opt = make(module, lift, "SGD", dict(lr=0.2, momentum=0.9), groups=True)
        schedule = getattr(module.optim.lr_scheduler, name)(opt, **options)
        found = []
        for _ in range(19):
            found.append([g["lr"] for g in opt.param_groups] + schedule.get_last_lr())
            found[-1] += [g["momentum"] for g in opt.param_groups]
            opt.step()
            schedule.step()
        return found

    ours, theirs = rates(tf, tf.from_numpy), rates(torch, torch.from_numpy)
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)


@pytest.mark.filterwarnings("ignore")
def test_sequential_schedules():
    def rates(module, lift):
        _, opt = make(module, lift, "SGD", dict(lr=0.2))
        s = module.optim.lr_scheduler
        parts = [s.ConstantLR(opt, 0.1, 20), s.ExponentialLR(opt, 0.9)]
        schedule = s.SequentialLR(opt, parts, milestones=[4])
        found = []
        for _ in range(10):
            found.append(schedule.get_last_lr() + [opt.param_groups[0]["lr"]])
            opt.step()
            schedule.step()
        return found

    ours, theirs = rates(tf, tf.from_numpy), rates(torch, torch.from_numpy)
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("threshold_mode", ["rel", "abs"])
def test_plateau(mode, threshold_mode):
    metrics = [5, 4, 4.1, 4.2, 3.9999, 3, 3, 3, 3, 3, 3.5, 6, 7, 7, 7, 7, 7, 8, 8.01]

    def rates(module, lift):
        _, opt = make(module, lift, "SGD", dict(lr=0.2))
        options = dict(mode=mode, threshold_mode=threshold_mode, factor=0.5)
        options.update(patience=1, cooldown=1, threshold=0.01, min_lr=0.01)
        schedule = module.optim.lr_scheduler.ReduceLROnPlateau(opt, **options)
        found = []
        for metric in metrics:
            schedule.step(metric)
            found.append(opt.param_groups[0]["lr"])
        return found

    assert rates(tf, tf.from_numpy) == rates(torch, torch.from_numpy)


@pytest.mark.parametrize("norm", [1.0, 2.0, float("inf")])
def test_clipping(norm):
    def clipped(module, lift):
        params, _ = make(module, lift, "SGD", {})
        for p in params:
            (p**2).sum().backward()
        utils = module.nn.utils
        total = utils.clip_grad_norm_(params, 1.5, norm)
        grads = [p.grad.numpy().copy() for p in params]
        utils.clip_grad_value_(params, 0.25)
        return [total.numpy(), *grads, *(p.grad.numpy() for p in params)]

    both = zip(clipped(tf, tf.from_numpy), clipped(torch, torch.from_numpy))
    for found, wanted in both:
        np.testing.assert_allclose(found, wanted, rtol=1e-6)
