"""Views: other shapes and orders of the same memory.

Where PyTorch gives a view this gives a view, eager and recorded: writes go through.
`reshape` copies exactly where PyTorch copies, decided by the strides in both modes.
"""

from __future__ import annotations

from typing import Any

from ...tracer.broadcast import broadcast
from ...tracer.errors import ShapeError
from ...tracer.record import state
from ...tracer.sizes import Int, same_shape
from ...tracer.storage import view_strides
from ...tracer.types import DType
from ..math.axes import axes, axis, infer_size, sizes
from ..tensor import Size, Tensor, apply, method, view

__all__ = ["reshape", "flatten", "unflatten", "ravel", "squeeze", "unsqueeze"]
__all__ += ["permute", "transpose", "t", "swapaxes", "swapdims", "movedim", "moveaxis"]
__all__ += ["adjoint", "expand", "broadcast_shapes"]


# -- reshape


def strides_of(t: Tensor) -> tuple:
    """Strides in elements, eager or recorded."""
    rec = state.recorder
    if rec is not None:
        return rec.strides_of(t)
    array = t._array
    return tuple([s // array.itemsize for s in array.strides])


def is_viewable(t: Tensor, shape: tuple) -> bool:
    """Whether the memory of `t` can be seen as `shape` without a copy."""
    rec = state.recorder
    if rec is None and t._array.flags.c_contiguous:
        return True
    return view_strides(tuple(t.shape), strides_of(t), shape) is not None


@method
def reshape(input: Tensor, *sizes_: Any, shape: Any = None) -> Tensor:
    """The same elements under another shape: a view where memory allows, else a copy.

    One size may be -1. RuntimeError when the elements do not fit.

    >>> import tracefuse
    >>> reshape(tracefuse.arange(4), (2, -1))
    tensor([[0, 1],
            [2, 3]])
    """
    new = infer_size(sizes(sizes_, "shape", shape), input.shape.numel())
    if is_viewable(input, new):
        return view(input, "reshape", shape=new)
    copy = apply("reshape", input, shape=new)
    if state.recorder is not None:
        state.recorder.part(input, copy)
    return copy


def _view(self: Tensor, *shape: Any, size: Any = None) -> Tensor:
    """As `reshape`, but always a view; RuntimeError where that is impossible."""
    if len(shape) == 1 and isinstance(shape[0], DType):
        raise NotImplementedError(
            "view(dtype), the bits of one type read as another, is not available: use "
            ".to(dtype) to convert the numbers"
        )
    new = infer_size(sizes(shape, "shape", size), self.shape.numel())
    fits = is_viewable(self, new)
    if state.recorder is not None:
        state.recorder.learn(self)
    if not fits:
        raise ShapeError(
            "view size is not compatible with input tensor's size and stride (at "
            "least one dimension spans across two contiguous subspaces). Use "
            ".reshape(...) instead."
        )
    return view(self, "reshape", shape=new)


Tensor.view = _view  # type: ignore


def reshaped(t: Tensor, shape: tuple) -> Tensor:
    """A view under a shape that surely fits (axes of size 1 more or fewer)."""
    return view(t, "reshape", shape=shape)


@method
def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Dimensions `start_dim` to `end_dim` merged into one.

    >>> import tracefuse
    >>> flatten(tracefuse.zeros(2, 3, 4), 1).shape
    tracefuse.Size([2, 12])
    """
    ndim = input.ndim
    if not ndim:
        return reshape(input, (1,))
    first, last = axis(start_dim, ndim) + ndim, axis(end_dim, ndim) + ndim
    if first > last:
        raise RuntimeError(
            "flatten() has invalid args: start_dim cannot come after end_dim"
        )
    if first == last:
        return input
    shape = tuple(input.shape)
    merged: Int = 1
    for n in shape[first : last + 1]:
        merged = merged * n
    return reshape(input, (*shape[:first], merged, *shape[last + 1 :]))


@method
def ravel(input: Tensor) -> Tensor:
    """All elements in one dimension."""
    return reshape(input, (-1,))


@method
def unflatten(input: Tensor, dim: int, sizes: Any) -> Tensor:
    """Dimension `dim` split into several of the given `sizes` (one may be -1)."""
    ndim = input.ndim
    at, given = axis(dim, ndim) + ndim, tuple(sizes)
    try:
        new = infer_size(given, input.shape[at])
    except RuntimeError:
        raise RuntimeError(
            f"unflatten: Provided sizes {list(given)} don't multiply up to the size of "
            f"dim {at} ({input.shape[at]}) in the input tensor"
        ) from None
    shape = tuple(input.shape)
    return _view(input, (*shape[:at], *new, *shape[at + 1 :]))


@method
def squeeze(input: Tensor, dim: Any = None) -> Tensor:
    """Without its dimensions of size 1 (those among `dim`, an int or a tuple).

    >>> import tracefuse
    >>> squeeze(tracefuse.zeros(1, 3, 1)).shape
    tracefuse.Size([3])
    """
    ndim = input.ndim
    drop = axes(dim, ndim)
    kept = (n for i, n in enumerate(input.shape, -ndim) if i not in drop or n != 1)
    return reshaped(input, tuple(kept))


@method
def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """With a new dimension of size 1 at `dim`."""
    shape = tuple(input.shape)
    at = axis(dim, len(shape) + 1) + len(shape) + 1
    return reshaped(input, (*shape[:at], 1, *shape[at:]))


# -- order


@method
def permute(input: Tensor, *order: Any, dims: Any = None) -> Tensor:
    """Dimension i of the result is dimension `dims[i]` of `input`.

    >>> import tracefuse
    >>> permute(tracefuse.zeros(2, 3, 4), (2, 0, 1)).shape
    tracefuse.Size([4, 2, 3])
    """
    order, ndim = sizes(order, "dims", dims), input.ndim
    if len(order) != ndim:
        raise RuntimeError(
            "permute(sparse_coo): number of dimensions in the tensor input does not "
            "match the length of the desired ordering of dimensions i.e. input.dim() "
            f"= {ndim} is not equal to len(dims) = {len(order)}"
        )
    order = tuple([axis(dim, ndim) for dim in order])
    if len(set(order)) < ndim:
        raise RuntimeError("permute(): duplicate dims are not allowed.")
    return view(input, "permute", axes=order)


@method
def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """With two dimensions exchanged."""
    ndim = input.ndim
    a, b = axis(dim0, ndim), axis(dim1, ndim)
    order = list(range(-ndim, 0))
    if ndim:
        order[a], order[b] = order[b], order[a]
    return view(input, "permute", axes=tuple(order))


swapaxes = swapdims = transpose
Tensor.swapaxes = Tensor.swapdims = transpose  # type: ignore


@method
def t(input: Tensor) -> Tensor:
    """A matrix transposed (at most two dimensions)."""
    if input.ndim > 2:
        raise RuntimeError(
            f"t() expects a tensor with <= 2 dimensions, but self is {input.ndim}D"
        )
    return _reversed(input)


def _reversed(input: Tensor) -> Tensor:
    return view(input, "permute", axes=tuple(range(-1, -input.ndim - 1, -1)))


def adjoint(input: Tensor) -> Tensor:
    """The last two dimensions exchanged (a batch of matrices, each transposed)."""
    if input.ndim < 2:
        raise RuntimeError(
            "tensor.mT is only supported on matrices or batches of matrices. Got "
            f"{input.ndim}-D tensor."
        )
    return transpose(input, -2, -1)


Tensor.T = property(_reversed, doc="All dimensions reversed.")  # type: ignore
Tensor.mT = property(adjoint, doc="The last two exchanged.")  # type: ignore
Tensor.H = Tensor.mH = Tensor.mT  # type: ignore
Tensor.adjoint = adjoint  # type: ignore


@method
def movedim(input: Tensor, source: Any, destination: Any) -> Tensor:
    """Dimensions `source` moved to the places `destination`, the rest in order."""
    ndim = input.ndim
    old, new = axes(source, ndim), axes(destination, ndim)
    if len(old) != len(new):
        raise RuntimeError(
            f"movedim: Invalid source or destination dims: source ({source} dims) "
            f"should contain the same number of dims as destination ({destination})"
        )
    rest = iter([a for a in range(-ndim, 0) if a not in old])
    order = [old[new.index(a)] if a in new else next(rest) for a in range(-ndim, 0)]
    return view(input, "permute", axes=tuple(order))


moveaxis = movedim
Tensor.moveaxis = movedim  # type: ignore


# -- stretched


@method
def expand(self: Tensor, *shape: Any, size: Any = None) -> Tensor:
    """Dimensions of size 1 stretched to `size` (-1 keeps one) without a copy."""
    new, old = sizes(shape, keyword=size), tuple(self.shape)
    lead = len(new) - len(old)
    if lead < 0:
        raise ShapeError(
            f"expand(size={list(new)}): the number of sizes provided ({len(new)}) must "
            f"be greater or equal to the number of dimensions in the tensor "
            f"({len(old)})"
        )
    padded = (1,) * lead + old
    target = tuple([_stretch(padded, new, i, lead) for i in range(len(new))])
    if lead:
        self = reshaped(self, padded)
    elif same_shape(target, old):
        return reshaped(self, old)
    return self if same_shape(target, padded) else view(self, "expand", shape=target)


def _stretch(old: tuple, new: tuple, i: int, lead: int) -> Int:
    n = new[i]
    if isinstance(n, int) and n < 0:
        if i < lead:
            raise ShapeError(
                f"The expanded size of the tensor ({n}) isn't allowed in a leading, "
                f"non-existing dimension {i}"
            )
        return old[i]
    if isinstance(old[i], int) and old[i] == 1:
        return n
    if old[i] != n:
        raise ShapeError(
            f"The expanded size of the tensor ({n}) must match the existing size "
            f"({old[i]}) at non-singleton dimension {i}.  Target sizes: {list(new)}.  "
            f"Tensor sizes: {list(old[lead:])}"
        )
    return n


def broadcast_shapes(*shapes: Any) -> tuple:
    """The shape in which all meet; RuntimeError names the sizes that do not."""
    return Size(broadcast(*[(s,) if isinstance(s, int) else tuple(s) for s in shapes]))
