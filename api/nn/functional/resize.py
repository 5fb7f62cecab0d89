"""Other sizes: interpolation, windows as columns and back, channels as pixels."""

from __future__ import annotations

from math import prod
from typing import Any, Optional

from ....tracer.types import HALVES, float32, float64, int64
from ...amp.ruled import ruled
from ...arrays.gathering import index_select
from ...arrays.shapes import permute, reshape
from ...math.composite import cast, iota
from ...math.pointwise import floor
from ...placing import beside
from ...tensor import Tensor, apply, pointwise
from .sliding import all_windows, around, batched, each

__all__ = ["interpolate", "unfold", "fold", "pixel_shuffle", "pixel_unshuffle"]

_RANKS = {"linear": 3, "bilinear": 4, "trilinear": 5}


@ruled
def interpolate(
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: Optional[bool] = None,
    recompute_scale_factor: Optional[bool] = None,
    antialias: bool = False,
) -> Tensor:
    """[N, C, *] with the dimensions * in other sizes.

    `size` or `scale_factor` say which; mode is "nearest", or "linear", "bilinear",
    "trilinear" by the number of dimensions. With `align_corners` the outermost pixels
    keep their places. ValueError unless exactly one size is given, NotImplementedError
    for other modes.
    """
    dims = input.ndim - 2
    if (size is None) == (scale_factor is None):
        raise ValueError("exactly one of size or scale_factor should be defined")
    if mode != "nearest" and _RANKS.get(mode) != input.ndim or antialias:
        raise NotImplementedError(
            f"interpolate: mode {mode!r} for an input of {input.ndim} dimensions"
            f"{' with antialias' if antialias else ''} is not available; there are "
            "nearest, linear (3), bilinear (4) and trilinear (5)"
        )
    factors = each(scale_factor, dims, "scale_factor")
    sizes = each(size, dims, "size")
    for at, wanted, factor in zip(range(-dims, 0), sizes, factors):
        wanted = int(int(input.shape[at]) * factor) if wanted is None else wanted
        given = None if recompute_scale_factor else factor
        input = _resized(input, at, wanted, given, mode, bool(align_corners))
    return input


@beside
def _resized(
    x: Tensor, at: int, out: Any, factor: Any, mode: str, align: bool
) -> Tensor:
    n = x.shape[at]
    ratio = n / out if factor is None else 1 / factor
    place = iota((out,), -1, float64)
    if mode == "nearest":
        return index_select(x, at, cast(_within(floor(place * ratio), n), int64))
    if align:
        place = place * ((n - 1) / (out - 1) if out > 1 else 0.0)
    else:
        place = pointwise("maximum", (place + 0.5) * ratio - 0.5, 0.0)
    low = floor(place)
    dtype = float32 if x.dtype in HALVES else x.dtype
    share = reshape(cast(place - low, dtype), (-1,) + (1,) * (-at - 1))
    ends = (cast(_within(end, n), int64) for end in (low, low + 1))
    first, second = (cast(index_select(x, at, end), dtype) for end in ends)
    return cast(first * (1 - share) + second * share, x.dtype)


def _within(place: Tensor, n: Any) -> Tensor:
    return pointwise("minimum", place, n - 1)


# -- windows as columns


def unfold(
    input: Tensor,
    kernel_size: Any,
    dilation: Any = 1,
    padding: Any = 0,
    stride: Any = 1,
) -> Tensor:
    """Every window as a column: [N, C, H, W] -> [N, C * kh * kw, windows].

    RuntimeError when a window does not fit.
    """
    x, added = batched(input, 2, "unfold")
    size, dilation = each(kernel_size, 2, "kernel_size"), each(dilation, 2, "dilation")
    padding, stride = each(padding, 2, "padding"), each(stride, 2, "stride")
    seen = all_windows(around(x, padding, padding), size, stride, dilation)
    n, c, *counts = seen.shape[:4]
    columns = permute(seen, 0, 1, 4, 5, 2, 3)
    columns = reshape(columns, (n, c * prod(size), prod(counts)))
    return columns[0] if added else columns  # type: ignore[index]


def fold(
    input: Tensor,
    output_size: Any,
    kernel_size: Any,
    dilation: Any = 1,
    padding: Any = 0,
    stride: Any = 1,
) -> Tensor:
    """The adjoint of `unfold`: columns added back to where they came from.

    RuntimeError when there are not as many columns as windows.
    """
    x, added = batched(input, 1, "fold")
    size, dilation = each(kernel_size, 2, "kernel_size"), each(dilation, 2, "dilation")
    padding, stride = each(padding, 2, "padding"), each(stride, 2, "stride")
    sizes = each(output_size, 2, "output_size")
    full = tuple(n + 2 * p for n, p in zip(sizes, padding))
    spans = zip(full, size, dilation, stride)
    counts = tuple((n - d * (k - 1) - 1) // s + 1 for n, k, d, s in spans)
    if x.shape[2] != prod(counts):
        raise RuntimeError(
            f"Given output_size={sizes}, kernel_size={size}, dilation={dilation}, "
            f"padding={padding}, stride={stride}, expected input's size at dimension 2 "
            f"to be {prod(counts)}, but got {x.shape[2]}"
        )
    channels = x.shape[1] // prod(size)
    spread = reshape(x, (x.shape[0], channels, *size, *counts))
    spread = permute(spread, 0, 1, 4, 5, 2, 3)
    y = apply("fold", spread, shape=full, stride=stride, dilation=dilation)
    for at, n, p in zip((-2, -1), sizes, padding):
        y = apply("slice", y, axis=at, start=p, length=n, step=1)
    return y[0] if added else y  # type: ignore[index]


# -- channels as pixels (arXiv:1609.05158)


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """[*, C * r * r, H, W] -> [*, C, H * r, W * r].

    RuntimeError when r * r does not divide the channels.
    """
    *lead, c, h, w = input.shape
    r = upscale_factor
    if c % (r * r) != 0:
        raise RuntimeError(
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by "
            f"the square of upscale_factor, but input.size(-3)={c} is not divisible by "
            f"{r * r}"
        )
    parts = reshape(input, (*lead, c // (r * r), r, r, h, w))
    order = (*range(len(lead)), *(len(lead) + i for i in (0, 3, 1, 4, 2)))
    return reshape(permute(parts, *order), (*lead, c // (r * r), h * r, w * r))


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """[*, C, H * r, W * r] -> [*, C * r * r, H, W].

    RuntimeError when r does not divide height and width.
    """
    *lead, c, h, w = input.shape
    r = downscale_factor
    if h % r != 0 or w % r != 0:
        raise RuntimeError(
            "pixel_unshuffle expects height and width to be divisible by "
            f"downscale_factor, but {list((h, w))} are not divisible by {r}"
        )
    parts = reshape(input, (*lead, c, h // r, r, w // r, r))
    order = (*range(len(lead)), *(len(lead) + i for i in (0, 2, 4, 1, 3)))
    return reshape(permute(parts, *order), (*lead, c * r * r, h // r, w // r))
