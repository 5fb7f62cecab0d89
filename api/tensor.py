"""Tensor, and the only dispatch between eager and recording.

Eager, a primitive runs its NumPy meaning at once. While a recording is on, the same
call appends a Value instead and no number moves. Where gradients are wanted an eager
result also keeps its Value, whose arguments are its history, and just those arrays
that its derivative reads: `backward` differentiates that SSA (see autograd.py).

Everything else a Tensor can do is a function in another file of this floor, made a
method by `@method`.
"""

from __future__ import annotations

import weakref
from typing import Any, Callable, Optional, TypeVar

import numpy as np

from ..autodiff.derivatives import reads
from ..tracer.algebra import Algebra
from ..tracer.errors import DTypeError
from ..tracer.graph import Value, constant, here, make, placeholder
from ..tracer.ops import OPS
from ..tracer.record import Recorder, state
from ..tracer.sizes import Dim, broadcast
from ..tracer.storage import SHARED, Leaf, Storage, derive, put, tracked
from ..tracer.types import BY_NUMPY, DType, bool_, promote_types, weak_type
from ..tracer.where import user_line
from .defaults import defaults

__all__ = ["Tensor", "Size"]

F = TypeVar("F", bound=Callable)
Number = (bool, int, float, Dim)
FREED = "freed"  # stands where a history kept arrays, once a backward has used them


class Size(tuple):
    """The shape of a tensor: a tuple that counts its elements."""

    def numel(self) -> Any:
        """The product of all sizes."""
        count = 1
        for size in self:
            count = count * size
        return count

    def __repr__(self) -> str:
        return f"tracefuse.Size({list(self)})"


class Tensor(Algebra):
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
        if array.dtype == np.float64:
            array = array.astype(defaults.dtype.np)
        return fresh(array, cls)

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


OPERANDS = (Tensor, *Number)


def _compare(op: str, a: Tensor, b: Any, otherwise: bool) -> Any:
    lifted = a._lift(b)
    if lifted is NotImplemented:
        return otherwise if b is None else NotImplemented
    return pointwise(op, a, lifted)


def method(function: F) -> F:
    """Make a function of a tensor a method of Tensor as well."""
    setattr(Tensor, function.__name__, function)
    return function


# -- making tensors


def fresh(array: Any, cls: type = Tensor) -> Tensor:
    """A tensor that owns `array` (no copy)."""
    if type(array) is not np.ndarray:
        array = np.asarray(array)
    t = object.__new__(cls)
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
        return wrap(rec, make(op, record_args(rec, args), **attrs))
    with np.errstate(all="ignore"):
        out = OPS[op].meaning(*[t._array for t in args], **attrs)
    t = fresh(out)
    if state.grad and any(tracked(a._storage, a._steps) for a in args):
        _remember(t, make(op, tuple(map(tape, args)), **attrs), args)
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
    if dtype is None:
        dtype = common_type(op, operands[1:] if op == "where" else operands)
    dtypes = (bool_, dtype, dtype) if op == "where" else (dtype,) * len(operands)
    if state.recorder is None:
        return _pointwise_eager(op, operands, dtypes)
    rec = state.recorder
    here.line = user_line()
    shape = broadcast(*[rec.shape_of(o) for o in operands if isinstance(o, Tensor)])
    values = [_operand(o, d, shape) for o, d in zip(operands, dtypes)]
    if not state.grad:
        values = [make("stop_gradient", (v,)) if v.live else v for v in values]
    return wrap(rec, make(op, tuple(values)))


def _pointwise_eager(op: str, operands: tuple, dtypes: tuple) -> Tensor:
    arrays = []
    for o, dtype in zip(operands, dtypes):
        array = o._array if isinstance(o, Tensor) else _scalar(o, dtype.np)
        arrays.append(array if array.dtype == dtype.np else array.astype(dtype.np))
    try:
        with np.errstate(all="ignore"):
            t = fresh(OPS[op].meaning(*arrays))
    except ValueError:
        broadcast(*[a.shape for a in arrays])  # the same complaint, in our words
        raise
    if state.grad and op not in _FLAT and any(map(_is_tracked, operands)):
        shape = t._array.shape
        values = tuple(_operand(o, d, shape) for o, d in zip(operands, dtypes))
        _remember(t, make(op, values), operands)
    return t


_FLAT = frozenset(("eq", "ne", "lt", "le", "and", "or", "xor", "shl", "shr"))
_WIDE = frozenset(
    "div atan2 sqrt exp expm1 log log1p sin cos tanh erf erfinv".split()
)


def _scalar(number: Any, kind: np.dtype) -> np.ndarray:
    if not isinstance(number, (*Number, np.generic)):
        raise TypeError(f"expected a Tensor or a number, got {type(number).__name__}")
    return np.array(number).astype(kind)


def _is_tracked(o: Any) -> bool:
    return isinstance(o, Tensor) and tracked(o._storage, o._steps)


def _operand(o: Any, dtype: DType, shape: tuple) -> Value:
    if isinstance(o, Tensor):
        return value_of(o).cast(dtype).expand(shape)
    if isinstance(o, Dim):  # a symbolic size as a number: so many ones
        return constant(1, (o,), dtype).sum((-1,)).expand(shape)
    return constant(o, shape, dtype)


def common_type(op: str, operands: tuple) -> DType:
    """The element type in which a pointwise primitive computes."""
    dtypes = [o.dtype for o in operands if isinstance(o, Tensor)]
    if not dtypes and op != "where":
        given = ", ".join(type(o).__name__ for o in operands)
        raise TypeError(f"{op}: one argument must be a Tensor, got {given}")
    whole = len(dtypes) < len(operands) and dtypes and dtypes[0].category < 2
    if not dtypes or whole or any(d is not dtypes[0] for d in dtypes):
        dtype = result_type(*operands)
    else:
        dtype = dtypes[0]  # Python numbers change nothing beside floats
    barred, why = _BARRED.get(op, _FREE)
    if dtype.category in barred:
        raise DTypeError(why.format(op=op, dtype=dtype))
    return defaults.dtype if op in _WIDE and dtype.category < 2 else dtype


_FREE: tuple = ((), "")
_BITS = "{op} is for bool and integer tensors, not {dtype}"
_COUNTS = "{op} is not defined for {dtype} tensors"
# Primitive -> (categories it does not take, why): bool 0, integer 1, float 2.
_BARRED: dict[str, tuple] = {
    "neg": (
        (0,),
        "Negation, the `-` operator, on a bool tensor is not supported. If you are "
        "trying to invert a mask, use the `~` or `logical_not()` operator instead.",
    ),
    "sub": (
        (0,),
        "Subtraction, the `-` operator, with two bool tensors is not supported. Use "
        "the `^` or `logical_xor()` operator instead.",
    ),
    **dict.fromkeys(("and", "or", "xor"), ((2,), _BITS)),
    **dict.fromkeys(("shl", "shr"), ((0, 2), _BITS)),
    **dict.fromkeys(("idiv", "rem"), ((0,), _COUNTS)),
}


def result_type(*operands: Any) -> DType:
    """The type of arithmetic between these tensors and numbers.

    Tensors with axes decide before 0-d tensors, and those before Python numbers: a
    later one only counts where its category is higher.

    >>> import tracefuse
    >>> tracefuse.result_type(tracefuse.ones(2, dtype=tracefuse.float16), 2.0)
    tracefuse.float16
    """
    levels: list = [None, None, None]
    for o in operands:
        if isinstance(o, Tensor):
            level, dtype = (0 if o.ndim else 1), o.dtype
        else:
            level, dtype = 2, weak_type(o, defaults.dtype)
        known = levels[level]
        levels[level] = dtype if known is None else promote_types(known, dtype)
    return _combine(_combine(levels[0], levels[1]), levels[2])


def _combine(higher: Any, lower: Any) -> Any:
    if higher is None or lower is None:
        return lower if higher is None else higher
    return promote_types(higher, lower) if lower.category > higher.category else higher


# -- views and writes


def view(t: Tensor, op: str, **attrs: Any) -> Tensor:
    """A view: shares the storage of `t`, reads and writes go through."""
    rec = state.recorder
    if rec is None:
        array = OPS[op].meaning(t._array, **attrs)
        new = alias(t, op, attrs, array)
    else:
        here.line = user_line()
        new = rec.add_view(alias(t, op, attrs, None), t, op, attrs)
    if not state.grad and new.requires_grad:
        new._steps = (*new._steps, ("stop_gradient", {}))
        new._seen = -1
    return new


def write(t: Tensor, new: Any) -> Tensor:
    """Overwrite what `t` sees with `new` (a tensor or number, broadcast and cast).

    RuntimeError for a leaf that requires grad while gradients are on, as in PyTorch.
    """
    _check_writable(t)
    rec = state.recorder
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
        put_tape = state.grad and (_is_tracked(new) or _is_tracked(t))
        if put_tape:
            value = _operand(new, t.dtype, t._array.shape)
            t._storage.value = put(_root(t._storage), t._steps, value)
        np.copyto(t._array, source, casting="unsafe")
    except ValueError:
        broadcast(t._array.shape, np.shape(source))
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


# -- histories


def value_of(t: Tensor) -> Value:
    """The SSA value of a tensor, recorded or eager."""
    rec = state.recorder
    return tape(t) if rec is None else rec.value_of(t)


def tape(t: Tensor) -> Value:
    """The Value of an eager tensor: its history, or an input without one."""
    storage = t._storage
    if t._seen != storage.version or t._value is None:
        if tracked(storage, t._steps):
            t._value = derive(
                _root(storage), t._steps, _leaf_finder(storage.version)
            )
        else:
            t._value = _untracked(t._array)
        t._seen = storage.version
    return t._value


def _root(storage: Storage) -> Value:
    return _untracked(storage.array) if storage.value is None else storage.value


def _untracked(array: np.ndarray) -> Value:
    return placeholder("t", array.shape, BY_NUMPY[array.dtype])


def _leaf_finder(version: int) -> Callable[[Leaf, Value], Value]:
    def find(of: Leaf, value: Value) -> Value:
        if of.version != version or of.value is None:
            of.value, of.version = make("leaf", (value,)), version
            of.value.data = of
        return of.value

    return find


def _remember(t: Tensor, value: Value, operands: tuple) -> None:
    """Give an eager result its history, with the arrays its derivative will read."""
    if not value.live:
        return
    t._storage.value = t._value = value
    t._seen = 0
    reads_result, reads_args = reads(
        value.op, len(operands), value.attrs.get("mode")
    )
    value.data = kept = [keep(t)] if reads_result else []
    for o, wanted in zip(operands, reads_args):
        if wanted and isinstance(o, Tensor):
            kept.append(keep(o))


def keep(t: Tensor) -> tuple:
    """What a history keeps of a tensor: its Value, its numbers, and as of when."""
    return tape(t), t._array, t._storage, t._storage.version


def require_grad(t: Tensor, wanted: bool = True) -> Tensor:
    """Turn a tensor into a variable of differentiation (or back)."""
    if wanted and not t.dtype.is_floating_point:
        raise RuntimeError(
            f"only Tensors of floating point dtype can require gradients, not {t.dtype}"
        )
    if wanted == t.requires_grad:
        return t
    if wanted:
        t._steps = (*t._steps, ("leaf", {"of": Leaf(weakref.ref(t))}))
    elif t._steps and t._steps[-1][0] == "leaf":
        t._steps = t._steps[:-1]
    else:
        raise RuntimeError(
            "you can only change requires_grad flags of leaf variables. If you want "
            "to use a computed variable in a subgraph that doesn't require "
            "differentiation use var_no_grad = var.detach()."
        )
    t._seen = -1
    defaults.touch()
    return t
