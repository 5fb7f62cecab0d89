"""What a mask lets through, read off its expression."""

from __future__ import annotations

from math import inf
from typing import Any, Callable

import pytest
import tracefuse as torch
from tracefuse import nn
from tracefuse.kernels.triton.attention.find import cores
from tracefuse.kernels.triton.attention.mask import Band, band_of
from tracefuse.kernels.triton.attention.selection import plain_masks

F = nn.functional
INF = float("-inf")


def band(f: Callable, rows: int = 12, columns: int = 12) -> Band:
    """The band of the scores of a recorded softmax of `f(scores)`."""
    graph = (
        torch.jit(lambda x: F.softmax(f(x), -1)).lower(torch.randn(rows, columns)).graph
    )
    (core,) = cores(plain_masks(graph).nodes())
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


# -- masks written with numbers


def lower(n: int) -> Any:
    return torch.tril(torch.ones(n, n))


def upper(n: int, above: int = 1) -> Any:
    return torch.triu(torch.ones(n, n), diagonal=above)


def annotated(x: Any) -> Any:
    """As in the Annotated Transformer, and in PyTorch's own tutorial."""
    mask = (upper(12, 0) == 1).transpose(0, 1)
    numbers = mask.float().masked_fill(mask == 0, INF).masked_fill(mask == 1, 0.0)
    return x + numbers


CAUSAL = {
    "tril == 0": lambda x: x.masked_fill(lower(12) == 0, INF),
    "triu == 1": lambda x: x.masked_fill(upper(12) == 1, INF),
    "triu.bool()": lambda x: x.masked_fill(upper(12).bool(), INF),
    "(1 - tril).bool()": lambda x: x.masked_fill((1 - lower(12)).bool(), INF),
    "tril cut out": lambda x: x.masked_fill(
        lower(20).view(1, 20, 20)[0, :12, :12] == 0, INF
    ),
    "int < 1": lambda x: x.masked_fill(lower(12).long() < 1, INF),
    "where": lambda x: torch.where(lower(12) > 0.5, x, INF),
    "ones - tril": lambda x: x.masked_fill(torch.ones(12, 12) - lower(12) != 0, INF),
    "added": lambda x: x + torch.triu(torch.full((12, 12), INF), diagonal=1),
    "annotated": annotated,
}


@pytest.mark.parametrize("how", CAUSAL)
def test_a_causal_mask_however_it_is_written(how: str) -> None:
    assert band(CAUSAL[how]) == Band(-inf, 0)


def test_blocks_ahead_are_left_out():
    def attend(q: Any, k: Any, v: Any) -> Any:
        scores = q @ k.transpose(-1, -2) * 0.25
        return F.softmax(scores.masked_fill(lower(q.shape[-2]) == 0, INF), -1) @ v

    torch.manual_seed(0)
    given = [torch.randn(2, 130, 16) for _ in range(3)]
    jitted = torch.jit(attend, backend="triton-interpreter")
    assert torch.allclose(jitted(*given), attend(*given), atol=1e-5)
    (kernel,) = jitted.lower(*given).executable.program.kernels.values()
    assert "attention" in kernel.tags and "range(0, 130, BW)" not in kernel.source


def test_a_mask_that_is_half_known():
    """A selection of numbers that are equal, or by two conditions, is no bound."""
    one, other = (lambda x: places(x)[1] <= places(x)[0]), (lambda x: places(x)[1] > 3)
    both = lambda x: (one(x).float() + other(x).float()) == 0  # noqa: E731
    assert band(lambda x: x.masked_fill(both(x), INF)) == Band()
    assert band(lambda x: x.masked_fill(one(x).float() * 0 == 1, INF)) == Band()
