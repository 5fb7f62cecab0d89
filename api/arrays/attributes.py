"""What a tensor is (sizes, strides, type) and copies of it that are something else."""

from __future__ import annotations

from typing import Any, Optional

import numpy as np

from ...tracer.elsewhere import Elsewhere
from ...tracer.errors import TraceError
from ...tracer.graph import Value, make
from ...tracer.record import state
from ...tracer.types import DTYPES, DType
from ..device import device, place, where
from ..dtypes import LEGACY, as_dtype
from ..history import exchange
from ..math.axes import axis
from ..math.composite import cast
from ..place import discover
from ..placing import moved_to, pinned_copy
from ..tensor import Tensor, fresh, method, record_args, require_grad, tape, view, wrap
from .shapes import strides_of

__all__ = ["clone", "numel", "is_tensor", "detach"]


# -- copies


@method
def clone(input: Tensor, *, memory_format: Any = None) -> Tensor:
    """The same numbers in memory of their own; gradients flow through.

    >>> import tracefuse
    >>> x = tracefuse.zeros(2)
    >>> y = clone(x)
    >>> y[0] = 1
    >>> x
    tensor([0., 0.])
    """
    rec = state.recorder
    if rec is not None:
        return wrap(rec, _step(record_args(rec, (input,))[0]))
    new = fresh(input._array.copy())
    if state.grad and input.requires_grad:
        new._storage.value = new._value = _step(tape(input))
        new._seen = 0
    return new


def _step(v: Value) -> Value:
    """The same as a step of its own, whose gradient hooks may see."""
    return make("cast", (v,), dtype=v.dtype) if v.live else v


def is_contiguous(self: Tensor, memory_format: Any = None) -> bool:
    """Whether its elements lie in row-major order without gaps."""
    rec = state.recorder
    if rec is None:
        return bool(self._array.flags.c_contiguous)
    return rec.tell_contiguous(self)


Tensor.is_contiguous = is_contiguous  # type: ignore


@method
def contiguous(self: Tensor, memory_format: Any = None) -> Tensor:
    """Itself if it is contiguous, else a copy that is."""
    rec = state.recorder
    if rec is None:
        return self if self._array.flags.c_contiguous else clone(self)
    if rec.is_contiguous(self):
        return self
    copy = clone(self)
    rec.part(self, copy)
    return copy


@method
def detach(input: Tensor) -> Tensor:
    """The same memory, out of reach of gradients."""
    return view(input, "stop_gradient")


@method
def detach_(self: Tensor) -> Tensor:
    """Take this tensor itself out of reach of gradients."""
    if self.requires_grad:
        self._steps = (*self._steps, ("stop_gradient", {}))
        forget(self)
    return self


def become(t: Tensor, new: Tensor, steps: tuple) -> Tensor:
    """Let `t` look at the memory of `new`, by these steps; returns it."""
    if state.recorder is not None:
        state.recorder.move(t)
    exchange(t, new, steps)
    forget(t)
    return t


def forget(t: Tensor) -> None:
    """Its value is to be derived anew: its view of the storage has changed."""
    t._seen = -1
    rec = state.recorder
    if rec is not None:
        rec.seen.pop(id(t), None)
        if t._array is None:
            rec.value_of(t)


@method
def requires_grad_(self: Tensor, requires_grad: bool = True) -> Tensor:
    """Make it a variable of differentiation (or stop that); returns itself."""
    return require_grad(self, requires_grad)


# -- sizes


@method
def size(self: Tensor, dim: Optional[int] = None) -> Any:
    """Its shape, or one size of it."""
    if dim is None:
        return self.shape
    if not self.ndim:
        raise IndexError("Dimension specified as 0 but tensor has no dimensions")
    return self.shape[axis(dim, self.ndim)]


@method
def numel(input: Tensor) -> Any:
    """The number of elements."""
    return input.shape.numel()


Tensor.nelement = numel  # type: ignore
Tensor.dim = Tensor.ndimension = lambda self: self.ndim  # type: ignore


@method
def stride(self: Tensor, dim: Optional[int] = None) -> Any:
    """How many elements apart neighbours along each dimension (or one) lie."""
    strides = strides_of(self)
    if state.recorder is not None:
        state.recorder.learn(self)
    return strides if dim is None else strides[axis(dim, self.ndim)]


@method
def element_size(self: Tensor) -> int:
    """Bytes per element."""
    return self.dtype.itemsize


Tensor.itemsize = property(element_size, doc="Bytes per element.")  # type: ignore
Tensor.nbytes = property(  # type: ignore
    lambda self: numel(self) * self.dtype.itemsize, doc="Bytes of all elements."
)


def _memory(t: Tensor) -> np.ndarray:
    if t._array is None:
        raise TraceError("a tensor that is being recorded has no address in memory yet")
    return t._array


@method
def data_ptr(self: Tensor) -> int:
    """The address of its first element."""
    return _address(_memory(self))


def _address(array: Any) -> int:
    return array.ptr if isinstance(array, Elsewhere) else array.ctypes.data


@method
def storage_offset(self: Tensor) -> int:
    """How many elements into its storage it begins."""
    start = _address(self._storage.array)
    return (data_ptr(self) - start) // self.dtype.itemsize


def is_tensor(obj: Any) -> bool:
    """Whether it is a Tensor."""
    return isinstance(obj, Tensor)


# -- conversion


@method
def to(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """In another element type or place, or like another tensor: `to(dtype)`,
    `to("cuda")`, `to(device, dtype)`, `to(other)`. Itself where nothing changes, unless
    `copy=True`.

    DeviceError for a device that is missing.

    >>> import tracefuse
    >>> tracefuse.ones(2).to(tracefuse.int64)
    tensor([1, 1])
    """
    there, dtype, options = _wanted(self, args, kwargs)
    dtype = self.dtype if dtype is None else dtype
    if dtype.itemsize > self.dtype.itemsize:  # the bytes that travel are fewer
        t = cast(moved_to(self, there, options["non_blocking"]), dtype)
    else:
        t = moved_to(cast(self, dtype), there, options["non_blocking"])
    return clone(t) if t is self and options["copy"] else t


def _wanted(t: Tensor, args: tuple, kwargs: dict) -> tuple[Any, Any, dict]:
    """(place, dtype, options) that `to` was asked for; the order is PyTorch's."""
    options = {"non_blocking": False, "copy": False, "memory_format": None}
    dtype, rest = kwargs.pop("dtype", None), list(args)
    wanted = kwargs.pop("device", None)
    other = kwargs.pop("other", None)
    while rest and not isinstance(rest[0], bool):
        first = rest.pop(0)
        if isinstance(first, Tensor):
            other = first
        elif isinstance(first, (str, device, int)):
            wanted = first
        elif first is not None:
            dtype = first
    options.update(zip(("non_blocking", "copy"), rest))
    unknown = kwargs.keys() - options.keys()
    if unknown:
        raise TypeError(f"to() got an unexpected keyword argument {unknown.pop()!r}")
    options.update(kwargs)
    there = where(t) if wanted is None else place(wanted)
    if other is not None:
        there, dtype = where(other), dtype or other.dtype
    return there, (None if dtype is None else as_dtype(dtype)), options


def _converter(name: str, dtype: DType) -> Any:
    def convert(self: Tensor, memory_format: Any = None) -> Tensor:
        return cast(self, dtype)

    convert.__name__ = convert.__qualname__ = name
    convert.__doc__ = f"As {dtype.name} (itself if it is that already)."
    return method(convert)


_SHORT = {"float": "float32", "double": "float64", "half": "float16", "bool": "bool"}
_SHORT |= {"long": "int64", "int": "int32", "short": "int16", "char": "int8"}
_SHORT |= {"byte": "uint8", "bfloat16": "bfloat16"}
for _name, _target in _SHORT.items():
    _converter(_name, DTYPES[_target])


@method
def type_as(self: Tensor, other: Tensor) -> Tensor:
    """In the element type of `other`."""
    return cast(self, other.dtype)


def _type(self: Tensor, dtype: Any = None, non_blocking: bool = False) -> Any:
    """The name of its legacy type ("tracefuse.FloatTensor"), or converted to one."""
    if dtype is None:
        room = "tracefuse" if where(self) is None else "tracefuse.cuda"
        return f"{room}.{LEGACY[self.dtype]}Tensor"
    if isinstance(dtype, str):
        dtype = _LEGACY_NAMES.get(dtype.rpartition(".")[2], dtype)
    return cast(self, as_dtype(getattr(dtype, "legacy_dtype", dtype)))


_LEGACY_NAMES = {f"{name}Tensor": dtype for dtype, name in LEGACY.items()}
Tensor.type = _type  # type: ignore


@method
def cpu(self: Tensor, memory_format: Any = None) -> Tensor:
    """In host memory; itself where it is there."""
    return moved_to(self, None)


@method
def cuda(self: Tensor, device: Any = None, non_blocking: bool = False) -> Tensor:
    """On a GPU (None: the current one); DeviceError where there is none."""
    there = place("cuda" if device is None else device)
    return moved_to(self, there, non_blocking)


@method
def pin_memory(self: Tensor, device: Any = None) -> Tensor:
    """A copy in memory that a GPU copies from by itself; itself where it is there, or
    where there is no GPU to pin memory for."""
    if is_pinned(self) or not discover.devices():
        return self
    return pinned_copy(self)


@method
def is_pinned(self: Tensor, device: Any = None) -> bool:
    """Whether it lies in pinned memory."""
    array = self._array
    if not isinstance(array, np.ndarray) or not discover.devices():
        return False
    return any(there.is_pinned(array) for there in discover.devices())


@method
def get_device(self: Tensor) -> int:
    """The number of its GPU: -1 on the CPU."""
    there = where(self)
    return -1 if there is None else there.index
