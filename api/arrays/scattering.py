"""Writing single elements by number; repeats count as the reduction says.

Without one the last of several updates stands.
"""

from __future__ import annotations

from typing import Any, Optional

from ...tracer.types import int64
from ..math.axes import axis
from ..math.composite import Operand, cast, constant
from ..placing import beside
from ..tensor import Tensor, apply, method, pointwise, view
from .gathering import check_fit, corner, from_end, integers, line, to_end
from .shapes import broadcast_shapes, reshape

__all__ = ["scatter", "scatter_add", "scatter_reduce", "masked_scatter"]


_MODES: dict[Optional[str], str] = {
    **{None: "set", "add": "add", "sum": "add", "mean": "add"},
    **{"multiply": "mul", "prod": "mul", "amax": "max", "amin": "min"},
}


def _mode(name: str, reduce: Optional[str]) -> str:
    if reduce not in _MODES:
        known = ", ".join(str(mode) for mode in _MODES if mode)
        raise RuntimeError(f"{name}(): reduce must be one of {known}, got {reduce!r}")
    return _MODES[reduce]


@method
@beside
def scatter(
    input: Tensor,
    dim: int,
    index: Tensor,
    src: Optional[Operand] = None,
    *,
    value: Any = None,
    reduce: Optional[str] = None,
) -> Tensor:
    """A copy of `input` in which the elements numbered by `index` are those of `src`.

    `src` (or `value`) is a number or a tensor of at least the shape of `index`; with
    `reduce` ("add", "multiply") it is combined with what stands there.

    >>> import tracefuse
    >>> zero, one = tracefuse.zeros(3), tracefuse.tensor([2])
    >>> tracefuse.scatter(zero, 0, one, 1.0)
    tensor([0., 0., 1.])
    """
    src = value if src is None else src
    if not isinstance(src, Tensor):
        src = constant(src, index.shape, input.dtype)
    return _scatter("scatter", input, dim, index, src, _mode("scatter", reduce))


def _scatter(
    name: str, input: Tensor, dim: int, index: Tensor, src: Tensor, mode: str
) -> Tensor:
    if src.dtype is not input.dtype:
        raise RuntimeError(
            f"{name}(): Expected self.dtype to be equal to src.dtype, got "
            f"{input.dtype} and {src.dtype}"
        )
    at = axis(dim, input.ndim)
    x, index, src = line(input), line(integers(name, index)), line(src)
    check_fit(name, index, x, at)
    check_fit(name, index, src, 0)
    x, index, src = (to_end(t, at) for t in (x, index, src))
    y = _put(x, index, corner(src, tuple(index.shape)), mode, -x.ndim)
    return from_end(y, at) if input.ndim else apply("reshape", y, shape=())


def _put(x: Tensor, index: Tensor, src: Tensor, mode: str, at: int) -> Tensor:
    """Scatter along the last axis; before it, `index` may cover but a corner of `x`."""
    if at == -1:
        return apply("scatter", x, index, src, batch=x.ndim - 1, mode=mode)
    n = index.shape[at]
    if x.shape[at] == n:
        return _put(x, index, src, mode, at + 1)
    part = view(x, "slice", axis=at, start=0, length=n, step=1)
    new = _put(part, index, src, mode, at + 1)
    return apply("update_slice", x, new, axis=at, start=0, step=1)


@method
def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """A copy of `input` with `src` added to the elements numbered by `index`."""
    return _scatter("scatter_add", input, dim, index, src, "add")


@method
@beside
def scatter_reduce(
    input: Tensor,
    dim: int,
    index: Tensor,
    src: Tensor,
    reduce: str,
    *,
    include_self: bool = True,
) -> Tensor:
    """`src` reduced ("sum", "prod", "mean", "amax", "amin") into numbered elements.

    Without `include_self` what stood there before does not count.
    """
    mode = _mode("scatter_reduce", reduce)
    once = constant(1, src.shape, input.dtype)
    hits = scatter_add(constant(0, input.shape, input.dtype), dim, index, once)
    touched = pointwise("lt", 0, hits)
    if not include_self:
        first = scatter(input, dim, index, src)
        neutral = {"add": 0, "mul": 1}.get(mode, first)
        input = pointwise("where", touched, neutral, input)
    y = _scatter("scatter_reduce", input, dim, index, src, mode)
    if reduce != "mean":
        return y
    parts = hits + 1 if include_self else pointwise("where", touched, hits, 1)
    whole = input.dtype.category < 2
    return pointwise("idiv" if whole else "div", y, parts)


@method
def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """The elements of `source` one after the other where `mask` holds, else `input`."""
    shape = broadcast_shapes(input.shape, mask.shape)
    mask = reshape(view(mask, "expand", shape=tuple(shape)), (-1,))
    place = apply("cumulative", cast(mask, int64), axis=-1, mode="add") - 1
    place = pointwise("where", mask, place, 0)
    found = apply("gather", reshape(source, (-1,)), place, batch=0)
    input = view(input, "expand", shape=tuple(shape))
    new = apply("reshape", found, shape=tuple(shape))
    mask = apply("reshape", mask, shape=tuple(shape))
    return pointwise("where", mask, new, input)
