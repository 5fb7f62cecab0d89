"""`t[...]`, read and written: what an index means.

An index is taken apart in two steps. Numbers, slices, None and Ellipsis make a view.
What is left are tensors that pick from some of its dimensions; `picking` does that.
The rules are PyTorch's, which are NumPy's but for negative steps.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ..tracer.record import state
from ..tracer.sizes import Dim, Int
from ..tracer.types import bool_, int64, uint8
from .attributes import clone
from .composite import cast
from .creation import tensor
from .dtypes import LEGACY
from .fill import filled
from .parts import dropped, sliced
from .picking import pick, put
from .plain_picks import Pick
from .shapes import reshaped, unsqueeze
from .tensor import Tensor, method, write

__all__ = ["index_put"]

WHOLE = slice(None)


# -- reading and writing


def _getitem(self: Tensor, index: Any) -> Tensor:
    t, picks = resolve(self, index)
    if picks:
        return pick(t, picks)
    return t if t is not self else reshaped(t, tuple(t.shape))


def _setitem(self: Tensor, index: Any, value: Any) -> None:
    t, picks = resolve(self, index)
    value = _assignable(self, value)
    if picks:
        put(t, picks, value)
    else:
        write(t, _fitted(value, t.ndim))


Tensor.__getitem__ = _getitem  # type: ignore
Tensor.__setitem__ = _setitem  # type: ignore


def _assignable(t: Tensor, value: Any) -> Any:
    if isinstance(value, (Tensor, bool, int, float, Dim)):
        return value
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(
        f"can't assign a {type(value).__name__} to a tracefuse.{LEGACY[t.dtype]}Tensor"
    )


def _fitted(value: Any, ndim: int) -> Any:
    """Leading dimensions of size 1 that the target lacks do not count."""
    while isinstance(value, Tensor) and value.ndim > ndim and value.shape[0] == 1:
        value = reshaped(value, tuple(value.shape[1:]))
    return value


@method
def index_put_(
    self: Tensor, indices: Any, values: Tensor, accumulate: bool = False
) -> Tensor:
    """`self[indices] = values`, or `+=` with every repeat counted (`accumulate`)."""
    t, picks = resolve(self, tuple(indices))
    put(t, picks, values, accumulate)
    return self


@method
def index_put(
    input: Tensor, indices: Any, values: Tensor, accumulate: bool = False
) -> Tensor:
    """A copy of `input` after `index_put_`."""
    return index_put_(clone(input), indices, values, accumulate)


# -- taking an index apart


def resolve(self: Tensor, index: Any) -> tuple[Tensor, list]:
    """The view that the plain part of an index makes, and what is left to pick."""
    given = index if type(index) is tuple else _as_items(index)
    items = [i if type(i) in _PLAIN else _classify(i) for i in given]
    items = _spread_ellipsis(items, self.ndim)
    t, at, real, picks = self, 0, 0, []
    for item in items:
        if item is None:
            t, at = unsqueeze(t, at), at + 1
        elif type(item) is slice:
            t, at, real = _slice(t, at, item), at + 1, real + 1
        elif not isinstance(item, Tensor):
            t, real = _select(t, at, item, real), real + 1
        elif not item.ndim and item.dtype is bool_:
            t, at = unsqueeze(t, at), at + 1
            picks.append(Pick(at - 1, reshaped(item, (1,))))
        else:
            picks.append(_checked(self, t, at, real, item))
            width = _width(item)
            at, real = at + width, real + width
    return t, picks


def _as_items(index: Any) -> tuple:
    """A list that holds more than numbers is read as a tuple, as in PyTorch."""
    if type(index) is list and len(index) < 32:
        if any(i is None or isinstance(i, _NESTED) for i in index):
            return tuple(index)
    return (index,)


_NESTED = (list, tuple, slice, type(Ellipsis), Tensor, np.ndarray)
_PLAIN = frozenset((int, slice, type(None), type(Ellipsis)))


def _classify(item: Any) -> Any:
    if isinstance(item, (bool, np.bool_)):
        return filled(bool(item), (), bool_)
    if isinstance(item, Tensor):
        return _classify_tensor(item)
    if isinstance(item, (list, tuple, range, np.ndarray)):
        return _classify_tensor(_index_tensor(item))
    if isinstance(item, str):
        raise TypeError(f"new(): invalid data type '{type(item).__name__}'")
    try:
        return item if isinstance(item, Dim) else operator.index(item)
    except TypeError:
        raise IndexError(
            "only integers, slices (`:`), ellipsis (`...`), None and long or byte "
            f"Variables are valid indices (got {type(item).__name__})"
        ) from None


def _index_tensor(item: Any) -> Tensor:
    if isinstance(item, np.ndarray):
        return tensor(item)
    made = tensor(item)
    return made if made.shape.numel() else cast(made, int64)


def _classify_tensor(t: Tensor) -> Any:
    dtype = t.dtype
    if dtype.category == 2:
        raise IndexError(
            "tensors used as indices must be long, int, byte or bool tensors"
        )
    if dtype is bool_ or dtype is uint8:
        return cast(t, bool_)
    if not t.ndim and state.recorder is None:
        return t.item()  # type: ignore[attr-defined]
    return cast(t, int64)


def _width(item: Any) -> int:
    """How many dimensions an item consumes."""
    if item is None:
        return 0
    is_mask = isinstance(item, Tensor) and item.dtype is bool_
    return item.ndim if is_mask else 1


def _spread_ellipsis(items: list, ndim: int) -> list:
    dots = [k for k, item in enumerate(items) if item is Ellipsis]
    used = sum(_width(item) for item in items) - len(dots)
    if used > ndim:
        raise IndexError(f"too many indices for tensor of dimension {ndim}")
    if len(dots) > 1:
        raise IndexError("an index can only have a single ellipsis ('...')")
    if not dots:
        return items
    at = dots[0]
    return items[:at] + [WHOLE] * (ndim - used) + items[at + 1 :]


def _select(t: Tensor, at: int, index: Int, real: int) -> Tensor:
    size = t.shape[at]
    if not -size <= index < size:
        raise IndexError(
            f"index {index} is out of bounds for dimension {real} with size {size}"
        )
    return dropped(t, at - t.ndim, index + size if index < 0 else index)


def _slice(t: Tensor, at: int, s: slice) -> Tensor:
    if s == WHOLE:
        return t
    size = t.shape[at]
    start, length, step = span(s, size)
    if step == 1 and length is size:
        return t
    return sliced(t, at - t.ndim, start, length, step)


def span(s: slice, size: Int) -> tuple[Int, Int, int]:
    """(start, length, step) of a slice of `size` elements."""
    step = 1 if s.step is None else operator.index(s.step)
    if step <= 0:
        raise ValueError("step must be greater than zero")
    start, stop = _bound(s.start, size, 0), _bound(s.stop, size, size)
    if stop <= start:
        return start, 0, step
    return start, (stop - start if step == 1 else -((start - stop) // step)), step


def _bound(given: Any, size: Int, missing: Int) -> Int:
    """A bound of a slice, counted from the front and inside."""
    if given is None:
        return missing
    n = given if isinstance(given, (int, Dim)) else operator.index(given)
    if n < 0:
        n = n + size
        return n if n >= 0 else 0
    return n if n <= size else size


def _checked(whole: Tensor, t: Tensor, at: int, real: int, index: Tensor) -> Pick:
    """A tensor among the indices; IndexError for a mask of another shape."""
    if index.dtype is bool_:
        seen = tuple(t.shape[at : at + index.ndim])
        if tuple(index.shape) != seen:
            raise IndexError(
                f"The shape of the mask {list(index.shape)} at index "
                f"{_differs(index.shape, seen)} does not match the shape of the "
                f"indexed tensor {list(whole.shape)} at index "
                f"{real + _differs(index.shape, seen)}"
            )
    return Pick(at, index)


def _differs(a: tuple, b: tuple) -> int:
    return next((i for i, (m, n) in enumerate(zip(a, b)) if m != n), 0)
