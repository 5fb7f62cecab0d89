"""Writes a training step as a program: `python tests/training_program.py KIND FOLDER`.

Beside it stand the batches and what the step itself went on to do with them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import tracefuse as torch
from tracefuse import nn

OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01),
    "plain": lambda p: torch.optim.SGD(p, lr=0.1),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01, amsgrad=True),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.01, momentum=0.5),
}


def model() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Dropout(0.2), nn.Linear(4, 2))


def step_of(net: nn.Module, optimizer: torch.optim.Optimizer):
    def step(x, y):
        optimizer.zero_grad()
        loss = (net(x) - y).pow(2).mean()
        loss.backward()
        optimizer.step()
        return loss

    return step


def batches(count: int, size: int = 6) -> list[tuple]:
    return [(torch.randn(size, 3), torch.randn(size, 2)) for _ in range(count)]


def warmed(kind: str):
    """A model, its optimizer after two steps, and the program of a third."""
    torch.manual_seed(0)
    net = model()
    optimizer = OPTIMIZERS[kind](net.parameters())
    step = step_of(net, optimizer)
    for x, y in batches(2):
        step(x, y)
    batch = {0: torch.Dim("batch")}
    shapes = {"x": batch, "y": batch}
    program = torch.jit.trace(step, batches(1)[0], dynamic_shapes=shapes)
    return net, optimizer, step, program


def write(kind: str, folder: Path) -> None:
    """The program, then five steps that it has to repeat."""
    net, optimizer, step, program = warmed(kind)
    program.save(folder / "step")
    given = [*batches(3), *batches(2, size=4)]
    torch.manual_seed(7)
    losses = [step(x, y).detach() for x, y in given]
    torch.save(
        {"given": given, "losses": losses, "state": net.state_dict()},
        folder / "expected",
    )


if __name__ == "__main__":
    write(sys.argv[1], Path(sys.argv[2]))
