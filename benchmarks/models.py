"""Whole training steps: an MLP, a CNN and a transformer block, in PyTorch's words.

    training = mlp(torch, 1024)
    loss = training.step(x, y)

Parameters hold the same numbers in every library. `wrap` is what compiles the loss.
"""

from __future__ import annotations

from math import prod
from typing import Any, Callable

import numpy as np

from .numbers import draw

__all__ = ["Training", "block", "cnn", "mlp"]


class Training:
    """A model, its loss, and SGD with momentum."""

    def __init__(self, torch: Any, model: Any, loss: Callable):
        self.torch, self.model, self.loss = torch, model, loss
        fill(torch, model)

    def to(self, *where: Any) -> Training:
        """Move the model to a device or an element type."""
        self.model.to(*where)
        return self

    def make(self, wrap: Callable = lambda f: f) -> Callable:
        """The whole step, of a batch and its targets; it returns the loss."""
        model, loss = self.model, self.loss
        optimizer = self.torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
        value_of = wrap(lambda x, y: loss(model(x), y))

        def step(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            value = value_of(x, y)
            value.backward()
            optimizer.step()
            return value.detach()

        step.numbers = self.numbers  # type: ignore[attr-defined]
        return step

    def numbers(self) -> Any:
        """All parameters as they are now, in one row, in host memory."""
        flat = [p.detach().cpu().reshape(-1) for p in self.model.parameters()]
        return self.torch.cat(flat)


def fill(torch: Any, model: Any) -> None:
    """The numbers that all libraries begin with; norms begin with ones and zeros."""
    with torch.no_grad():
        for n, p in enumerate(model.parameters()):
            shape = tuple(p.shape)
            if len(shape) > 1:
                scale = (3 * prod(shape[1:])) ** -0.5
                p.copy_(torch.from_numpy(draw(shape, 100 + n) * np.float32(scale)))
            elif bool((p != 1).any()):
                p.zero_()


def mlp(torch: Any, wide: int) -> Training:
    """784 pixels, one hidden layer, ten classes."""
    nn = torch.nn
    layers = nn.Linear(784, wide), nn.ReLU(), nn.Linear(wide, 10)
    return Training(torch, nn.Sequential(*layers), nn.functional.cross_entropy)


def cnn(torch: Any, c: int) -> Training:
    """Two convolutions over 32x32 pixels, ten classes."""
    nn = torch.nn
    layers = (
        *(nn.Conv2d(3, c, 3, padding=1), nn.BatchNorm2d(c), nn.ReLU()),
        *(nn.MaxPool2d(2), nn.Conv2d(c, 2 * c, 3, padding=1), nn.ReLU()),
        *(nn.MaxPool2d(2), nn.Flatten(), nn.Linear(2 * c * 64, 10)),
    )
    return Training(torch, nn.Sequential(*layers), nn.functional.cross_entropy)


def block(torch: Any, width: int, heads: int = 8) -> Training:
    """A transformer block with causal attention."""
    nn: Any = torch.nn
    F = nn.functional

    class Block(nn.Module):  # type: ignore[misc,valid-type]
        def __init__(self) -> None:
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.up = nn.Linear(width, 4 * width)
            self.down = nn.Linear(4 * width, width)

        def forward(self, x: Any) -> Any:
            b, t, d = x.shape
            parts = self.qkv(self.norm1(x)).view(b, t, 3, heads, d // heads)
            q, k, v = parts.permute(2, 0, 3, 1, 4)
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.out(y.transpose(1, 2).reshape(b, t, d))
            return x + self.down(F.gelu(self.up(self.norm2(x))))

    return Training(torch, Block(), F.mse_loss)
