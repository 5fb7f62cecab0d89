"""Tensors turned round and repeated: copies in another order."""

from __future__ import annotations

from typing import Any, Optional, Sequence

from ...tracer.sizes import Int
from ...tracer.types import int64
from ..math.axes import as_size, axes, axis, from_front, sizes, to_front
from ..math.composite import cast
from ..placing import beside
from ..tensor import Tensor, apply, method, view
from .attributes import clone
from .fill import filled
from .joining import cat
from .parts import dropped, sliced
from .shapes import expand, reshape, reshaped

__all__ = ["flip", "fliplr", "flipud", "roll", "rot90", "tile", "repeat_interleave"]

# -- turned round


@method
def flip(input: Tensor, *which: Any, dims: Any = None) -> Tensor:
    """A copy with the given dimensions backwards.

    >>> import tracefuse
    >>> flip(tracefuse.arange(3), 0)
    tensor([2, 1, 0])
    """
    t = input
    for at in axes(sizes(which, "dims", dims), input.ndim):
        if input.ndim:
            n = t.shape[at]
            t = view(t, "slice", axis=at, start=n - 1, length=n, step=-1)
    return clone(t)


@method
def fliplr(input: Tensor) -> Tensor:
    """A copy with dimension 1 backwards."""
    return flip(input, 1)


@method
def flipud(input: Tensor) -> Tensor:
    """A copy with dimension 0 backwards."""
    return flip(input, 0)


@method
def roll(input: Tensor, shifts: Any, dims: Any = None) -> Tensor:
    """Elements moved on by `shifts` places along `dims`; what leaves comes back in.

    Without `dims` the flattened tensor is rolled.

    >>> import tracefuse
    >>> roll(tracefuse.arange(4), 1)
    tensor([3, 0, 1, 2])
    """
    shifts = [shifts] if isinstance(shifts, int) else list(shifts)
    if dims is None:
        return reshape(roll(reshape(input, (-1,)), shifts, 0), tuple(input.shape))
    dims = [dims] if isinstance(dims, int) else list(dims)
    if len(dims) != len(shifts):
        raise RuntimeError(
            "shifts and dimensions must align. "
            f"shifts: {len(shifts)}, dims: {len(dims)}"
        )
    for shift, dim in zip(shifts, dims):
        input = _roll(input, shift, axis(dim, input.ndim))
    return input


def _roll(t: Tensor, shift: int, at: int) -> Tensor:
    size = t.shape[at] if t.ndim else 0
    if size == 0:
        return clone(t)
    start = (-shift) % size
    return cat([sliced(t, at, start, size - start), sliced(t, at, 0, start)], at)


@method
def rot90(input: Tensor, k: int = 1, dims: Sequence[int] = (0, 1)) -> Tensor:
    """A copy turned `k` times by 90 degrees, from `dims[0]` towards `dims[1]`."""
    a, b = axes(dims, input.ndim)
    order = list(range(-input.ndim, 0))
    order[a], order[b] = order[b], order[a]
    backwards = {0: (), 1: (b,), 2: (a, b), 3: (a,)}[k % 4]
    turned = flip(input, backwards)
    return clone(view(turned, "permute", axes=tuple(order))) if k % 2 else turned


# -- repeated


def _repeat(self: Tensor, *counts: Any, repeats: Any = None) -> Tensor:
    """The whole tensor `sizes[i]` times along each dimension (new ones come first)."""
    times, shape = sizes(counts, "repeats", repeats), tuple(self.shape)
    if len(times) < len(shape):
        raise RuntimeError(
            "Number of dimensions of repeat dims can not be smaller than number of "
            "dimensions of tensor"
        )
    if any(n < 0 for n in times):
        raise RuntimeError(f"Trying to create tensor with negative dimension: {times}")
    shape = (1,) * (len(times) - len(shape)) + shape
    apart = tuple([n for size in shape for n in (1, size)])
    wide = tuple([n for pair in zip(times, shape) for n in pair])
    merged = tuple([n * size for n, size in zip(times, shape)])
    return reshape(clone(expand(reshaped(self, apart), wide)), merged)


Tensor.repeat = _repeat  # type: ignore


@method
def tile(input: Tensor, *counts: Any, dims: Any = None) -> Tensor:
    """As `Tensor.repeat`; missing leading counts are 1."""
    times = sizes(counts, "dims", dims)
    return _repeat(input, (1,) * (input.ndim - len(times)) + times)


@method
def repeat_interleave(
    input: Tensor,
    repeats: Any = None,
    dim: Optional[int] = None,
    *,
    output_size: Optional[Int] = None,
) -> Tensor:
    """Each element along `dim` several times in a row (flattened without `dim`).

    `repeats` is a number or an integer tensor with one count per element; its sum, the
    size of the result, must be known: `output_size` spares looking at the data.

    >>> import tracefuse
    >>> repeat_interleave(tracefuse.tensor([7, 8]), tracefuse.tensor([1, 2]))
    tensor([7, 8, 8])
    """
    if repeats is None:  # repeat_interleave(repeats): the numbers of the elements
        return _spread(input, output_size)
    if dim is None:
        input, dim = reshape(input, (-1,)), 0
    at = axis(dim, input.ndim)
    if not isinstance(repeats, Tensor):
        return _interleave(input, as_size(repeats, "repeats"), at)
    size = input.shape[at]
    if repeats.shape.numel() == 1 and size != 1:
        repeats = expand(reshape(repeats, (1,)), (size,))
    if tuple(repeats.shape) != (size,):
        raise RuntimeError("repeats must have the same size as input along dim")
    rows = view(input, "permute", axes=to_front(at, input.ndim))
    picked = apply("gather", rows, _spread(repeats, output_size), batch=0)
    return clone(view(picked, "permute", axes=from_front(at, input.ndim)))


def _interleave(t: Tensor, times: Int, at: int) -> Tensor:
    if times < 0:
        raise RuntimeError("Repeats must be non-negative")
    shape = tuple(t.shape)
    cut = at + len(shape) + 1
    before, after = shape[:cut], shape[cut:]
    tall = expand(reshaped(t, (*before, 1, *after)), (*before, times, *after))
    return reshape(clone(tall), (*before[:-1], before[-1] * times, *after))


@beside
def _spread(repeats: Tensor, total: Optional[Int]) -> Tensor:
    """Number i, `repeats[i]` times: the count of runs that ended before each place."""
    if repeats.ndim != 1:
        raise RuntimeError("repeat_interleave only accepts 1D vector as repeat")
    if repeats.dtype.category != 1:
        raise RuntimeError("repeats has to be Long or Int tensor")
    ends = apply("cumulative", cast(repeats, int64), axis=-1, mode="add")
    if total is None:
        total = _last(ends)
    marks = filled(0, (total + 1,), int64)
    once = filled(1, tuple(ends.shape), int64)
    marks = apply("scatter", marks, ends, once, batch=0, mode="add")
    places = apply("cumulative", marks, axis=-1, mode="add")
    return clone(sliced(places, -1, 0, total))


def _last(ends: Tensor) -> int:
    n = ends.shape[0]
    return int(dropped(ends, -1, n - 1)) if n != 0 else 0  # type: ignore
