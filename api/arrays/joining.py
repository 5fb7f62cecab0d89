"""Tensors put together: one after the other, stacked."""

from __future__ import annotations

from typing import Any, Optional

from ...tracer.types import DType, promote_types
from ..amp.ruled import ruled
from ..math.axes import axis
from ..math.composite import cast, into
from ..tensor import Tensor, apply
from .shapes import reshape, reshaped, unsqueeze

__all__ = ["cat", "concat", "concatenate", "stack", "hstack", "vstack", "dstack"]
__all__ += ["column_stack", "row_stack", "atleast_1d", "atleast_2d", "atleast_3d"]


# -- cat and stack


@ruled
def cat(tensors: Any, dim: int = 0, *, out: Optional[Tensor] = None) -> Tensor:
    """The tensors one after the other along `dim`, in the type in which all meet.

    Empty 1-d tensors are skipped, as in PyTorch. RuntimeError when the other
    dimensions differ.

    >>> import tracefuse
    >>> cat([tracefuse.zeros(2), tracefuse.ones(1)])
    tensor([0., 0., 1.])
    """
    tensors = _checked(tensors, "torch.cat()", ValueError)
    dtype = _common(tensors)
    shapes = [tuple(t.shape) for t in tensors]
    if len({len(shape) for shape in shapes}) > 1:
        tensors = [t for t, shape in zip(tensors, shapes) if shape != (0,)]
        shapes = [tuple(t.shape) for t in tensors]
    _check_ranks(shapes)
    at = axis(dim, len(shapes[0]))
    _check_sizes(shapes, at)
    parts = [cast(t, dtype) for t in tensors]
    return into(out, apply("concat", *parts, axis=at))


concat = concatenate = cat


def _checked(tensors: Any, name: str, error: type) -> list:
    found = list(tensors)
    if not found:
        raise error(f"{name}: expected a non-empty list of Tensors")
    for i, t in enumerate(found):
        if not isinstance(t, Tensor):
            raise TypeError(
                f"expected Tensor as element {i} in argument 0, but got "
                f"{type(t).__name__}"
            )
    return found


def _common(tensors: list) -> DType:
    dtype = tensors[0].dtype
    for t in tensors[1:]:
        dtype = promote_types(dtype, t.dtype)
    return dtype


def _check_ranks(shapes: list) -> None:
    for i, shape in enumerate(shapes):
        if not shape:
            raise RuntimeError(
                f"zero-dimensional tensor (at position {i}) cannot be concatenated"
            )
        if len(shape) != len(shapes[0]):
            raise RuntimeError(
                "Tensors must have same number of dimensions: got "
                f"{len(shapes[0])} and {len(shape)}"
            )


def _check_sizes(shapes: list, at: int) -> None:
    first = shapes[0]
    for i, shape in enumerate(shapes[1:], 1):
        for k in range(-len(first), 0):
            if k != at and shape[k] is not first[k] and shape[k] != first[k]:
                raise RuntimeError(
                    "Sizes of tensors must match except in dimension "
                    f"{at + len(first)}. Expected size {first[k]} but got size "
                    f"{shape[k]} for tensor number {i} in the list."
                )


@ruled
def stack(tensors: Any, dim: int = 0, *, out: Optional[Tensor] = None) -> Tensor:
    """Tensors of one shape, side by side along a new dimension `dim`.

    >>> import tracefuse
    >>> stack([tracefuse.zeros(2), tracefuse.ones(2)], 1)
    tensor([[0., 1.],
            [0., 1.]])
    """
    tensors = _checked(tensors, "stack", RuntimeError)
    first = tuple(tensors[0].shape)
    for i, t in enumerate(tensors):
        if tuple(t.shape) != first:
            raise RuntimeError(
                f"stack expects each tensor to be equal size, but got {list(first)} at "
                f"entry 0 and {list(t.shape)} at entry {i}"
            )
    return cat([unsqueeze(t, dim) for t in tensors], dim, out=out)


def hstack(tensors: Any, *, out: Optional[Tensor] = None) -> Tensor:
    """Side by side: along dimension 1 (0 for 1-d tensors)."""
    parts = [atleast_1d(t) for t in tensors]
    return cat(parts, 0 if parts and parts[0].ndim == 1 else 1, out=out)


def vstack(tensors: Any, *, out: Optional[Tensor] = None) -> Tensor:
    """One above the other: along dimension 0, at least 2-d."""
    return cat([atleast_2d(t) for t in tensors], 0, out=out)


row_stack = vstack


def dstack(tensors: Any, *, out: Optional[Tensor] = None) -> Tensor:
    """One behind the other: along dimension 2, at least 3-d."""
    return cat([atleast_3d(t) for t in tensors], 2, out=out)


def column_stack(tensors: Any, *, out: Optional[Tensor] = None) -> Tensor:
    """As `hstack`, but 1-d tensors are columns."""
    columns = [reshape(t, (-1, 1)) if t.ndim < 2 else t for t in tensors]
    return hstack(columns, out=out)


def _each(function: Any, tensors: tuple) -> Any:
    if len(tensors) == 1 and not isinstance(tensors[0], Tensor):
        tensors = tuple(tensors[0])
    elif len(tensors) == 1:
        return function(tensors[0])
    return tuple(function(t) for t in tensors)


def atleast_1d(*tensors: Any) -> Any:
    """With at least one dimension (several tensors give a tuple)."""
    return _each(lambda t: t if t.ndim else reshaped(t, (1,)), tensors)


def atleast_2d(*tensors: Any) -> Any:
    """With at least two dimensions; new ones come first."""
    return _each(lambda t: t if t.ndim > 1 else reshape(t, (1, -1)), tensors)


def atleast_3d(*tensors: Any) -> Any:
    """With at least three dimensions: [n] -> [1, n, 1], [m, n] -> [m, n, 1]."""
    shapes = {0: (1, 1, 1), 1: (1, -1, 1)}

    def deepen(t: Tensor) -> Tensor:
        if t.ndim > 2:
            return t
        return unsqueeze(t, 2) if t.ndim == 2 else reshape(t, shapes[t.ndim])

    return _each(deepen, tensors)
