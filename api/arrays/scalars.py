"""Numbers for Python: `item`, `bool(t)`, `int(t)`, `tolist`.

While recording, Python asking for a number is a flush: the pending piece runs, and what
Python learnt becomes a guard of the program.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ...tracer.elsewhere import Elsewhere
from ...tracer.graph import here
from ...tracer.record import state
from ...tracer.where import user_line
from ..tensor import Tensor, method

__all__: list[str] = []  # methods only


def numbers(t: Tensor, what: str) -> np.ndarray:
    """The array of a tensor. A recording that shows it to Python is not kept."""
    rec = state.recorder
    if rec is None:
        return in_host(t._array)
    here.line = user_line()
    rec.volatile = f"{what} shows Python the numbers of a tensor"
    return in_host(rec.demand(rec.value_of(t)))


def in_host(array: Any) -> np.ndarray:
    """The array, or a copy of it in host memory."""
    return array.numpy() if isinstance(array, Elsewhere) else array


@method
def item(self: Tensor) -> Any:
    """Its only element as a Python number; RuntimeError when there are others.

    >>> import tracefuse
    >>> tracefuse.tensor([2.5]).item()
    2.5
    """
    rec = state.recorder
    count = self.shape.numel()
    if count != 1:
        raise RuntimeError(
            f"a Tensor with {count} elements cannot be converted to Scalar"
        )
    if rec is None:
        return _plain(self._array)
    here.line = user_line()
    value = rec.value_of(self).reshape(())
    if rec.following is not None and value.dtype.category:
        return rec.following.of_value(value)
    outcome = _plain(rec.demand(value))
    rec.guard(value, outcome)
    return outcome


def _plain(array: np.ndarray) -> Any:
    number = array.item()
    return number if isinstance(number, (bool, int, float)) else float(number)


def _only(t: Tensor) -> Any:
    if t.shape.numel() != 1:
        raise ValueError("only one element tensors can be converted to Python scalars")
    return item(t)


def _truth(self: Tensor) -> bool:
    count = self.shape.numel()
    if count != 1:
        which = "no values" if count == 0 else "more than one value"
        raise RuntimeError(f"Boolean value of Tensor with {which} is ambiguous")
    if state.recorder is None or not self.dtype.category:
        return bool(item(self))
    return item(self != 0)  # the guard keeps the answer, not the number


def _index(self: Tensor) -> int:
    if self.dtype.category == 2 or self.shape.numel() != 1:
        raise TypeError(
            "only integer tensors of a single element can be converted to an index"
        )
    return operator.index(item(self))


Tensor.__bool__ = _truth  # type: ignore
Tensor.__int__ = Tensor.__trunc__ = lambda self: int(_only(self))  # type: ignore
Tensor.__float__ = lambda self: float(_only(self))  # type: ignore
Tensor.__complex__ = lambda self: complex(_only(self))  # type: ignore
Tensor.__index__ = _index  # type: ignore


@method
def tolist(self: Tensor) -> Any:
    """Nested lists of Python numbers (a number for a 0-d tensor)."""
    array = numbers(self, "tolist()")
    if array.dtype.kind not in "biuf":  # bfloat16 is NumPy's by extension
        array = array.astype(np.float32)
    return array.tolist()
