"""Tensor, and the only dispatch between eager and recording.

Eager, a primitive runs its NumPy meaning at once. While a recording is on, the same
call appends a Value instead and no number moves. Where gradients are wanted an eager
result also keeps its Value, whose arguments are its history, and just those arrays
that its derivative reads: `backward` differentiates that SSA (see autograd.py).

All else is a function in another file of this floor, made a method by `@method`.
"""

from __future__ import annotations

import itertools
import sys
from typing import Any, Callable, Optional, TypeVar

import numpy as np

from ..tracer.broadcast import broadcast
from ..tracer.elsewhere import Elsewhere
from ..tracer.graph import Value, here, make, mark, node
from ..tracer.record import Recorder, state
from ..tracer.shapes import infer
from ..tracer.storage import Storage, tracked
from ..tracer.types import BY_NUMPY, DType, bool_
from ..tracer.watching.hearing import hearing, unheard
from ..tracer.where import is_library, user_line
from .amp.ruled import ruled
from .declared import Declared
from .defaults import defaults
from .history import remember, require_grad, tape
from .host import NUMBERS
from .operands import is_away as is_away
from .operands import is_tracked, operand
from .operands import value_of as value_of
from .operators import give_operators
from .promotion import common_type
from .running import compute, compute_pointwise, compute_view
from .size import Size
from .writing import write as write

__all__ = ["Tensor", "Size"]

F = TypeVar("F", bound=Callable)


class Tensor(Declared):
    """An array of one element type that remembers how to be differentiated.

    Made by `tensor`, `zeros`, `randn`, ... and by operations on other tensors.

    >>> import tracefuse
    >>> x = tracefuse.tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4.])
    """

    # _array: the numbers (None while recorded); _value: its SSA value as of storage
    # version _seen; _steps: the view of _storage that this tensor is.
    __slots__ = (
        *("_storage", "_steps", "_array", "_value", "_seen", "_grad"),
        *("__weakref__", "__dict__"),
    )
    _storage: Storage
    _steps: tuple
    _array: Any
    _value: Optional[Value]
    _seen: int
    _grad: Optional["Tensor"]

    __array_priority__ = 1000  # NumPy leaves `array * tensor` to us

    def __new__(cls, data: Any = None) -> "Tensor":
        array = np.empty(0, np.float32) if data is None else np.array(data)
        wide = array.dtype == np.float64
        return fresh(array.astype(defaults.dtype.np) if wide else array, cls)

    def _apply(self, op: str, *args: Any, **attrs: Any) -> "Tensor":
        return pointwise(op, *args, **attrs)

    def _lift(self, other: Any) -> Any:
        if isinstance(other, OPERANDS):
            return other
        if type(other) is np.ndarray and state.recorder is not None:
            return self._beside(other)  # type: ignore[attr-defined]
        return other.item() if isinstance(other, np.generic) else NotImplemented

    def __eq__(self, other: Any) -> Any:
        return _compare("eq", self, other, False)

    def __ne__(self, other: Any) -> Any:
        return _compare("ne", self, other, True)

    __hash__ = object.__hash__

    @property
    def shape(self) -> Size:
        """The sizes of its axes."""
        rec = state.recorder
        return Size(self._array.shape if rec is None else rec.shape_of(self))

    @property
    def dtype(self) -> DType:
        """Its element type."""
        if self._array is not None:
            return BY_NUMPY[self._array.dtype]
        value = self._value
        return (value_of(self) if value is None else value).dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        array = self._array
        return len(self.shape) if array is None else array.ndim

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow into it."""
        rec = state.recorder
        if rec is None:
            return tracked(self._storage, self._steps)
        live = rec.value_of(self).live
        if not is_library(sys._getframe(1).f_code):
            rec.look(self, live)
        return live

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        require_grad(self, wanted)


OPERANDS = (Tensor, *NUMBERS)


def _compare(op: str, a: Tensor, b: Any, otherwise: bool) -> Any:
    lifted = a._lift(b)
    if lifted is NotImplemented:
        return otherwise if b is None else NotImplemented
    return pointwise(op, a, lifted)


def method(function: F) -> F:
    """Make a function of a tensor a method of Tensor as well."""
    function = ruled(function)
    setattr(Tensor, function.__name__, function)
    return function


# -- making tensors

_new = object.__new__


def fresh(array: Any, cls: type = Tensor) -> Tensor:
    """A tensor that owns `array` (no copy)."""
    if type(array) is not np.ndarray and not isinstance(array, Elsewhere):
        array = np.asarray(array)
    t: Any = _new(cls)
    t._storage = Storage(array)
    t._steps, t._array, t._value, t._seen, t._grad = (), array, None, -1, None
    return t


def wrap(rec: Recorder, value: Value) -> Tensor:
    """A recorded tensor with a storage of its own that holds `value`."""
    t = _new(Tensor)
    t._storage = Storage(None, value, rec)
    t._steps, t._array, t._value, t._seen, t._grad = (), None, value, 0, None
    rec.adopt(t)
    return t


def alias(t: Tensor, op: str, attrs: dict, array: Any) -> Tensor:
    """Another view of the storage of `t`, one step further."""
    new = _new(Tensor)
    new._storage, new._steps = t._storage, (*t._steps, (op, attrs))
    new._array, new._value, new._seen, new._grad = array, None, -1, None
    return new


# -- applying primitives


def apply(op: str, *args: Tensor, **attrs: Any) -> Tensor:
    """One primitive on tensors that fit it already."""
    rec = state.recorder
    if rec is not None:
        if hearing.on:
            return unheard(apply, op, *args, **attrs)
        return wrap(rec, make(op, record_args(rec, args), **attrs))
    t = fresh(compute(op, [t._array for t in args], attrs))
    if state.grad and any(map(is_tracked, args)):
        remember(t, make(op, tuple(map(tape, args)), **attrs), args)
    return t


def record_args(rec: Recorder, args: tuple) -> tuple:
    """The Values of the arguments as gradients may see them in this grad mode."""
    here.line = user_line()
    values = [rec.value_of(t) for t in args]
    if not state.grad:
        values = [mark("stop_gradient", v) if v.live else v for v in values]
    return tuple(values)


def pointwise(op: str, *operands: Any, dtype: Optional[DType] = None) -> Tensor:
    """A pointwise primitive on tensors and numbers: promoted, broadcast, applied.

    `dtype` is what the operands are computed in (default: PyTorch's promotion, and
    for division and transcendental functions at least the default float type).
    The first operand of `where` is a bool tensor and takes no part in that.
    """
    rec = state.recorder
    if rec is None:
        return _pointwise_eager(op, operands, _types(op, operands, dtype))
    if hearing.on:
        return unheard(_pointwise_recorded, rec, op, operands, dtype)
    return _pointwise_recorded(rec, op, operands, dtype)


def _types(op: str, operands: tuple, dtype: Optional[DType]) -> tuple:
    """In which types the operands are to come."""
    if op == "where":
        dtype = dtype or common_type(op, operands[1:])
        return bool_, dtype, dtype
    return (dtype or common_type(op, operands),) * len(operands)


give_operators(Tensor, pointwise)


def _pointwise_recorded(
    rec: Recorder, op: str, operands: tuple, dtype: Optional[DType]
) -> Tensor:
    here.line = user_line()
    args = _recorded(rec, operands, _types(op, operands, dtype))
    return wrap(rec, node(op, args, {}, *infer(op, args, {})))


def _recorded(rec: Recorder, operands: tuple, dtypes: tuple) -> tuple:
    """The Values of operands, in these types and one shape (loops: it is hot)."""
    given: list = []
    shapes: list[tuple] = []
    grad = state.grad
    for o in operands:
        v = rec.value_of(o) if isinstance(o, Tensor) else None
        given.append(v)
        if v is not None and (not shapes or v.shape is not shapes[0]):
            shapes.append(v.shape)
    shape = shapes[0] if len(shapes) == 1 else broadcast(*shapes)
    values = []
    for v, o, d in zip(given, operands, dtypes):
        if v is None:
            v = operand(o, d, shape)
        elif v.dtype is not d or v.shape is not shape:
            v = v.cast(d).expand(shape)
        values.append(v if grad or not v.live else mark("stop_gradient", v))
    return tuple(values)


def _pointwise_eager(op: str, operands: tuple, dtypes: tuple) -> Tensor:
    t = fresh(compute_pointwise(op, operands, dtypes))
    if state.grad and op not in _FLAT:
        for o in operands:
            if is_tracked(o):
                shape = t._array.shape
                values = tuple(map(operand, operands, dtypes, itertools.repeat(shape)))
                remember(t, make(op, values), operands)
                break
    return t


_FLAT = frozenset(("eq", "ne", "lt", "le", "and", "or", "xor", "shl", "shr"))


# -- views


def view(t: Tensor, op: str, **attrs: Any) -> Tensor:
    """A view: shares the storage of `t`, reads and writes go through."""
    rec = state.recorder
    if rec is not None and hearing.on:
        return unheard(view, t, op, **attrs)
    if rec is not None:
        return _view_recorded(rec, t, op, attrs)
    new = alias(t, op, attrs, compute_view(t._array, op, attrs))
    if not state.grad and new.requires_grad:
        new._steps, new._seen = (*new._steps, ("stop_gradient", {})), -1
    return new


def _view_recorded(rec: Recorder, t: Tensor, op: str, attrs: dict) -> Tensor:
    here.line = user_line()
    attrs = attrs if here.settle is None else here.settle(attrs)
    new = rec.add_view(alias(t, op, attrs, None), t, op, attrs)
    if not state.grad and new._value.live:
        new._steps = (*new._steps, ("stop_gradient", {}))
        new._value = mark("stop_gradient", new._value)
    return new
