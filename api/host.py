"""Python's numbers as NumPy's arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..tracer.sizes import Dim

__all__ = ["NUMBERS", "scalar"]

NUMBERS = (bool, int, float, Dim)


_GIVEN = (*NUMBERS, np.generic)
_MOST = 1024
# Numbers used lately as arrays that nobody writes to. (0.0 and -0.0 are equal.)
_known: dict[type, dict] = {int: {}, float: {}}


def scalar(number: Any, kind: np.dtype) -> np.ndarray:
    """A number as an array without axes; TypeError for what is none."""
    known = _known.get(type(number))
    if known is None:
        return _array(number, kind)
    key = number or repr(number), kind
    array = known.get(key)
    if array is None:
        array = _array(number, kind)
        array.flags.writeable = False
        if len(known) >= _MOST:
            known.clear()
        known[key] = array
    return array


def _array(number: Any, kind: np.dtype) -> np.ndarray:
    if not isinstance(number, _GIVEN):
        raise TypeError(f"expected a Tensor or a number, got {type(number).__name__}")
    return np.array(number).astype(kind)
