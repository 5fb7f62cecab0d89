"""Tensors made of sizes alone: constants, ranges, grids.

While recording, a filled tensor is a splat constant and a range is an `iota`: neither
takes memory in the program.
"""

from __future__ import annotations

import math
from typing import Any, Callable, Optional

import numpy as np

from ...tracer.errors import ShapeError
from ...tracer.graph import constant, here, make
from ...tracer.record import state
from ...tracer.sizes import Dim, Int
from ...tracer.types import DType, float64, int64, weak_type
from ...tracer.where import user_line
from ..defaults import defaults
from ..dtypes import as_dtype
from ..math.axes import as_size, sizes
from ..math.composite import cast
from ..place import making
from ..placing import filled_there, made_there, placed, placed_like
from ..tensor import Tensor, fresh, method, require_grad, wrap, write
from .shapes import unsqueeze

__all__ = ["zeros", "ones", "full", "empty", "zeros_like", "ones_like", "full_like"]
__all__ += ["empty_like", "arange", "eye"]


# -- shared with the other files that make tensors


def filled(value: Any, shape: tuple, dtype: DType) -> Tensor:
    """`value` everywhere."""
    rec = state.recorder
    if rec is not None:
        here.line = user_line()
        return wrap(rec, constant(value, shape, dtype))
    if any(n < 0 for n in shape):
        raise ShapeError(f"sizes must be non-negative, got {list(shape)}")
    if making.device is not None:
        return filled_there(value, tuple(shape), dtype)
    if not value:
        return fresh(np.zeros(shape, dtype.np))
    return fresh(np.full(shape, value, dtype.np))


def counted(n: Int, dtype: DType = int64) -> Tensor:
    """0, 1, ..., n - 1."""
    rec = state.recorder
    if rec is None and making.device is not None:
        return made_there("iota", shape=(n,), axis=-1, dtype=dtype)
    if rec is None:
        return fresh(np.arange(n, dtype=dtype.np))
    here.line = user_line()
    return wrap(rec, make("iota", (), shape=(n,), axis=-1, dtype=dtype))


def chosen(dtype: Any, otherwise: Optional[DType] = None) -> DType:
    """The type that was asked for, or what holds when none was."""
    return (otherwise or defaults.dtype) if dtype is None else as_dtype(dtype)


def finish(t: Tensor, requires_grad: bool = False, out: Optional[Tensor] = None) -> Any:
    """The last step of a factory: into `out`, or a variable, or as it is."""
    if out is not None:
        if tuple(out.shape) != tuple(t.shape):
            raise ShapeError(f"out: {list(t.shape)} expected, {list(out.shape)} given")
        return write(out, t)
    return require_grad(t) if requires_grad else t


# -- filled


@placed
def full(
    size: Any,
    fill_value: Any,
    *,
    dtype: Optional[DType] = None,
    device: Any = None,
    requires_grad: bool = False,
    out: Optional[Tensor] = None,
    pin_memory: bool = False,
) -> Tensor:
    """A tensor of shape `size` that holds `fill_value` (whose type it has) everywhere.

    >>> full((2,), 7)
    tensor([7, 7])
    """
    shape = sizes((size,))
    if isinstance(fill_value, Tensor):
        t = empty(shape, dtype=dtype or fill_value.dtype)
        write(t, fill_value)
    else:
        kind = chosen(dtype, weak_type(fill_value, defaults.dtype))
        t = filled(fill_value, shape, kind)
    return finish(t, requires_grad, out)


def _filler(value: int, name: str, text: str) -> Callable[..., Tensor]:
    @placed
    def fill(
        *shape: Any,
        size: Any = None,
        dtype: Optional[DType] = None,
        device: Any = None,
        requires_grad: bool = False,
        out: Optional[Tensor] = None,
        pin_memory: bool = False,
        layout: Any = None,
    ) -> Tensor:
        wanted = sizes(shape, keyword=size)
        t = filled(value, wanted, chosen(dtype, None if out is None else out.dtype))
        return finish(t, requires_grad, out)

    fill.__name__ = fill.__qualname__ = name
    fill.__doc__ = f"A tensor of shape `size` {text} (type: the default dtype)."
    return fill


zeros = _filler(0, "zeros", "full of zeros")
ones = _filler(1, "ones", "full of ones")
# Fresh pages are zero anyway, so that eager and recorded agree.
empty = _filler(0, "empty", "whose numbers do not matter (they are zero)")


@placed_like
def full_like(
    input: Tensor,
    fill_value: Any,
    *,
    dtype: Optional[DType] = None,
    device: Any = None,
    requires_grad: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """`fill_value` everywhere, in the shape and type of `input`."""
    return full(
        input.shape,
        fill_value,
        dtype=chosen(dtype, input.dtype),
        requires_grad=requires_grad,
    )


def _filler_like(value: int, name: str) -> Callable[..., Tensor]:
    @placed_like
    def fill_like(input: Tensor, **options: Any) -> Tensor:
        return full_like(input, value, **options)

    fill_like.__name__ = fill_like.__qualname__ = f"{name}_like"
    fill_like.__doc__ = f"As `{name}`, in the shape and type of `input`."
    return fill_like


zeros_like, ones_like = _filler_like(0, "zeros"), _filler_like(1, "ones")
empty_like = _filler_like(0, "empty")


# -- methods: another tensor of the same type


def _new(value: int, name: str) -> Callable[..., Tensor]:
    @placed_like
    def new(
        self: Tensor, *shape: Any, size: Any = None, dtype: Any = None, **options: Any
    ) -> Tensor:
        wanted = sizes(shape, keyword=size)
        return full(wanted, value, dtype=chosen(dtype, self.dtype), **options)

    new.__name__ = new.__qualname__ = f"new_{name}"
    new.__doc__ = f"As `{name}`, in the type of this tensor."
    return method(new)


new_zeros, new_ones, new_empty = _new(0, "zeros"), _new(1, "ones"), _new(0, "empty")


@method
@placed_like
def new_full(
    self: Tensor, size: Any, fill_value: Any, dtype: Any = None, **options: Any
) -> Tensor:
    """As `full`, in the type of this tensor."""
    return full(size, fill_value, dtype=chosen(dtype, self.dtype), **options)


# -- ranges


@placed
def arange(
    start: Any,
    end: Any = None,
    step: Any = 1,
    *,
    dtype: Optional[DType] = None,
    device: Any = None,
    requires_grad: bool = False,
    out: Optional[Tensor] = None,
) -> Tensor:
    """start, start + step, ... below `end`; int64 unless a float is among the three.

    RuntimeError for a zero step or one that leads away from `end`.

    >>> arange(1, 2.5, 0.5)
    tensor([1.0000, 1.5000, 2.0000])
    """
    if end is None:
        start, end = 0, start
    start, end, step = map(_number, (start, end, step))
    whole = all(isinstance(n, (int, Dim)) for n in (start, end, step))
    kind = chosen(dtype, int64 if whole else None)
    line = counted(_range_length(start, end, step, whole), int64 if whole else float64)
    line = _scaled(line, start, step)
    return finish(cast(line, kind), requires_grad, out)


def _number(n: Any) -> Any:
    return n.item() if isinstance(n, (Tensor, np.generic)) else n  # type: ignore


def _scaled(line: Tensor, start: Any, step: Any) -> Tensor:
    line = line if step == 1 else line * step
    return line if start == 0 else line + start


def _range_length(start: Any, end: Any, step: Any, whole: bool) -> Int:
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if start > end if step > 0 else start < end:
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")
    if whole:
        return -((start - end) // step)
    return math.ceil((end - start) / step)


@placed
def eye(
    n: int,
    m: Optional[int] = None,
    *,
    dtype: Optional[DType] = None,
    device: Any = None,
    requires_grad: bool = False,
    out: Optional[Tensor] = None,
) -> Tensor:
    """The identity matrix with `n` rows and `m` (default `n`) columns.

    >>> eye(2)
    tensor([[1., 0.],
            [0., 1.]])
    """
    for name, count in (("n", n), ("m", n if m is None else m)):
        if as_size(count, name) < 0:
            raise RuntimeError(f"{name} must be greater or equal to 0, got {count}")
    rows, columns = counted(n), counted(n if m is None else m)
    return finish(
        cast(unsqueeze(rows, 1) == columns, chosen(dtype)), requires_grad, out
    )
