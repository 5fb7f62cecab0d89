"""What a tensor is (sizes, strides, type) and copies of it that are something else."""

from __future__ import annotations

from typing import Any, Optional

import numpy as np

from ...tracer.errors import TraceError
from ...tracer.record import state
from ...tracer.storage import memory_steps
from ...tracer.types import DTYPES, DType
from ..device import CPU, check_device, device
from ..dtypes import LEGACY, as_dtype
from ..history import exchange
from ..math.axes import axis
from ..math.composite import cast
from ..tensor import Tensor, fresh, method, record_args, require_grad, tape, view, wrap
from ..tensor import write as write_into
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
        return wrap(rec, record_args(rec, (input,))[0])
    new = fresh(np.array(input._array, order="C"))
    if state.grad and input.requires_grad:
        new._storage.value = new._value = tape(input)
        new._seen = 0
    return new


def is_contiguous(self: Tensor, memory_format: Any = None) -> bool:
    """Whether its elements lie in row-major order without gaps."""
    rec = state.recorder
    if rec is not None:
        return rec.is_contiguous(self)
    return bool(self._array.flags.c_contiguous)


Tensor.is_contiguous = is_contiguous  # type: ignore[attr-defined]


@method
def contiguous(self: Tensor, memory_format: Any = None) -> Tensor:
    """Itself if it is contiguous, else a copy that is."""
    return self if is_contiguous(self) else clone(self)


@method
def detach(input: Tensor) -> Tensor:
    """The same memory, out of reach of gradients."""
    return view(input, "stop_gradient")


@method
def detach_(self: Tensor) -> Tensor:
    """Take this tensor itself out of reach of gradients."""
    if self.requires_grad:
        self._steps = (*self._steps, ("stop_gradient", {}))
        _forget(self)
    return self


def _forget(t: Tensor) -> None:
    """Its value is to be derived anew: its view of the storage has changed."""
    t._seen = -1
    rec = state.recorder
    if rec is not None:
        rec.seen.pop(id(t), None)


@method
def requires_grad_(self: Tensor, requires_grad: bool = True) -> Tensor:
    """Make it a variable of differentiation (or stop that); returns itself."""
    return require_grad(self, requires_grad)


# -- data: the same tensor with other numbers


def _get_data(self: Tensor) -> Tensor:
    return view(self, "stop_gradient")


def _set_data(self: Tensor, new: Any) -> None:
    if not isinstance(new, Tensor):
        raise TypeError(f"data must be a Tensor, not {type(new).__name__}")
    rec = state.recorder
    if rec is not None and self._storage.maker is not rec:
        _overwrite(self, new)
        return
    marks = tuple(step for step in self._steps[-1:] if step[0] == "leaf")
    hidden: tuple = (("stop_gradient", {}),) if new.requires_grad else ()
    exchange(self, new, (*memory_steps(new._steps), *hidden, *marks))
    _forget(self)


def _overwrite(self: Tensor, new: Tensor) -> None:
    """Recorded, a tensor from outside keeps its memory and takes the numbers."""
    if tuple(new.shape) != tuple(self.shape) or new.dtype is not self.dtype:
        raise TraceError(
            f"data of {self.dtype} {list(self.shape)} cannot become {new.dtype} "
            f"{list(new.shape)} in a jitted function: assign it outside"
        )
    write_into(view(self, "stop_gradient"), detach(new))


Tensor.data = property(  # type: ignore[attr-defined]
    _get_data, _set_data, doc="The numbers, untracked."
)


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


Tensor.nelement = numel  # type: ignore[attr-defined]
Tensor.dim = Tensor.ndimension = lambda self: self.ndim  # type: ignore


@method
def stride(self: Tensor, dim: Optional[int] = None) -> Any:
    """How many elements apart neighbours along each dimension (or one) lie."""
    strides = strides_of(self)
    return strides if dim is None else strides[axis(dim, self.ndim)]


@method
def element_size(self: Tensor) -> int:
    """Bytes per element."""
    return self.dtype.itemsize


Tensor.itemsize = property(element_size, doc="Bytes per element.")  # type: ignore
Tensor.nbytes = property(  # type: ignore[attr-defined]
    lambda self: numel(self) * self.dtype.itemsize, doc="Bytes of all elements."
)


def _memory(t: Tensor) -> np.ndarray:
    if t._array is None:
        raise TraceError("a tensor that is being recorded has no address in memory yet")
    return t._array


@method
def data_ptr(self: Tensor) -> int:
    """The address of its first element."""
    return int(_memory(self).ctypes.data)


@method
def storage_offset(self: Tensor) -> int:
    """How many elements into its storage it begins."""
    start = self._storage.array.ctypes.data
    return (data_ptr(self) - start) // self.dtype.itemsize


def is_tensor(obj: Any) -> bool:
    """Whether it is a Tensor."""
    return isinstance(obj, Tensor)


# -- conversion


@method
def to(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """In another element type, or like another tensor: `to(dtype)`, `to("cpu")`,
    `to(device, dtype)`, `to(other)`. Itself where nothing changes, unless `copy=True`.

    DeviceError for a device that is missing.

    >>> import tracefuse
    >>> tracefuse.ones(2).to(tracefuse.int64)
    tensor([1, 1])
    """
    dtype, copy = _wanted(args, kwargs)
    if dtype is None or dtype is self.dtype:
        return clone(self) if copy else self
    return cast(self, dtype)


def _wanted(args: tuple, kwargs: dict) -> tuple[Optional[DType], bool]:
    """(dtype, copy) that `to` was asked for; the order is PyTorch's."""
    options = {"non_blocking": None, "copy": False, "memory_format": None}
    dtype, rest = kwargs.pop("dtype", None), list(args)
    check_device(kwargs.pop("device", None))
    other = kwargs.pop("other", None)
    while rest and not isinstance(rest[0], bool):
        first = rest.pop(0)
        if isinstance(first, Tensor):
            other = first
        elif isinstance(first, (str, device, int)):
            check_device(first)
        elif first is not None:
            dtype = first
    options.update(zip(("non_blocking", "copy"), rest))
    unknown = kwargs.keys() - options.keys()
    if unknown:
        raise TypeError(f"to() got an unexpected keyword argument {unknown.pop()!r}")
    options.update(kwargs)
    dtype = other.dtype if other is not None and dtype is None else dtype
    return (None if dtype is None else as_dtype(dtype)), bool(options["copy"])


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
        return f"tracefuse.{LEGACY[self.dtype]}Tensor"
    if isinstance(dtype, str):
        dtype = _LEGACY_NAMES.get(dtype.rpartition(".")[2], dtype)
    return cast(self, as_dtype(getattr(dtype, "legacy_dtype", dtype)))


_LEGACY_NAMES = {f"{name}Tensor": dtype for dtype, name in LEGACY.items()}
Tensor.type = _type  # type: ignore[attr-defined]


@method
def cpu(self: Tensor, memory_format: Any = None) -> Tensor:
    """On the CPU: itself."""
    return self


@method
def cuda(self: Tensor, device: Any = None, non_blocking: bool = False) -> Tensor:
    """On a GPU; DeviceError where there is none."""
    check_device("cuda" if device is None else device)
    return self


@method
def pin_memory(self: Tensor, device: Any = None) -> Tensor:
    """Itself: without a GPU there is nothing to pin memory for."""
    return self


@method
def get_device(self: Tensor) -> int:
    """The number of its GPU: -1 on the CPU."""
    return -1 if self.device == CPU else 0  # type: ignore[attr-defined]
