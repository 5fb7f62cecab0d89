"""What generated code may call: NumPy's functions and a few of ours, by name."""

from __future__ import annotations

import numpy as np

from ...tracer.types import DTYPES
from . import runtime

__all__ = ["NAMES", "header", "namespace"]

_UFUNCS = """negative absolute floor rint sqrt exp expm1 log log1p sin cos tanh add
subtract multiply true_divide floor_divide remainder power arctan2 maximum minimum
bitwise_and bitwise_or bitwise_xor left_shift right_shift equal not_equal less
less_equal"""
_FUNCTIONS = """arange argmax argmin argsort array ascontiguousarray broadcast_to
concatenate copyto empty full matmul take"""
_NUMPY = frozenset((_UFUNCS + " " + _FUNCTIONS).split())
_OURS = frozenset(runtime.__all__)
_TYPES = frozenset("bool_" if name == "bool" else name for name in DTYPES)
NAMES = _NUMPY | _OURS | _TYPES


def header(used: set[str]) -> list[str]:
    """Import lines for the names that a source text uses."""
    lines = []
    numpy = sorted(used & _NUMPY)
    ours = sorted(used & (_OURS | _TYPES))
    if numpy:
        lines += _wrapped("numpy", numpy)
    if ours:
        lines += _wrapped(runtime.__name__, ours)
    return lines


def _wrapped(module: str, names: list[str]) -> list[str]:
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= 88:
        return [line]
    return [f"from {module} import (", *(f"    {name}," for name in names), ")"]


def namespace() -> dict:
    """All of these names and what they stand for."""
    return _STAND_FOR.copy()


_STAND_FOR = {name: getattr(np, name) for name in _NUMPY}
_STAND_FOR.update((name, getattr(runtime, name)) for name in _OURS | _TYPES)
