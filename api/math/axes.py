"""Dimension numbers and sizes as callers give them: checked, and in one form.

Callers count dimensions from either end; attributes of primitives count from the back,
so everything here answers with negative numbers.
"""

from __future__ import annotations

import operator
from typing import Any, Iterable, Optional

from ...tracer.sizes import Dim, Int

__all__ = ["axis", "axes", "as_size", "sizes", "infer_size", "to_front", "from_front"]


def axis(dim: Any, ndim: int) -> int:
    """The negative number of dimension `dim`; IndexError when there is none.

    A 0-d tensor answers to 0 and -1, as in PyTorch.

    >>> axis(0, 3), axis(-1, 3)
    (-3, -1)
    """
    dim, count = operator.index(dim), ndim or 1
    if not -count <= dim < count:
        raise IndexError(
            f"Dimension out of range (expected to be in range of "
            f"[{-count}, {count - 1}], but got {dim})"
        )
    return dim - count if dim >= 0 else dim


def axes(dims: Any, ndim: int) -> tuple:
    """The negative numbers of several dimensions (None: all of them)."""
    if dims is None:
        return tuple(range(-ndim, 0))
    if not isinstance(dims, Iterable):
        return (axis(dims, ndim),)
    found = tuple(axis(dim, ndim) for dim in dims)
    for dim in found:
        if found.count(dim) > 1:
            raise RuntimeError(f"dim {dim + ndim} appears multiple times in the list")
    return found


def as_size(n: Any, what: str = "size") -> Int:
    """One size, an int or a symbol; TypeError for anything else."""
    if isinstance(n, (int, Dim)) and not isinstance(n, bool):
        return n
    try:
        return operator.index(n)
    except TypeError:
        kind = type(n).__name__
        raise TypeError(f"{what} must be tuple of ints, not {kind}") from None


def sizes(given: tuple, name: str = "size", keyword: Any = None) -> tuple:
    """The sizes in `f(2, 3)`, `f((2, 3))`, `f([2, 3])` or `f(size=(2, 3))`."""
    if keyword is not None:
        if given:
            raise TypeError(f"got {name} twice: {given} and {name}={keyword}")
        given = (keyword,)
    if len(given) == 1 and isinstance(given[0], (tuple, list)):
        given = tuple(given[0])
    what = f"argument '{name}'"
    return tuple([n if type(n) is int else as_size(n, what) for n in given])


def infer_size(shape: tuple, count: Int) -> tuple:
    """`shape` with its one -1 filled in so that it holds `count` elements."""
    known: Int = 1
    hole: Optional[int] = None
    for i, n in enumerate(shape):
        if not isinstance(n, Dim) and n < 0:
            _check_hole(shape, i, hole)
            hole = i
        else:
            known = known * n
    if hole is not None and known != 0 and count % known == 0:
        return (*shape[:hole], count // known, *shape[hole + 1 :])
    if hole is not None and known == 0 and count == 0:
        raise RuntimeError(
            f"cannot reshape tensor of 0 elements into shape {list(shape)} because "
            "the unspecified dimension size -1 can be any value and is ambiguous"
        )
    if hole is not None or known != count:
        raise RuntimeError(
            f"shape '{list(shape)}' is invalid for input of size {count}"
        )
    return shape


def _check_hole(shape: tuple, i: int, hole: Optional[int]) -> None:
    if shape[i] != -1:
        raise RuntimeError(
            f"invalid shape dimension {shape[i]} at index {i} of shape {list(shape)}"
        )
    if hole is not None:
        raise RuntimeError("only one dimension can be inferred")


def to_front(at: int, ndim: int) -> tuple:
    """The order of axes that brings the negative axis `at` to the front."""
    return (at, *[a for a in range(-ndim, 0) if a != at])


def from_front(at: int, ndim: int) -> tuple:
    """The order of axes that undoes `to_front`."""
    order = list(range(1 - ndim, 0))
    order.insert(at + ndim, -ndim)
    return tuple(order)
