"""Tensor, and the only dispatch between eager and recording.

Eager, a primitive runs its NumPy meaning at once. While a recording is on, the same
call appends a Value instead and no number moves. Where gradients are wanted an eager
result also keeps its Value, whose arguments are its history, and just those arrays
that its derivative reads: `backward` differentiates that SSA (see autograd.py).

All else is a function in another file of this floor, made a method by `@method`.
"""

from __future__ import annotations

from typing import Any, Callable, Optional, TypeVar

import numpy as np

from ..kernels.numpy.floats import floats, quiet
from ..tracer.elsewhere import Elsewhere, away
from ..tracer.graph import Value, constant, here, make
from ..tracer.hearing import hearing, unheard
from ..tracer.ops import OPS
from ..tracer.record import Recorder, state
from ..tracer.sizes import Dim, broadcast, guess
from ..tracer.storage import SHARED, Storage, put, tracked
from ..tracer.types import BY_NUMPY, DType, bool_
from ..tracer.where import user_line
from .amp.ruled import ruled
from .declared import Declared
from .defaults import defaults
from .history import remember, require_grad, root_of, tape
from .host import NUMBERS, row_major, scalar
from .place import eager, place_for
from .promotion import common_type
from .size import Size

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
        return value_of(self).dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow into it."""
        rec = state.recorder
        if rec is None:
            return tracked(self._storage, self._steps)
        return rec.value_of(self).live

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


def fresh(array: Any, cls: type = Tensor) -> Tensor:
    """A tensor that owns `array` (no copy)."""
    if type(array) is not np.ndarray and not isinstance(array, Elsewhere):
        array = np.asarray(array)
    t: Any = object.__new__(cls)
    t._storage = Storage(array)
    t._steps, t._array, t._value, t._seen, t._grad = (), array, None, -1, None
    return t


def wrap(rec: Recorder, value: Value) -> Tensor:
    """A recorded tensor with a storage of its own that holds `value`."""
    t = object.__new__(Tensor)
    t._storage = Storage(None, value, rec)
    t._steps, t._array, t._value, t._seen, t._grad = (), None, value, 0, None
    rec.adopt(t)
    return t


def alias(t: Tensor, op: str, attrs: dict, array: Any) -> Tensor:
    """Another view of the storage of `t`, one step further."""
    new = object.__new__(Tensor)
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
    arrays = [t._array for t in args]
    if away.used and (place := place_for(arrays)) is not None:
        t = fresh(eager.compute(op, arrays, attrs, place))
    else:
        before = floats.set(quiet)
        try:
            t = fresh(row_major(OPS[op].meaning(*arrays, **attrs)))
        finally:
            floats.reset(before)
    if state.grad and any(map(is_tracked, args)):
        remember(t, make(op, tuple(map(tape, args)), **attrs), args)
    return t


def record_args(rec: Recorder, args: tuple) -> tuple:
    """The Values of the arguments as gradients may see them in this grad mode."""
    here.line = user_line()
    values = [rec.value_of(t) for t in args]
    if not state.grad:
        values = [make("stop_gradient", (v,)) if v.live else v for v in values]
    return tuple(values)


def pointwise(op: str, *operands: Any, dtype: Optional[DType] = None) -> Tensor:
    """A pointwise primitive on tensors and numbers: promoted, broadcast, applied.

    `dtype` is what the operands are computed in (default: PyTorch's promotion, and
    for division and transcendental functions at least the default float type).
    The first operand of `where` is a bool tensor and takes no part in that.
    """
    rec = state.recorder
    if rec is not None and hearing.on:
        return unheard(pointwise, op, *operands, dtype=dtype)
    if dtype is None:
        dtype = common_type(op, operands[1:] if op == "where" else operands)
    dtypes = (bool_, dtype, dtype) if op == "where" else (dtype,) * len(operands)
    if rec is None:
        return _pointwise_eager(op, operands, dtypes)
    here.line = user_line()
    shape = broadcast(*[rec.shape_of(o) for o in operands if isinstance(o, Tensor)])
    values = [_operand(o, d, shape) for o, d in zip(operands, dtypes)]
    if not state.grad:
        values = [make("stop_gradient", (v,)) if v.live else v for v in values]
    return wrap(rec, make(op, tuple(values)))


def _pointwise_eager(op: str, operands: tuple, dtypes: tuple) -> Tensor:
    if away.used and any(map(is_away, operands)):
        arrays = [*map(_array_of, operands, dtypes)]
        t = fresh(eager.pointwise(op, arrays, dtypes))
    else:
        t = _pointwise_here(op, operands, dtypes)
    if state.grad and op not in _FLAT and any(map(is_tracked, operands)):
        shape = t._array.shape
        values = tuple(_operand(o, d, shape) for o, d in zip(operands, dtypes))
        remember(t, make(op, values), operands)
    return t


def _pointwise_here(op: str, operands: tuple, dtypes: tuple) -> Tensor:
    arrays = []
    for o, dtype in zip(operands, dtypes):
        array = o._array if isinstance(o, Tensor) else scalar(o, dtype.np)
        arrays.append(array if array.dtype == dtype.np else array.astype(dtype.np))
    before = floats.set(quiet)
    try:
        return fresh(row_major(OPS[op].meaning(*arrays)))
    except ValueError:
        broadcast(*[a.shape for a in arrays])  # the same complaint, in our words
        raise
    finally:
        floats.reset(before)


def _array_of(o: Any, dtype: DType) -> Any:
    return o._array if isinstance(o, Tensor) else scalar(o, dtype.np)


def is_away(o: Any) -> bool:
    """Whether it is a tensor whose numbers do not lie in host memory."""
    return isinstance(o, Tensor) and isinstance(o._array, Elsewhere)


_FLAT = frozenset(("eq", "ne", "lt", "le", "and", "or", "xor", "shl", "shr"))


def is_tracked(o: Any) -> bool:
    if not isinstance(o, Tensor) or (o._storage.value is None and not o._steps):
        return False
    return tracked(o._storage, o._steps)


def _operand(o: Any, dtype: DType, shape: tuple) -> Value:
    if isinstance(o, Tensor):
        return value_of(o).cast(dtype).expand(shape)
    if isinstance(o, Dim) and guess.number is None:  # so many ones
        return constant(1, (o,), dtype).sum((-1,)).expand(shape)
    return constant(o, shape, dtype)


# -- views and writes


def view(t: Tensor, op: str, **attrs: Any) -> Tensor:
    """A view: shares the storage of `t`, reads and writes go through."""
    rec = state.recorder
    if rec is not None and hearing.on:
        return unheard(view, t, op, **attrs)
    if rec is None:
        array, meaning = t._array, OPS[op].meaning
        here_ = type(array) is np.ndarray
        array = meaning(array, **attrs) if here_ else array.seen(meaning, attrs)
        new = alias(t, op, attrs, array)
    else:
        here.line = user_line()
        attrs = attrs if here.settle is None else here.settle(attrs)
        new = rec.add_view(alias(t, op, attrs, None), t, op, attrs)
    if not state.grad and new.requires_grad:
        new._steps = (*new._steps, ("stop_gradient", {}))
        new._seen = -1
    return new


def write(t: Tensor, new: Any) -> Tensor:
    """Overwrite what `t` sees with `new` (a tensor or number, broadcast and cast).

    RuntimeError for a leaf that requires grad while gradients are on, as in PyTorch.
    """
    rec = state.recorder
    if rec is not None and hearing.on:
        return unheard(write, t, new)
    _check_writable(t)
    if rec is None:
        _write_eager(t, new)
    else:
        here.line = user_line()
        value = _operand(new, t.dtype, tuple(t.shape))
        if value.live and not state.grad:
            value = make("stop_gradient", (value,))
        rec.write(t, value)
    return t


def _write_eager(t: Tensor, new: Any) -> None:
    source = new._array if isinstance(new, Tensor) else new
    try:
        put_tape = state.grad and (is_tracked(new) or is_tracked(t))
        if put_tape:
            value = _operand(new, t.dtype, t._array.shape)
            t._storage.value = put(root_of(t._storage), t._steps, value)
        np.copyto(t._array, source, casting="unsafe")
    except ValueError:
        broadcast(t._array.shape, getattr(source, "shape", ()))
        if not t._array.flags.writeable:
            raise RuntimeError(SHARED) from None
        raise
    t._storage.version += 1


def _check_writable(t: Tensor) -> None:
    for op, _ in reversed(t._steps):
        if op == "stop_gradient":
            return
        if op == "leaf" and state.grad:
            raise RuntimeError(
                "a leaf Variable that requires grad is being used in an in-place "
                "operation. (Under tracefuse.no_grad() it may be.)"
            )


def value_of(t: Any) -> Value:
    """The SSA value of a tensor, recorded or eager."""
    rec = state.recorder
    return tape(t) if rec is None else rec.value_of(t)
