"""Writes the golden files of a format version: `python tests/golden_files.py v1`.

Every later version must load the files of every earlier one, so those that exist are
never written again.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from pathlib import Path

import tracefuse as torch
from tracefuse import nn

FOLDER = Path(__file__).parent / "golden"


def state() -> dict:
    """Everything that `save` keeps."""
    weight = torch.arange(6.0).reshape(2, 3)
    shared = torch.tensor([1, 2, 3])
    return {
        "weight": nn.Parameter(weight / 4),
        "half": torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
        "mask": torch.tensor([True, False]),
        "nest": [shared, (shared, None, True, 7, 0.1, float("inf"), "é")],
        "order": OrderedDict([("b", torch.uint8), ("a", weight.shape)]),
        3: {"variable": torch.ones(2, dtype=torch.float64, requires_grad=True)},
    }


class Model(nn.Module):
    """A layer, a buffer that is written, and a nested result."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)
        with torch.no_grad():
            self.layer.weight.copy_(torch.arange(6.0).reshape(2, 3) / 4)
            self.layer.bias.copy_(torch.tensor([0.5, -0.5]))
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))

    def forward(self, x, scale):
        self.calls.add_(1)
        y = self.layer(x).relu() * scale
        return {"y": y, "views": (y.T, y[0], x), "rows": x.shape[0]}


def model():
    """A program for any batch size."""
    example = (torch.ones(2, 3), 2.0)
    batch = {0: torch.Dim("batch", min=1, max=64)}
    program = torch.jit.trace(Model(), example, dynamic_shapes={"x": batch})
    program.tensors["calls"].zero_()
    return program


def choose(x, noise):
    """Two ways, of which one draws."""
    if x.sum() > 0:
        x += 1
        return x
    return x - torch.rand(4) * noise


def ways():
    """A program with two paths."""
    script = torch.jit.script(choose)
    for example in (torch.ones(4), -torch.ones(4)):
        script(example, 1.0)
    return script


class Noisy(nn.Module):
    """Draws in training; takes one row or several."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor([1.0, 2.0]))

    def forward(self, x):
        y = x * self.scale
        return y + torch.rand(2) if self.training else y


def signatures():
    """A program of several signatures, in two modes, with a symbolic size."""
    script = torch.jit.script(Noisy())
    for mode in (True, False):
        script.train(mode)
        for example in (torch.ones(2), torch.ones(3, 2), torch.ones(5, 2)):
            script(example)
    return script


def written(x):
    """Adds to its argument, or to a copy of it; asks whether it requires grad."""
    y = x.contiguous()
    y.add_(1)
    return (y * 2 if x.requires_grad else y * 3), x.shape


def given():
    """A program whose ways depend on the layout and on requires_grad."""
    script = torch.jit.script(written)
    row = torch.arange(6.0).reshape(2, 3)
    for x in (row.clone(), row.T, row.T.clone().requires_grad_() * 1):
        script(x)
    return script


FILES = {
    "v1": {"state": state, "model": model, "ways": ways},
    "v2": {"signatures": signatures},
    "v3": {"given": given},
}


def write(version: str) -> None:
    """Make the files that do not exist yet."""
    for name, make in FILES[version].items():
        path = FOLDER / f"{name}.{version}.tracefuse"
        save = torch.save if name == "state" else torch.jit.save
        if not path.exists():
            save(make(), path)
            print(path.name, path.stat().st_size)


if __name__ == "__main__":
    write(*sys.argv[1:])
