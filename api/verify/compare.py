"""What a call left behind, as numbers; and the first in which two calls differ."""

from __future__ import annotations

import enum
from typing import Any, Iterable, Optional

import numpy as np

from ...tracer.elsewhere import Elsewhere
from ...tracer.types import DType
from ...tracer.watching.views import PLAIN
from ..random.generator import Generator
from ..tensor import Tensor
from .reach import reach

__all__ = ["difference", "differs", "left_behind", "on_host"]

# Of the largest number in an array: kernels may add in another order.
TOLERANCE = {"float16": 1e-2, "bfloat16": 5e-2, "float32": 1e-4, "float64": 1e-9}


def on_host(array: Any) -> np.ndarray:
    """The numbers of an array, wherever it lies, in an array of their own."""
    return np.array(array.numpy() if isinstance(array, Elsewhere) else array)


def left_behind(roots: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Name -> array (copied) or plain value, of all that is reachable."""
    found: dict[str, Any] = {}
    for name, x in reach(roots):
        if isinstance(x, Tensor):
            found[name] = (on_host(x._array), bool(x.requires_grad))
        elif isinstance(x, np.ndarray):
            found[name] = (np.array(x), False)
        elif isinstance(x, Generator):
            found[name] = (x._seed, x.offset)
        elif isinstance(x, (*PLAIN, enum.Enum, DType)):
            found[name] = x
    return found


def difference(plain: dict[str, Any], compiled: dict[str, Any]) -> Optional[str]:
    """The first thing that is not the same, in words; None if nothing is."""
    for name in (*plain, *(compiled.keys() - plain.keys())):
        if name not in compiled:
            return f"{name} is there after the plain function only"
        if name not in plain:
            return f"{name} is there after the compiled function only"
        why = _apart(plain[name], compiled[name])
        if why:
            return f"{name} {why}"
    return None


def _apart(a: Any, b: Any) -> Optional[str]:
    if _is_array(a) and _is_array(b):
        if a[1] is not b[1]:
            return f"requires grad: {a[1]} in plain Python, {b[1]} compiled"
        return differs(a[0], b[0])
    same = type(a) is type(b) and (a == b or a != a and b != b)
    return None if same else f"is {a!r} in plain Python, {b!r} compiled"


def _is_array(x: Any) -> bool:
    return type(x) is tuple and isinstance(x[0], np.ndarray)


def differs(plain: Any, compiled: Any, slack: float = 1) -> Optional[str]:
    """In words, how two arrays differ; None if they agree as far as their type goes."""
    a, b = on_host(plain), on_host(compiled)
    if a.dtype != b.dtype or a.shape != b.shape:
        kinds = [f"{x.dtype.name}{list(x.shape)}" for x in (a, b)]
        return f"is {kinds[0]} in plain Python, {kinds[1]} compiled"
    wrong = apart(a, b, slack * TOLERANCE.get(a.dtype.name, 0))
    if not wrong.any():
        return None
    at = tuple(map(int, np.argwhere(wrong)[0]))
    place = f" at {list(at)}" if at else ""
    return (
        f"differs in {int(wrong.sum())} of {a.size} elements: first{place}, "
        f"{a[at].item()!r} in plain Python, {b[at].item()!r} compiled"
    )


def apart(a: np.ndarray, b: np.ndarray, tolerance: float) -> np.ndarray:
    """Which elements are further from each other than a part of the largest."""
    if not tolerance:
        return np.asarray(a != b)
    a, b = a.astype(np.float64), b.astype(np.float64)
    with np.errstate(all="ignore"):
        finite = np.isfinite(a)
        largest = np.abs(a[finite]).max(initial=0)
        near = np.abs(a - b) <= tolerance * (largest + np.abs(a)) / 2
    return ~(near | (a == b) | np.isnan(a) & np.isnan(b))
