"""Arrays on a device: memory that is held, and how it is seen.

A DeviceArray has NumPy's names: `shape`, `strides` (in bytes), `dtype`, `ndim`, `size`,
`nbytes`. Views share the memory and cost nothing on the device; the memory goes back
to the pool with the last array that holds it.
"""

from __future__ import annotations

from math import prod
from sys import getrefcount
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Optional, Sequence

import numpy as np

from ...tracer.elsewhere import Elsewhere, away
from ...tracer.errors import ShapeError
from ...tracer.later import Later
from ...tracer.meaning import reshape
from .exchange import export_dlpack
from .layout import contiguous_strides, reshaped, viewed
from .memory import Memory

if TYPE_CHECKING:
    from .device import Device

__all__ = ["DeviceArray", "span"]

copies = Later(".copies", __package__)  # which stands above
away.used = True  # from here on, eager operations look where their numbers lie


class Flags(NamedTuple):
    """The part of NumPy's `flags` that device memory has."""

    c_contiguous: bool
    writeable: bool = True


class DeviceArray(Elsewhere):
    """Elements in the memory of a device.

    `memory` is whatever keeps them there, `ptr` the address of the first element.
    """

    __slots__ = (
        *("device", "memory", "ptr", "shape", "strides", "dtype", "contiguous"),
        "__weakref__",
    )

    def __init__(
        self,
        device: Device,
        memory: Any,
        ptr: int,
        shape: tuple[int, ...],
        strides: Optional[tuple[int, ...]],
        dtype: np.dtype,
    ):
        dense = contiguous_strides(shape, dtype.itemsize)
        self.device, self.memory, self.ptr = device, memory, ptr
        self.shape, self.dtype = shape, dtype
        self.strides = dense if strides is None else strides
        self.contiguous = strides is None or _dense(shape, strides, dense)

    def held_by(self, memory: Any) -> DeviceArray:
        """The same elements, kept alive by something else."""
        new = object.__new__(DeviceArray)
        new.device, new.memory, new.ptr = self.device, memory, self.ptr
        new.shape, new.strides, new.dtype = self.shape, self.strides, self.dtype
        new.contiguous = self.contiguous
        return new

    @property
    def ndim(self) -> int:
        """How many axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """How many elements."""
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        """How many bytes its elements are."""
        return self.size * self.dtype.itemsize

    @property
    def itemsize(self) -> int:
        """Bytes of an element."""
        return self.dtype.itemsize

    @property
    def flags(self) -> Flags:
        """Whether it lies row by row; it can always be written."""
        return Flags(self.contiguous)

    @property
    def offset(self) -> int:
        """Bytes from the beginning of the memory to the first element."""
        return self.ptr - self.memory.ptr

    @property
    def exchangeable(self) -> bool:
        """Whether it alone holds a piece of the pool, in which kernels can write."""
        mine = type(self.memory) is Memory and getrefcount(self.memory) <= _ALONE
        return mine and self.contiguous and self.ptr == self.memory.ptr

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("an array without axes has no len()")
        return self.shape[0]

    def __repr__(self) -> str:
        return f"<{self.dtype.name}{list(self.shape)} on {self.device!r}>"

    # Views

    def reshape(self, *shape: Any) -> DeviceArray:
        """Seen in another shape; ShapeError where only a copy could be."""
        if len(shape) == 1 and isinstance(shape[0], tuple):
            (shape,) = shape
        strides = reshaped(self.shape, self.strides, shape, self.dtype.itemsize)
        if strides is None:
            raise ShapeError(f"{self!r} cannot be viewed as {list(shape)}: copy it")
        return self._seen(self.ptr, shape, strides)

    def seen(self, meaning: Callable[..., Any], attrs: dict) -> DeviceArray:
        """What a primitive that is a view makes of it, by its NumPy meaning."""
        if meaning is reshape:
            return self._reshaped(tuple(attrs["shape"]))
        return self._viewed(lambda a: meaning(a, **attrs))

    def _reshaped(self, shape: tuple) -> DeviceArray:
        """In another shape: a view where memory allows, else a copy."""
        strides = reshaped(self.shape, self.strides, shape, self.itemsize)
        if strides is None:
            return self.copy()._reshaped(shape)
        return self._seen(self.ptr, shape, strides)

    def transpose(self, *axes: int) -> DeviceArray:
        """With its axes in another order (none given: reversed)."""
        return self._viewed(lambda a: a.transpose(*axes))

    @property
    def T(self) -> DeviceArray:
        """With its axes reversed."""
        return self.transpose()

    def expand(self, shape: Sequence[int]) -> DeviceArray:
        """Broadcast to a shape, as NumPy does it."""
        return self._viewed(lambda a: np.broadcast_to(a, tuple(shape)))

    def __getitem__(self, index: Any) -> DeviceArray:
        """A slice: ints, slices, None and `...`, as NumPy takes them."""
        parts = index if isinstance(index, tuple) else (index,)
        for part in parts:
            if not (part is None or part is ... or isinstance(part, (int, slice))):
                raise TypeError(f"a view takes ints and slices, got {part!r}")
        return self._viewed(lambda a: a[index if parts else ()])

    def view(self, dtype: Any) -> DeviceArray:
        """The same bytes as elements of another type of the same width."""
        new = np.dtype(dtype)
        if new.itemsize != self.dtype.itemsize:
            raise ShapeError(f"{self.dtype.name} and {new.name} differ in width")
        seen = self._seen(self.ptr, self.shape, self.strides)
        seen.dtype = new
        return seen

    def as_strided(
        self, shape: Sequence[int], strides: Sequence[int], offset: int = 0
    ) -> DeviceArray:
        """Seen in this shape with these strides, both offsets in bytes: unchecked."""
        return self._seen(self.ptr + offset, tuple(shape), tuple(strides))

    def _viewed(self, how: Any) -> DeviceArray:
        return self._seen(*viewed(self, how))

    def _seen(self, ptr: int, shape: tuple, strides: tuple) -> DeviceArray:
        return DeviceArray(self.device, self.memory, ptr, shape, strides, self.dtype)

    # Copies

    def copy(self) -> DeviceArray:
        """The same numbers in contiguous memory of their own."""
        return copies.copied(self)

    def astype(self, dtype: Any, **options: Any) -> DeviceArray:
        """The same numbers in another element type."""
        return copies.converted(self, np.dtype(dtype))

    def item(self) -> Any:
        """The only element, as a Python number; waits for the current stream."""
        return self.numpy().item()

    def __array__(self, *args: Any, **options: Any) -> np.ndarray:
        raise TypeError(
            f"can't convert {self.device.label} device type tensor to numpy. Use "
            "Tensor.cpu() to copy the tensor to host memory first."
        )

    def __array_function__(
        self, function: Any, types: Any, args: tuple, options: dict
    ) -> Any:
        """`np.copyto` and `np.broadcast_to`; NumPy can do nothing else with it."""
        if function is np.copyto:
            return copies.copy_into(*args)
        if function is np.broadcast_to:
            return args[0].expand(args[1])
        return self.__array__()

    # To the host, and to other libraries

    def numpy(self) -> np.ndarray:
        """A copy on the host; waits for the current stream."""
        return self.device.download(self)

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        """Version 3. bfloat16 has no name there: AttributeError (DLPack has one)."""
        if self.dtype.kind not in "biuf":
            raise AttributeError(f"{self.dtype.name} has no __cuda_array_interface__")
        self.device.flush()
        self.device.shares = True
        return {
            "shape": self.shape,
            "typestr": self.dtype.str,
            "data": (self.ptr, False),
            "strides": None if self.contiguous else self.strides,
            "version": 3,
            "stream": self.device.stream.handle or 1,
        }

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.device.dlpack

    def __dlpack__(
        self,
        *,
        stream: Optional[int] = None,
        max_version: Optional[tuple[int, int]] = None,
        dl_device: Optional[tuple[int, int]] = None,
        copy: Optional[bool] = None,
    ) -> Any:
        """A capsule; `stream` is the consumer's (-1: it takes care itself)."""
        if dl_device not in (None, self.device.dlpack) or copy:
            raise BufferError("DLPack shares memory as it is: copy it first")
        self.device.flush()
        self.device.shares = True
        if stream != -1:
            self.device.lead(1 if stream is None else stream)
        return export_dlpack(self, max_version is not None and max_version[0] >= 1)


def span(array: DeviceArray) -> tuple[int, int]:
    """Where the bytes of its elements begin, and how many to the last of them."""
    reach = [s * (n - 1) for n, s in zip(array.shape, array.strides)]
    low = sum(r for r in reach if r < 0)
    high = sum(r for r in reach if r > 0)
    return array.ptr + low, high - low + array.dtype.itemsize


def _dense(shape: tuple, strides: tuple, dense: tuple) -> bool:
    """Whether it lies row by row; axes of one element may have any stride."""
    if 0 in shape or strides == dense:
        return True
    return all(n == 1 or s == d for n, s, d in zip(shape, strides, dense))


def _count_alone() -> int:
    """What the count is of something that one array holds."""
    array = object.__new__(DeviceArray)
    array.memory = object()
    return getrefcount(array.memory)


_ALONE = _count_alone()
