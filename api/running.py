"""Eager: a primitive runs its meaning at once, here or where its arrays lie."""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np

from ..kernels.numpy.floats import floats, quiet
from ..tracer.broadcast import broadcast
from ..tracer.elsewhere import away
from ..tracer.errors import ShapeError
from ..tracer.ops import OPS
from .host import scalar
from .operands import array_of, is_away
from .place import eager, place_for

__all__ = ["compute", "compute_pointwise", "compute_view"]


def compute(op: str, arrays: Sequence, attrs: dict) -> Any:
    """What a primitive makes of arrays that fit it, in row-major order."""
    if away.used and (place := place_for(arrays)) is not None:
        return eager.compute(op, arrays, attrs, place)
    before = floats.set(quiet)
    try:
        array = OPS[op].meaning(*arrays, **attrs)
    finally:
        floats.reset(before)
    return array if array.flags.c_contiguous else array.copy()


def compute_pointwise(op: str, operands: tuple, dtypes: tuple) -> Any:
    """The same for tensors and numbers, which are cast and broadcast."""
    if away.used and any(map(is_away, operands)):
        return eager.pointwise(op, [*map(array_of, operands, dtypes)], dtypes)
    arrays = []
    for o, dtype in zip(operands, dtypes):
        kind = dtype.np
        array = o._array if hasattr(o, "_storage") else scalar(o, kind)
        same = array.dtype is kind or array.dtype == kind
        arrays.append(array if same else array.astype(kind))
    before = floats.set(quiet)
    try:
        array = OPS[op].meaning(*arrays)
    except ValueError:
        _complain(arrays)
        raise
    finally:
        floats.reset(before)
    return array if array.flags.c_contiguous else array.copy()


def _complain(arrays: list) -> None:
    """NumPy's complaint about shapes in our words, if it was one."""
    try:
        broadcast(*[a.shape for a in arrays])
    except ShapeError as error:
        raise error from None


def compute_view(array: Any, op: str, attrs: dict) -> Any:
    """The view of an array that shares its memory."""
    meaning = OPS[op].meaning
    if type(array) is np.ndarray:
        return meaning(array, **attrs)
    return array.seen(meaning, attrs)
