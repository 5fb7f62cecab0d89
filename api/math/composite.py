"""What every composite needs: the type it computes in, `out=`, other argument names.

A composite of several primitives computes half types in float32 and rounds once, as
PyTorch does; integers become the default float type first.
"""

from __future__ import annotations

import functools
from typing import Any, Callable, Optional, TypeVar, Union

from ...tracer.types import HALVES, DType, float32, int64
from ..defaults import defaults
from ..promotion import common_type
from ..tensor import Tensor, apply, method, pointwise, view, write

__all__ = ["cast", "copy", "floating", "detached", "constant", "iota", "into"]
__all__ += ["in_float32", "formula", "together", "numpy_names", "root"]

F = TypeVar("F", bound=Callable)
Operand = Union[Tensor, int, float, bool]
Out = Optional[Tensor]


def cast(x: Tensor, dtype: DType) -> Tensor:
    """`x` in another element type (`x` itself where it has it already)."""
    return x if x.dtype is dtype else apply("cast", x, dtype=dtype)


def copy(x: Tensor) -> Tensor:
    """The same numbers in memory of their own."""
    return apply("cast", x, dtype=x.dtype)


def floating(x: Tensor) -> Tensor:
    """`x`, in the default float type if it holds integers or bools."""
    return x if x.dtype.is_floating_point else cast(x, defaults.dtype)


def counted(x: Tensor, dtype: Optional[DType]) -> Tensor:
    """`x` in the type in which it is summed."""
    if dtype is None:
        dtype = x.dtype if x.dtype.is_floating_point else int64
    return cast(x, dtype)


def detached(x: Tensor) -> Tensor:
    """The same numbers, out of reach of gradients."""
    return view(x, "stop_gradient")


def constant(value: Any, shape: tuple, dtype: DType) -> Tensor:
    """One number everywhere."""
    if type(value) in (bool, int, float):
        value = (bool, int, float)[dtype.category](value)
    return apply("constant", value=value, shape=tuple(shape), dtype=dtype)


def iota(shape: tuple, axis: int, dtype: DType) -> Tensor:
    """0, 1, 2, ... along `axis` (to compute with: its memory is not writable)."""
    return apply("iota", shape=tuple(shape), axis=axis, dtype=dtype)


def into(out: Optional[Tensor], result: Tensor) -> Tensor:
    """What a function with an `out=` argument returns."""
    if out is None:
        return result
    if result.dtype.category > out.dtype.category:
        raise RuntimeError(
            f"result type {result.dtype} can't be cast to the output type {out.dtype}"
        )
    if tuple(out.shape) != tuple(result.shape):
        out.resize_(tuple(result.shape))  # type: ignore[attr-defined]
    return write(out, result)


def in_float32(function: F) -> F:
    """Compute half types in float32, integers in the default float type."""

    @functools.wraps(function)
    def run(input: Tensor, *args: Any, **kwargs: Any) -> Any:
        dtype = input.dtype
        if dtype in HALVES:
            return _narrow(function(cast(input, float32), *args, **kwargs), dtype)
        if dtype.category < 2:
            input = cast(input, defaults.dtype)
        return function(input, *args, **kwargs)

    return run  # type: ignore[return-value]


def together(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A function and method of two operands from its formula in their common type."""

    @functools.wraps(function)
    def run(input: Operand, other: Operand, *, out: Out = None) -> Tensor:
        dtype = common_type("exp", (input, other))
        wide = float32 if dtype in HALVES else dtype
        a, b = (_operand(x, wide) for x in (input, other))
        return into(out, cast(function(a, b), dtype))

    return method(run)


def _operand(x: Operand, dtype: DType) -> Tensor:
    return cast(x, dtype) if isinstance(x, Tensor) else constant(x, (), dtype)


def _narrow(result: Any, dtype: DType) -> Any:
    if isinstance(result, Tensor):
        return cast(result, dtype)
    return type(result)(*(cast(part, dtype) for part in result))


def formula(function: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
    """An elementwise function and method from its formula in float numbers."""
    compute = in_float32(function)

    @functools.wraps(function)
    def run(input: Tensor, *, out: Optional[Tensor] = None) -> Tensor:
        return into(out, compute(input))

    return method(run)


_NUMPY_NAMES = {"axis": "dim", "keepdims": "keepdim"}


def numpy_names(function: F) -> F:
    """Accept NumPy's `axis` and `keepdims` for `dim` and `keepdim`."""

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        for name in kwargs.keys() & _NUMPY_NAMES.keys():
            kwargs[_NUMPY_NAMES[name]] = kwargs.pop(name)
        return function(*args, **kwargs)

    return run  # type: ignore[return-value]


@in_float32
def root(x: Tensor) -> Tensor:
    """The square root, with slope 0 at 0."""
    zero = pointwise("eq", x, 0)
    positive = pointwise("sqrt", pointwise("where", zero, 1, x))
    return pointwise("where", zero, 0, positive)
