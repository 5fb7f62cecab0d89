"""NumPy, DLPack, copy and pickle; without a copy where memory allows."""

from __future__ import annotations

import copy
from typing import Any, Optional

import numpy as np

from ...tracer.errors import TraceError
from ...tracer.record import state
from ...tracer.storage import Storage, memory_steps, view_array
from ..device import place, where
from ..gpu.sharing import from_device
from ..place import copies
from ..tensor import Tensor, fresh, method, require_grad, view
from .attributes import clone
from .scalars import numbers
from .shared import adopt, from_numpy, share

__all__ = ["from_dlpack"]


# -- NumPy


@method
def numpy(self: Tensor, *, force: bool = False) -> np.ndarray:
    """Its memory as an array: both see what either writes.

    RuntimeError for a tensor that requires grad, unless `force`. In a jitted function
    the array is read-only.

    >>> import tracefuse
    >>> tracefuse.ones(2).numpy()
    array([1., 1.], dtype=float32)
    """
    if self.requires_grad and not force:
        raise RuntimeError(
            "Can't call numpy() on Tensor that requires grad. Use "
            "tensor.detach().numpy() instead."
        )
    there = where(self)
    if there is not None and not force:
        raise TypeError(
            f"can't convert {there.label} device type tensor to numpy. Use "
            "Tensor.cpu() to copy the tensor to host memory first."
        )
    array = numbers(self, "numpy()")
    if there is not None:
        return array
    if state.recorder is None:
        share(self._storage)
        return array
    array = array.copy()  # what was recorded so far is no memory to write to
    array.flags.writeable = False
    return array


def _array(self: Tensor, dtype: Any = None, copy: Optional[bool] = None) -> np.ndarray:
    """`np.asarray(t)` shares memory, `np.array(t)` and other types copy."""
    array = numpy(self)
    if dtype is not None and np.dtype(dtype) != array.dtype:
        if copy is False:
            raise ValueError(f"no {dtype} array of {self.dtype} without a copy")
        return array.astype(dtype)
    return array.copy() if copy else array


def _wrap(self: Tensor, array: Any, context: Any = None, scalar: bool = False) -> Any:
    """What a NumPy function makes of a tensor is a tensor again, as in PyTorch."""
    return from_numpy(np.asarray(array))


Tensor.__array__ = _array  # type: ignore
Tensor.__array_wrap__ = _wrap  # type: ignore


# -- DLPack


def _dlpack(self: Tensor, **options: Any) -> Any:
    """Its memory for other libraries; BufferError for what DLPack cannot say.

    On a GPU `stream` is the handle of the stream on which the consumer works.
    """
    options = {k: v for k, v in options.items() if v is not None}
    if where(self) is None:
        return numpy(self).__dlpack__(**options)
    return _device_memory(self).__dlpack__(**options)


def _device_memory(t: Tensor) -> Any:
    if t.requires_grad:
        raise BufferError("Can't export tensors that require gradient, use detach()")
    if t._array is None:
        raise TraceError("a tensor that is being recorded has no memory yet")
    return t._array


def _dlpack_device(self: Tensor) -> tuple[int, int]:
    there = where(self)
    return (1, 0) if there is None else there.dlpack


def _cuda_array_interface(self: Tensor) -> dict[str, Any]:
    """Address, shape and type of a tensor on a GPU; AttributeError for any other."""
    if where(self) is None:
        raise AttributeError(
            "Can't get __cuda_array_interface__ on non-CUDA tensor type: use "
            "tensor.cuda() first"
        )
    return _device_memory(self).__cuda_array_interface__


Tensor.__dlpack__ = _dlpack  # type: ignore
Tensor.__dlpack_device__ = _dlpack_device  # type: ignore
Tensor.__cuda_array_interface__ = property(_cuda_array_interface)  # type: ignore


def from_dlpack(ext_tensor: Any) -> Tensor:
    """A tensor on the memory of another library's array, without a copy.

    >>> import numpy
    >>> from_dlpack(numpy.ones(2))
    tensor([1., 1.], dtype=tracefuse.float64)
    """
    if not hasattr(ext_tensor, "__dlpack__"):
        raise TypeError(
            f"from_dlpack() wants an object with __dlpack__, not {type(ext_tensor)}"
        )
    if isinstance(ext_tensor, np.ndarray):
        return from_numpy(ext_tensor)
    if isinstance(ext_tensor, Tensor) and where(ext_tensor) is not None:
        return view(ext_tensor, "stop_gradient")
    found = from_device(ext_tensor)
    return adopt(np.from_dlpack(ext_tensor)) if found is None else found


# -- copy and pickle


def _copy(self: Tensor) -> Tensor:
    """Another object for the same memory."""
    if self.requires_grad and self.is_leaf:  # type: ignore[attr-defined]
        return require_grad(view(self, "stop_gradient"))
    return view(self, "reshape", shape=tuple(self.shape))


def _deepcopy(self: Tensor, memo: dict) -> Tensor:
    """A copy of the memory; tensors that shared it share the copy.

    RuntimeError for a result of tracked operations, as in PyTorch.
    """
    if id(self) in memo:
        return memo[id(self)]
    if not self.is_leaf:  # type: ignore[attr-defined]
        raise RuntimeError(
            "Only Tensors created explicitly by the user (graph leaves) support the "
            "deepcopy protocol at the moment."
        )
    new = _copied(self, memo)
    memo[id(self)] = new
    if self.requires_grad:
        require_grad(new)
    vars(new).update(copy.deepcopy(vars(self), memo))
    new._grad = copy.deepcopy(self._grad, memo)
    return new


def _copied(t: Tensor, memo: dict) -> Tensor:
    if state.recorder is not None:
        return clone(t)
    storage = memo.get(id(t._storage))
    if storage is None:
        storage = memo[id(t._storage)] = Storage(t._storage.array.copy())
    new = fresh(storage.array, type(t))
    marks = ("leaf", "stop_gradient")
    steps = memory_steps(t._steps)
    new._storage = storage
    new._steps = tuple(step for step in steps if step[0] not in marks)
    new._array = view_array(storage.array, new._steps)
    return new


def _reduce(self: Tensor, protocol: Any) -> tuple:
    array = np.ascontiguousarray(numbers(self, "pickling"))
    array = array.reshape(tuple(self.shape))
    leaf = bool(self.requires_grad and self.is_leaf)  # type: ignore[attr-defined]
    there = where(self)
    at = () if there is None else (there.label,)
    return _rebuilt, (type(self), array, leaf, vars(self), *at)


def _rebuilt(
    cls: type,
    array: np.ndarray,
    requires_grad: bool,
    attributes: dict,
    device: str = "cpu",
) -> Any:
    new = fresh(copies.moved(array, place(device)) if device != "cpu" else array, cls)
    vars(new).update(attributes)
    return require_grad(new) if requires_grad else new


Tensor.__copy__ = _copy  # type: ignore
Tensor.__deepcopy__ = _deepcopy  # type: ignore
Tensor.__reduce_ex__ = _reduce  # type: ignore
