"""Dropout as modules: active while training."""

from __future__ import annotations

from typing import Callable

from ...tensor import Tensor
from ..functional import dropout as F
from ..module import Module

__all__ = ["Dropout", "Dropout1d", "Dropout2d", "Dropout3d"]


class _Dropout(Module):
    _function: Callable

    def __init__(self, p: float = 0.5, inplace: bool = False):
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(
                f"dropout probability has to be between 0 and 1, but got {p}"
            )
        self.p, self.inplace = p, inplace

    def forward(self, input: Tensor) -> Tensor:
        """The input, in training with zeros at random places."""
        return self._function(input, self.p, self.training, self.inplace)

    def extra_repr(self) -> str:
        """As PyTorch prints it."""
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_Dropout):
    """Each element is 0 with probability p while training, the others grow to match.

    ValueError for p outside 0..1.
    """

    _function = staticmethod(F.dropout)


class Dropout1d(_Dropout):
    """As Dropout, but whole channels of [N, C, L] or [C, L]."""

    _function = staticmethod(F.dropout1d)


class Dropout2d(_Dropout):
    """As Dropout, but whole channels of [N, C, H, W] or [C, H, W]."""

    _function = staticmethod(F.dropout2d)


class Dropout3d(_Dropout):
    """As Dropout, but whole channels of [N, C, D, H, W] or [C, D, H, W]."""

    _function = staticmethod(F.dropout3d)
