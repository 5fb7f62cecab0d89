"""A training step as a program: it advances its own parameters and optimizer state."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest
import tracefuse as torch
import training_program
from tracefuse import nn
from tracefuse.tracer.errors import GuardError

ELSEWHERE = """
import sys
import tracefuse as torch

program = torch.jit.load("step")
expected = torch.load("expected")
torch.manual_seed(7)
for (x, y), loss in zip(expected["given"], expected["losses"]):
    assert torch.allclose(program(x, y), loss, rtol=1e-6, atol=1e-7), loss
state = program.state_dict()
for name, t in expected["state"].items():
    assert torch.allclose(state[name], t, rtol=1e-6, atol=1e-7), name
assert program._jitted.cache_info()["recordings"] == 1
print(*state)
"""


def reloaded(program):
    file = io.BytesIO()
    program.save(file)
    file.seek(0)
    return torch.jit.load(file)


@pytest.mark.parametrize("kind", ["sgd", "adam"])
def test_a_step_goes_on_in_another_process(tmp_path, kind):
    training_program.write(kind, tmp_path)
    command = [sys.executable, "-W", "error", "-c", ELSEWHERE]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    names = done.stdout.split()
    assert names[:4] == ["0.weight", "0.bias", "3.weight", "3.bias"]
    memory = {"sgd": "momentum_buffer", "adam": "exp_avg_sq"}[kind]
    assert "optimizer.lr" in names and f"optimizer.3.bias.{memory}" in names


@pytest.mark.parametrize("kind", ["plain", "adamw", "rmsprop"])
def test_every_optimizer_here(kind):
    net, _, step, program = training_program.warmed(kind)
    loaded = reloaded(program)
    given = training_program.batches(5, size=3)
    results = []
    for f in (step, loaded):
        torch.manual_seed(1)
        results.append([f(x, y).item() for x, y in given])
    assert results[0] == pytest.approx(results[1], rel=1e-6)
    state = loaded.state_dict()
    for name, t in net.state_dict().items():
        assert torch.allclose(state[name], t, rtol=1e-6, atol=1e-7)


def test_the_traced_program_advances_the_very_model():
    net, _, _, program = training_program.warmed("adam")
    before = net[0].weight.detach().clone()
    assert program.tensors["0.weight"] is net[0].weight
    program(*training_program.batches(1)[0])
    assert not torch.equal(net[0].weight, before)


def test_the_learning_rate_can_be_changed():
    net, optimizer, step, program = training_program.warmed("plain")
    loaded = reloaded(program)
    assert loaded.tensors["optimizer.lr"].item() == pytest.approx(0.1)
    x, y = training_program.batches(1)[0]
    loaded.tensors["optimizer.lr"].fill_(0.0)
    before = loaded.state_dict()["0.weight"].clone()
    loaded(x, y)
    assert torch.equal(loaded.state_dict()["0.weight"], before)
    for rate in (0.5, 0.01):
        loaded.tensors["optimizer.lr"].fill_(rate)
        optimizer.param_groups[0]["lr"] = rate
        torch.manual_seed(2)
        loaded(x, y)
        torch.manual_seed(2)
        step(x, y)
        assert torch.allclose(loaded.state_dict()["0.weight"], net[0].weight)


def test_state_goes_back_into_a_module_and_a_program():
    net, _, _, program = training_program.warmed("sgd")
    loaded = reloaded(program)
    start = {name: t.clone() for name, t in loaded.state_dict().items()}
    x, y = training_program.batches(1)[0]
    torch.manual_seed(3)
    first = [loaded(x, y).item() for _ in range(3)]
    net.load_state_dict({k: loaded.state_dict()[k] for k in net.state_dict()})
    loaded.load_state_dict(start)
    torch.manual_seed(3)
    assert [loaded(x, y).item() for _ in range(3)] == first


def test_two_models_two_groups_and_names_of_variables():
    encoder, head = nn.Linear(2, 3), nn.Linear(3, 1)
    first = {"params": encoder.parameters(), "lr": 0.1}
    groups = [first, {"params": [*head.parameters()]}]
    opt = torch.optim.SGD(groups, lr=0.5, momentum=0.9)

    def step(x):
        opt.zero_grad()
        loss = head(encoder(x)).pow(2).mean()
        loss.backward()
        opt.step()
        return loss

    x = torch.randn(4, 2)
    step(x), step(x)
    program = reloaded(torch.jit.trace(step, x))
    names = [*program.state_dict()]
    assert names[:2] == ["weight", "bias"] and "head.weight" in names
    assert {"opt.0.lr", "opt.1.lr", "opt.head.bias.momentum_buffer"} <= {*names}
    assert [program(x).item() for _ in range(3)] == pytest.approx(
        [step(x).item() for _ in range(3)], rel=1e-5
    )


class Trainer:
    """A step as people write it: a method of an object that holds everything."""

    def __init__(self) -> None:
        self.net = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
        self.optimizer = torch.optim.Adam(self.net.parameters())

    def step(self, x):
        self.optimizer.zero_grad()
        loss = self.net(x).pow(2).sum()
        loss.backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimizer.step()
        return loss


def test_a_method_with_buffers_and_clipped_gradients():
    trainer, x = Trainer(), torch.randn(6, 3)
    trainer.step(x), trainer.step(x)
    for f in (trainer.step, lambda x: trainer.step(x)):
        loaded = reloaded(torch.jit.trace(f, x))
        for _ in range(3):
            assert loaded(x).item() == pytest.approx(trainer.step(x).item(), rel=1e-5)
        state = loaded.state_dict()
        for name, t in trainer.net.state_dict().items():
            assert torch.allclose(state[name], t, rtol=1e-5, atol=1e-6), name


def test_tensors_are_called_as_their_variables():
    w, options = torch.ones(2), {"scales": [torch.ones(2)]}
    program = torch.jit.trace(lambda x: x * w + options["scales"][0], torch.ones(2))
    assert [*program.state_dict()] == ["w", "options.scales.0"]


def accumulating():
    """A step that adds to the gradients which earlier ones left, and its weight."""
    w = torch.ones(2, requires_grad=True)

    def step(x):
        loss = (w * x).sum() ** 2
        loss.backward()
        return loss, w.grad * 2

    return w, step


def test_a_step_traced_without_gradients_or_with_is_for_just_that():
    w, step = accumulating()
    fresh = reloaded(torch.jit.trace(step, torch.ones(2)))
    fresh(torch.ones(2))
    with pytest.raises(GuardError, match="state w has a gradient from before"):
        fresh(torch.ones(2))
    further = reloaded(torch.jit.trace(step, torch.ones(2)))
    with pytest.raises(GuardError, match="state w has no gradient"):
        further(torch.ones(2))
    further.tensors["w"].grad = torch.zeros(2)
    kept = further.tensors["w"].grad
    assert further(torch.ones(2))[1].tolist() == [8, 8]
    assert further.tensors["w"].grad is kept and kept.tolist() == [4, 4]


def test_gradients_accumulate_in_a_script():
    script = torch.jit.script(accumulating()[1])
    for n in (2, 3):
        script(torch.ones(2) * n)
    loaded, (w, step) = reloaded(script), accumulating()
    assert len(loaded.variants) == 2
    for n in range(4):
        x = torch.tensor([1.0, -2.0]) * n
        for found, want in zip(loaded(x), step(x)):
            assert torch.equal(found, want)
        assert torch.equal(loaded.tensors["w"].grad, w.grad)
        if n == 2:
            loaded.tensors["w"].grad = w.grad = None


def test_gradients_of_arguments_accumulate():
    def step(x):
        (x * x).sum().backward()

    script = torch.jit.script(step)
    example = torch.ones(2, requires_grad=True)
    for _ in range(2):
        script(example)
    loaded = reloaded(script)
    x = torch.tensor([1.0, 3.0], requires_grad=True)
    for n in (1, 2, 3):
        loaded(x)
        assert x.grad.tolist() == [2 * n, 6 * n]


@pytest.mark.parametrize("kind", ["sgd", "adam"])
def test_a_script_of_a_step_that_settled(kind):
    torch.manual_seed(0)
    net = training_program.model()
    optimizer = training_program.OPTIMIZERS[kind](net.parameters())
    step = training_program.step_of(net, optimizer)
    script = torch.jit.script(step)
    for size in (6, 6, 6, 4, 5):
        script(*training_program.batches(1, size)[0])
    loaded = reloaded(script.program())
    assert str(loaded.signature) == "step(float32[s0, 3], float32[s0, 2])"
    given = training_program.batches(3, size=7)
    results = []
    for f in (step, loaded):
        torch.manual_seed(1)
        results.append([f(x, y).item() for x, y in given])
    assert results[0] == pytest.approx(results[1], rel=1e-6)
