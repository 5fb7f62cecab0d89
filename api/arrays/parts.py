"""Parts of a tensor along one dimension: all of them views."""

from __future__ import annotations

import operator
from typing import Any, Iterator

from ...tracer.sizes import Dim, Int
from ..math.axes import as_size, axis
from ..tensor import Tensor, method, view

__all__ = ["narrow", "select", "split", "split_with_sizes", "chunk", "tensor_split"]
__all__ += ["unbind", "hsplit", "vsplit", "dsplit"]


def sliced(t: Tensor, at: int, start: Int, length: Int, step: int = 1) -> Tensor:
    """`length` elements along the negative axis `at`: a view."""
    return view(t, "slice", axis=at, start=start, length=length, step=step)


def dropped(t: Tensor, at: int, index: Int) -> Tensor:
    """Element `index` along the negative axis `at`, without that axis: a view."""
    shape = tuple(t.shape)
    one = sliced(t, at, index, 1)
    cut = at + len(shape)
    return view(one, "reshape", shape=shape[:cut] + shape[cut + 1 :])


@method
def narrow(input: Tensor, dim: int, start: Any, length: Any) -> Tensor:
    """`length` elements along `dim` from `start` on.

    RuntimeError when they reach outside of the tensor.
    """
    at = axis(dim, input.ndim)
    start, length = as_size(start, "start"), as_size(length, "length")
    if not input.ndim:
        raise RuntimeError("narrow() cannot be applied to a 0-dim tensor.")
    size = input.shape[at]
    if isinstance(start, int) and start < 0:
        start = size + start
    if length < 0:
        raise RuntimeError("narrow(): length must be non-negative.")
    if start + length > size or start < 0:
        raise RuntimeError(
            f"start ({start}) + length ({length}) exceeds dimension size ({size})."
        )
    return sliced(input, at, start, length)


@method
def select(input: Tensor, dim: int, index: Any) -> Tensor:
    """Element `index` along `dim`, which is dropped."""
    ndim = input.ndim
    if not ndim:
        raise IndexError("select() cannot be applied to a 0-dim tensor.")
    at, index = axis(dim, ndim), as_size(index, "index")
    size = input.shape[at]
    if not -size <= index < size:
        raise IndexError(
            f"select(): index {index} out of range for tensor of size "
            f"{list(input.shape)} at dimension {at + ndim}"
        )
    return dropped(input, at, index + size if index < 0 else index)


@method
def unbind(input: Tensor, dim: int = 0) -> tuple:
    """All elements along `dim`, which is dropped, as a tuple of views."""
    if not input.ndim:
        raise IndexError("Dimension specified as 0 but tensor has no dimensions")
    at = axis(dim, input.ndim)
    return tuple([dropped(input, at, i) for i in range(input.shape[at])])


# -- split


def _demand_dim(t: Tensor, name: str) -> None:
    if not t.ndim:
        raise RuntimeError(f"{name} expects at least a 1-dimensional tensor")


@method
def split(tensor: Tensor, split_size_or_sections: Any, dim: int = 0) -> tuple:
    """Pieces of one size along `dim` (the last may be smaller), or of listed sizes.

    >>> import tracefuse
    >>> split(tracefuse.arange(5), 2)
    (tensor([0, 1]), tensor([2, 3]), tensor([4]))
    """
    if isinstance(split_size_or_sections, (list, tuple)):
        return split_with_sizes(tensor, split_size_or_sections, dim)
    _demand_dim(tensor, "split")
    at, step = axis(dim, tensor.ndim), as_size(split_size_or_sections, "split_size")
    size = tensor.shape[at]
    if step < 0:
        raise RuntimeError(
            f"split expects split_size be non-negative, but got split_size={step}"
        )
    if step == 0 and size != 0:
        raise RuntimeError(
            "split_size can only be 0 if dimension size is 0, but got dimension size "
            f"of {size}"
        )
    if step >= size:
        return (sliced(tensor, at, 0, size),)
    starts = range(0, operator.index(size), operator.index(step))
    return tuple([sliced(tensor, at, i, min(step, size - i)) for i in starts])


@method
def split_with_sizes(input: Tensor, split_sizes: Any, dim: int = 0) -> tuple:
    """Pieces of the given sizes along `dim`; RuntimeError unless they add up."""
    _demand_dim(input, "split_with_sizes")
    at, size = axis(dim, input.ndim), input.shape[dim]
    total: Int = 0
    for n in split_sizes:
        total = total + n
    if total != size or any(n < 0 for n in split_sizes):
        raise RuntimeError(
            f"split_with_sizes expects split_sizes to sum exactly to {size} (input "
            f"tensor's size at dimension {at + input.ndim}), but got "
            f"split_sizes={list(split_sizes)}"
        )
    pieces, start = [], 0
    for n in split_sizes:
        pieces.append(sliced(input, at, start, n))
        start = start + n
    return tuple(pieces)


@method
def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple:
    """At most `chunks` pieces of equal size along `dim` (the last may be smaller)."""
    if chunks <= 0:
        raise RuntimeError(
            f"chunk expects `chunks` to be greater than 0, got: {chunks}"
        )
    _demand_dim(input, "chunk")
    at = axis(dim, input.ndim)
    size = input.shape[at]
    if size == 0:
        return split_with_sizes(input, [0] * chunks, dim)
    if isinstance(size, Dim) and size % chunks == 0:
        step = size // chunks
        return tuple([sliced(input, at, step * i, step) for i in range(chunks)])
    return split(input, -(-size // chunks), dim)


@method
def tensor_split(input: Tensor, indices_or_sections: Any, dim: int = 0) -> tuple:
    """Pieces whose sizes differ by at most one, or cut at the listed indices."""
    _demand_dim(input, "tensor_split")
    at = axis(dim, input.ndim)
    size = operator.index(input.shape[at])
    cuts = _cuts(indices_or_sections, size)
    places = [slice(None, cut).indices(size)[1] for cut in cuts]
    spans = zip([0, *places], [*places, size])
    return tuple([sliced(input, at, a, max(b - a, 0)) for a, b in spans])


def _cuts(wanted: Any, size: int) -> list:
    if isinstance(wanted, Tensor):
        wanted = wanted.tolist()  # type: ignore[attr-defined]
    if not isinstance(wanted, int):
        return list(wanted)
    if wanted <= 0:
        raise RuntimeError(f"number of sections must be larger than 0, got {wanted}")
    small, more = divmod(size, wanted)
    return [i * small + min(i, more) for i in range(1, wanted)]


def _split_along(dim: int, name: str) -> Any:
    def pieces(input: Tensor, indices_or_sections: Any) -> tuple:
        return tensor_split(input, indices_or_sections, dim)

    pieces.__name__ = pieces.__qualname__ = name
    pieces.__doc__ = f"`tensor_split` along dimension {dim}."
    return method(pieces)


vsplit, dsplit = _split_along(0, "vsplit"), _split_along(2, "dsplit")


@method
def hsplit(input: Tensor, indices_or_sections: Any) -> tuple:
    """`tensor_split` along dimension 1 (0 where there is only one)."""
    return tensor_split(input, indices_or_sections, 0 if input.ndim == 1 else 1)


# -- windows


def _unfold(self: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """All windows of `size` elements along `dimension`, `step` apart: a view.

    The windows replace the dimension; their elements are a new last one.
    """
    ndim = self.ndim
    if not ndim:
        return _unfold(self.reshape(1), 0, size, step)[0]  # type: ignore
    at = axis(dimension, ndim)
    if size > self.shape[at]:
        raise RuntimeError(
            f"maximum size for tensor at dimension {at + ndim} is {self.shape[at]} "
            f"but size is {size}"
        )
    if size < 0 or step <= 0:
        raise RuntimeError(f"size is {size} but must be >= 0, step {step} but > 0")
    rest = [a for a in range(-ndim, 0) if a != at]
    last = view(self, "permute", axes=(*rest, at))
    cut = view(last, "windows", size=(size,), stride=(step,), dilation=(1,))
    order = list(range(-ndim - 1, -2))
    order.insert(at + ndim, -2)
    return view(cut, "permute", axes=(*order, -1))


Tensor.unfold = _unfold  # type: ignore


# -- a tensor as a sequence


def _length(self: Tensor) -> int:
    if not self.ndim:
        raise TypeError("len() of a 0-d tensor")
    return operator.index(self.shape[0])


def _iterate(self: Tensor) -> Iterator[Tensor]:
    if not self.ndim:
        raise TypeError("iteration over a 0-d tensor")
    return iter(unbind(self, 0))


def _contains(self: Tensor, element: Any) -> bool:
    if not isinstance(element, (Tensor, int, float)):
        raise RuntimeError(
            "Tensor.__contains__ only supports Tensor or scalar, but you passed in a "
            f"{type(element)}."
        )
    return bool((self == element).any())


Tensor.__len__ = _length  # type: ignore
Tensor.__iter__ = _iterate  # type: ignore
Tensor.__contains__ = _contains  # type: ignore
