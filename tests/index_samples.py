"""Random indices, spelled with NumPy arrays, and what NumPy makes of them."""

from __future__ import annotations

import random
from typing import Any, Callable

import numpy as np


def random_shape(r: random.Random) -> tuple:
    """Up to four dimensions, mostly not empty."""
    sizes = (r.choice((1, 2, 3, 4)) if r.random() < 0.97 else 0 for _ in range(4))
    return tuple(sizes)[: r.randint(0, 4)]


def random_index(r: random.Random, shape: tuple) -> list:
    """A list of ints, slices, None, Ellipsis, bools and arrays that fits `shape`."""
    items: list = []
    at, dots = 0, False
    while at < len(shape) and r.random() < 0.85:
        kind = r.choice("isstmMzn.b")
        if kind == "." and not dots:
            dots = True
            items.append(Ellipsis)
            at += r.randint(0, len(shape) - at)
        elif kind == "n":
            items.append(None)
        elif kind == "b" and r.random() < 0.2:
            items.append(r.random() < 0.7)
        else:
            item, width = _consuming(r, kind, shape[at:])
            if width:
                items.append(item)
                at += width
    return items


def _consuming(r: random.Random, kind: str, shape: tuple) -> tuple[Any, int]:
    n = shape[0]
    bound = lambda: r.choice((None, r.randint(-n - 1, n + 1)))  # noqa: E731
    if kind == "s":
        return slice(bound(), bound(), r.choice((None, None, 1, 2, 3))), 1
    if kind == "m":
        return np.array([r.random() < 0.5 for _ in range(n)], bool), 1
    if kind == "M" and len(shape) > 1:
        flat = [r.random() < 0.5 for _ in range(n * shape[1])]
        return np.array(flat, bool).reshape(n, shape[1]), 2
    if not n or kind not in "itz":
        return None, 0
    if kind == "i":
        return r.randint(-n, n - 1), 1
    lead = () if kind == "z" else r.choice(((2,), (1,), (3,), (2, 2), (2, 1)))
    count = int(np.prod(lead))
    flat = np.array([r.randint(-n, n - 1) for _ in range(count)], np.int64)
    return flat.reshape(lead), 1


def spelled(items: list, of: Callable[[np.ndarray], Any]) -> Any:
    """The index with its arrays turned into tensors by `of`."""
    key = tuple(of(i.copy()) if isinstance(i, np.ndarray) else i for i in items)
    return key[0] if len(key) == 1 else key


def numpy_views(array: np.ndarray, items: list) -> tuple[np.ndarray, tuple]:
    """A view by the plain part, and the key of the picking part.

    PyTorch takes the plain part first: single numbers never separate the others.
    """
    used = sum(_width(i) for i in items)
    plain: list = []
    picks: list = []
    for item in items:
        if item is Ellipsis:
            gap = array.ndim - used
            plain += [slice(None)] * gap
            picks += [slice(None)] * gap
        elif isinstance(item, (bool, np.ndarray)) and np.ndim(item):
            plain += [slice(None)] * _width(item)
            picks.append(item)
        elif isinstance(item, bool):
            plain.append(None)
            picks.append(np.array([item]))
        elif isinstance(item, (int, np.ndarray)):
            plain.append(int(item))
        else:
            plain.append(item)
            picks.append(slice(None))
    has_picks = any(isinstance(p, np.ndarray) for p in picks)
    return array[(*plain, ...)], tuple(picks) if has_picks else (...,)


def _width(item: Any) -> int:
    if item is None or item is Ellipsis or isinstance(item, bool):
        return 0
    if isinstance(item, np.ndarray) and item.dtype == bool:
        return item.ndim
    return 1
