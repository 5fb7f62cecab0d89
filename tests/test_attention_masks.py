"""What a mask lets through, read off its expression."""

from __future__ import annotations

from math import inf
from typing import Any, Callable

import tracefuse as torch
from tracefuse import nn
from tracefuse.kernels.triton.attention.find import cores
from tracefuse.kernels.triton.attention.mask import Band, band_of

F = nn.functional
INF = float("-inf")


def band(f: Callable, rows: int = 12, columns: int = 12) -> Band:
    """The band of the scores of a recorded softmax of `f(scores)`."""
    graph = (
        torch.jit(lambda x: F.softmax(f(x), -1)).lower(torch.randn(rows, columns)).graph
    )
    (core,) = cores(graph.nodes())
    return band_of(core.scores)


def places(x: Any) -> tuple:
    t, n = x.shape
    return torch.arange(t)[:, None], torch.arange(n)[None, :]


def test_bands_of_masks():
    def kept(test: Callable) -> Callable:
        return lambda x: x.masked_fill(~test(*places(x)), INF)

    assert band(lambda x: x) == Band()
    assert band(kept(lambda i, j: j <= i)) == Band(-inf, 0)
    assert band(kept(lambda i, j: j < i + 3)) == Band(-inf, 2)
    assert band(kept(lambda i, j: (j <= i) & (j > i - 4))) == Band(-3, 0)
    assert band(kept(lambda i, j: (j <= i) | (j > i + 4))) == Band()
    assert band(kept(lambda i, j: 2 * j <= i)) == Band()
    assert band(kept(lambda i, j: j > i)) == Band(1, inf)
    assert band(lambda x: x.masked_fill(places(x)[0] < places(x)[1], -1e9)) == Band()


def test_whether_every_row_sees_something():
    assert Band(-inf, 0).sees(8, 8) and Band(-inf, 3).sees(8, 4)
    assert not Band(-inf, -1).sees(8, 8)
    assert not Band(1, inf).sees(8, 8) and Band(1, inf).sees(8, 9)
