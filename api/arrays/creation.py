"""Tensors made of other data: Python numbers, nested lists, NumPy arrays, tensors.

What a recording makes of Python data must not go stale. Numbers become constants of
the program (its watch list covers where they came from), many of them an input that
never changes; arrays are inputs whose numbers are read at every call (shared.py).
"""

from __future__ import annotations

from itertools import chain
from typing import Any, Optional

import numpy as np

from ...tracer.errors import DTypeError
from ...tracer.record import state
from ...tracer.recording.numbers import is_traced
from ...tracer.sizes import Dim
from ...tracer.types import DType, bool_, int64, promote_types
from ...tracer.types import from_numpy as dtype_of
from ..defaults import defaults
from ..device import place, where
from ..dtypes import as_dtype
from ..gpu.sharing import from_cuda_array
from ..math.composite import cast
from ..placing import moved_to, placed, placed_like
from ..tensor import Tensor, fresh, method
from .attributes import clone, detach
from .fill import filled, finish
from .joining import cat
from .scalars import item
from .shapes import reshape, reshaped
from .shared import backward, from_numpy, met

__all__ = ["tensor", "as_tensor", "asarray", "scalar_tensor"]

LONG_DATA = 64  # more Python numbers than this are not spelled out in a program


@placed
def tensor(
    data: Any,
    *,
    dtype: Optional[DType] = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """A new tensor with a copy of `data`: a number, nested lists, an array, a tensor.

    Floats take the default dtype, ints int64, bools bool; NumPy data keep their type.
    ValueError for lists of unequal lengths.

    >>> tensor([[1, 2], [3, 4.5]])
    tensor([[1.0000, 2.0000],
            [3.0000, 4.5000]])
    """
    made = _converted(data, None if dtype is None else as_dtype(dtype))
    return finish(made, requires_grad)


def as_tensor(data: Any, dtype: Optional[DType] = None, device: Any = None) -> Tensor:
    """`data` as a tensor, without a copy where it is a tensor or array that fits."""
    if isinstance(data, Tensor) and device is None:
        there = where(data)
    else:
        there = place(device)
    return moved_to(_as_it_lies(data, dtype), there)


def _as_it_lies(data: Any, dtype: Optional[DType]) -> Tensor:
    kind = None if dtype is None else as_dtype(dtype)
    if hasattr(data, "__cuda_array_interface__"):
        data = data if isinstance(data, Tensor) else from_cuda_array(data)
    if isinstance(data, Tensor):
        return data if kind is None else cast(data, kind)
    if isinstance(data, np.ndarray) and data.dtype.isnative and not backward(data):
        shared = from_numpy(data)
        return shared if kind is None else cast(shared, kind)
    return tensor(data, dtype=dtype)


asarray = as_tensor


def scalar_tensor(value: Any, **options: Any) -> Tensor:
    """A 0-d tensor."""
    return tensor(value, **{"dtype": defaults.dtype, **options})


@method
@placed_like
def new_tensor(self: Tensor, data: Any, *, dtype: Any = None, **options: Any) -> Tensor:
    """As `tensor`, in the type of this one."""
    return tensor(data, dtype=self.dtype if dtype is None else dtype, **options)


def _converted(data: Any, dtype: Optional[DType]) -> Tensor:
    if isinstance(data, Tensor):
        kept = detach(data)
        return clone(kept) if dtype in (None, data.dtype) else cast(kept, dtype)
    if isinstance(data, (np.ndarray, np.generic)):
        kind = dtype_of(data.dtype.newbyteorder("=")) if dtype is None else dtype
        if state.recorder is not None:
            return cast(clone(met(np.asarray(data), False)), kind)
        return fresh(np.array(data, kind.np, order="C"))
    leaves, shape = _flatten(data)
    kind = _common(leaves) if dtype is None else dtype
    if state.recorder is not None:
        return _recorded(leaves, shape, kind)
    leaves = [item(x) if isinstance(x, Tensor) else x for x in leaves]
    return fresh(_array(leaves, kind).reshape(shape))


def _array(leaves: list, dtype: DType) -> np.ndarray:
    try:
        return np.array(leaves, dtype.np)
    except OverflowError:
        error = ValueError if dtype is int64 else RuntimeError
        raise error(
            f"value cannot be converted to type {dtype.name} without overflow"
        ) from None


# -- nested sequences


def _is_sequence(x: Any) -> bool:
    if isinstance(x, Tensor):
        return False
    if isinstance(x, np.ndarray):
        return x.ndim > 0
    return hasattr(x, "__len__") and not isinstance(x, (str, bytes, dict, set))


def _flatten(data: Any) -> tuple[list, tuple]:
    """(all numbers in order, shape); level by level, each of one length."""
    level, shape = [data], []  # type: ignore[var-annotated]
    while level and _is_sequence(level[0]):
        lengths = {len(x) if _is_sequence(x) else None for x in level}
        size = len(level[0])
        if len(lengths) > 1:
            _complain(level, size, len(shape))
        shape.append(size)
        level = list(chain.from_iterable(level))
    if not level:  # tensor([[], []]) is of size (2, 0)
        return [], tuple(shape)
    for x in level:
        if isinstance(x, Tensor) and x.shape.numel() != 1:
            raise ValueError(
                "only one element tensors can be converted to Python scalars"
            )
        if type(x) is list or type(x) is tuple:
            raise TypeError(f"'{type(x).__name__}' object cannot be read as a number")
    return level, tuple(shape)


def _complain(level: list, size: int, dim: int) -> None:
    for x in level:
        if not _is_sequence(x):
            raise TypeError(f"not a sequence: {x!r} at dim {dim}")
        if len(x) != size:
            raise ValueError(
                f"expected sequence of length {size} at dim {dim} (got {len(x)})"
            )


def _common(leaves: list) -> DType:
    """The type in which all meet."""
    samples = {x.dtype if hasattr(x, "dtype") else type(x): x for x in leaves}
    found: Optional[DType] = None
    for x in samples.values():
        kind = _type_of(x)
        found = kind if found is None else promote_types(found, kind)
    return defaults.dtype if found is None else found


def _type_of(x: Any) -> DType:
    if isinstance(x, Tensor):
        return x.dtype
    if isinstance(x, (np.generic, np.ndarray)):
        return dtype_of(x.dtype)
    for kind, dtype in ((bool, bool_), ((int, Dim), int64), (float, defaults.dtype)):
        if isinstance(x, kind):
            return dtype
    if isinstance(x, (str, bytes)):
        raise TypeError(f"new(): invalid data type '{type(x).__name__}'")
    raise DTypeError(f"Could not infer dtype of {type(x).__name__}")


def _recorded(leaves: list, shape: tuple, dtype: DType) -> Tensor:
    plain = all(isinstance(x, (bool, int, float, np.generic)) for x in leaves)
    if plain and len({(type(x), id(x) if is_traced(x) else x) for x in leaves}) == 1:
        return filled(leaves[0], shape, dtype)
    if plain and len(leaves) > LONG_DATA:
        return clone(fresh(_array(leaves, dtype).reshape(shape)))
    if not leaves:
        return filled(0, shape, dtype)
    parts = [_one(x, dtype) for x in leaves]
    return reshape(cat(parts), shape)


def _one(x: Any, dtype: DType) -> Tensor:
    if isinstance(x, Tensor):
        return cast(reshaped(detach(x), (1,)), dtype)
    return filled(x, (1,), dtype)


def _beside(self: Tensor, array: np.ndarray) -> Any:
    """The array beside a recorded tensor, if NumPy would find the type that we do."""
    fits = array.ndim and array.dtype == self.dtype.np and self.dtype.category == 2
    return tensor(array) if fits and not self.requires_grad else NotImplemented


Tensor._beside = _beside  # type: ignore[attr-defined]
