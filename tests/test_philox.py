"""Random words: the published vectors, and draws that fit together."""

from __future__ import annotations

import numpy as np
import pytest
from tracefuse.tracer import philox
from tracefuse.tracer.philox import blocks, random_bits

# Random123, tests/kat_vectors, rows "philox4x32 10": counter, key, words.
KNOWN = [
    (
        "00000000 00000000 00000000 00000000",
        "00000000 00000000",
        "6627e8d5 e169c58d bc57ac4c 9b00dbd8",
    ),
    (
        "ffffffff ffffffff ffffffff ffffffff",
        "ffffffff ffffffff",
        "408f276d 41c83b0e a20bc7c6 6d5451fd",
    ),
    (
        "243f6a88 85a308d3 13198a2e 03707344",
        "a4093822 299f31d0",
        "d16cfe09 94fdcceb 5001e420 24126ea1",
    ),
]
A, B = 0xD2511F53, 0xCD9E8D57


def integers(row: str) -> list[int]:
    return [int(word, 16) for word in row.split()]


def reference(seed: int, counter: int) -> list[int]:
    """One block as the paper writes it, on Python integers."""
    c0, c1, c2, c3 = counter & 0xFFFFFFFF, counter >> 32 & 0xFFFFFFFF, 0, 0
    k0, k1 = seed & 0xFFFFFFFF, seed >> 32 & 0xFFFFFFFF
    for _ in range(10):
        p0, p1 = A * c0, B * c2
        c0, c2 = (p1 >> 32) ^ c1 ^ k0, (p0 >> 32) ^ c3 ^ k1
        c1, c3 = p1 & 0xFFFFFFFF, p0 & 0xFFFFFFFF
        k0, k1 = k0 + 0x9E3779B9 & 0xFFFFFFFF, k1 + 0xBB67AE85 & 0xFFFFFFFF
    return [c0, c1, c2, c3]


@pytest.mark.parametrize("counter, key, words", KNOWN)
def test_known_answers(counter, key, words):
    c0, c1, c2, c3 = integers(counter)
    k0, k1 = integers(key)
    state = np.array([[c0 << 32 | c1], [c2 << 32 | c3]], np.uint64)
    philox.rounds(state, np.empty_like(state), philox.round_keys(k1 << 32 | k0))
    pairs = [int(pair) for pair in state[:, 0]]
    assert [w for p in pairs for w in (p >> 32, p & 0xFFFFFFFF)] == integers(words)


@pytest.mark.parametrize("seed", [0, 1, 42, -1, -(2**63), 2**63 - 1, 2**64 - 1, -12345])
@pytest.mark.parametrize("offset", [0, 5, 2**32 - 1, 2**32, 2**53 + 1, 2**64 - 2])
def test_words_of_each_block(seed, offset):
    want = [w for i in range(3) for w in reference(seed, (offset + i) % 2**64)]
    got = random_bits(seed, offset, 12)
    assert got.dtype == np.uint32 and got.tolist() == want


def test_negative_seed_is_its_twos_complement():
    assert (random_bits(-7, 3, 9) == random_bits(2**64 - 7, 3, 9)).all()


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 1001])
def test_count(count):
    assert (random_bits(9, 1, count) == random_bits(9, 1, 1004)[:count]).all()
    assert random_bits(9, 1, count).shape == (count,)
    assert 4 * blocks(count) - 3 <= max(count, 1) <= max(4 * blocks(count), 1)


@pytest.mark.parametrize("skip", [1, 7, philox.TILE - 1, philox.TILE, philox.TILE + 1])
def test_draws_continue_each_other_across_tiles(skip):
    count = 8 * philox.TILE + 3
    whole = random_bits(3, 2**32 - 100, count)
    rest = random_bits(3, 2**32 - 100 + skip, count - 4 * skip)
    np.testing.assert_array_equal(whole[4 * skip :], rest)


def test_bits_are_even_and_independent():
    words = random_bits(123, 0, 1 << 16)
    bits = np.unpackbits(words.view(np.uint8)).astype(float)
    assert abs(bits.mean() - 0.5) < 4 * 0.5 / np.sqrt(bits.size)
    unit = words / 2.0**32 - 0.5
    lagged = [float(np.mean(unit[:-k] * unit[k:])) for k in (1, 2, 3, 4)]
    assert max(map(abs, lagged)) < 5 / 12 / np.sqrt(words.size)


def test_other_seeds_and_offsets_draw_other_words():
    draws = [random_bits(s, n, 4).tobytes() for s in (0, 1, 2**32) for n in (0, 1)]
    assert len(set(draws)) == 6


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((2**64, 0, 1), "64-bit"),
        ((-(2**63) - 1, 0, 1), "64-bit"),
        ((0, -1, 1), "offset"),
        ((0, 2**64, 1), "offset"),
        ((0, 0, -1), "-1 random words"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        random_bits(*arguments)
