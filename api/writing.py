"""Writing into a tensor: what it sees of its storage is overwritten."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..tracer.broadcast import broadcast
from ..tracer.errors import ShapeError
from ..tracer.graph import Value, here, mark
from ..tracer.record import state
from ..tracer.recording.written import hides, rewritten
from ..tracer.storage import check_writable as check_memory
from ..tracer.watching.hearing import hearing, unheard
from ..tracer.where import user_line
from .history import root_of
from .operands import is_tracked, operand

__all__ = ["check_writable", "write"]


def write(t: Any, new: Any) -> Any:
    """Overwrite what `t` sees with `new` (a tensor or number, broadcast and cast).

    RuntimeError for a leaf that requires grad while gradients are on, as in PyTorch.
    """
    rec = state.recorder
    if rec is not None and hearing.on:
        return unheard(write, t, new)
    check_writable(t)
    if rec is None:
        _write_eager(t, new)
    else:
        here.line = user_line()
        value = _operand(new, t)
        if value.live and not state.grad:
            value = mark("stop_gradient", value)
        rec.write(t, value, not state.grad or hides(t._steps))
    return t


def _write_eager(t: Any, new: Any) -> None:
    source = new._array if hasattr(new, "_storage") else new
    value = None
    try:
        if state.grad and (is_tracked(new) or is_tracked(t)):
            value = _operand(new, t)
            value = rewritten(root_of(t._storage), t._steps, value)
        np.copyto(t._array, source, casting="unsafe")
    except ValueError:
        _check_fits(t._array.shape, getattr(source, "shape", ()))
        _refuse(t)
        raise
    if value is not None:
        t._storage.value = value
    t._storage.version += 1


def _refuse(t: Any) -> None:
    try:
        check_memory(t._array, t._storage.array)
    except (RuntimeError, ValueError) as error:
        raise error from None


def _operand(new: Any, t: Any) -> Value:
    shape = tuple(t.shape)
    try:
        return operand(new, t.dtype, shape)
    except ShapeError:
        _check_fits(shape, tuple(getattr(new, "shape", ())))
        raise


def _check_fits(shape: tuple, given: tuple) -> None:
    """ShapeError for what does not broadcast to this very shape."""
    try:
        whole = broadcast(shape, given)
    except ShapeError as error:
        raise error from None
    if len(whole) > len(shape) or any(a != b for a, b in zip(whole, shape)):
        raise ShapeError(
            f"output with shape {list(shape)} doesn't match the broadcast shape "
            f"{list(whole)}"
        ) from None


def check_writable(t: Any) -> None:
    for op, _ in reversed(t._steps):
        if op == "stop_gradient":
            return
        if op == "leaf" and state.grad:
            raise RuntimeError(
                "a leaf Variable that requires grad is being used in an in-place "
                "operation. (Under tracefuse.no_grad() it may be.)"
            )
