"""Where values are and how many: nonzero, unique, searchsorted, counting.

How large the results of `nonzero`, `masked_select` and `unique` are, the data decide.
Under jit the piece before them is run on the spot, and the function records anew at
every call.
"""

from __future__ import annotations

from typing import Any, Optional

import numpy as np

from ...tracer.record import state
from ...tracer.types import bool_, float64, int32, int64
from ..math.axes import axis
from ..math.composite import cast, constant
from ..math.reductions import reduced
from ..placing import beside, landed
from ..tensor import Tensor, apply, method, pointwise, view
from .scalars import in_host
from .shapes import broadcast_shapes, reshape

__all__ = ["nonzero", "argwhere", "masked_select", "unique", "unique_consecutive"]
__all__ += ["searchsorted", "bucketize", "bincount", "histc", "isin"]


def numbers(x: Tensor, why: str) -> np.ndarray:
    """The numbers of a tensor, for a result whose size depends on them."""
    rec = state.recorder
    if rec is None:
        return in_host(x._array)
    rec.volatile = f"the size of the result of {why} depends on data"
    return in_host(rec.demand(rec.value_of(x)))


@method
@beside
def nonzero(input: Tensor, *, as_tuple: bool = False) -> Any:
    """The indices of what is other than 0: [count, dimensions], or one tensor for each.

    >>> import tracefuse
    >>> tracefuse.nonzero(tracefuse.tensor([0, 5, 7]))
    tensor([[1],
            [2]])
    """
    places = np.nonzero(np.atleast_1d(numbers(input, "nonzero")))
    if as_tuple:
        return tuple(landed(place) for place in places)
    return landed(np.stack(places, 1)[:, : input.ndim])


@method
def argwhere(input: Tensor) -> Tensor:
    """`nonzero` as a matrix."""
    return nonzero(input)


@method
def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """The elements where the bool `mask` holds, 1-d.

    >>> import tracefuse
    >>> x = tracefuse.tensor([1, 2, 3])
    >>> tracefuse.masked_select(x, x > 1)
    tensor([2, 3])
    """
    if mask.dtype is not bool_:
        raise RuntimeError(
            f"masked_select: expected BoolTensor for mask, got {mask.dtype}"
        )
    shape = tuple(broadcast_shapes(input.shape, mask.shape))
    flat = reshape(view(mask, "expand", shape=shape), (-1,))
    rows = reshape(view(input, "expand", shape=shape), (-1,))
    (index,) = nonzero(flat, as_tuple=True)
    return apply("gather", rows, index, batch=0)


def _parts(found: Any, inverse: bool, counts: bool) -> Any:
    parts = [landed(np.asarray(part)) for part in found]
    keep = [True, inverse, counts]
    kept = tuple(part for part, wanted in zip(parts, keep) if wanted)
    return kept if len(kept) > 1 else kept[0]


@method
@beside
def unique(
    input: Tensor,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: Optional[int] = None,
) -> Any:
    """The different values (or slices along `dim`) in order.

    On request also where each element of `input` went, and how often each occurs.
    Gradients do not pass.

    >>> import tracefuse
    >>> tracefuse.unique(tracefuse.tensor([3, 1, 3]))
    tensor([1, 3])
    """
    array = numbers(input, "unique")
    along = None if dim is None else axis(dim, input.ndim)
    values, inverse, counts = np.unique(
        array, return_inverse=True, return_counts=True, axis=along, equal_nan=False
    )
    shape = array.shape if dim is None else (-1,)
    found = (values, inverse.reshape(shape), counts)
    return _parts(found, return_inverse, return_counts)


@method
@beside
def unique_consecutive(
    input: Tensor, return_inverse: bool = False, return_counts: bool = False
) -> Any:
    """The flattened input with every run of equal values shrunk to one."""
    array = numbers(input, "unique_consecutive")
    flat = array.reshape(-1)
    first = np.ones(flat.shape, bool)
    first[1:] = flat[1:] != flat[:-1]
    inverse = np.cumsum(first) - 1
    counts = np.bincount(inverse, minlength=0) if flat.size else inverse
    found = (flat[first], inverse.reshape(array.shape), counts)
    return _parts(found, return_inverse, return_counts)


# -- sorted sequences


def searchsorted(
    sorted_sequence: Tensor,
    input: Any,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: Optional[str] = None,
) -> Tensor:
    """Where each value would be inserted: before equal ones, or with `right` behind.

    The sequences lie along the last dimension: one for all values, or one for each
    line of them. RuntimeError where the leading dimensions differ.

    >>> import tracefuse
    >>> tracefuse.searchsorted(tracefuse.tensor([1, 3, 5]), tracefuse.tensor([3, 4]))
    tensor([1, 2])
    """
    right = right or side == "right"
    if not isinstance(input, Tensor):
        input = constant(input, (), sorted_sequence.dtype)
    if sorted_sequence.ndim == 1:
        found = _search(sorted_sequence, input, right, 0)
    elif tuple(sorted_sequence.shape[:-1]) == tuple(input.shape[:-1]):
        found = _search(sorted_sequence, input, right, input.ndim - 1)
    else:
        raise RuntimeError(
            "searchsorted(): boundaries tensor should be 1 dimension or the first N-1 "
            f"dimensions must match, got {list(sorted_sequence.shape)} and "
            f"{list(input.shape)}"
        )
    return cast(found, int32) if out_int32 else found


@beside
def _search(line: Tensor, x: Tensor, right: bool, batch: int) -> Tensor:
    """Bisection: the answer is known to a power of two, which halves at each step."""
    n = int(line.shape[-1])
    found = constant(0, x.shape, int64)
    step = 1 << (n.bit_length() - 1) if n else 0
    while step:
        probe = found + step
        place = pointwise("minimum", probe, n) - 1
        element = apply("gather", line, place, batch=batch)
        below = _below(element, x, right) & pointwise("le", probe, n)
        found = pointwise("where", below, probe, found)
        step >>= 1
    return found


def _below(element: Tensor, x: Tensor, right: bool) -> Tensor:
    """Whether `x` comes behind the element, NaN behind every number."""
    nan = pointwise("ne", x, x)
    if right:
        return pointwise("le", element, x) | nan
    return pointwise("lt", element, x) | (nan & pointwise("eq", element, element))


def bucketize(
    input: Any, boundaries: Tensor, *, out_int32: bool = False, right: bool = False
) -> Tensor:
    """The number of the bucket between `boundaries` that each value is in."""
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)


# -- counting


@method
@beside
def bincount(
    input: Tensor, weights: Optional[Tensor] = None, minlength: int = 0
) -> Tensor:
    """How often each of 0, 1, ... occurs, or the sum of `weights` there.

    RuntimeError unless `input` is 1-d and holds no negative integer.

    >>> import tracefuse
    >>> tracefuse.bincount(tracefuse.tensor([0, 2, 2]))
    tensor([1, 0, 2])
    """
    if input.ndim != 1 or input.dtype.category != 1:
        raise RuntimeError("bincount only supports 1-d non-negative integral inputs.")
    array = numbers(input, "bincount")
    if array.size and array.min() < 0:
        raise RuntimeError("bincount only supports 1-d non-negative integral inputs.")
    length = max(int(array.max()) + 1 if array.size else 0, minlength)
    if weights is None:
        weights = constant(1, input.shape, int64)
    elif not weights.dtype.is_floating_point:
        weights = cast(weights, float64)
    zero = constant(0, (length,), weights.dtype)
    return apply("scatter", zero, cast(input, int64), weights, batch=0, mode="add")


@method
@beside
def histc(input: Tensor, bins: int = 100, min: float = 0, max: float = 0) -> Tensor:
    """How many elements fall into each of `bins` equal parts of [min, max].

    Both 0: from the smallest to the largest element.
    """
    x = reshape(input, (-1,))
    low: Any = min
    high: Any = max
    if min == max == 0:
        low, high = reduced("min", x, (-1,), False), reduced("max", x, (-1,), False)
    place = (x - low) * bins / (high - low)
    inside = pointwise("le", low, x) & pointwise("le", x, high)
    place = pointwise("where", inside, place, 0)
    place = pointwise("minimum", cast(pointwise("floor", place), int64), bins - 1)
    zero = constant(0, (bins,), input.dtype)
    hit = cast(inside, input.dtype)
    return apply("scatter", zero, place, hit, batch=0, mode="add")


def isin(elements: Tensor, test_elements: Tensor, *, invert: bool = False) -> Tensor:
    """Whether each element is among the test elements.

    >>> import tracefuse
    >>> tracefuse.isin(tracefuse.tensor([1, 2, 3]), tracefuse.tensor([2, 3]))
    tensor([False,  True,  True])
    """
    among = apply("argsort", reshape(test_elements, (-1,)), axis=-1, descending=False)
    ordered = apply("gather", reshape(test_elements, (-1,)), among, batch=0)
    low = searchsorted(ordered, elements)
    high = searchsorted(ordered, elements, right=True)
    return pointwise("eq", low, high) if invert else pointwise("lt", low, high)
