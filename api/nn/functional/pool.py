"""Pooling: the largest or the mean of every window."""

from __future__ import annotations

from math import prod
from typing import Any, Optional

from ....tracer.record import state
from ...amp.ruled import ruled
from ...arrays.fill import filled
from ...arrays.joining import stack
from ...arrays.parts import narrow
from ...arrays.shapes import reshape
from ...math.reductions import mean
from ...math.reductions import sum as total
from ...placing import beside
from ...tensor import Tensor, apply, view
from .sliding import all_windows, around, batched, each

__all__ = ["max_pool1d", "max_pool2d", "max_pool3d", "avg_pool1d", "avg_pool2d"]
__all__ += ["avg_pool3d", "adaptive_avg_pool1d", "adaptive_avg_pool2d"]
__all__ += ["adaptive_avg_pool3d", "adaptive_max_pool1d", "adaptive_max_pool2d"]


def _pool(dims: int, pool: Any, name: str, doc: str) -> Any:
    """A pooling function of `dims` dimensions that also takes a single sample."""
    pool.__name__ = pool.__qualname__ = f"{name}_pool{dims}d"
    pool.__doc__ = doc
    return ruled(pool)


def _geometry(
    x: Tensor, size: tuple, stride: Any, padding: Any, dilation: tuple, ceil: bool
) -> tuple[tuple, tuple, tuple]:
    """(stride, padding, what `ceil_mode` adds at the end), checked."""
    dims = len(size)
    empty = stride is None or stride == [] or stride == ()
    stride = size if empty else each(stride, dims, "stride")
    padding = each(padding, dims, "padding")
    for k, p, d in zip(size, padding, dilation):
        if p < 0 or p > (d * (k - 1) + 1) // 2:
            raise RuntimeError(
                f"pad should be at most half of effective kernel size, but got "
                f"pad={p}, kernel_size={k} and dilation={d}"
            )
    extra = (0,) * dims
    if ceil:
        sizes = x.shape[-dims:]
        extra = tuple(map(_overhang, sizes, size, stride, padding, dilation))
    return stride, padding, extra


def _overhang(n: Any, k: int, s: int, p: int, d: int) -> Any:
    """How far the last window reaches beyond the padding if it starts within."""
    reach = d * (k - 1) + 1
    count = (n + 2 * p - reach + s - 1) // s + 1
    if (count - 1) * s >= n + p:
        count = count - 1
    over = (count - 1) * s + reach - (n + 2 * p)
    return over if over > 0 else 0


# -- the largest


def _max_pool(dims: int) -> Any:
    def max_pool(
        input: Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
    ) -> Tensor:
        x, added = batched(input, dims, f"max_pool{dims}d")
        size = each(kernel_size, dims, "kernel_size")
        dilation = each(dilation, dims, "dilation")
        options = (stride, padding, dilation, ceil_mode)
        stride, lows, extra = _geometry(x, size, *options)
        highs = tuple(p + e for p, e in zip(lows, extra))
        low = float("-inf") if x.dtype.is_floating_point else -(2**7) * 2**24
        y = _largest(
            all_windows(around(x, lows, highs, low), size, stride, dilation), dims
        )
        return view(y, "reshape", shape=tuple(y.shape[1:])) if added else y

    return _pool(dims, max_pool, "max", _MAX)


_MAX = """The largest of every window; the gradient goes to the first one in it.

    input [N, C, sizes...] or [C, sizes...]; `stride` is the window's size where not
    given; the padding never wins. RuntimeError for padding beyond half a window.
    """


def _largest(seen: Tensor, dims: int) -> Tensor:
    over = tuple(range(-dims, 0))
    if not (state.grad and seen.requires_grad):
        return apply("max", seen, axes=over)
    shape = tuple(seen.shape[: seen.ndim - dims])
    flat = reshape(seen, (*shape, prod(seen.shape[seen.ndim - dims :])))
    first = apply("argmax", flat, axis=-1)
    return apply("gather", flat, first, batch=len(shape))


max_pool1d, max_pool2d, max_pool3d = _max_pool(1), _max_pool(2), _max_pool(3)


# -- the mean


def _avg_pool(dims: int) -> Any:
    def avg_pool(
        input: Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: Optional[int] = None,
    ) -> Tensor:
        x, added = batched(input, dims, f"avg_pool{dims}d")
        size, one = each(kernel_size, dims, "kernel_size"), (1,) * dims
        stride, lows, extra = _geometry(x, size, stride, padding, one, ceil_mode)
        highs = tuple(p + e for p, e in zip(lows, extra))
        over = tuple(range(-dims, 0))
        added_up = total(all_windows(around(x, lows, highs), size, stride, one), over)
        if divisor_override is not None:
            y = added_up / divisor_override
        elif any(extra) or (any(lows) and not count_include_pad):
            inside = tuple(x.shape[-dims:]), lows, extra, count_include_pad
            y = added_up / _counts(x, size, stride, *inside)
        else:
            y = added_up / prod(size)
        return view(y, "reshape", shape=tuple(y.shape[1:])) if added else y

    return _pool(dims, avg_pool, "avg", _AVG)


_AVG = """The mean of every window.

    input [N, C, sizes...] or [C, sizes...]; `stride` is the window's size where not
    given. The zeros of the padding count unless `count_include_pad=False`;
    `divisor_override` divides by a number of your own.
    """


@beside
def _counts(
    x: Tensor,
    size: tuple,
    stride: tuple,
    sizes: tuple,
    lows: tuple,
    extra: tuple,
    include: bool,
) -> Tensor:
    """How many elements count in each window."""
    one = (1,) * len(size)
    if include:
        sizes = tuple(n + 2 * p for n, p in zip(sizes, lows))
        ones = around(filled(1, sizes, x.dtype), (0,) * len(size), extra)
    else:
        highs = tuple(p + e for p, e in zip(lows, extra))
        ones = around(filled(1, sizes, x.dtype), lows, highs)
    return total(all_windows(ones, size, stride, one), tuple(range(-len(size), 0)))


avg_pool1d, avg_pool2d, avg_pool3d = _avg_pool(1), _avg_pool(2), _avg_pool(3)


# -- adaptive: as many windows as asked for, overlapping where sizes do not divide


def _adaptive(dims: int, reduce: Any, name: str, doc: str) -> Any:
    def adaptive_pool(input: Tensor, output_size: Any) -> Tensor:
        x, added = batched(input, dims, f"adaptive_{name}_pool{dims}d")
        for at, wanted in zip(range(-dims, 0), each(output_size, dims, "output_size")):
            if wanted is not None:
                x = _along(x, at, wanted, reduce)
        return view(x, "reshape", shape=tuple(x.shape[1:])) if added else x

    return _pool(dims, adaptive_pool, f"adaptive_{name}", doc)


def _along(x: Tensor, at: int, wanted: int, reduce: Any) -> Tensor:
    n = x.shape[at]
    if n % wanted == 0:
        cut = x.ndim + at
        shape = (*x.shape[:cut], wanted, n // wanted, *x.shape[cut + 1 :])
        return reduce(reshape(x, shape), at)
    n = int(n)
    ends = [(i * n // wanted, -(-(i + 1) * n // wanted)) for i in range(wanted)]
    parts = [reduce(narrow(x, at, a, b - a), at) for a, b in ends]
    return stack(parts, at)


def _largest_along(x: Tensor, at: int) -> Tensor:
    return x.max(at)[0]  # type: ignore[attr-defined]


_ADAPTIVE = """The {what} of as many windows as `output_size` asks for (None: as it is).

    input [N, C, sizes...] or [C, sizes...]; window i covers floor(i n / out) up to
    ceil((i + 1) n / out).
    """
adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d = (
    _adaptive(dims, mean, "avg", _ADAPTIVE.format(what="mean")) for dims in (1, 2, 3)
)
adaptive_max_pool1d, adaptive_max_pool2d = (
    _adaptive(dims, _largest_along, "max", _ADAPTIVE.format(what="largest"))
    for dims in (1, 2)
)
