"""Products of vectors, matrices and batches of them, all by way of one `dot`.

Factors must have one element type (DTypeError); ShapeError, a RuntimeError as
PyTorch's, names the shapes that do not fit.
"""

from __future__ import annotations

from typing import Any, Callable

from ...tracer.errors import DTypeError, ShapeError
from ...tracer.sizes import numel
from ...tracer.types import bool_
from ..amp.ruled import ruled
from ..arrays.shapes import broadcast_shapes
from ..tensor import Tensor, apply, method, pointwise, view
from .axes import axis
from .composite import Out, into

__all__ = ["matmul", "mm", "bmm", "mv", "dot", "vdot", "inner", "outer", "ger"]
__all__ += ["addmm", "addmv", "addbmm", "baddbmm", "addr", "tensordot", "kron"]


def _times(shape: tuple) -> str:
    return "x".join(map(str, shape))


def _check_types(a: Tensor, b: Tensor) -> None:
    if a.dtype is not b.dtype:
        raise DTypeError(
            "expected m1 and m2 to have the same dtype, but got: "
            f"{a.dtype} != {b.dtype}"
        )
    if a.dtype is bool_:
        raise NotImplementedError("matrix products are not defined for bool tensors")


def _misfit(a: tuple, b: tuple) -> ShapeError:
    return ShapeError(
        f"mat1 and mat2 shapes cannot be multiplied ({_times(a)} and {_times(b)})"
    )


def _matrices(a: Tensor, b: Tensor) -> Tensor:
    if a.shape[-1] != b.shape[-2]:
        raise _misfit(a.shape, b.shape)
    return apply("dot", a, b)


@method
def matmul(input: Tensor, other: Tensor, *, out: Out = None) -> Tensor:
    """The product of vectors (1-d), matrices (2-d) or batches of matrices.

    Leading dimensions broadcast; a vector is a row on the left, a column on the right.

    >>> import tracefuse
    >>> a = tracefuse.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> tracefuse.matmul(a, tracefuse.tensor([1.0, 1.0]))
    tensor([3., 7.])
    """
    _check_types(input, other)
    return into(out, _product(input, other))


def _product(a: Tensor, b: Tensor) -> Tensor:
    ranks = (a.ndim, b.ndim)
    if ranks == (2, 2):
        return _matrices(a, b)
    if ranks == (1, 1):
        return dot(a, b)
    if 0 in ranks:
        raise ShapeError(
            "both arguments to matmul need to be at least 1D, but they are "
            f"{a.ndim}D and {b.ndim}D"
        )
    if a.ndim == 1:
        y = _product(_matrix(a, (1, a.shape[0])), b)
        return apply("reshape", y, shape=(*y.shape[:-2], y.shape[-1]))
    if b.ndim == 1:
        y = _product(a, _matrix(b, (b.shape[0], 1)))
        return apply("reshape", y, shape=y.shape[:-1])
    return _rows(a, b) if b.ndim == 2 else _batches(a, b)


def _matrix(x: Tensor, shape: tuple) -> Tensor:
    return view(x, "reshape", shape=shape)


def _rows(a: Tensor, b: Tensor) -> Tensor:
    """One matrix on the right: all rows on the left go through one product."""
    if a.shape[-1] != b.shape[0]:
        raise _misfit((numel(a.shape[:-1]), a.shape[-1]), b.shape)
    y = _matrices(_matrix(a, (numel(a.shape[:-1]), a.shape[-1])), b)
    return apply("reshape", y, shape=(*a.shape[:-1], b.shape[1]))


def _batches(a: Tensor, b: Tensor) -> Tensor:
    if a.shape[-1] != b.shape[-2]:
        raise _misfit(a.shape, b.shape)
    lead = tuple(broadcast_shapes(a.shape[:-2], b.shape[:-2]))
    return apply("dot", _stretched(a, lead), _stretched(b, lead))


def _stretched(x: Tensor, lead: tuple) -> Tensor:
    shape = (*lead, *x.shape[-2:])
    return x if tuple(x.shape) == shape else view(x, "expand", shape=shape)


def _matmul(self: Tensor, other: Any) -> Any:
    return matmul(self, other) if isinstance(other, Tensor) else NotImplemented


Tensor.__matmul__ = _matmul  # type: ignore


# -- the same with fixed ranks


def _check_ranks(name: str, ranks: tuple, *tensors: Tensor) -> None:
    for position, (rank, x) in enumerate(zip(ranks, tensors), 1):
        if x.ndim != rank:
            raise ShapeError(
                f"{name}: expected a {rank}D tensor as argument {position}, but got "
                f"{x.ndim}D {list(x.shape)}"
            )


@method
def mm(input: Tensor, mat2: Tensor, *, out: Out = None) -> Tensor:
    """The product of two matrices."""
    _check_ranks("mm", (2, 2), input, mat2)
    return matmul(input, mat2, out=out)


@method
def bmm(input: Tensor, mat2: Tensor, *, out: Out = None) -> Tensor:
    """The products of two batches of matrices, [b, m, k] and [b, k, n]."""
    _check_ranks("bmm", (3, 3), input, mat2)
    b, _, k = input.shape
    if mat2.shape[0] != b or mat2.shape[1] != k:
        raise ShapeError(
            "Expected size for first two dimensions of batch2 tensor to be: "
            f"[{b}, {k}] but got: [{mat2.shape[0]}, {mat2.shape[1]}]."
        )
    return matmul(input, mat2, out=out)


@method
def mv(input: Tensor, vec: Tensor, *, out: Out = None) -> Tensor:
    """The product of a matrix and a vector."""
    _check_ranks("mv", (2, 1), input, vec)
    if input.shape[1] != vec.shape[0]:
        raise ShapeError(
            f"size mismatch, got input ({input.shape[0]}), mat "
            f"({_times(input.shape)}), vec ({vec.shape[0]})"
        )
    return matmul(input, vec, out=out)


@method
def dot(input: Tensor, tensor: Tensor, *, out: Out = None) -> Tensor:
    """The inner product of two vectors."""
    _check_types(input, tensor)
    if input.ndim != 1 or tensor.ndim != 1:
        raise ShapeError(
            f"1D tensors expected, but got {input.ndim}D and {tensor.ndim}D tensors"
        )
    n, m = input.shape[0], tensor.shape[0]
    if n != m:
        raise ShapeError(
            f"inconsistent tensor size, expected tensor [{n}] and src [{m}] to have "
            f"the same number of elements, but got {n} and {m} elements respectively"
        )
    y = apply("dot", _matrix(input, (1, n)), _matrix(tensor, (m, 1)))
    return into(out, apply("reshape", y, shape=()))


vdot = dot
Tensor.vdot = dot  # type: ignore


@method
def outer(input: Tensor, vec2: Tensor, *, out: Out = None) -> Tensor:
    """Every product of an element of one vector and one of the other."""
    _check_ranks("outer", (1, 1), input, vec2)
    column = _matrix(input, (input.shape[0], 1))
    return into(out, pointwise("mul", column, vec2))


ger = outer
Tensor.ger = outer  # type: ignore


@method
def inner(input: Tensor, other: Tensor, *, out: Out = None) -> Tensor:
    """Products of all lines along the last dimensions; of a number, the product."""
    if not input.ndim or not other.ndim:
        return into(out, input * other)
    if input.shape[-1] != other.shape[-1]:
        raise ShapeError(
            "inner() the last dimension must match on both input tensors but got "
            f"shapes {list(input.shape)} and {list(other.shape)}"
        )
    return into(out, tensordot(input, other, ([-1], [-1])))


# -- products that are added to something


def _added(name: str, product: Callable[..., Tensor], what: str) -> Callable:
    def function(
        input: Tensor,
        first: Tensor,
        second: Tensor,
        *,
        beta: Any = 1,
        alpha: Any = 1,
        out: Out = None,
    ) -> Tensor:
        y = product(first, second)
        y = y if alpha == 1 else y * alpha
        if beta == 0:  # not even NaN counts
            return into(out, y)
        return into(out, (input if beta == 1 else input * beta) + y)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"beta * input + alpha * {what}."
    return method(function)


def _summed(batch1: Tensor, batch2: Tensor) -> Tensor:
    return apply("sum", bmm(batch1, batch2), axes=(-3,))


addmm = _added("addmm", mm, "the product of two matrices")
addmv = _added("addmv", mv, "the product of a matrix and a vector")
baddbmm = _added("baddbmm", bmm, "the products of two batches of matrices")
addbmm = _added("addbmm", _summed, "the sum of the products of two batches")
addr = _added("addr", outer, "the outer product of two vectors")


# -- tensors


@ruled
def tensordot(a: Tensor, b: Tensor, dims: Any = 2, *, out: Out = None) -> Tensor:
    """The sum of products over pairs of dimensions.

    `dims` is two lists, or a count: the last dimensions of `a` with the first of `b`.

    >>> import tracefuse
    >>> tracefuse.tensordot(tracefuse.ones(2, 3), tracefuse.ones(3, 4), 1).shape
    tracefuse.Size([2, 4])
    """
    _check_types(a, b)
    if isinstance(dims, int):
        dims = (range(-dims, 0), range(dims))
    over_a = tuple(axis(dim, a.ndim) for dim in dims[0])
    over_b = tuple(axis(dim, b.ndim) for dim in dims[1])
    sizes = [[x.shape[i] for i in over] for x, over in ((a, over_a), (b, over_b))]
    if sizes[0] != sizes[1]:
        raise ShapeError(
            f"contracted dimensions need to match, but first has sizes {sizes[0]} and "
            f"second {sizes[1]}"
        )
    free_a = tuple(i for i in range(-a.ndim, 0) if i not in over_a)
    free_b = tuple(i for i in range(-b.ndim, 0) if i not in over_b)
    rows, columns = [a.shape[i] for i in free_a], [b.shape[i] for i in free_b]
    left = view(a, "permute", axes=free_a + over_a)
    right = view(b, "permute", axes=over_b + free_b)
    shared = numel(tuple(sizes[0]))
    y = apply(
        "dot",
        _matrix(left, (numel(tuple(rows)), shared)),
        _matrix(right, (shared, numel(tuple(columns)))),
    )
    return into(out, apply("reshape", y, shape=(*rows, *columns)))


@method
def kron(input: Tensor, other: Tensor, *, out: Out = None) -> Tensor:
    """The Kronecker product: `other` scaled by each element of `input`."""
    rank = max(input.ndim, other.ndim)
    a = (1,) * (rank - input.ndim) + tuple(input.shape)
    b = (1,) * (rank - other.ndim) + tuple(other.shape)
    wide_a = tuple(n for size in a for n in (size, 1))
    wide_b = tuple(n for size in b for n in (1, size))
    y = _matrix(input, wide_a) * _matrix(other, wide_b)
    return into(out, apply("reshape", y, shape=tuple(m * n for m, n in zip(a, b))))
