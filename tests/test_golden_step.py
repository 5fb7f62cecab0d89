"""The text of a whole training step, kept: a change of what is recorded shows here.

UPDATE_GOLDEN=1 pytest tests/test_golden_step.py      writes it anew
"""

from __future__ import annotations

import os
from pathlib import Path

import tracefuse as torch
from tracefuse import nn, optim
from tracefuse.tracer.structure import same
from tracefuse.tracer.texts.text import parse_graph, print_graph

GOLDEN = Path(__file__).parent / "golden" / "training_step.txt"


def lowered():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    loss_of = nn.CrossEntropyLoss()

    def step(x, y):
        optimizer.zero_grad()
        loss = loss_of(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    x, y = torch.ones(5, 4), torch.zeros(5, dtype=torch.long)
    step(x, y)  # the momentum buffers come to be
    return torch.jit(step).lower(x, y)


def test_the_text_of_a_training_step():
    text = lowered().as_text()
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text()
    graph = parse_graph(text)
    assert same(graph, parse_graph(print_graph(graph)))


def test_forward_and_backward_are_few_kernels():
    low = lowered()
    kinds = [set(k.ops) for k in low.executable.kernels]
    assert sum("dot" in ops for ops in kinds) == 5  # two forward, three backward
    assert "exp(" in low.source and "add.reduce(" in low.source
