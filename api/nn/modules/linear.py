"""Linear layers, embeddings, and layers that only change shapes."""

from __future__ import annotations

import math
from typing import Any, Optional

from ...arrays.attributes import detach
from ...arrays.fill import empty
from ...arrays.shapes import flatten, unflatten
from ...gradmode import no_grad
from ...tensor import Tensor
from .. import init
from ..functional import linear as F
from ..module import Module
from ..parameter import Parameter

__all__ = ["Linear", "Bilinear", "Identity", "Embedding", "Flatten", "Unflatten"]


class Identity(Module):
    """Returns its input; takes any arguments."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__()

    def forward(self, input: Any) -> Any:
        """The input itself."""
        return input


class Linear(Module):
    """x @ weight.T + bias: [*, in_features] -> [*, out_features].

    Weight and bias begin uniform within 1 / sqrt(in_features).

    >>> import tracefuse
    >>> Linear(3, 2)(tracefuse.ones(5, 3)).shape
    tracefuse.Size([5, 2])
    """

    weight: Parameter
    bias: Optional[Parameter]

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        options = {"device": device, "dtype": dtype}
        self.weight = Parameter(empty((out_features, in_features), **options))
        self.bias = Parameter(empty(out_features, **options)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new weights."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            init.uniform_within_(self.bias, self.in_features)

    def forward(self, input: Tensor) -> Tensor:
        """[*, in_features] -> [*, out_features]."""
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        """As PyTorch prints it."""
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )


class Bilinear(Module):
    """x1 @ weight[k] @ x2 + bias[k]: [*, in1], [*, in2] -> [*, out]."""

    weight: Parameter
    bias: Optional[Parameter]

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        self.in1_features, self.in2_features = in1_features, in2_features
        self.out_features = out_features
        options = {"device": device, "dtype": dtype}
        shape = (out_features, in1_features, in2_features)
        self.weight = Parameter(empty(shape, **options))
        self.bias = Parameter(empty(out_features, **options)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new weights."""
        init.uniform_within_(self.weight, self.in1_features)
        if self.bias is not None:
            init.uniform_within_(self.bias, self.in1_features)

    def forward(self, input1: Tensor, input2: Tensor) -> Tensor:
        """[*, in1], [*, in2] -> [*, out]."""
        return F.bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        """As PyTorch prints it."""
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, "
            f"out_features={self.out_features}, bias={self.bias is not None}"
        )


class Embedding(Module):
    """A table of vectors looked up by number: [*] of int -> [*, embedding_dim].

    The row `padding_idx` begins as zeros and receives no gradient.
    """

    weight: Parameter

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: Optional[int] = None,
        *,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        if padding_idx is not None:
            if not -num_embeddings <= padding_idx < num_embeddings:
                raise AssertionError("padding_idx must be within num_embeddings")
            padding_idx = padding_idx % num_embeddings
        self.padding_idx = padding_idx
        shape = (num_embeddings, embedding_dim)
        self.weight = Parameter(empty(shape, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new vectors from the normal distribution."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx] = 0  # type: ignore[index]

    @classmethod
    def from_pretrained(
        cls, embeddings: Tensor, freeze: bool = True, padding_idx: Optional[int] = None
    ) -> "Embedding":
        """A table made of a tensor [n, d]; it is not trained unless freeze=False."""
        if embeddings.ndim != 2:
            raise AssertionError("Embeddings parameter is expected to be 2-dimensional")
        n, d = embeddings.shape
        new = cls(n, d, padding_idx, dtype=embeddings.dtype)
        new.weight = Parameter(detach(embeddings), requires_grad=not freeze)
        return new

    def forward(self, input: Tensor) -> Tensor:
        """[*] of int -> [*, embedding_dim]."""
        return F.embedding(input, self.weight, self.padding_idx)

    def extra_repr(self) -> str:
        """As PyTorch prints it."""
        padding = (
            "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        )
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}"


class Flatten(Module):
    """Dimensions start_dim to end_dim become one: [N, C, H, W] -> [N, C*H*W]."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1):
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input: Tensor) -> Tensor:
        """The same elements with fewer dimensions."""
        return flatten(input, self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        """As PyTorch prints it."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """Dimension `dim` becomes several of the given sizes."""

    def __init__(self, dim: int, unflattened_size: Any):
        super().__init__()
        self.dim, self.unflattened_size = dim, unflattened_size

    def forward(self, input: Tensor) -> Tensor:
        """The same elements with more dimensions."""
        return unflatten(input, self.dim, self.unflattened_size)

    def extra_repr(self) -> str:
        """As PyTorch prints it."""
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"
