"""Tensors as indices: reading by `gather`, writing by `scatter` and `where`.

The picked dimensions of a tensor go to the front and become one, so that one flat
number names a row. The picked dimensions of the result stand where they stood when
they were neighbours, else in front (NumPy's rule).
"""

from __future__ import annotations

from typing import Any, Optional

import numpy as np

from ...tracer.broadcast import broadcast
from ...tracer.record import state
from ...tracer.sizes import Int, numel
from ...tracer.types import int64
from ..device import where
from ..dtypes import LEGACY
from ..math.composite import cast
from ..placing import beside, landed, moved_to
from ..tensor import Tensor, apply, fresh, is_away, pointwise, view, write
from .attributes import clone
from .fill import filled
from .known import written_down
from .plain_picks import Pick, mismatch, plain_pick, plain_put
from .scalars import in_host
from .shapes import expand, reshape, reshaped

__all__ = ["pick", "put"]


@beside
def pick(t: Tensor, picks: list) -> Tensor:
    """What the index tensors pick from `t`, as a new tensor."""
    if state.recorder is None and not t.requires_grad and not is_away(t):
        return fresh(np.ascontiguousarray(plain_pick(t._array, picks)))
    plan = Plan(t, _near(t, picks))
    found = apply("gather", plan.rows(t), plan.index, batch=0)
    order = plan.result_order()
    return found if order is None else clone(view(found, "permute", axes=order))


@beside
def put(t: Tensor, picks: list, value: Any, accumulate: bool = False) -> None:
    """Write `value` (broadcast) to what the index tensors pick, or add it there."""
    _check_type(t, value)
    tracked = t.requires_grad or isinstance(value, Tensor) and value.requires_grad
    picks = _near(t, picks)
    if state.recorder is None and not tracked and not is_away(t):
        plain_put(t, picks, value, accumulate)
    elif len(picks) == 1 and picks[0].is_mask and not accumulate:
        _put_mask(t, picks[0], value)
    else:
        _put_rows(t, picks, value, accumulate)


def _near(t: Tensor, picks: list) -> list:
    """Indices from host memory may be used anywhere."""
    if not is_away(t):
        return picks
    return [p._replace(by=_moved(p.by, where(t))) for p in picks]


def _moved(index: Tensor, there: Any) -> Tensor:
    return index if index._array is None else moved_to(index, there)


def _check_type(t: Tensor, value: Any) -> None:
    if isinstance(value, Tensor) and value.ndim and value.dtype is not t.dtype:
        raise RuntimeError(
            "Index put requires the source and destination dtypes match, got "
            f"{LEGACY[t.dtype]} for the destination and {LEGACY[value.dtype]} for the "
            "source."
        )


# -- recorded, or with gradients


class Plan:
    """Which rows of `t` are meant, and where the picked dimensions of the result go."""

    def __init__(self, t: Tensor, picks: list):
        self.shape = tuple(t.shape)
        picked = [d for p in picks for d in p.dims]
        rest = [d for d in range(t.ndim) if d not in picked]
        self.order = picked + rest
        self.lead = tuple([self.shape[d] for d in picked])
        self.rest = tuple([self.shape[d] for d in rest])
        self.index = _flat_index(self.shape, picks)
        self.before = _place(t.ndim, picks)

    def front(self, t: Tensor) -> Tensor:
        """A view of `t` with the picked dimensions in front."""
        if self.order == list(range(t.ndim)):
            return t
        return view(t, "permute", axes=tuple([d - t.ndim for d in self.order]))

    def rows(self, t: Tensor) -> Tensor:
        """`t` as rows: [picked elements, *rest]."""
        front = self.front(t)
        return front if len(self.lead) == 1 else reshape(front, self.row_shape())

    def row_shape(self) -> tuple:
        """The shape of `rows`."""
        return (numel(self.lead), *self.rest)

    def result_shape(self) -> tuple:
        """The shape of what is picked."""
        at = self.before
        return (*self.rest[:at], *self.index.shape, *self.rest[at:])

    def result_order(self) -> Optional[tuple]:
        """From [*index, *rest] to the result; None where that is the same."""
        wide, at = self.index.ndim, self.before
        if not at or not wide:
            return None
        size = wide + len(self.rest)
        order = [*range(wide, wide + at), *range(wide), *range(wide + at, size)]
        return tuple([d - size for d in order])

    def value_rows(self, value: Tensor) -> Tensor:
        """`value`, broadcast to the result, as [*index, *rest]."""
        try:
            wide = expand(value, self.result_shape())
        except RuntimeError:
            raise mismatch(value.shape, self.result_shape()) from None
        order = self.result_order()
        if order is None:
            return wide
        back = sorted(range(len(order)), key=lambda i: order[i])
        return view(wide, "permute", axes=tuple([i - len(order) for i in back]))


def _place(ndim: int, picks: list) -> int:
    """How many of the other dimensions come before the picked ones.

    Single numbers (0-d tensors) leave no dimension, so they do not separate others.
    """
    single = {p.dim for p in picks if not p.is_mask and not p.by.ndim}
    kept = [d for d in range(ndim) if d not in single]
    wide = [kept.index(d) for p in picks for d in p.dims if d not in single]
    if not wide or wide != list(range(wide[0], wide[0] + len(wide))):
        return 0
    return wide[0]


def _flat_index(shape: tuple, picks: list) -> Tensor:
    """One number per picked row. A number outside of its dimension stays outside."""
    numbers = [_nonzero(p.by) if p.is_mask else p.by for p in picks]
    if len(picks) == 1:
        return _in_range(numbers[0], picks[0], shape)
    both = _broadcast_all(numbers)
    numbers = [expand(i, both) for i in numbers]
    flat: Any = None
    fits: Any = None
    total: Int = 1
    for p, i in zip(picks, numbers):
        i = _in_range(i, p, shape)
        n = numel(tuple([shape[d] for d in p.dims]))
        good = (i >= -n) & (i < n)
        i = pointwise("where", i < 0, i + n, i)
        flat = i if flat is None else flat * n + i
        fits = good if fits is None else fits & good
        total = total * n
    return pointwise("where", fits, flat, total)


def _broadcast_all(numbers: list) -> tuple:
    try:
        return broadcast(*[tuple(i.shape) for i in numbers])
    except RuntimeError:
        shapes = ", ".join(str(list(i.shape)) for i in numbers)
        raise IndexError(
            "shape mismatch: indexing tensors could not be broadcast together with "
            f"shapes {shapes}"
        ) from None


def _in_range(index: Tensor, p: Pick, shape: tuple) -> Tensor:
    """IndexError for a number outside (unless recorded: the gather itself objects)."""
    eager = state.recorder is None and not is_away(index)
    array = index._array if eager else written_down(index)
    if not p.is_mask and array is not None and array.size:
        _check_range(array, p, shape[p.dim])
    return index


def _check_range(array: Any, p: Pick, n: Int) -> None:
    low, high = int(array.min()), int(array.max())
    if low < -n or high >= n:
        size = int(n)
        bad = array[(array < -size) | (array >= size)].flat[0]
        raise IndexError(
            f"index {bad} is out of bounds for dimension {p.dim} with size {size}"
        )


def _nonzero(mask: Tensor) -> Tensor:
    """The flat numbers of the true elements: how many is known from the data only."""
    rec = state.recorder
    if rec is None:
        return landed(np.flatnonzero(in_host(mask._array)))
    rec.volatile = "the size of t[mask] depends on the numbers in the mask"
    return landed(np.flatnonzero(in_host(rec.demand(rec.value_of(mask)))))


def _put_rows(t: Tensor, picks: list, value: Any, accumulate: bool) -> None:
    plan = Plan(t, picks)
    if not isinstance(value, Tensor):
        value = filled(value, (), t.dtype)
    new = plan.value_rows(cast(_lean(value, len(plan.result_shape())), t.dtype))
    mode = "add" if accumulate else "set"
    rows = apply("scatter", plan.rows(t), plan.index, new, batch=0, mode=mode)
    front = plan.front(t)
    write(front, reshape(rows, tuple(front.shape)))


def _lean(value: Tensor, ndim: int) -> Tensor:
    while value.ndim > ndim and value.shape[0] == 1:
        value = reshaped(value, tuple(value.shape[1:]))
    return value


def _put_mask(t: Tensor, p: Pick, value: Any) -> None:
    """No size depends on the data here: every element chooses old or new."""
    mask, before = p.by, p.dim
    after = t.ndim - before - mask.ndim
    wide = reshaped(mask, (1,) * before + tuple(mask.shape) + (1,) * after)
    if isinstance(value, Tensor):
        value = cast(_lean(value, after + before + 1), t.dtype)
        if value.ndim > after and value.shape[value.ndim - after - 1] == 0:
            return _put_nothing(value, mask)
        value = _spread_value(value, p, after)
    write(t, pointwise("where", wide, value, t))


def _put_nothing(value: Tensor, mask: Tensor) -> None:
    if state.recorder is None and in_host(mask._array).any():
        raise mismatch(value.shape, (int(in_host(mask._array).sum()),))


def _spread_value(value: Tensor, p: Pick, after: int) -> Tensor:
    """The values [*before, count, *after] at the places of the true elements."""
    count = len(value.shape) - after - 1
    if count < 0:
        return value
    shape, width = tuple(value.shape), p.by.ndim
    if shape[count] == 1:
        return reshaped(value, (*shape[:count], *(1,) * width, *shape[count + 1 :]))
    rank = _rank(p.by, shape[count], shape)
    order = [count, *(d for d in range(len(shape)) if d != count)]
    front = view(value, "permute", axes=tuple([d - len(shape) for d in order]))
    found = apply("gather", front, rank, batch=0)  # [*mask, *before, *after]
    size = width + len(shape) - 1
    back = [*range(width, width + count), *range(width), *range(width + count, size)]
    return view(found, "permute", axes=tuple([d - size for d in back]))


def _rank(mask: Tensor, count: Int, shape: tuple) -> Tensor:
    """Which of the true elements each is; outside of `count` if they do not match."""
    flat = cast(reshape(mask, (-1,)), int64)
    rank = apply("cumulative", flat, axis=-1, mode="add")
    total = apply("sum", flat, axes=(-1,))
    if state.recorder is None and total._array.item() != count:
        raise mismatch(shape, (total._array.item(),))
    rank = pointwise("where", total == count, rank - 1, count)
    return reshape(rank, tuple(mask.shape))
