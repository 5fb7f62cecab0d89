"""Dropout: random elements or channels become 0 while training (arXiv:1207.0580)."""

from __future__ import annotations

from typing import Any

from ...placing import beside
from ...random.draws import bernoulli_mask
from ...tensor import Tensor, pointwise, write

__all__ = ["dropout", "dropout1d", "dropout2d", "dropout3d"]


def dropout(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Each element becomes 0 with probability p, the others are divided by 1 - p.

    Only while `training`. ValueError for p outside 0..1.
    """
    return _dropped(input, p, training, inplace, tuple(input.shape))


@beside
def _dropped(
    x: Tensor, p: float, training: bool, inplace: bool, shape: tuple
) -> Tensor:
    """One decision for each element of `shape`, which broadcasts to that of `x`."""
    if not 0 <= p <= 1:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
    result = x
    if training and p:
        larger = x * (1 / (1 - p)) if p < 1 else x
        result = pointwise("where", bernoulli_mask(shape, 1 - p), larger, 0)
    return write(x, result) if inplace and result is not x else result


def _by_channel(dims: int) -> Any:
    def drop(
        input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
    ) -> Tensor:
        if input.ndim not in (dims + 1, dims + 2):
            raise RuntimeError(
                f"dropout{dims}d: Expected {dims + 1}D or {dims + 2}D input, but "
                f"received a {input.ndim}D input"
            )
        shape = tuple(input.shape[: input.ndim - dims]) + (1,) * dims
        return _dropped(input, p, training, inplace, shape)

    drop.__name__ = drop.__qualname__ = f"dropout{dims}d"
    drop.__doc__ = f"""`dropout` of whole channels: the last {dims} dimensions together.

    RuntimeError unless the input has {dims + 1} or {dims + 2} dimensions.
    """
    return drop


dropout1d, dropout2d, dropout3d = map(_by_channel, (1, 2, 3))
