"""Modules and optimizers: the state that a program depends on."""

from __future__ import annotations

import tracefuse as torch
import tracefuse.nn.functional as F
from faithful_rows import pos, row, vec
from tracefuse import nn


def batch(n=4):
    return (torch.arange(n * 3.0).reshape(n, 3) / 5 - 1,)


def small():
    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))


@row
def train_and_eval():
    m = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5))
    return m, [batch(), m.eval, batch(), m.train, batch()], m


@row
def a_module_called_in_a_function():
    m = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5))
    f = lambda x: m(x) * 2
    return f, [batch(), m.eval, batch(), m[1].train, batch()], m


@row(saved=True)
def dropout_is_fresh_each_call():
    return (lambda x: F.dropout(x, 0.5)), [pos(), pos()]


@row
def the_probability_of_dropout():
    m = nn.Dropout(0.25)
    change = lambda: setattr(m, "p", 0.75 - m.p + 0.25)
    return m, [batch(), change, batch(), change, batch()], m


@row
def batch_norm_statistics():
    m = nn.BatchNorm1d(3)
    return m, [batch(), batch(5), m.eval, batch(), m.train, batch(2)], m


@row
def the_momentum_of_batch_norm():
    m = nn.BatchNorm1d(3)
    change = lambda: setattr(m, "momentum", None if m.momentum else 0.1)
    return m, [batch(), change, batch(), change, batch()], m


@row
def a_submodule_replaced():
    m = small()

    def change():
        m[1] = nn.Tanh() if isinstance(m[1], nn.ReLU) else nn.ReLU()

    return m, [batch(), change, batch(), change, batch()], m


@row
def a_submodule_added():
    m = small()
    return m, [batch(), lambda: m.append(nn.ReLU()), batch()], m


@row
def a_parameter_replaced():
    m = nn.Linear(3, 2)

    def change():
        m.weight = nn.Parameter(m.weight.detach() + 1)

    return m, [batch(), change, batch(), change, batch()], m


@row
def a_parameter_that_becomes_none():
    m = nn.Linear(3, 2)
    bias = m.bias

    def change():
        m.bias = None if m.bias is not None else bias

    return m, [batch(), change, batch(), change, batch()], m


@row
def a_parameter_that_is_frozen():
    m = nn.Linear(3, 2)
    flip = lambda: m.weight.requires_grad_(not m.weight.requires_grad)
    return m, [batch(), flip, batch(), flip, batch()], m


@row
def parameters_loaded():
    m = nn.Linear(3, 2)
    load = lambda: m.load_state_dict({k: v * 2 for k, v in m.state_dict().items()})
    return m, [batch(), load, batch(), load, batch()], m


@row
def parameters_in_another_type():
    m = nn.Linear(3, 2)
    f = lambda x: m(x.to(m.weight.dtype))
    return f, [batch(), m.double, batch(), m.float, batch()], m


@row
def a_buffer_replaced():
    m = nn.Module()
    m.register_buffer("b", vec(1, 2, 3))
    f = lambda x: x + m.b
    return f, [batch(), lambda: setattr(m, "b", m.b + 1), batch()], m


@row
def a_tied_weight():
    m = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    m[1].weight = m[0].weight

    def untie():
        m[1].weight = nn.Parameter(m[0].weight.detach() * 2)

    return m, [batch(), untie, batch()], m


class Counts(nn.Module):
    def __init__(self):
        super().__init__()
        self.calls, self.log, self.scale = 0, [], 2.0

    def forward(self, x):
        self.calls += 1
        self.log.append(x.shape[0])
        return x * self.scale + self.calls


@row(saved="has no recording to save")
def a_counter_of_a_module():
    m = Counts()
    return m, [batch(), batch(2), batch()], m


@row
def an_attribute_of_a_module():
    m = Counts()
    change = lambda: setattr(m, "scale", m.scale + 1)
    return m, [batch(), change, batch()], m


@row(saved="has no recording to save")
def a_counter_of_a_closure():
    n = 0

    def f(x):
        nonlocal n
        n += 1
        return x * n

    return f, [pos(), pos()]


@row(saved="has no recording to save")
def a_list_appended_inside():
    log = []

    def f(x):
        log.append(len(log))
        return x + len(log)

    return f, [pos(), pos()], log


@row(saved="has no recording to save")
def a_list_of_results_kept():
    kept = []

    def f(x):
        kept.append(x * 2)
        return kept[0] + len(kept)

    return f, [pos(), pos()], kept


@row
def a_forward_hook_added():
    m, handles = nn.Linear(3, 2), []

    def change():
        if handles:
            handles.pop().remove()
        else:
            handles.append(m.register_forward_hook(lambda m, a, y: y * 10))

    return m, [batch(), change, batch(), change, batch()], m


def training(make, loss=lambda y: (y * y).sum(), more=lambda opt: []):
    """A step of training; the model and the optimizer are compared."""
    m = nn.Linear(3, 2)
    opt = make(m.parameters())

    def step(x):
        opt.zero_grad()
        value = loss(m(x))
        value.backward()
        opt.step()
        return value.detach()

    return step, [batch(), *more(opt), batch()], m, opt


def lr(opt, factor=0.5):
    return lambda: opt.param_groups[0].update(lr=opt.param_groups[0]["lr"] * factor)


@row
def a_step_of_sgd():
    return training(lambda p: torch.optim.SGD(p, 0.01, momentum=0.9))


@row
def a_step_of_adam():
    return training(lambda p: torch.optim.Adam(p, 0.01), more=lambda o: [lr(o)])


@row
def a_rate_changed_by_hand():
    return training(lambda p: torch.optim.SGD(p, 0.01), more=lambda o: [lr(o)])


@row
def a_rate_changed_by_a_scheduler():
    def more(opt):
        schedule = torch.optim.lr_scheduler.StepLR(opt, 1, gamma=0.5)
        return [schedule.step, batch(), schedule.step]

    return training(lambda p: torch.optim.Adam(p, 0.01), more=more)


@row(saved="has no recording to save")
def a_scheduler_stepped_inside():
    m = nn.Linear(3, 2)
    opt = torch.optim.SGD(m.parameters(), 0.01)
    schedule = torch.optim.lr_scheduler.ExponentialLR(opt, 0.9)

    def step(x):
        opt.zero_grad()
        m(x).sum().backward()
        opt.step(), schedule.step()
        return opt.param_groups[0]["lr"]

    return step, [batch(), batch()], m, opt


@row
def weight_decay_changed():
    def more(opt):
        return [lambda: opt.param_groups[0].update(weight_decay=0.1)]

    return training(lambda p: torch.optim.SGD(p, 0.01, weight_decay=0.01), more=more)


@row
def a_parameter_group_added():
    m, extra = nn.Linear(3, 2), nn.Parameter(torch.ones(2))
    opt = torch.optim.SGD(m.parameters(), 0.01)

    def step(x):
        opt.zero_grad()
        (m(x) * extra).sum().backward()
        opt.step()

    def add():
        if len(opt.param_groups) == 1:
            opt.add_param_group({"params": [extra], "lr": 0.1})

    return step, [batch(), add, batch()], m, extra, opt


@row
def gradients_accumulate():
    m = nn.Linear(3, 2)

    def f(x):
        loss = m(x).pow(2).sum()
        loss.backward()
        return loss.detach()

    return f, [batch(), batch(2), m.zero_grad, batch()], m, [m.weight, m.bias]


@row
def gradients_clipped():
    m = nn.Linear(3, 2)

    def f(x, most):
        m.zero_grad()
        (m(x) ** 2).sum().backward()
        return nn.utils.clip_grad_norm_(m.parameters(), most), m.weight.grad * 1

    return f, [(*batch(), k) for k in (1.0, 0.5, 100.0, 1.0)], m


@row
def a_step_skipped_when_not_finite():
    m = nn.Linear(3, 2)

    def f(x):
        loss = m(x).sum()
        if not torch.isfinite(loss):
            return None
        m.weight.data.sub_(0.1)
        return loss.detach()

    return f, [batch(), (torch.full((1, 3), float("inf")),), batch()], m
