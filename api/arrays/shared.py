"""Tensors on the memory of NumPy's arrays: both see what either writes."""

from __future__ import annotations

import warnings
import weakref

import numpy as np

from ...tracer.record import state
from ...tracer.storage import Storage, view_array
from ...tracer.types import from_numpy as dtype_of
from ...tracer.where import user_level
from ..tensor import Tensor, fresh
from .steps import steps_to

__all__ = ["from_numpy"]

# id of the array that owns the memory -> the storage that tensors on it share
_shared: dict[int, weakref.ref] = {}


def from_numpy(array: np.ndarray) -> Tensor:
    """A tensor on the memory of `array`: both see what either writes.

    Tensors on the same or overlapping arrays are views of one storage. TypeError for
    an element type that tensors do not have, ValueError for negative strides.

    >>> import numpy
    >>> a = numpy.zeros(2)
    >>> from_numpy(a).fill_(1)
    tensor([1., 1.], dtype=tracefuse.float64)
    >>> a
    array([1., 1.])
    """
    if not isinstance(array, np.ndarray):
        raise TypeError(f"expected np.ndarray (got {type(array).__name__})")
    dtype_of(array.dtype)
    if backward(array):
        raise ValueError(
            "At least one stride in the given numpy array is negative, and tensors "
            "with negative strides are not currently supported. (You can probably work "
            "around this by making a copy of your array with array.copy().)"
        )
    if not array.flags.writeable:
        warnings.warn(
            "The given NumPy array is not writable: writing to the tensor will fail. "
            "Copy the array if that is meant to work.",
            stacklevel=user_level(),
        )
    return adopt(np.asarray(array)) if state.recorder is None else met(array, True)


def met(array: np.ndarray, shares: bool) -> Tensor:
    """A tensor on an array that a recorded function takes up (see `Outside`)."""
    rec = state.recorder.root  # type: ignore[union-attr]
    native = array
    if not array.dtype.isnative or backward(array):
        native = array.astype(array.dtype.newbyteorder("="))
        rec.volatile = "a tensor is made of an array that is no memory of one"
    made = adopt(np.asarray(native))
    rec.meet_numbers(array, made, shares)
    return made


def backward(array: np.ndarray) -> bool:
    """Whether an axis runs backwards in memory, which none of a tensor does."""
    return any(step < 0 for step in array.strides)


def adopt(array: np.ndarray) -> Tensor:
    """A tensor on the memory of `array`, of one storage with others there."""
    owner = _owner(array)
    known = _shared.get(id(owner))
    storage = None if known is None else known()
    if storage is None:
        storage = Storage(owner)
        share(storage)
    t = fresh(array)
    steps = steps_to(storage.array, array)
    if steps is not None:
        t._storage, t._steps = storage, steps
        t._array = view_array(storage.array, steps)
    return t


def _owner(array: np.ndarray) -> np.ndarray:
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def share(storage: Storage) -> None:
    """Let later tensors on the same memory find this storage."""
    key = id(_owner(storage.array))
    _shared[key] = weakref.ref(storage, lambda _: _shared.pop(key, None))
