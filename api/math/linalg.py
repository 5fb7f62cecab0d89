"""The `linalg` namespace: norms and products under the names of `torch.linalg`."""

from __future__ import annotations

from typing import Any, Optional

from ...tracer.types import DType
from ..amp.ruled import ruled
from ..tensor import Tensor
from .composite import Out, numpy_names
from .norms import Order, matrix_norm, vector_norm
from .products import matmul
from .triangles import diagonal as _diagonal

__all__ = ["norm", "vector_norm", "matrix_norm", "matmul", "vecdot", "diagonal"]


@numpy_names
def norm(
    A: Tensor,
    ord: Order = None,
    dim: Any = None,
    keepdim: bool = False,
    *,
    out: Out = None,
    dtype: Optional[DType] = None,
) -> Tensor:
    """The norm of a vector, of matrices, or (no `ord`) of all elements.

    With `ord` a 1-d tensor or one `dim` makes it a vector norm, two make it a matrix
    norm. RuntimeError where neither fits.

    >>> import tracefuse
    >>> norm(tracefuse.tensor([3.0, 4.0]))
    tensor(5.)
    """
    if ord is None and (dim is None or isinstance(dim, int) or len(dim) != 2):
        return vector_norm(A, 2, dim, keepdim, dtype=dtype, out=out)
    if dim is None and A.ndim > 2:
        raise RuntimeError(
            "linalg.norm: If dim is not specified but ord is, the input must be 1D or "
            f"2D. Got {A.ndim}D."
        )
    axes = tuple(range(A.ndim)) if dim is None else dim
    if isinstance(axes, int) or len(axes) == 1:
        return vector_norm(A, ord, axes, keepdim, dtype=dtype, out=out)  # type: ignore
    order = "fro" if ord is None else ord
    return matrix_norm(A, order, axes, keepdim, dtype=dtype, out=out)


@ruled
def vecdot(x: Tensor, y: Tensor, *, dim: int = -1) -> Tensor:
    """The inner products of vectors along `dim`; other dimensions broadcast."""
    return (x * y).sum(dim)  # type: ignore[attr-defined]


def diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """A diagonal of matrices in the last two dimensions."""
    return _diagonal(A, offset, dim1, dim2)
