"""Parameters as one long vector, and back."""

from __future__ import annotations

from typing import Iterable

from ...arrays.joining import cat
from ...arrays.parts import narrow
from ...arrays.shapes import reshape
from ...tensor import Tensor

__all__ = ["parameters_to_vector", "vector_to_parameters"]


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All elements of all parameters in one dimension."""
    return cat([reshape(p, (-1,)) for p in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Give each parameter its part of the vector as its new data.

    TypeError when `vec` is no tensor.
    """
    if not isinstance(vec, Tensor):
        raise TypeError(f"expected a Tensor, but got: {type(vec).__name__}")
    start = 0
    for p in parameters:
        count = p.shape.numel()
        part = reshape(narrow(vec, 0, start, count), tuple(p.shape))
        p.data = part.data  # type: ignore[attr-defined]
        start += count
