"""All partial results of an associative function: `associative_scan`."""

from __future__ import annotations

import functools
from typing import Any, Callable

from ...tracer.pytree import flatten, rebuild
from ..arrays.joining import cat, stack
from ..arrays.parts import narrow
from ..arrays.repeating import flip
from ..tensor import Tensor

__all__ = ["associative_scan"]


def associative_scan(
    fn: Callable, elems: Any, reverse: bool = False, axis: int = 0
) -> Any:
    """All partial results of an associative function along an axis, in log2(n) rounds.

    The meaning of `jax.lax.associative_scan`: row i of the result is
    fn(...fn(fn(x0, x1), x2)..., xi). `fn` takes and returns trees like `elems` and
    works on many rows at once. With `reverse` the rows run from the last to the first.
    ValueError when the tensors have axes of different lengths.

    Source: Blelloch, Prefix sums and their applications (1990).

    >>> import tracefuse
    >>> associative_scan(tracefuse.maximum, tracefuse.tensor([1, 3, 2, 5]))
    tensor([1, 3, 3, 5])
    """
    leaves, spec = flatten(elems)
    sizes = {x.shape[axis] for x in leaves}
    if len(sizes) != 1:
        raise ValueError(f"associative_scan: axis {axis} has the lengths {sizes}")

    def combine(a: list, b: list) -> list:
        return flatten(fn(rebuild(spec, a), rebuild(spec, b)))[0]

    turned = [flip(x, (axis,)) if reverse else x for x in leaves]
    done = _partial(combine, turned, axis)
    return rebuild(spec, [flip(x, (axis,)) if reverse else x for x in done])


def _partial(combine: Callable, xs: list, axis: int) -> list:
    """Pairs are combined, scanned, and the rows between them filled in."""
    n = xs[0].shape[axis]
    if n < 2:
        return xs
    rows = functools.partial(_rows, axis=axis)
    odd = combine([rows(x, 0, n // 2) for x in xs], [rows(x, 1, n // 2) for x in xs])
    odd = _partial(combine, odd, axis)
    later = [rows(x, 2, (n - 1) // 2) for x in xs]
    even = combine([narrow(x, axis, 0, (n - 1) // 2) for x in odd], later)
    first = [narrow(x, axis, 0, 1) for x in xs]
    even = [cat([a, b], axis) for a, b in zip(first, even)] if n > 2 else first
    return [_woven(a, b, axis) for a, b in zip(even, odd)]


def _rows(x: Tensor, start: int, count: Any, axis: int) -> Tensor:
    """Every second row."""
    at = (slice(None),) * (axis % x.ndim)
    return x[(*at, slice(start, start + 2 * count, 2))]


def _woven(even: Tensor, odd: Tensor, axis: int) -> Tensor:
    """Rows of `even` and `odd` by turns (of `even` there may be one more)."""
    axis = axis % even.ndim
    n = odd.shape[axis]
    shape = (*odd.shape[:axis], n * 2, *odd.shape[axis + 1 :])
    pairs = stack([narrow(even, axis, 0, n), odd], axis + 1).reshape(shape)
    if even.shape[axis] == n:
        return pairs
    return cat([pairs, narrow(even, axis, n, 1)], axis)
