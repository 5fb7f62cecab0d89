"""Convolutions: the product of a weight with all windows, and the way back.

A convolution is `dot` of `windows`: [N, C*kh*kw, oh*ow] under the weight as a matrix.
A transposed convolution adds (`fold`) the products back to where windows would read.
"""

from __future__ import annotations

from math import prod
from typing import Any, Optional

from ...amp.ruled import ruled
from ...arrays.shapes import expand, permute, reshape
from ...tensor import Tensor, apply, view
from .sliding import all_windows, around, batched, each

__all__ = ["conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d"]
__all__ += ["conv_transpose3d"]


def _conv(dims: int) -> Any:
    def conv(
        input: Tensor,
        weight: Tensor,
        bias: Optional[Tensor] = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Tensor:
        name = f"conv{dims}d"
        x, added = batched(input, dims, name)
        _check_conv(x, weight, bias, groups)
        stride, dilation = (
            each(stride, dims, "stride"),
            each(dilation, dims, "dilation"),
        )
        size = tuple(weight.shape[2:])
        lows, highs = _padding(padding, size, stride, dilation)
        seen = all_windows(around(x, lows, highs), size, stride, dilation)
        y = _product(seen, weight, groups, dims)
        y = y if bias is None else y + reshape(bias, (-1,) + (1,) * dims)
        return view(y, "reshape", shape=tuple(y.shape[1:])) if added else y

    conv.__name__ = conv.__qualname__ = f"conv{dims}d"
    conv.__doc__ = _CONV.format(sizes=_SIZES[dims])
    return ruled(conv)


_SIZES = {1: "L", 2: "H, W", 3: "D, H, W"}
_CONV = """Cross-correlation: input [N, C, {sizes}] or without N.

    weight [O, C/groups, k...], bias [O]; `padding` is a number, one per dimension,
    "same" (stride 1 only) or "valid".
    RuntimeError when channels, groups or sizes do not fit.
    """


def _check_conv(x: Tensor, w: Tensor, bias: Optional[Tensor], groups: int) -> None:
    if w.ndim != x.ndim:
        raise RuntimeError(
            f"expected a weight of {x.ndim} dimensions, got {list(w.shape)}"
        )
    if x.dtype is not w.dtype:
        raise RuntimeError(
            f"Input type ({x.dtype}) and weight type ({w.dtype}) should be the same"
        )
    if groups < 1 or w.shape[0] % groups:
        raise RuntimeError(
            f"Given groups={groups}, expected weight to be at least {groups} at "
            f"dimension 0 and divisible by it, but got weight of size {list(w.shape)}"
        )
    if x.shape[1] != w.shape[1] * groups:
        raise RuntimeError(
            f"Given groups={groups}, weight of size {list(w.shape)}, expected input"
            f"{list(x.shape)} to have {w.shape[1] * groups} channels, but got "
            f"{x.shape[1]} channels instead"
        )
    _check_bias(w, bias, w.shape[0])


def _check_bias(w: Tensor, bias: Optional[Tensor], count: int) -> None:
    if bias is not None and tuple(bias.shape) != (count,):
        raise RuntimeError(
            f"Given weight of size {list(w.shape)}, expected bias to be 1-dimensional "
            f"with {count} elements, but got bias of size {list(bias.shape)} instead"
        )


def _padding(padding: Any, size: tuple, stride: tuple, dilation: tuple) -> tuple:
    """(before, after) for each dimension."""
    if padding == "valid":
        padding = 0
    if padding == "same":
        if any(s != 1 for s in stride):
            raise RuntimeError(
                "padding='same' is not supported for strided convolutions"
            )
        total = [d * (k - 1) for k, d in zip(size, dilation)]
        return tuple(t // 2 for t in total), tuple(t - t // 2 for t in total)
    if isinstance(padding, str):
        raise RuntimeError(f"Invalid padding string: '{padding}'")
    both = each(padding, len(size), "padding")
    if any(p < 0 for p in both):
        raise RuntimeError("negative padding is not supported")
    return both, both


def _product(seen: Tensor, weight: Tensor, groups: int, dims: int) -> Tensor:
    """[N, C, o..., k...] with [O, C/g, k...] -> [N, O, o...]."""
    n, c = seen.shape[:2]
    out, size = tuple(seen.shape[2 : 2 + dims]), tuple(seen.shape[2 + dims :])
    inner, spots = c // groups * prod(size), prod(out)
    offsets, positions = range(2 + dims, 2 + 2 * dims), range(2, 2 + dims)
    columns = permute(seen, 0, 1, *offsets, *positions)
    count = weight.shape[0]
    if groups == 1:
        w = reshape(weight, (1, count, inner))
        columns, w = reshape(columns, (n, inner, spots)), expand(w, n, count, inner)
    else:
        each_group = (groups, count // groups, inner)
        columns = reshape(columns, (n, groups, inner, spots))
        w = expand(reshape(weight, (1, *each_group)), n, *each_group)
    return reshape(apply("dot", w, columns), (n, count, *out))


conv1d, conv2d, conv3d = _conv(1), _conv(2), _conv(3)


def _conv_transpose(dims: int) -> Any:
    def conv_transpose(
        input: Tensor,
        weight: Tensor,
        bias: Optional[Tensor] = None,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        dilation: Any = 1,
    ) -> Tensor:
        x, added = batched(input, dims, f"conv_transpose{dims}d")
        _check_transpose(x, weight, bias, groups)
        stride, dilation = (
            each(stride, dims, "stride"),
            each(dilation, dims, "dilation"),
        )
        padding = each(padding, dims, "padding")
        extra = each(output_padding, dims, "output_padding")
        _check_extra(extra, stride, dilation)
        spread = _spread(x, weight, groups, dims)
        full = tuple(
            (n - 1) * s + d * (k - 1) + 1 + e
            for n, k, s, d, e in zip(
                x.shape[2:], weight.shape[2:], stride, dilation, extra
            )
        )
        y = apply("fold", spread, shape=full, stride=stride, dilation=dilation)
        for at, p in zip(range(-dims, 0), padding):
            y = _trimmed(y, at, p)
        y = y if bias is None else y + reshape(bias, (-1,) + (1,) * dims)
        return view(y, "reshape", shape=tuple(y.shape[1:])) if added else y

    conv_transpose.__name__ = conv_transpose.__qualname__ = f"conv_transpose{dims}d"
    conv_transpose.__doc__ = _TRANSPOSE.format(dims=dims, sizes=_SIZES[dims])
    return ruled(conv_transpose)


_TRANSPOSE = """The adjoint of `conv{dims}d`: [N, C, {sizes}] -> [N, O, ...].

    weight [C, O/groups, k...]; `output_padding` adds to the end of each dimension.
    RuntimeError when channels, groups or sizes do not fit.
    """


def _check_transpose(x: Tensor, w: Tensor, bias: Optional[Tensor], groups: int) -> None:
    if x.dtype is not w.dtype:
        raise RuntimeError(
            f"Input type ({x.dtype}) and weight type ({w.dtype}) should be the same"
        )
    if x.shape[1] != w.shape[0] or w.shape[0] % groups:
        raise RuntimeError(
            f"Given transposed=1, weight of size {list(w.shape)}, expected input"
            f"{list(x.shape)} to have {w.shape[0]} channels in {groups} groups, but "
            f"got {x.shape[1]} channels instead"
        )
    _check_bias(w, bias, w.shape[1] * groups)


def _check_extra(extra: tuple, stride: tuple, dilation: tuple) -> None:
    if any(e >= max(s, d) for e, s, d in zip(extra, stride, dilation)):
        raise RuntimeError(
            f"output padding must be smaller than either stride or dilation, but got "
            f"output_padding {extra}, stride {stride}, dilation {dilation}"
        )


def _spread(x: Tensor, weight: Tensor, groups: int, dims: int) -> Tensor:
    """What every input position adds to its window: [N, O, positions..., k...]."""
    n, c = x.shape[:2]
    here, size = tuple(x.shape[2:]), tuple(weight.shape[2:])
    made = weight.shape[1] * prod(size)
    w = reshape(weight, (1, groups, c // groups, made))
    w = permute(expand(w, n, groups, c // groups, made), 0, 1, 3, 2)
    columns = reshape(x, (n, groups, c // groups, prod(here)))
    shape = (n, weight.shape[1] * groups, *size, *here)
    spread = reshape(apply("dot", w, columns), shape)
    positions, offsets = range(2 + dims, 2 + 2 * dims), range(2, 2 + dims)
    return permute(spread, 0, 1, *positions, *offsets)


def _trimmed(y: Tensor, at: int, padding: int) -> Tensor:
    if not padding:
        return y
    length = y.shape[at] - 2 * padding
    if length < 1:
        raise RuntimeError(f"Given output size per channel {length} is too small")
    return apply("slice", y, axis=at, start=padding, length=length, step=1)


conv_transpose1d, conv_transpose2d = _conv_transpose(1), _conv_transpose(2)
conv_transpose3d = _conv_transpose(3)
