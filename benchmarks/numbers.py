"""Reproducible random numbers, the same for every library.

Drawing 2**26 normal numbers takes longer than all that is measured on them, so they
come from one pool that is read over and over, each array beginning elsewhere. The
length of the pool is prime: no two rows are alike.
"""

from __future__ import annotations

from functools import cache

import ml_dtypes
import numpy as np

__all__ = ["draw", "draw_labels"]

LENGTH = 4194301
ROUND = {"bfloat16": ml_dtypes.bfloat16, "float16": np.float16}


@cache
def pool(dtype: str) -> np.ndarray:
    """Normal numbers in float32 that this element type can hold."""
    drawn = np.random.default_rng(0).standard_normal(LENGTH, dtype=np.float32)
    return drawn.astype(ROUND[dtype]).astype(np.float32) if dtype in ROUND else drawn


def draw(shape: tuple[int, ...], which: int, dtype: str = "float32") -> np.ndarray:
    """Some of them; another `which`, other numbers."""
    start = which * 999983 % LENGTH
    rolled = np.concatenate((pool(dtype)[start:], pool(dtype)[:start]))
    return np.resize(rolled, shape)


def draw_labels(shape: tuple[int, ...], classes: int, which: int) -> np.ndarray:
    """Classes, as int64."""
    return np.random.default_rng(which).integers(0, classes, shape)
