"""Philox 4x32-10 in NumPy: random words as a pure function of a seed and a counter.

Source: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3",
SC 2011. A block of four 32-bit words comes from a 128-bit counter (c0, c1, c2, c3)
under a 64-bit key (k0, k1). The layout is that of Triton's `tl.randint4x(seed, n)`,
so a CPU and a GPU draw the same words:

    c0 = n mod 2**32    c1 = n >> 32    c2 = c3 = 0
    k0 = seed mod 2**32    k1 = (seed >> 32) mod 2**32    (two's complement)

One round is (c0, c1, c2, c3) -> (hi(B c2) ^ c1 ^ k0, lo(B c2), hi(A c0) ^ c3 ^ k1,
lo(A c0)). Here the pairs (c0, c1) and (c2, c3) are each one uint64, the first word in
the high half: the products then land where they belong without a mask, and a round is
five passes over an array of shape [2, blocks].
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

__all__ = ["blocks", "random_bits", "round_keys", "rounds"]

LOW = 0xFFFFFFFF
HALF = np.array(32, np.uint64)
# A multiplies c0 (row 0), B multiplies c2 (row 1); the key words grow by W.
MULTIPLIERS = np.array([[0xD2511F53], [0xCD9E8D57]], np.uint64)
WEYL = (0x9E3779B9, 0xBB67AE85)
# Counters at a time: state and scratch are 512 KiB together and stay in the L2 cache.
TILE = 16384


def blocks(count: int) -> int:
    """How many counters a draw of `count` words consumes.

    >>> blocks(0), blocks(1), blocks(4), blocks(5)
    (0, 1, 1, 2)
    """
    return -(-count // 4)


def random_bits(seed: int, offset: int, count: int) -> np.ndarray:
    """`count` random words, uint32[count]: word i % 4 of block `offset + i // 4`.

    `seed` is any 64-bit integer, signed or not; counters wrap at 2**64. Raises
    ValueError for a seed or an offset that 64 bits do not hold or a negative count.

    >>> [hex(word) for word in random_bits(seed=0, offset=0, count=4)]
    ['0x6627e8d5', '0xe169c58d', '0xbc57ac4c', '0x9b00dbd8']
    >>> bool((random_bits(7, 2, 3) == random_bits(7, 0, 11)[8:]).all())
    True
    """
    _check(seed, offset, count)
    keys, total = round_keys(seed & (2**64 - 1)), blocks(count)
    words = np.empty((total, 4), np.uint32)
    width = min(total, TILE)
    state, scratch = np.empty((2, 2, width), np.uint64)
    steps = np.arange(width, dtype=np.uint64)
    for start in range(0, total, TILE):
        tile = words[start : start + TILE]
        now, spare = state[:, : len(tile)], scratch[:, : len(tile)]
        _count_from(offset + start, steps[: len(tile)], now, spare)
        rounds(now, spare, keys)
        _unpack(now, spare, tile)
    return words.reshape(-1)[:count]


def _check(seed: int, offset: int, count: int) -> None:
    if not -(2**63) <= seed < 2**64:
        raise ValueError(f"a seed is a 64-bit integer, got {seed}")
    if not 0 <= offset < 2**64:
        raise ValueError(f"an offset is at least 0 and below 2**64, got {offset}")
    if count < 0:
        raise ValueError(f"cannot draw {count} random words")


@lru_cache(maxsize=256)
def round_keys(seed: int) -> np.ndarray:
    """The keys of the ten rounds, uint64[10, 2, 1], for an unsigned 64-bit seed.

    Each word sits in the high half, where `rounds` wants it.
    """
    key = (seed & LOW, seed >> 32)
    rows = [[[(k + r * w & LOW) << 32] for k, w in zip(key, WEYL)] for r in range(10)]
    keys = np.array(rows, np.uint64)
    keys.flags.writeable = False  # it is shared by every later call
    return keys


def rounds(state: np.ndarray, scratch: np.ndarray, keys: np.ndarray) -> None:
    """Ten rounds in place on uint64[2, n] `[c0:c1, c2:c3]`; `scratch` has its shape."""
    crossed = scratch[::-1]  # the product of one pair goes to the other
    for key in keys:
        np.right_shift(state, HALF, out=scratch)
        np.multiply(scratch, MULTIPLIERS, out=scratch)
        np.left_shift(state, HALF, out=state)
        np.bitwise_xor(state, key, out=state)
        np.bitwise_xor(state, crossed, out=state)


def _count_from(
    first: int, steps: np.ndarray, state: np.ndarray, scratch: np.ndarray
) -> None:
    """Set `state` to the counters first, first + 1, ..."""
    counter, high = state[0], scratch[0]
    np.add(steps, np.array(first & (2**64 - 1), np.uint64), out=counter)
    np.right_shift(counter, HALF, out=high)
    np.left_shift(counter, HALF, out=counter)
    np.bitwise_or(counter, high, out=counter)
    state[1] = 0


def _unpack(state: np.ndarray, scratch: np.ndarray, words: np.ndarray) -> None:
    """Write the four words of each column of `state` to a row of uint32[n, 4]."""
    np.right_shift(state, HALF, out=scratch)
    words[:, 0], words[:, 2] = scratch
    words[:, 1], words[:, 3] = state  # the cast to uint32 drops the high half
