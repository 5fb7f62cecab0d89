"""Packed sequences: rows of different lengths without the padding between them."""

from __future__ import annotations

from typing import Any, NamedTuple, Optional, Union

from ....tracer.types import int64
from ...arrays.creation import tensor
from ...arrays.gathering import index_select
from ...arrays.joining import cat, stack
from ...arrays.shapes import transpose
from ...arrays.sorting import argsort
from ...tensor import Tensor
from ..functional.padding import pad
from .rnn import pad_sequence

__all__ = [
    *("PackedSequence", "pack_padded_sequence", "pack_sequence"),
    "pad_packed_sequence",
]


class PackedSequence(NamedTuple):
    """The steps of several sequences, one after the other; the longest come first.

    `data` [sum of lengths, *]; `batch_sizes` int64[longest], how many sequences have a
    step t; the order of the sequences before sorting, and its inverse.
    """

    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Optional[Tensor] = None
    unsorted_indices: Optional[Tensor] = None


def pack_padded_sequence(
    input: Tensor,
    lengths: Union[Tensor, list],
    batch_first: bool = False,
    enforce_sorted: bool = True,
) -> PackedSequence:
    """Pack [longest, N, *] (or N first), of which sequence i has `lengths[i]` steps.

    RuntimeError for lengths that are below 1, or not sorted while `enforce_sorted`.

    >>> import tracefuse
    >>> x = tracefuse.tensor([[1.0, 2.0, 3.0], [4.0, 0.0, 0.0]])
    >>> pack_padded_sequence(x, [3, 1], batch_first=True).data
    tensor([1., 4., 2., 3.])
    """
    steps = transpose(input, 0, 1) if batch_first else input
    counts = [int(n) for n in lengths]
    order = None if enforce_sorted else argsort(tensor(counts), descending=True)
    if order is not None:
        steps, counts = index_select(steps, 1, order), sorted(counts, reverse=True)
    _check_lengths(counts, steps)
    sizes = [sum(n > t for n in counts) for t in range(counts[0])]
    data = cat([steps[t, :size] for t, size in enumerate(sizes)])
    back = None if order is None else argsort(order)
    return PackedSequence(data, tensor(sizes, dtype=int64), order, back)


def _check_lengths(counts: list[int], steps: Tensor) -> None:
    if len(counts) != steps.shape[1]:
        raise RuntimeError(
            f"Expected `len(lengths)` to be equal to batch_size, but got {len(counts)} "
            f"(batch_size={steps.shape[1]})"
        )
    if counts != sorted(counts, reverse=True):
        raise RuntimeError(
            "`lengths` array must be sorted in decreasing order when "
            "`enforce_sorted` is True. You can pass `enforce_sorted=False` to "
            "pack_padded_sequence and/or pack_sequence to sidestep this requirement"
        )
    if counts[-1] <= 0:
        raise RuntimeError(
            "Length of all samples has to be greater than 0, but found an element in "
            "'lengths' that is <= 0"
        )


def pack_sequence(sequences: list, enforce_sorted: bool = True) -> PackedSequence:
    """Pack tensors [length_i, *]."""
    lengths = [t.shape[0] for t in sequences]
    return pack_padded_sequence(
        pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted
    )


def lengths_of(packed: PackedSequence) -> list[int]:
    """How many steps each sequence has, the longest first."""
    sizes: Any = packed.batch_sizes.tolist()  # type: ignore[attr-defined]
    return [sum(size > i for size in sizes) for i in range(sizes[0])]


def pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: Optional[int] = None,
) -> tuple[Tensor, Tensor]:
    """The inverse of packing: ([longest, N, *] or N first, the lengths int64[N]).

    ValueError where `total_length` is less than the longest.
    """
    sizes: Any = sequence.batch_sizes.tolist()  # type: ignore[attr-defined]
    if total_length is not None and total_length < len(sizes):
        raise ValueError(
            "Expected total_length to be at least the length of the longest sequence "
            f"in input, but got total_length={total_length} and max sequence length "
            f"being {len(sizes)}"
        )
    starts = [sum(sizes[:t]) for t in range(len(sizes))]
    rows = [sequence.data[a : a + n] for a, n in zip(starts, sizes)]
    rest = (0, 0) * (sequence.data.ndim - 1)
    full = [
        pad(r, (*rest, 0, sizes[0] - n), value=padding_value)
        for r, n in zip(rows, sizes)
    ]
    steps = stack(full)
    if total_length is not None:
        more = total_length - len(sizes)
        steps = pad(steps, (*rest, 0, 0, 0, more), value=padding_value)
    lengths = tensor(lengths_of(sequence), dtype=int64)
    if sequence.unsorted_indices is not None:
        steps = index_select(steps, 1, sequence.unsorted_indices)
        lengths = lengths[sequence.unsorted_indices]
    return (transpose(steps, 0, 1) if batch_first else steps), lengths
