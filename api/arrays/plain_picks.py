"""Tensors as indices where NumPy's own indexing will do: eager, without gradients."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ...tracer.types import bool_
from ..tensor import Tensor, write

__all__ = ["Pick", "plain_pick", "plain_put"]


class Pick(NamedTuple):
    """`by` picks from dimension `dim` on: numbers from one, a mask from several."""

    dim: int
    by: Tensor

    @property
    def is_mask(self) -> bool:
        """Whether it is a bool tensor."""
        return self.by.dtype is bool_

    @property
    def dims(self) -> tuple:
        """The dimensions that it picks from."""
        width = self.by.ndim if self.is_mask else 1
        return tuple(range(self.dim, self.dim + width))


def _key(picks: list) -> tuple:
    key: list = []
    for p in picks:
        key += [slice(None)] * (p.dim - len(key) - _extra(key)) + [p.by._array]
    return tuple(key)


def _extra(key: list) -> int:
    """A mask of k dimensions fills k places with one item."""
    masks = [k for k in key if isinstance(k, np.ndarray) and k.dtype == np.bool_]
    return sum(k.ndim - 1 for k in masks)


def plain_pick(array: np.ndarray, picks: list) -> np.ndarray:
    try:
        return array[_key(picks)]
    except IndexError as error:
        raise _rephrased(error, picks) from None


def _rephrased(error: IndexError, picks: list) -> IndexError:
    text = str(error)
    if "broadcast" in text:
        shapes = ", ".join(str(list(p.by.shape)) for p in picks)
        return IndexError(
            "shape mismatch: indexing tensors could not be broadcast together with "
            f"shapes {shapes}"
        )
    return IndexError(text.replace("axis", "dimension"))


def plain_put(t: Tensor, picks: list, value: Any, accumulate: bool) -> None:
    source = value._array if isinstance(value, Tensor) else np.asarray(value)
    source = source.astype(t._array.dtype, copy=False)
    while source.ndim and source.shape[0] == 1 and source.ndim > t.ndim:
        source = source[0]
    key = _key(picks)
    try:
        if accumulate:
            np.add.at(t._array, key, source)
        else:
            t._array[key] = source
    except IndexError as error:
        raise _rephrased(error, picks) from None
    except ValueError:
        result = t._array[key].shape
        if source.ndim <= len(result) and not t._array.flags.writeable:
            write(t, t)  # the message for memory that cannot be written
        raise mismatch(source.shape, result) from None
    t._storage.version += 1


def mismatch(given: tuple, wanted: tuple) -> RuntimeError:
    return RuntimeError(
        f"shape mismatch: value tensor of shape {list(given)} cannot be broadcast to "
        f"indexing result of shape {list(wanted)}"
    )
