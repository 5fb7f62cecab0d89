"""Elements and slices by number: read, and slices written.

Indices are integer tensors; a number outside its dimension is an IndexError. The
primitives pick rows behind shared leading axes, so the indexed dimension is brought
to the end (one number per element) or the axes before it become the shared ones.
"""

from __future__ import annotations

from typing import Any, Callable, Optional

from ...tracer.errors import ShapeError
from ...tracer.types import bool_, int64
from ..math.axes import axis
from ..math.composite import Operand, Out, cast, constant, into
from ..placing import beside
from ..tensor import Tensor, apply, method, pointwise, view
from .attributes import contiguous
from .known import check_written
from .shapes import broadcast_shapes, reshape

__all__ = ["gather", "take", "take_along_dim", "index_select", "index_add"]
__all__ += ["index_copy", "index_fill", "masked_fill"]


def integers(name: str, index: Tensor) -> Tensor:
    """An index in int64; RuntimeError when it does not hold integers."""
    if index.dtype.category != 1:
        raise RuntimeError(
            f"{name}(): Expected dtype int32/int64 for index, got {index.dtype}"
        )
    return cast(index, int64)


def line(x: Tensor) -> Tensor:
    """A 0-d tensor as one of a single element."""
    return x if x.ndim else view(x, "reshape", shape=(1,))


def to_end(x: Tensor, at: int) -> Tensor:
    """A view whose last axis is the negative axis `at`."""
    order = tuple(i for i in range(-x.ndim, 0) if i != at) + (at,)
    return x if at == -1 else view(x, "permute", axes=order)


def from_end(x: Tensor, at: int) -> Tensor:
    """The inverse of `to_end`, in row-major order."""
    if at == -1:
        return x
    rest = list(range(-x.ndim, -1))
    rest.insert(at + x.ndim, -1)
    return contiguous(view(x, "permute", axes=tuple(rest)))


def corner(x: Tensor, shape: tuple) -> Tensor:
    """The part of `x` that begins at 0 and has `shape` in its leading axes."""
    for i, n in enumerate(shape):
        if x.shape[i] is not n and x.shape[i] != n:
            x = view(x, "slice", axis=i - x.ndim, start=0, length=n, step=1)
    return x


def check_fit(name: str, index: Tensor, x: Tensor, at: int) -> None:
    """Every size of `index` may be smaller than that of `x`, but for dimension `at`."""
    if index.ndim != x.ndim:
        raise ShapeError(
            "Index tensor must have the same number of dimensions as input tensor: "
            f"{name} got {list(index.shape)} for {list(x.shape)}"
        )
    for i in range(-x.ndim, 0):
        if i != at and index.shape[i] > x.shape[i]:
            raise ShapeError(
                f"Size does not match at dimension {i + x.ndim} expected index "
                f"{list(index.shape)} to be no larger than {list(x.shape)} apart from "
                f"dimension {at + x.ndim}"
            )


# -- reading


@method
def gather(
    input: Tensor,
    dim: int,
    index: Tensor,
    *,
    sparse_grad: bool = False,
    out: Out = None,
) -> Tensor:
    """Along `dim` the elements whose numbers `index` holds, in the shape of `index`.

    >>> import tracefuse
    >>> x = tracefuse.tensor([[1, 2], [3, 4]])
    >>> tracefuse.gather(x, 1, tracefuse.tensor([[1], [0]]))
    tensor([[2],
            [3]])
    """
    shape, at = index.shape, axis(dim, input.ndim)
    index, x = line(integers("gather", index)), line(input)
    check_fit("gather", index, x, at)
    index, x = to_end(index, at), to_end(x, at)
    x = corner(x, tuple(index.shape[:-1]))
    y = from_end(apply("gather", x, index, batch=x.ndim - 1), at)
    return into(out, y if shape else apply("reshape", y, shape=()))


@method
def take(input: Tensor, index: Tensor) -> Tensor:
    """Elements by their numbers in the flattened input, in the shape of `index`."""
    return apply("gather", reshape(input, (-1,)), integers("take", index), batch=0)


@method
def take_along_dim(input: Tensor, indices: Tensor, dim: Optional[int] = None) -> Tensor:
    """As `gather`, but the other dimensions broadcast; without `dim`, as `take`."""
    if dim is None:
        return take(input, reshape(indices, (-1,)))
    at = axis(dim, input.ndim)
    shapes = [list(input.shape), list(indices.shape)]
    shapes[0][at] = shapes[1][at] = 1
    common = list(broadcast_shapes(*shapes))
    both = []
    for x in (input, indices):
        common[at] = x.shape[at]
        both.append(view(x, "expand", shape=tuple(common)))
    return gather(both[0], at, both[1])


@method
def index_select(input: Tensor, dim: int, index: Tensor, *, out: Out = None) -> Tensor:
    """The slices of `input` along `dim` whose numbers the 1-d `index` holds."""
    at = axis(dim, input.ndim)
    index = _numbers("index_select", index)
    x = line(input)
    lead = tuple(x.shape[: x.ndim + at])
    index = view(index, "expand", shape=(*lead, *index.shape))
    y = apply("gather", x, index, batch=len(lead))
    return into(out, y if input.ndim else apply("reshape", y, shape=()))


def _numbers(name: str, index: Tensor) -> Tensor:
    if index.ndim > 1:
        raise IndexError(f"{name}(): Index is supposed to be a vector")
    return line(integers(name, index))


# -- writing slices


def _slices(name: str, mode: str) -> Callable[..., Tensor]:
    def put(input: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
        at = axis(dim, input.ndim)
        x, source = line(input), line(source)
        index = _numbers(name, index)
        _check_slices(name, x, at, index, source)
        check_written(index, x.shape[at])
        lead = tuple(x.shape[: x.ndim + at])
        index = view(index, "expand", shape=(*lead, *index.shape))
        y = apply("scatter", x, index, source, batch=len(lead), mode=mode)
        return y if input.ndim else apply("reshape", y, shape=())

    return put


def _check_slices(name: str, x: Tensor, at: int, index: Tensor, source: Tensor) -> None:
    if source.dtype is not x.dtype:
        raise RuntimeError(
            f"{name}_(): self ({x.dtype}) and source ({source.dtype}) must have the "
            "same scalar type"
        )
    wanted = list(x.shape)
    wanted[at] = index.shape[0]
    if source.ndim != x.ndim or wanted != list(source.shape):
        raise ShapeError(
            f"{name}_(): source tensor shape must be {wanted}, one slice for each "
            f"index, but got {list(source.shape)}"
        )


_add, _copy = _slices("index_add", "add"), _slices("index_copy", "set")


@method
def index_add(
    input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: Any = 1
) -> Tensor:
    """A copy of `input` with slices of alpha * `source` added where `index` says.

    >>> import tracefuse
    >>> index = tracefuse.tensor([0, 0])
    >>> tracefuse.index_add(tracefuse.zeros(2), 0, index, tracefuse.ones(2))
    tensor([2., 0.])
    """
    return _add(input, dim, index, source if alpha == 1 else source * alpha)


@method
def index_copy(input: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    """A copy of `input` in which slices numbered by `index` are those of `source`."""
    return _copy(input, dim, index, source)


@method
@beside
def index_fill(input: Tensor, dim: int, index: Tensor, value: Operand) -> Tensor:
    """A copy of `input` in which the slices numbered by `index` hold `value`."""
    at = axis(dim, input.ndim)
    shape = list(line(input).shape)
    shape[at] = line(index).shape[0]
    if isinstance(value, Tensor):
        source = view(cast(value, input.dtype), "expand", shape=tuple(shape))
    else:
        source = constant(value, tuple(shape), input.dtype)
    return _copy(input, dim, index, source)


@method
def masked_fill(input: Tensor, mask: Tensor, value: Operand) -> Tensor:
    """`value` (a number or 0-d tensor) where the bool `mask` holds, else `input`.

    >>> import tracefuse
    >>> x = tracefuse.tensor([1.0, 2.0])
    >>> tracefuse.masked_fill(x, x > 1, 0)
    tensor([1., 0.])
    """
    if mask.dtype is not bool_:
        raise RuntimeError(
            f"masked_fill only supports boolean masks, but got mask with {mask.dtype}"
        )
    if isinstance(value, Tensor) and value.ndim:
        raise RuntimeError(
            "masked_fill only supports a 0-dimensional value tensor, but got tensor "
            f"with {value.ndim} dimension(s)."
        )
    return pointwise("where", mask, value, input, dtype=input.dtype)
