"""Norms of vectors and matrices; where a norm is 0 its gradient is 0."""

from __future__ import annotations

import math
from typing import Any, Optional, Union

from ...tracer.types import DType
from ..amp.ruled import ruled
from ..tensor import Tensor, method, pointwise
from .composite import Out, cast, in_float32, into, numpy_names, root
from .reductions import is_empty, reduced, squeezed, which

__all__ = ["norm"]

Order = Union[float, str, None]


def _check(name: str, x: Tensor) -> None:
    if not x.dtype.is_floating_point:
        raise RuntimeError(
            f"{name}: Expected a floating point or complex tensor as input. Got "
            f"{x.dtype}"
        )


@in_float32
def _vector(x: Tensor, order: float, over: tuple, keepdim: bool) -> Tensor:
    if order == 2:
        return root(reduced("sum", x * x, over, keepdim))
    if order == 0:
        return reduced("sum", cast(pointwise("ne", x, 0), x.dtype), over, keepdim)
    x = pointwise("abs", x)
    if order == math.inf:
        return _largest("max", x, over, keepdim)
    if order == -math.inf:
        return _largest("min", x, over, keepdim)
    if order == 1:
        return reduced("sum", x, over, keepdim)
    return _power(reduced("sum", _power(x, order), over, keepdim), 1 / order)


def _largest(op: str, x: Tensor, over: tuple, keepdim: bool) -> Tensor:
    if is_empty(tuple(x.shape[at] for at in over)):
        if op == "max":
            return reduced("sum", x, over, keepdim)
        raise RuntimeError("a norm of order -inf is not defined for no elements")
    return reduced(op, x, over, keepdim)


def _power(x: Tensor, p: float) -> Tensor:
    """x to the power of p, with slope 0 at 0."""
    zero = pointwise("eq", x, 0)
    positive = pointwise("pow", pointwise("where", zero, 1, x), p)
    return pointwise("where", zero, 0 if p > 0 else math.inf, positive)


def _order(p: Order) -> float:
    if p is None or p == "fro":
        return 2.0
    if isinstance(p, str):
        raise RuntimeError(f"norms are 'fro' or numbers, not {p!r}")
    return p


@method
@numpy_names
def norm(
    input: Tensor,
    p: Order = "fro",
    dim: Any = None,
    keepdim: bool = False,
    out: Out = None,
    dtype: Optional[DType] = None,
) -> Tensor:
    """The vector norm of order `p` over `dim`, or over all elements.

    (sum |x|^p)^(1/p); inf and -inf are the largest and smallest |x|, 0 counts what is
    not zero. RuntimeError for integers.

    >>> import tracefuse
    >>> tracefuse.norm(tracefuse.tensor([3.0, 4.0]))
    tensor(5.)
    """
    x = input if dtype is None else cast(input, dtype)
    _check("norm", x)
    return into(out, _vector(x, _order(p), which(dim, x.ndim), keepdim))


@ruled
@numpy_names
def vector_norm(
    x: Tensor,
    ord: float = 2,
    dim: Any = None,
    keepdim: bool = False,
    *,
    dtype: Optional[DType] = None,
    out: Out = None,
) -> Tensor:
    """The norm of order `ord` of the elements along `dim` (None: all)."""
    x = x if dtype is None else cast(x, dtype)
    _check("linalg.vector_norm", x)
    return into(out, _vector(x, _order(ord), which(dim, x.ndim), keepdim))


@ruled
@numpy_names
def matrix_norm(
    A: Tensor,
    ord: Order = "fro",
    dim: Any = (-2, -1),
    keepdim: bool = False,
    *,
    dtype: Optional[DType] = None,
    out: Out = None,
) -> Tensor:
    """The norm of matrices: "fro", 1 and -1 (columns), inf and -inf (rows).

    RuntimeError for other orders: they need singular values.
    """
    x = A if dtype is None else cast(A, dtype)
    _check("linalg.matrix_norm", x)
    over = which(dim, x.ndim)
    if len(over) != 2:
        raise RuntimeError(f"linalg.matrix_norm: dim must be a 2-tuple. Got {dim}")
    if ord == "fro":
        return into(out, _vector(x, 2, over, keepdim))
    if ord not in (1, -1, math.inf, -math.inf):
        raise RuntimeError(f"linalg.matrix_norm: Order {ord} not supported.")
    lines, rest = over if abs(ord) == 1 else over[::-1]
    sums = reduced("sum", pointwise("abs", x), (lines,), True)
    y = reduced("max" if ord > 0 else "min", sums, (rest,), True)
    return into(out, y if keepdim else squeezed(y, over))
