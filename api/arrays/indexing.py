"""`t[...]`, read and written: what an index means.

An index is taken apart in two steps. Numbers, slices, None and Ellipsis make a view.
What is left are tensors that pick from some of its dimensions; `picking` does that.
The rules are PyTorch's, which are NumPy's but for negative steps.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ...tracer.record import state
from ...tracer.sizes import Dim, Int
from ...tracer.types import bool_, int64, uint8
from ..dtypes import LEGACY
from ..math.composite import cast
from ..tensor import Tensor, alias, method, view, write
from .attributes import clone
from .creation import tensor
from .fill import filled
from .picking import pick, put
from .plain_picks import Pick
from .shapes import reshaped

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


def chain(t: Tensor, steps: list, key: tuple) -> Tensor:
    """Several view steps at once; `key` says to NumPy what they say."""
    if not steps:
        return t
    if state.recorder is not None or not state.grad:
        for op, attrs in steps:
            t = view(t, op, **attrs)
        return t
    op, attrs = steps[0]
    new = alias(t, op, attrs, t._array[key])
    new._steps = (*t._steps, *steps)
    return new


def resolve(self: Tensor, index: Any) -> tuple[Tensor, list]:
    """The view that the plain part of an index makes, and what is left to pick."""
    given = index if type(index) is tuple else _as_items(index)
    items = [i if type(i) in _PLAIN else _classify(i) for i in given]
    walk = Walk(tuple(self.shape))
    for item in _spread_ellipsis(items, len(walk.old)):
        if item is None:
            walk.insert()
        elif type(item) is slice:
            walk.cut(item)
        elif not isinstance(item, Tensor):
            walk.select(item)
        else:
            walk.pick(item)
    return chain(self, *walk.finish()), walk.picks


class Walk:
    """The dimensions of a tensor, one item of the index after the other.

    All slices are taken first (`steps`); one reshape then drops and adds dimensions.
    `key` says the same to NumPy, for eager tensors.
    """

    def __init__(self, old: tuple):
        self.old, self.shape, self.cuts, self.picks = old, [], [], []  # type: ignore
        self.key: list = []
        self.real, self.reshapes = 0, False

    def insert(self) -> None:
        """A new dimension of size 1."""
        self.shape.append(1)
        self.key.append(None)
        self.reshapes = True

    def cut(self, s: slice) -> None:
        """A slice of the next dimension."""
        size = self.old[self.real]
        if s != WHOLE:
            start, size, step = span(s, size)
            self._slice(start, size, step)
        self.shape.append(size)
        self.key.append(s)
        self.real += 1

    def select(self, index: Int) -> None:
        """One element of the next dimension, which goes."""
        size = self.old[self.real]
        if not -size <= index < size:
            raise IndexError(
                f"index {index} is out of bounds for dimension {self.real} with size "
                f"{size}"
            )
        self._slice(index + size if index < 0 else index, 1, 1)
        self.key.append(index)
        self.real, self.reshapes = self.real + 1, True

    def pick(self, by: Tensor) -> None:
        """A tensor picks from the next dimensions: from as many as a mask has."""
        width, at = _width(by), len(self.shape)
        if by.dtype is bool_:
            _check_mask(by, self.old, self.real)
        if not width:
            self.insert()
            by = reshaped(by, (1,))
        self.picks.append(Pick(at, by))
        self.shape += self.old[self.real : self.real + width]
        self.key += [WHOLE] * width
        self.real += width

    def _slice(self, start: Int, length: Int, step: int) -> None:
        place = {"axis": self.real - len(self.old), "start": start}
        self.cuts.append(("slice", {**place, "length": length, "step": step}))

    def finish(self) -> tuple[list, tuple]:
        """(view steps, NumPy's index)."""
        steps = self.cuts
        if self.reshapes:
            shape = (*self.shape, *self.old[self.real :])
            steps = [*steps, ("reshape", {"shape": shape})]
        return steps, (*self.key, Ellipsis)


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


def span(s: slice, size: Int) -> tuple[Int, Int, int]:
    """(start, length, step) of a slice of `size` elements."""
    step = 1 if s.step is None else operator.index(s.step)
    if step <= 0:
        raise ValueError("step must be greater than zero")
    start, stop = _bound(s.start, size, 0), _bound(s.stop, size, size)
    if stop < start:
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


def _check_mask(mask: Tensor, shape: tuple, at: int) -> None:
    """IndexError for a mask of another shape than the dimensions it picks from."""
    seen, own = shape[at : at + mask.ndim], tuple(mask.shape)
    if own != seen:
        wrong = next(i for i, (m, n) in enumerate(zip(own, seen)) if m != n)
        raise IndexError(
            f"The shape of the mask {list(own)} at index {wrong} does not match the "
            f"shape of the indexed tensor {list(shape)} at index {at + wrong}"
        )
