"""The program that `demo` runs, written as a user writes one.

It is the one file in the house that imports the public face, since it stands for
what stands outside: PyTorch's names, and `jit` around the whole training step.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Callable

import tracefuse
from tracefuse import nn, optim
from tracefuse.utils.data import DataLoader, TensorDataset, random_split

__all__ = ["Digits", "Run", "split", "train", "race", "scores", "trace"]


class Digits(nn.Module):
    """A small convolutional network: rows of 64 pixels to ten scores."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 32, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
        )
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(32 * 4 * 4, 10)

    def forward(self, x):
        x = self.features(x.reshape(-1, 1, 8, 8))
        return self.head(self.dropout(x))


@dataclass
class Run:
    """One training: its model, its step as jitted, and that step as it was called."""

    model: Digits
    step: Any
    call: Callable
    accuracy: float = 0.0
    first_call: float = 0.0


def split(seed: int):
    """The digits in two random parts: four fifths to learn from, the rest held out."""
    images, labels = map(tracefuse.from_numpy, tracefuse.data.digits())
    count = images.shape[0]
    sizes = [count - count // 5, count // 5]
    generator = tracefuse.Generator().manual_seed(seed)
    return random_split(TensorDataset(images, labels), sizes, generator=generator)


def training_step(model, optimizer):
    """The whole step as one function: one program when jitted."""
    loss_function = nn.CrossEntropyLoss()

    @tracefuse.jit
    def step(images, labels):
        optimizer.zero_grad()
        loss = loss_function(model(images), labels)
        loss.backward()
        optimizer.step()
        return loss

    return step


def train(learn, held_out, *, seed, epochs, batch_size, jitted, progress) -> Run:
    """Train from a seed; `progress` hears of every batch and every epoch."""
    tracefuse.manual_seed(seed)
    model = Digits()
    step = training_step(model, optim.Adam(model.parameters(), lr=3e-3))
    run = Run(model, step, step if jitted else step.__wrapped__)
    loader = DataLoader(learn, batch_size=batch_size, shuffle=True)
    for _ in range(epochs):
        model.train()
        for images, labels in loader:
            start = time.perf_counter()
            loss = run.call(images, labels)
            run.first_call = run.first_call or time.perf_counter() - start
            progress.batch(loss.item())
        run.accuracy = accuracy(model, held_out)
        progress.epoch(run.accuracy)
    return run


def race(runs, batch, rounds=50):
    """Seconds of each round for each run, which take turns on one batch."""
    seconds = [[] for _ in runs]
    for run in runs:
        run.model.train()
    for _ in range(rounds):
        for run, taken in zip(runs, seconds):
            start = time.perf_counter()
            run.call(*batch)
            taken.append(time.perf_counter() - start)
    return seconds


def scores(model, part):
    """What the model, or a program made from it, says of all images of a part."""
    images, _ = part[:]
    with tracefuse.no_grad():
        return model(images)


def accuracy(model, part) -> float:
    """The share of a part's images that the model reads right."""
    model.eval()
    _, labels = part[:]
    return (scores(model, part).argmax(1) == labels).float().mean().item()


def trace(model, part):
    """The trained model as a program for batches of any size."""
    images, _ = part[:4]
    model.eval()
    batch = tracefuse.Dim("batch")
    return tracefuse.jit.trace(model, (images,), dynamic_shapes={"x": {0: batch}})
