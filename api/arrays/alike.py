"""Tensors in the shapes of other tensors."""

from __future__ import annotations

from typing import Any

from ...tracer.broadcast import broadcast
from ..tensor import Tensor, method
from .shapes import expand, reshape

__all__ = ["view_as", "reshape_as", "expand_as", "broadcast_to", "broadcast_tensors"]


@method
def view_as(self: Tensor, other: Tensor) -> Tensor:
    """A view in the shape of `other`."""
    return self.view(other.shape)  # type: ignore[attr-defined]


@method
def reshape_as(self: Tensor, other: Tensor) -> Tensor:
    """Reshaped to the shape of `other`."""
    return reshape(self, other.shape)


@method
def expand_as(self: Tensor, other: Tensor) -> Tensor:
    """Stretched to the shape of `other`."""
    return expand(self, other.shape)


@method
def broadcast_to(input: Tensor, size: Any) -> Tensor:
    """Stretched to `size`."""
    return expand(input, size)


def broadcast_tensors(*tensors: Tensor) -> tuple:
    """The tensors, each stretched to the shape in which all meet."""
    shape = broadcast(*[tuple(t.shape) for t in tensors])
    return tuple(expand(t, shape) for t in tensors)
