"""Numbers that a recording knows at once, since the program has them written down."""

from __future__ import annotations

from typing import Any, Optional

import numpy as np

from ...tracer.graph import Graph, Value
from ...tracer.interpret import interpret
from ...tracer.ops import OPS
from ...tracer.record import state
from ...tracer.sizes import Dim, Int
from ..tensor import Tensor

__all__ = ["check_written", "written_down"]

_MANY = 64  # steps that are looked at, no more


def written_down(t: Tensor) -> Optional[np.ndarray]:
    """What a recorded tensor holds, if that comes of constants alone."""
    rec = state.recorder
    if rec is None or t._array is not None:
        return None
    v = rec.value_of(t)
    if not _is_constant(v):
        return None
    return interpret(Graph("written", (), (v,)), ())[0]


def _is_constant(v: Value) -> bool:
    todo, seen = [v], set()
    while todo:
        v = todo.pop()
        if v.id in seen:
            continue
        seen.add(v.id)
        symbolic = any(isinstance(n, Dim) for n in v.shape)
        source = not v.args and v.op not in ("constant", "iota")
        if symbolic or source or OPS[v.op].kind == "control" or len(seen) > _MANY:
            return False
        todo += v.args
    return True


def check_written(index: Tensor, n: Int, low: Any = 0) -> None:
    """IndexError for a number outside of [low, n) that is written down.

    Other numbers are looked at when they are used. That a size suffices is a guard.
    """
    array = written_down(index)
    if array is None or not array.size:
        return
    for bad in (int(array.min()), int(array.max())):
        if bad < low or bad >= n:
            raise IndexError(
                f"index {bad} is out of bounds for a dimension of size {n}"
            )
