"""Samples to batches: stacked where they are numbers, in the structure they have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...arrays.creation import as_tensor, tensor
from ...arrays.joining import stack
from ...dtypes import float64
from ...tensor import Tensor

__all__ = ["default_collate", "default_convert"]


def default_collate(batch: Sequence) -> Any:
    """A list of samples as one batch.

    Tensors, arrays and numbers are stacked along a new first dimension; strings stay a
    list; mappings, tuples and sequences are collated entry by entry. RuntimeError for
    sequences of different lengths, TypeError for what no tensor can be made of.

    >>> default_collate([(1, 2.0), (3, 4.0)])
    [tensor([1, 3]), tensor([2., 4.], dtype=tracefuse.float64)]
    """
    first = batch[0]
    if isinstance(first, Tensor):
        return stack(list(batch), 0)
    if isinstance(first, (np.ndarray, np.generic)):
        return _arrays(batch)
    if isinstance(first, float):
        return tensor(list(batch), dtype=float64)
    if isinstance(first, int):
        return tensor(list(batch))
    if isinstance(first, (str, bytes)):
        return list(batch)
    if isinstance(first, Mapping):
        return _mapping(batch)
    if isinstance(first, Sequence):
        return _sequence(batch)
    raise TypeError(
        "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or "
        f"lists; found {type(first)}"
    )


def _arrays(batch: Sequence) -> Tensor:
    first = np.asarray(batch[0])
    if first.dtype.kind not in "biuf" and first.dtype.name != "bfloat16":
        raise TypeError(
            "default_collate: batch must contain tensors, numpy arrays, numbers, dicts "
            f"or lists; found an array of {first.dtype}"
        )
    return stack([as_tensor(np.asarray(x)) for x in batch], 0)


def _mapping(batch: Sequence) -> Any:
    first = batch[0]
    entries = {key: default_collate([sample[key] for sample in batch]) for key in first}
    try:
        return type(first)(entries)  # type: ignore[call-arg]
    except TypeError:
        return entries


def _sequence(batch: Sequence) -> Any:
    first = batch[0]
    if any(len(sample) != len(first) for sample in batch):
        raise RuntimeError("each element in list of batch should be of equal size")
    columns = [default_collate(column) for column in zip(*batch)]
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return type(first)(*columns)
    return columns


def default_convert(data: Any) -> Any:
    """Arrays inside become tensors, the rest stays: a loader's way without batches."""
    if isinstance(data, (np.ndarray, np.generic)):
        return as_tensor(np.asarray(data))
    if isinstance(data, Mapping):
        return {key: default_convert(value) for key, value in data.items()}
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*map(default_convert, data))
    if isinstance(data, (tuple, list)):
        return type(data)(map(default_convert, data))
    return data
