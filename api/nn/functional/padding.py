"""Padding: a constant, or the tensor's own numbers mirrored, repeated, or again."""

from __future__ import annotations

from typing import Any, Callable

from ...arrays.joining import cat
from ...arrays.parts import narrow
from ...arrays.repeating import flip
from ...arrays.shapes import expand
from ...tensor import Tensor, apply

__all__ = ["pad"]


def pad(input: Tensor, pad: Any, mode: str = "constant", value: Any = None) -> Tensor:
    """More numbers around: `pad` is (before, after) of the last dimension, then the
    same of the one before it, ...; negative counts cut off.

    mode "constant" takes `value` (0), "reflect" mirrors without the edge, "replicate"
    repeats the edge, "circular" goes on at the other end. RuntimeError for an odd
    number of counts, more than there are dimensions, or more to mirror than there is.

    >>> import tracefuse
    >>> pad(tracefuse.ones(2), (1, 2))
    tensor([0., 1., 1., 0., 0.])
    """
    sides = tuple(pad)
    if len(sides) % 2:
        raise RuntimeError(f"Padding length must be divisible by 2, got {len(sides)}")
    if len(sides) // 2 > input.ndim:
        raise RuntimeError(
            f"Padding length should be less than or equal to two times the input "
            f"dimension but got padding length {len(sides)} and input of dimension "
            f"{input.ndim}"
        )
    pairs = list(zip(sides[::2], sides[1::2]))
    if mode == "constant":
        return _constant(input, pairs, 0 if value is None else value)
    if mode not in _SIDES:
        raise NotImplementedError(f"Unrecognised padding mode {mode}")
    if value is not None:
        raise ValueError(f'Padding mode "{mode}" doesn\'t take in value argument')
    for at, (low, high) in enumerate(pairs, 1):
        input = _extended(input, -at, low, high, mode)
    return input


def _constant(x: Tensor, pairs: list, value: Any) -> Tensor:
    for at, (low, high) in enumerate(pairs, 1):
        cut = [max(-side, 0) for side in (low, high)]
        if any(cut):
            x = _cut(x, -at, *cut)
    grown = [(max(low, 0), max(high, 0), 0) for low, high in pairs]
    if not any(low or high for low, high, _ in grown):
        return x
    lead = ((0, 0, 0),) * (x.ndim - len(grown))
    kind = (bool, int, float)[x.dtype.category]
    return apply("pad", x, pads=(*lead, *reversed(grown)), value=kind(value))


def _cut(x: Tensor, at: int, low: int, high: int) -> Tensor:
    length = x.shape[at] - low - high
    if length < 0:
        raise RuntimeError(
            f"padding cuts {low + high} elements off dimension {at + x.ndim} of size "
            f"{x.shape[at]}"
        )
    return narrow(x, at, low, length)


def _extended(x: Tensor, at: int, low: int, high: int, mode: str) -> Tensor:
    most = {"reflect": x.shape[at] - 1, "circular": x.shape[at]}.get(mode)
    if most is not None and (low > most or high > most):
        raise RuntimeError(
            f"Padding size should be less than the corresponding input dimension, but "
            f"got: padding ({low}, {high}) at dimension {at + x.ndim} of input "
            f"{list(x.shape)}"
        )
    inner = _cut(x, at, max(-low, 0), max(-high, 0))
    parts = [inner]
    if low > 0:
        parts.insert(0, _SIDES[mode](x, at, low, True))
    if high > 0:
        parts.append(_SIDES[mode](x, at, high, False))
    return cat(parts, at) if len(parts) > 1 else inner


def _mirrored(x: Tensor, at: int, count: int, before: bool) -> Tensor:
    start = 1 if before else x.shape[at] - 1 - count
    return flip(narrow(x, at, start, count), at)


def _edge(x: Tensor, at: int, count: int, before: bool) -> Tensor:
    shape = list(x.shape)
    shape[at] = count
    return expand(narrow(x, at, 0 if before else x.shape[at] - 1, 1), *shape)


def _around_the_end(x: Tensor, at: int, count: int, before: bool) -> Tensor:
    return narrow(x, at, x.shape[at] - count if before else 0, count)


_SIDES: dict[str, Callable] = {
    "reflect": _mirrored,
    "replicate": _edge,
    "circular": _around_the_end,
}
