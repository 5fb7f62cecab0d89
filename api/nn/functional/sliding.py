"""Windows that slide over the last dimensions: sizes, padding, folding back."""

from __future__ import annotations

from typing import Any, Sequence

from ...tensor import Tensor, apply, view

__all__ = ["each", "around", "all_windows", "batched"]


def each(value: Any, count: int, name: str) -> tuple:
    """One number for each of `count` dimensions, from one number or a sequence.

    RuntimeError when a sequence has another length.

    >>> each(3, 2, "kernel_size"), each((1, 2), 2, "stride")
    ((3, 3), (1, 2))
    """
    if not isinstance(value, Sequence):
        return (value,) * count
    if len(value) == 1:
        return (value[0],) * count
    if len(value) != count:
        raise RuntimeError(
            f"{name} must either be a single int or a tuple of {count} ints, "
            f"not {tuple(value)}"
        )
    return tuple(value)


def around(x: Tensor, lows: tuple, highs: tuple, value: float = 0) -> Tensor:
    """`value` on both sides of the last dimensions."""
    if not any((*lows, *highs)):
        return x
    sides = tuple((low, high, 0) for low, high in zip(lows, highs))
    lead = ((0, 0, 0),) * (x.ndim - len(sides))
    return apply("pad", x, pads=lead + sides, value=value)


def all_windows(x: Tensor, size: tuple, stride: tuple, dilation: tuple) -> Tensor:
    """[..., H, W] -> [..., oh, ow, kh, kw], a view.

    RuntimeError when a window does not fit.
    """
    sizes = x.shape[x.ndim - len(size) :]
    reach = tuple(d * (k - 1) + 1 for k, d in zip(size, dilation))
    if any(n < r for n, r in zip(sizes, reach)):
        padded, kernel = (" x ".join(map(str, s)) for s in (sizes, reach))
        raise RuntimeError(
            f"Calculated padded input size per channel: ({padded}). Kernel size: "
            f"({kernel}). Kernel size can't be greater than actual input size"
        )
    return view(x, "windows", size=size, stride=stride, dilation=dilation)


def batched(x: Tensor, dims: int, name: str) -> tuple[Tensor, bool]:
    """[N, C, ...] from that or [C, ...], and whether the batch had to be added."""
    if x.ndim == dims + 2:
        return x, False
    if x.ndim == dims + 1:
        return view(x, "reshape", shape=(1, *x.shape)), True
    raise RuntimeError(
        f"Expected {dims + 1}D (unbatched) or {dims + 2}D (batched) input to {name}, "
        f"but got input of size: {list(x.shape)}"
    )
