"""Coordinates: meshgrid and the index pairs of triangles."""

from __future__ import annotations

from typing import Any, Optional

from ...tracer.types import DType, int64
from ..math.composite import cast
from ..placing import placed
from ..tensor import Tensor
from .fill import chosen, counted, filled
from .joining import cat, stack
from .shapes import expand, reshape, reshaped

__all__ = ["meshgrid", "cartesian_prod", "tril_indices", "triu_indices"]


def meshgrid(*tensors: Any, indexing: Optional[str] = None) -> tuple:
    """Each 1-d tensor stretched over the grid that all of them span (views).

    `indexing="ij"` (default): dimension i belongs to tensor i; `"xy"`: the first two
    change places.

    >>> import tracefuse
    >>> a, b = meshgrid(tracefuse.arange(2), tracefuse.arange(3), indexing="ij")
    >>> b
    tensor([[0, 1, 2],
            [0, 1, 2]])
    """
    if len(tensors) == 1 and not isinstance(tensors[0], Tensor):
        tensors = tuple(tensors[0])
    if indexing not in (None, "ij", "xy"):
        raise RuntimeError(
            'torch.meshgrid: indexing must be one of "xy" or "ij", but received: '
            f"{indexing}"
        )
    if any(t.ndim > 1 for t in tensors):
        raise RuntimeError("torch.meshgrid: Expected 0D or 1D tensors")
    count = len(tensors)
    places = list(range(count))
    if indexing == "xy" and count > 1:
        places[:2] = [1, 0]
    shape: list = [None] * count
    for place, t in zip(places, tensors):
        shape[place] = t.shape.numel()
    return tuple(_stretched(t, p, shape) for p, t in zip(places, tensors))


def _stretched(t: Tensor, place: int, shape: list) -> Tensor:
    lone = [1] * len(shape)
    lone[place] = shape[place]
    return expand(reshaped(t, tuple(lone)), tuple(shape))


def cartesian_prod(*tensors: Tensor) -> Tensor:
    """All combinations of elements of 1-d tensors, one per row."""
    if len(tensors) == 1:
        return tensors[0]
    return stack([reshape(t, (-1,)) for t in meshgrid(*tensors)], 1)


def _triangle(row: int, col: int, spans: list, dtype: DType) -> Tensor:
    """Row numbers above column numbers; `spans` says which columns of each row."""
    rows = [filled(i, (b - a,), int64) for i, (a, b) in enumerate(spans)]
    columns = [counted(b - a) + a for a, b in spans]
    none = [filled(0, (0,), int64)]
    return cast(stack([cat(rows or none), cat(columns or none)]), dtype)


@placed
def tril_indices(
    row: int,
    col: int,
    offset: int = 0,
    *,
    dtype: Optional[DType] = None,
    device: Any = None,
) -> Tensor:
    """Where the lower triangle of a [row, col] matrix lies: int64[2, count].

    >>> tril_indices(2, 2)
    tensor([[0, 1, 1],
            [0, 0, 1]])
    """
    spans = [(0, max(0, min(col, i + offset + 1))) for i in range(row)]
    return _triangle(row, col, spans, chosen(dtype, int64))


@placed
def triu_indices(
    row: int,
    col: int,
    offset: int = 0,
    *,
    dtype: Optional[DType] = None,
    device: Any = None,
) -> Tensor:
    """Where the upper triangle of a [row, col] matrix lies: int64[2, count]."""
    spans = [(min(col, max(0, i + offset)), col) for i in range(row)]
    return _triangle(row, col, spans, chosen(dtype, int64))
