"""What eager operations on the CPU take and give: arrays of numbers, row-major."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..tracer.sizes import Dim

__all__ = ["NUMBERS", "row_major", "scalar"]

NUMBERS = (bool, int, float, Dim)


def row_major(array: Any) -> Any:
    """Every result lies in row-major order, as it does when it is recorded."""
    return array if array.flags.c_contiguous else array.copy()


def scalar(number: Any, kind: np.dtype) -> np.ndarray:
    """A number as an array without axes; TypeError for what is none."""
    if not isinstance(number, (*NUMBERS, np.generic)):
        raise TypeError(f"expected a Tensor or a number, got {type(number).__name__}")
    return np.array(number).astype(kind)
