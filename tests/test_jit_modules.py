"""jit with modules and optimizers: whole training steps, and module state watched."""

from __future__ import annotations

import numpy as np
import pytest
import tracefuse as torch
from tracefuse import nn, optim

X = np.random.default_rng(0).standard_normal((16, 1, 6, 6)).astype(np.float32)
Y = np.random.default_rng(1).integers(0, 4, 16)

OPTIMIZERS = {
    "sgd": lambda p: optim.SGD(p, lr=0.1),
    "momentum": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    "adam": lambda p: optim.Adam(p, lr=0.01, weight_decay=0.01),
    "adamw": lambda p: optim.AdamW(p, lr=0.01),
    "rmsprop": lambda p: optim.RMSprop(p, lr=0.01),
}


def build():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.25),
        nn.Linear(4 * 9, 8),
        nn.GELU(),
        nn.Linear(8, 4),
    )


def train(make_optimizer, wrap, steps=7):
    model, loss_of = build(), nn.CrossEntropyLoss()
    optimizer = make_optimizer(model.parameters())
    scheduler = optim.lr_scheduler.StepLR(optimizer, 2, 0.5)

    def step(x, y):
        optimizer.zero_grad()
        loss = loss_of(model(x), y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss

    step = wrap(step)
    x, y = torch.tensor(X), torch.tensor(Y)
    torch.manual_seed(3)
    losses = []
    for _ in range(steps):
        losses.append(step(x, y).item())
        scheduler.step()
    return losses, {k: v.numpy().copy() for k, v in model.state_dict().items()}, step


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_whole_training_step_is_one_program(name):
    losses, weights, _ = train(OPTIMIZERS[name], lambda f: f)
    jitted_losses, jitted_weights, step = train(OPTIMIZERS[name], torch.jit)
    np.testing.assert_allclose(jitted_losses, losses, rtol=1e-5)
    for key, value in weights.items():
        np.testing.assert_allclose(
            jitted_weights[key], value, rtol=1e-4, atol=1e-6, err_msg=key
        )
    # The learning rate changed on the way, and the third call recorded nothing.
    info = step.cache_info()
    assert info["recordings"] <= 2 and info["paths"] == 1, step.explain()


def test_train_and_eval():
    model = nn.Sequential(nn.Dropout(0.5), nn.Linear(64, 64))
    f = torch.jit(lambda x: model(x))
    x = torch.ones(1, 64)
    for _ in range(3):
        assert not torch.equal(f(x), f(x))  # fresh masks
    model.eval()
    assert torch.equal(f(x), f(x)) and torch.equal(f(x), model(x))
    model.train()
    assert not torch.equal(f(x), f(x))
    model[0].p = 0.0
    assert torch.equal(f(x), f(x))


def test_a_replaced_parameter_submodule_or_attribute():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(2, 2, bias=False)
            self.scale = 1.0

        def forward(self, x):
            return self.fc(x) * self.scale

    model = Net()
    f = torch.jit(model)
    x = torch.ones(1, 2)
    for change in (
        lambda: None,
        lambda: setattr(model.fc, "weight", nn.Parameter(torch.ones(2, 2))),
        lambda: setattr(model, "scale", 5.0),
        lambda: setattr(model, "fc", nn.Linear(2, 2)),
        lambda: model.load_state_dict(
            {k: v * 2 for k, v in model.state_dict().items()}
        ),
        lambda: model.double(),
        lambda: setattr(model.fc.weight, "data", torch.zeros(2, 2).double()),
    ):
        change()
        like = x.to(model.fc.weight.dtype)
        for _ in range(3):
            assert torch.allclose(f(like), model(like))


def test_freezing_a_parameter():
    model = nn.Linear(2, 1)
    f = torch.jit(lambda x: model(x).sum())
    x = torch.ones(1, 2)
    for frozen in (False, True, False):
        model.weight.requires_grad_(not frozen)
        model.zero_grad()
        f(x).backward()
        assert (model.weight.grad is None) == frozen
        assert model.bias.grad is not None


def test_a_tensor_kept_on_a_module():
    class Cell(nn.Module):
        def __init__(self):
            super().__init__()
            self.h = torch.zeros(2)

        def forward(self, x):
            self.h = self.h * 0.5 + x
            return self.h * 1

    cell, plain = Cell(), Cell()
    f = torch.jit(cell)
    x = torch.ones(2)
    for _ in range(5):
        assert f(x).tolist() == plain(x).tolist()
        assert cell.h.tolist() == plain.h.tolist()


def test_a_hook_added_later_runs():
    model = nn.Linear(2, 2)
    f = torch.jit(model)
    x = torch.ones(1, 2)
    before = f(x).tolist()
    handle = model.register_forward_hook(lambda m, args, out: out * 10)
    np.testing.assert_allclose(f(x).tolist(), np.multiply(before, 10), rtol=1e-6)
    handle.remove()
    assert f(x).tolist() == before


def test_gradient_accumulation_over_micro_batches():
    def run(wrap):
        torch.manual_seed(0)
        model = nn.Linear(4, 1)
        optimizer = optim.SGD(model.parameters(), lr=0.1)

        @wrap
        def micro(x):
            model(x).square().mean().backward()

        @wrap
        def update():
            optimizer.step()
            optimizer.zero_grad()

        for i in range(6):
            micro(torch.full((2, 4), float(i)))
            if i % 2:
                update()
        return model.weight.tolist()

    np.testing.assert_allclose(run(torch.jit), run(lambda f: f), rtol=1e-5)


def test_load_state_dict_is_seen():
    model = nn.Linear(2, 1)
    f = torch.jit(model)
    x = torch.ones(1, 2)
    f(x)
    model.load_state_dict({"weight": torch.ones(1, 2), "bias": torch.zeros(1)})
    assert f(x).item() == 2.0


def test_an_optimizer_setting_that_changes():
    w = nn.Parameter(torch.ones(2))
    optimizer = optim.SGD([w], lr=1.0)

    @torch.jit
    def step():
        optimizer.zero_grad()
        w.sum().backward()
        optimizer.step()

    for _ in range(3):
        step()
    assert w.tolist() == [-2.0, -2.0]
    optimizer.param_groups[0]["lr"] = 0.5
    step()
    assert w.tolist() == [-2.5, -2.5]
    optimizer.param_groups[0]["weight_decay"] = 1.0
    step()
    assert w.tolist() == [-2.5 - 0.5 * (1 - 2.5)] * 2


def test_looking_at_a_step_leaves_the_optimizer_as_it_was():
    model = nn.Linear(3, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    def step(x):
        optimizer.zero_grad()
        loss = model(x).sum()
        loss.backward()
        optimizer.step()
        return loss

    jitted, x = torch.jit(step), torch.ones(4, 3)
    jitted.lower(x)
    assert not any(optimizer.state.values())
    first, second = jitted(x).item(), jitted(x).item()
    assert second < first
