"""The largest and the smallest: over all axes, along one, or so far.

Along one dimension the answer is a named tuple (values, indices); the index is that of
the first extremum, and the gradient goes there. Over all axes, and in `amax` and
`amin`, equal elements share the gradient. NaN counts as both largest and smallest.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Optional, Union

from ...tracer.types import int64
from ..placing import beside
from ..tensor import Tensor, apply, method, pointwise, view
from .axes import axis
from .composite import Out, cast, into, iota, numpy_names
from .reductions import is_empty, kept, reduced, which

__all__ = ["max", "min", "amax", "amin", "aminmax", "argmax", "argmin", "cummax"]
__all__ += ["cummin"]


class Found(NamedTuple):
    """Values and where they stood along the dimension."""

    values: Tensor
    indices: Tensor


class MinMax(NamedTuple):
    """What `aminmax` returns."""

    min: Tensor
    max: Tensor


def picked(x: Tensor, index: Tensor, at: int) -> Tensor:
    """One element per line of `x` along the negative axis `at`.

    `index` has the shape of `x` without that axis.
    """
    order = tuple(i for i in range(-x.ndim, 0) if i != at) + (at,)
    line = x if at == -1 else view(x, "permute", axes=order)
    return apply("gather", line, index, batch=x.ndim - 1)


def _check_filled(name: str, x: Tensor, over: tuple) -> None:
    if is_empty(tuple(x.shape[at] for at in over)):
        raise IndexError(
            f"{name}(): Expected reduction dims {list(over)} of shape "
            f"{list(x.shape)} to have non-zero size."
        )


def _extremum(name: str, x: Tensor, dim: Any, keepdim: bool) -> Tensor:
    over = which(dim, x.ndim)
    _check_filled(f"a{name}", x, over)
    return reduced(name, x, over, keepdim)


def _whole(name: str, x: Tensor) -> Tensor:
    if is_empty(x.shape):
        raise RuntimeError(
            f"{name}(): Expected reduction dim to be specified for input.numel() == 0. "
            "Specify the reduction dim with the 'dim' argument."
        )
    return _extremum(name, x, None, False)


def _along(name: str, x: Tensor, dim: Any, keepdim: bool) -> Found:
    at = axis(dim, x.ndim)
    if not x.ndim:
        return Found(_extremum(name, x, None, False), cast(x != x, int64))
    _check_filled(name, x, (at,))
    indices = apply(f"arg{name}", x, axis=at)
    values = picked(x, indices, at)
    if not keepdim:
        return Found(values, indices)
    return Found(*(kept(part, x.shape, (at,)) for part in (values, indices)))


@method
@numpy_names
def max(
    input: Tensor,
    dim: Union[int, Tensor, None] = None,
    keepdim: bool = False,
    *,
    other: Optional[Tensor] = None,
) -> Any:
    """The maximum of all; or (values, indices) along `dim`; or of two tensors.

    RuntimeError for an empty tensor, IndexError for an empty dimension.

    >>> import tracefuse
    >>> tracefuse.max(tracefuse.tensor([[1, 5], [7, 2]]), dim=1).indices
    tensor([1, 0])
    """
    if isinstance(dim, Tensor) or other is not None:
        return pointwise("maximum", input, dim if other is None else other)
    return _whole("max", input) if dim is None else _along("max", input, dim, keepdim)


@method
@numpy_names
def min(
    input: Tensor,
    dim: Union[int, Tensor, None] = None,
    keepdim: bool = False,
    *,
    other: Optional[Tensor] = None,
) -> Any:
    """The minimum of all; or (values, indices) along `dim`; or of two tensors."""
    if isinstance(dim, Tensor) or other is not None:
        return pointwise("minimum", input, dim if other is None else other)
    return _whole("min", input) if dim is None else _along("min", input, dim, keepdim)


@method
@numpy_names
def amax(
    input: Tensor, dim: Any = (), keepdim: bool = False, *, out: Out = None
) -> Tensor:
    """The maximum over `dim` (an int or several; none: all)."""
    return into(out, _extremum("max", input, dim, keepdim))


@method
@numpy_names
def amin(
    input: Tensor, dim: Any = (), keepdim: bool = False, *, out: Out = None
) -> Tensor:
    """The minimum over `dim` (an int or several; none: all)."""
    return into(out, _extremum("min", input, dim, keepdim))


@method
@numpy_names
def aminmax(
    input: Tensor, *, dim: Optional[int] = None, keepdim: bool = False
) -> MinMax:
    """Minimum and maximum as a named tuple."""
    return MinMax(amin(input, dim, keepdim), amax(input, dim, keepdim))


def _arg(name: str, input: Tensor, dim: Optional[int], keepdim: bool) -> Tensor:
    if dim is None:
        if is_empty(input.shape):
            raise IndexError(
                f"{name}(): Expected reduction dim to be specified for input.numel() "
                "== 0."
            )
        flat = view(input, "reshape", shape=(input.shape.numel(),))
        index = apply(name, flat, axis=-1)
        return kept(index, input.shape, which(None, input.ndim)) if keepdim else index
    at = axis(dim, input.ndim)
    if not input.ndim:
        return cast(input != input, int64)
    _check_filled(name, input, (at,))
    index = apply(name, input, axis=at)
    return kept(index, input.shape, (at,)) if keepdim else index


@method
@numpy_names
def argmax(input: Tensor, dim: Optional[int] = None, keepdim: bool = False) -> Tensor:
    """Where the first maximum stands, along `dim` or in the flattened tensor.

    >>> import tracefuse
    >>> tracefuse.argmax(tracefuse.tensor([[1, 5], [7, 2]]), dim=1)
    tensor([1, 0])
    """
    return _arg("argmax", input, dim, keepdim)


@method
@numpy_names
def argmin(input: Tensor, dim: Optional[int] = None, keepdim: bool = False) -> Tensor:
    """Where the first minimum stands, along `dim` or in the flattened tensor."""
    return _arg("argmin", input, dim, keepdim)


@beside
def _running(name: str, x: Tensor, dim: int) -> Found:
    at = axis(dim, x.ndim)
    if not x.ndim:
        return Found(cast(x, x.dtype), cast(x != x, int64))
    values = apply("cumulative", x, axis=at, mode=name)
    attained = pointwise("eq", x, values) | pointwise("ne", x, x)
    place = iota(x.shape, at, int64)
    place = pointwise("where", attained, place, 0)
    return Found(values, apply("cumulative", place, axis=at, mode="max"))


@method
@numpy_names
def cummax(input: Tensor, dim: int) -> Found:
    """The largest so far along `dim`, and where it last stood."""
    return _running("max", input, dim)


@method
@numpy_names
def cummin(input: Tensor, dim: int) -> Found:
    """The smallest so far along `dim`, and where it last stood."""
    return _running("min", input, dim)
