"""Sequences of different lengths in one tensor."""

from __future__ import annotations

from typing import Any, Sequence

from ...arrays.joining import stack
from ...arrays.shapes import transpose
from ...tensor import Tensor
from ..functional.padding import pad

__all__ = ["pad_sequence", "unpad_sequence"]


def pad_sequence(
    sequences: Sequence[Tensor],
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:
    """Sequences [length_i, *] as one tensor [longest, count, *] (or count first).

    RuntimeError when there are none or their other sizes differ.

    >>> import tracefuse
    >>> pad_sequence([tracefuse.ones(2), tracefuse.ones(1)], batch_first=True)
    tensor([[1., 1.],
            [1., 0.]])
    """
    if padding_side not in ("left", "right"):
        raise RuntimeError(
            f"padding_side should be left or right, but got {padding_side!r}"
        )
    each = list(sequences)
    if not each:
        raise RuntimeError("received an empty list of sequences")
    longest = max(t.shape[0] for t in each)
    padded = [_padded(t, longest, padding_value, padding_side == "left") for t in each]
    return stack(padded, 0) if batch_first else transpose(stack(padded, 0), 0, 1)


def _padded(t: Tensor, length: Any, value: float, left: bool) -> Tensor:
    missing = length - t.shape[0]
    if missing == 0:
        return t
    sides = (missing, 0) if left else (0, missing)
    return pad(t, (0, 0) * (t.ndim - 1) + sides, value=value)


def unpad_sequence(
    padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False
) -> list:
    """The inverse of `pad_sequence`, given the lengths."""
    rows: Any = padded_sequences if batch_first else transpose(padded_sequences, 0, 1)
    return [row[:n] for row, n in zip(rows, lengths.tolist())]  # type: ignore
