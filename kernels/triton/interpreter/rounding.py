"""How a GPU rounds, in NumPy: bf16, tf32 and fused multiply-add.

>>> float(numbers_of_bf16(bits_of_bf16(np.array([1 / 3])))[0])
0.333984375
"""

from __future__ import annotations

import numpy as np

__all__ = ["bits_of_bf16", "fused", "fused_wide", "numbers_of_bf16", "tf32"]


def numbers_of_bf16(bits: np.ndarray) -> np.ndarray:
    """uint16 bits as float32 numbers."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def bits_of_bf16(x: np.ndarray) -> np.ndarray:
    """The bits of the nearest bf16, ties to even; NaN stays NaN."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    even = (bits >> 16) & 1
    near = ((bits + (np.uint32(0x7FFF) + even)) >> 16).astype(np.uint16)
    return np.where(np.isnan(x), np.uint16(0x7FC0), near).reshape(np.shape(x))


def tf32(x: np.ndarray) -> np.ndarray:
    """Ten bits of the fraction, ties away from zero, as tensor cores see float32."""
    bits = np.ascontiguousarray(x).view(np.uint32)
    near = ((bits + np.uint32(0x1000)) & np.uint32(0xFFFFE000)).view(np.float32)
    return np.where(np.isfinite(x), near, x).reshape(x.shape)


def fused(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """a * b + c of float64 numbers that come from float32, rounded to odd.

    Rounding to odd keeps the rounding to float32 that follows from being a second one.
    """
    product = a * b
    total = product + c
    back = total - product
    rest = (product - (total - back)) + (c - back)
    bits = np.ascontiguousarray(total).view(np.int64).reshape(total.shape)
    away = np.where((rest > 0) == (total > 0), bits, bits - 1) | 1
    inexact = np.isfinite(total) & (rest != 0) & (total != 0)
    return np.where(inexact, away, bits).view(np.float64)


def fused_wide(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """a * b + c of float64: exact where the result is a float64, else to an ulp."""
    product = a * b
    total = product + c
    back = total - product
    rest = (product - (total - back)) + (c - back)
    (a1, a2), (b1, b2) = split(a), split(b)
    lost = a2 * b2 - (((product - a1 * b1) - a2 * b1) - a1 * b2)
    found = total + (rest + lost)
    return np.where(np.isfinite(found), found, total)


def split(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A float64 as a sum of two with half of the digits each (Veltkamp)."""
    c = x * 134217729.0
    high = c - (c - x)
    return high, x - high
