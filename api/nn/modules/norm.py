"""Normalisation as modules."""

from __future__ import annotations

from typing import Any, Optional

from ...arrays.fill import empty
from ...tensor import Tensor
from .. import init
from ..functional import norm as F
from ..module import Module
from ..parameter import Parameter

__all__ = ["LayerNorm", "RMSNorm", "GroupNorm"]


def _parameter(wanted: bool, shape: Any, options: dict) -> Optional[Parameter]:
    return Parameter(empty(shape, **options)) if wanted else None


class LayerNorm(Module):
    """Mean 0 and variance 1 over the last dimensions, then scaled and shifted.

    The input ends in `normalized_shape`. RuntimeError when it does not.
    """

    def __init__(
        self,
        normalized_shape: Any,
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        self.normalized_shape = _shape(normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        options = {"device": device, "dtype": dtype}
        affine = elementwise_affine
        self.weight = _parameter(affine, self.normalized_shape, options)
        self.bias = _parameter(affine and bias, self.normalized_shape, options)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Weight 1, bias 0."""
        _reset(self.weight, self.bias)

    def forward(self, input: Tensor) -> Tensor:
        """The same shape, normalised."""
        return F.layer_norm(
            input, self.normalized_shape, self.weight, self.bias, self.eps
        )

    def extra_repr(self) -> str:
        """As PyTorch prints it."""
        return (
            f"{self.normalized_shape}, eps={self.eps}, "
            f"elementwise_affine={self.elementwise_affine}, "
            f"bias={self.bias is not None}"
        )


def _shape(given: Any) -> tuple:
    return (given,) if isinstance(given, int) else tuple(given)


def _reset(weight: Optional[Tensor], bias: Optional[Tensor]) -> None:
    if weight is not None:
        init.ones_(weight)
    if bias is not None:
        init.zeros_(bias)


class RMSNorm(Module):
    """Mean square 1 over the last dimensions, then scaled (arXiv:1910.07467)."""

    def __init__(
        self,
        normalized_shape: Any,
        eps: Optional[float] = None,
        elementwise_affine: bool = True,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        self.normalized_shape = _shape(normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        options = {"device": device, "dtype": dtype}
        self.weight = _parameter(elementwise_affine, self.normalized_shape, options)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Weight 1."""
        _reset(self.weight, None)

    def forward(self, input: Tensor) -> Tensor:
        """The same shape, normalised."""
        return F.rms_norm(input, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        """As PyTorch prints it."""
        return (
            f"{self.normalized_shape}, eps={self.eps}, "
            f"elementwise_affine={self.elementwise_affine}"
        )


class GroupNorm(Module):
    """Mean 0 and variance 1 over groups of channels, then scaled and shifted.

    ValueError when the groups do not divide the channels.
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ):
        super().__init__()
        if num_channels % num_groups != 0:
            raise ValueError(
                f"num_channels ({num_channels}) must be divisible by num_groups "
                f"({num_groups})"
            )
        self.num_groups, self.num_channels = num_groups, num_channels
        self.eps, self.affine = eps, affine
        options = {"device": device, "dtype": dtype}
        self.weight = _parameter(affine, num_channels, options)
        self.bias = _parameter(affine and bias, num_channels, options)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Weight 1, bias 0."""
        _reset(self.weight, self.bias)

    def forward(self, input: Tensor) -> Tensor:
        """[N, C, *], normalised."""
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """As PyTorch prints it."""
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, "
            f"affine={self.affine}, bias={self.bias is not None}"
        )
