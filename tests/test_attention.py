"""Attention as passes over scores that are never stored: equal to what NumPy makes."""

from __future__ import annotations

from typing import Any, Callable

import numpy as np
import pytest
import tracefuse as torch
from tracefuse import nn
from tracefuse.kernels.triton.attention import walk  # noqa: E402

pytest.importorskip("triton")


F = nn.functional
INF = float("-inf")
TYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}
# Half types: what is recorded rounds in between, a pass does not.
CLOSE = {"f32": 2e-5, "bf16": 3e-2, "f16": 4e-3}


def numbers(*shape: int, dtype: Any = torch.float32) -> torch.Tensor:
    return torch.randn(*shape).to(dtype)


def three(*shape: int, dtype: Any = torch.float32) -> tuple:
    torch.manual_seed(sum(shape))
    return tuple(numbers(*shape, dtype=dtype) for _ in range(3))


def gradients(f: Callable, count: int = 3) -> Callable:
    """The output is needed for the gradients: as in a training step."""

    def both(*args: Any) -> Any:
        def loss(*xs: Any) -> Any:
            y = f(*xs, *args[count:]).float()
            return (y * y).sum()

        return torch.grad(loss, argnums=tuple(range(count)))(*args[:count])

    return both


def scores(q: Any, k: Any) -> Any:
    return q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5


def plain(q: Any, k: Any, v: Any) -> Any:
    return F.softmax(scores(q, k), -1) @ v


def causal(q: Any, k: Any, v: Any) -> Any:
    ahead = torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool).triu(1)
    return F.softmax(scores(q, k).masked_fill(ahead, INF), -1) @ v


def added(q: Any, k: Any, v: Any, mask: Any) -> Any:
    return F.softmax(scores(q, k) + mask, -1) @ v


def dropped(q: Any, k: Any, v: Any) -> Any:
    return F.dropout(F.softmax(scores(q, k), -1), 0.25) @ v


def library(q: Any, k: Any, v: Any) -> Any:
    return F.scaled_dot_product_attention(q, k, v, is_causal=True, dropout_p=0.2)


def window(q: Any, k: Any, v: Any) -> Any:
    i = torch.arange(q.shape[-2])[:, None] - torch.arange(k.shape[-2])[None, :]
    return F.softmax(scores(q, k).masked_fill(~((i >= 0) & (i < 20)), INF), -1) @ v


def later(q: Any, k: Any, v: Any) -> Any:
    """Queries are the last of the keys."""
    ahead = torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool)
    ahead = ahead.triu(1 + k.shape[-2] - q.shape[-2])
    return F.softmax(scores(q, k).masked_fill(ahead, INF), -1) @ v


def passes(made: Any) -> list:
    steps = [s for s in made.program.steps if s.kernel is not None]
    return [s for s in steps if "attention" in s.kernel.tags]


def stored(made: Any) -> set:
    """The last two sizes of everything in memory."""
    return {v.shape[-2:] for s in made.program.steps for v in s.writes}


def checked(f: Callable, args: tuple, short: str = "f32") -> Any:
    """What `f` compiles to, once its results are found to be right."""
    torch.manual_seed(7)
    wanted = torch.jit(f)(*args)
    torch.manual_seed(7)
    compiled = torch.jit(f, backend="triton-interpreter")
    made = compiled.lower(*args).executable
    torch.manual_seed(7)
    found = compiled(*args)
    wanted, found = (x if isinstance(x, tuple) else (x,) for x in (wanted, found))
    for a, b in zip(wanted, found):
        assert a.dtype is b.dtype
        a, b = (np.asarray(x.float().numpy()) for x in (a, b))
        size = max(1.0, float(np.nanmax(np.abs(a), initial=0)))
        np.testing.assert_allclose(b, a, rtol=0, atol=CLOSE[short] * size)
    return made


SHAPES = [(37, 16), (130, 16), (2, 2, 37, 40), (64, 64)]


@pytest.mark.parametrize("short", TYPES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("f", [plain, causal])
def test_one_kernel_forward_and_three_passes_backward(f, shape, short):
    args = three(*shape, dtype=TYPES[short])
    assert len(checked(f, args, short).kernels) == 1
    made = checked(gradients(f), args, short)
    assert len(passes(made)) == 3
    assert len(made.kernels) == 4  # and the sums of do * o
    t, width = shape[-2:]
    assert t == width or (t, t) not in stored(made)


@pytest.mark.parametrize("f", [plain, dropped, library, later])
@pytest.mark.parametrize("short", ["f32", "bf16"])
def test_queries_and_keys_of_different_lengths(f, short):
    dtype = TYPES[short]
    torch.manual_seed(1)
    q = numbers(2, 33, 16, dtype=dtype)
    k, v = numbers(2, 50, 16, dtype=dtype), numbers(2, 50, 24, dtype=dtype)
    assert len(passes(checked(f, (q, k, v), short))) == 1
    made = checked(gradients(f), (q, k, v), short)
    assert len(passes(made)) == 3
    assert (33, 50) not in stored(made) and (50, 33) not in stored(made)


@pytest.mark.parametrize("f", [window, later])
def test_a_band_of_scores(f):
    args = three(2, 150, 16)
    assert len(passes(checked(f, args))) == 1
    made = checked(gradients(f), args)
    assert len(passes(made)) == 3
    for step in passes(made):  # blocks outside of the band are left out
        assert "in range(0, 150, BW)" not in step.kernel.source


def test_a_mask_that_is_added():
    args = (*three(2, 33, 16), numbers(33, 33))
    assert len(passes(checked(added, args))) == 1
    made = checked(gradients(added), args)
    assert (33, 33) not in stored(made)
    made = checked(gradients(added, 4), args)  # its own gradient is that large
    assert len(passes(made)) == 3


def test_rows_without_a_key_are_nan():
    def strict(q: Any, k: Any, v: Any) -> Any:
        same = torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool).triu(0)
        return F.softmax(scores(q, k).masked_fill(same, INF), -1) @ v

    args = three(2, 40, 16)
    made = checked(strict, args)
    assert len(passes(made)) == 1
    y = torch.jit(strict, backend="triton-interpreter")(*args)
    assert np.isnan(y.numpy()[:, 0]).all()
    checked(gradients(strict), args)


def test_padded_keys():
    q, k, v = three(2, 3, 40, 16)
    lengths = torch.tensor([7, 40])

    def padded(q: Any, k: Any, v: Any, lengths: Any) -> Any:
        keep = torch.arange(k.shape[-2])[None, :] < lengths[:, None]
        keep = keep[:, None, None, :]
        return F.scaled_dot_product_attention(q, k, v, attn_mask=keep)

    assert len(passes(checked(padded, (q, k, v, lengths)))) == 1
    assert len(passes(checked(gradients(padded), (q, k, v, lengths)))) == 3


def test_keys_that_serve_several_heads():
    def shared(q: Any, k: Any, v: Any) -> Any:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)

    q, k, v = numbers(2, 4, 33, 16), numbers(2, 2, 33, 16), numbers(2, 2, 33, 16)
    made = checked(shared, (q, k, v))
    assert len(passes(made)) == len(made.kernels) == 1
    made = checked(gradients(shared), (q, k, v))
    assert len(passes(made)) == 3 and (33, 33) not in stored(made)


def capped(q: Any, k: Any, v: Any) -> Any:
    return F.softmax(torch.tanh(scores(q, k)) * 2, -1) @ v


def turned(q: Any, k: Any, v: Any) -> Any:
    p = F.softmax((k @ q.transpose(-1, -2)).transpose(-1, -2), -1)
    return v.transpose(-1, -2) @ p.transpose(-1, -2)


def summed(q: Any, k: Any, v: Any) -> Any:
    p = F.softmax(torch.einsum("hqd,hkd->hqk", q, k) * 0.2, -1)
    return torch.einsum("hqk,hkd->hqd", p, v)


def slanted(q: Any, k: Any, v: Any) -> Any:
    i, j = torch.arange(q.shape[-2])[:, None], torch.arange(k.shape[-2])[None, :]
    s = scores(q, k) + torch.tensor([0.1, 0.2])[:, None, None] * (j - i).float()
    return F.softmax(s.masked_fill(j > i, INF), -1) @ v


@pytest.mark.parametrize("f", [capped, turned, summed, slanted])
def test_other_ways_to_write_it(f):
    args = three(2, 33, 16)
    assert len(passes(checked(f, args))) == 1
    made = checked(gradients(f), args)
    assert len(passes(made)) == 3 and (33, 33) not in stored(made)


def test_positions_beyond_32_bits(monkeypatch):
    """Nothing of that size fits a test: the same kernels with wide positions."""
    monkeypatch.setattr(walk, "FAR", 1)
    made = checked(gradients(library), three(2, 39, 18))
    assert all("to(tl.int64)" in s.kernel.source for s in passes(made))


def test_probabilities_that_are_wanted():
    def both(q: Any, k: Any, v: Any) -> Any:
        p = F.softmax(scores(q, k), -1)
        return p @ v, p

    assert (33, 33) in stored(checked(both, three(2, 33, 16)))


def test_heads_folded_into_the_batch():
    def folded(q: Any, k: Any, v: Any) -> Any:
        b, h, t, d = q.shape
        q, k, v = (x.reshape(b * h, t, d) for x in (q, k, v))
        s = scores(q, k).view(b, h, t, t) + numbers(t, t)
        return F.softmax(s.view(b * h, t, t), -1) @ v

    made = checked(folded, three(2, 3, 33, 16))
    assert len(passes(made)) == 1


def test_a_softmax_after_another_is_no_attention():
    """Nothing is weighed by it: the gradient of a loss is no product of weights."""

    def loss(x: Any, w: Any, y: Any) -> Any:
        return torch.grad(lambda w: F.cross_entropy(x @ w, y))(w)

    x, w, y = numbers(48, 16), numbers(16, 20), torch.arange(48) % 20
    assert not passes(checked(loss, (x, w, y)))


def test_long_axes_are_no_attention():
    q, k, v = numbers(20, 300), numbers(20, 300), numbers(20, 16)
    assert not passes(checked(plain, (q, k, v)))


def test_two_layers():
    def layers(q: Any, k: Any, v: Any) -> Any:
        return causal(causal(q, k, v), k, v)

    args = three(2, 40, 16)
    assert len(passes(checked(layers, args))) == 2
    made = checked(gradients(layers), args)
    assert len(passes(made)) == 6 and (40, 40) not in stored(made)


class Block(nn.Module):
    """A transformer block."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.norm, self.qkv = nn.LayerNorm(width), nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Any) -> Any:
        b, t, d = x.shape
        parts = self.qkv(self.norm(x)).view(b, t, 3, self.heads, d // self.heads)
        y = causal(*parts.permute(2, 0, 3, 1, 4))
        return x + self.out(y.transpose(1, 2).reshape(b, t, d))


def test_a_training_step_of_a_transformer_block():
    def trained(backend: str) -> tuple:
        torch.manual_seed(3)
        model = Block(48, 3)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

        def step(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            value = F.mse_loss(model(x), y)
            value.backward()
            optimizer.step()
            return value

        compiled = torch.jit(step, backend=backend)
        x, y = numbers(2, 40, 48), numbers(2, 40, 48)
        for _ in range(3):
            compiled(x, y)
        found = [p.detach().numpy().copy() for p in model.parameters()]
        return found, compiled.lower(x, y).executable

    wanted, _ = trained("numpy")
    found, made = trained("triton-interpreter")
    for a, b in zip(wanted, found):
        np.testing.assert_allclose(b, a, atol=1e-5)
    assert len(passes(made)) == 3 and (40, 40) not in stored(made)
