"""How exact float32 matrix products are on a GPU.

On a CPU, and by default, they are float32 throughout. Tensor cores are several times
faster on operands rounded to TF32 (10 bits of the significand).
"""

from __future__ import annotations

from ..kernels.settings import settings

__all__ = ["get_float32_matmul_precision", "set_float32_matmul_precision"]

_KINDS = {"highest": "ieee", "high": "tf32", "medium": "tf32"}


def set_float32_matmul_precision(precision: str) -> None:
    """Choose "highest" (float32, the default), "high" or "medium" (both TF32).

    It holds for what is compiled from here on, on a GPU. ValueError for another word.

    >>> set_float32_matmul_precision("high")
    >>> get_float32_matmul_precision()
    'high'
    >>> set_float32_matmul_precision("highest")
    """
    if precision not in _KINDS:
        known = ", ".join(map(repr, _KINDS))
        raise ValueError(f"precision {precision!r} is not one of {known}")
    settings.precision = _KINDS[precision]


def get_float32_matmul_precision() -> str:
    """What was chosen: "highest" or "high"."""
    return "highest" if settings.precision == "ieee" else "high"
