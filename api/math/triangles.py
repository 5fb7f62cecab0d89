"""Diagonals and triangles of matrices."""

from __future__ import annotations

from typing import Any

from ...tracer.errors import ShapeError
from ...tracer.types import int64
from ..arrays.attributes import clone
from ..arrays.shapes import is_viewable, reshape
from ..placing import beside
from ..tensor import Tensor, apply, method, pointwise, view
from .axes import axis
from .composite import Out, counted, into, iota

__all__ = ["tril", "triu", "diagonal", "diag", "diag_embed", "diagflat", "trace"]


@beside
def _off_diagonal(name: str, x: Tensor) -> Tensor:
    """The number of the diagonal that each place of a matrix is on."""
    if x.ndim < 2:
        raise ShapeError(
            f"{name}: input tensor must have at least 2 dimensions, got {list(x.shape)}"
        )
    shape = tuple(x.shape[-2:])
    return iota(shape, -1, int64) - iota(shape, -2, int64)


@method
def tril(input: Tensor, diagonal: int = 0, *, out: Out = None) -> Tensor:
    """Zeros above a diagonal (0 is the main one, 1 the next above).

    >>> import tracefuse
    >>> tracefuse.tril(tracefuse.ones(2, 2))
    tensor([[1., 0.],
            [1., 1.]])
    """
    keep = pointwise("le", _off_diagonal("tril", input), diagonal)
    return into(out, pointwise("where", keep, input, 0, dtype=input.dtype))


@method
def triu(input: Tensor, diagonal: int = 0, *, out: Out = None) -> Tensor:
    """Zeros below a diagonal."""
    keep = pointwise("le", diagonal, _off_diagonal("triu", input))
    return into(out, pointwise("where", keep, input, 0, dtype=input.dtype))


@method
def diagonal(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """A diagonal of the matrices in dimensions `dim1` and `dim2`: the last dimension.

    A view where the memory of the matrices allows (contiguous ones do), else a copy.

    >>> import tracefuse
    >>> tracefuse.diagonal(tracefuse.tensor([[1, 2], [3, 4]]))
    tensor([1, 4])
    """
    one, two = axis(dim1, input.ndim), axis(dim2, input.ndim)
    if one == two:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    order = tuple(i for i in range(-input.ndim, 0) if i not in (one, two)) + (one, two)
    x = _ordered(input, order)
    if not _in_one_row(x):
        turned = x.transpose(-1, -2)  # type: ignore[attr-defined]
        x, offset = (turned, -offset) if _in_one_row(turned) else (x, offset)
    rows, columns = x.shape[-2:]
    start, length = _line(rows, columns, offset)
    flat = reshape(x, (*x.shape[:-2], rows * columns))
    return view(flat, "slice", axis=-1, start=start, length=length, step=columns + 1)


def _ordered(x: Tensor, order: tuple) -> Tensor:
    in_place = order == tuple(range(-x.ndim, 0))
    return x if in_place else view(x, "permute", axes=order)


def _in_one_row(x: Tensor) -> bool:
    """Whether each matrix can be seen as one row without a copy."""
    return is_viewable(x, (*x.shape[:-2], x.shape[-2] * x.shape[-1]))


def _line(rows: Any, columns: Any, offset: int) -> tuple:
    """Where a diagonal begins in a matrix laid out row by row, and its length."""
    if offset >= 0:
        length = max(min(rows, columns - offset), 0)
        return offset if length else 0, length
    length = max(min(rows + offset, columns), 0)
    return -offset * columns if length else 0, length


@method
def diag_embed(
    input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1
) -> Tensor:
    """Matrices that are zero but for one diagonal, the last dimension of `input`."""
    n = input.shape[-1]
    side = n + abs(offset)
    start = offset if offset >= 0 else -offset * side
    used = (n - 1) * (side + 1) + 1 if n else 0
    pads = ((0, 0, 0),) * (input.ndim - 1)
    pads += ((start if n else 0, side * side - used - (start if n else 0), side),)
    flat = apply("pad", input, pads=pads, value=0)
    y = apply("reshape", flat, shape=(*input.shape[:-1], side, side))
    return _placed(y, axis(dim1, y.ndim), axis(dim2, y.ndim))


def _placed(y: Tensor, one: int, two: int) -> Tensor:
    if (one, two) == (-2, -1):
        return y
    rest = iter(range(-y.ndim, -2))
    places = {one: -2, two: -1}
    order = tuple(places[i] if i in places else next(rest) for i in range(-y.ndim, 0))
    return view(y, "permute", axes=order)


@method
def diag(input: Tensor, diagonal: int = 0, *, out: Out = None) -> Tensor:
    """A vector as the diagonal of a matrix, or the diagonal of a matrix (a copy)."""
    if input.ndim == 1:
        return into(out, diag_embed(input, diagonal))
    if input.ndim != 2:
        raise ShapeError(
            f"diag(): Supports 1D or 2D tensors. Got {input.ndim}D {list(input.shape)}"
        )
    return into(out, clone(_diagonal(input, diagonal)))


_diagonal = diagonal


@method
def diagflat(input: Tensor, offset: int = 0) -> Tensor:
    """The flattened input as the diagonal of a matrix."""
    return diag_embed(reshape(input, (-1,)), offset)


@method
def trace(input: Tensor) -> Tensor:
    """The sum of the main diagonal of a matrix; integers in int64."""
    if input.ndim != 2:
        raise ShapeError(f"trace: expected a matrix, but got {list(input.shape)}")
    return apply("sum", counted(_diagonal(input), None), axes=(-1,))
