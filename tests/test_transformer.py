"""Attention of several heads and transformers: jitted, masked, as PyTorch does."""

from __future__ import annotations

import numpy as np
import pytest
import tracefuse as tf
from tracefuse import nn

FORMS = [
    {},
    {"batch_first": True, "bias": False},
    {"kdim": 6, "vdim": 3},
    {"add_bias_kv": True, "add_zero_attn": True},
]
LAYER = {"dim_feedforward": 12, "dropout": 0.0}


def causal(n):
    return nn.Transformer.generate_square_subsequent_mask(n)


def test_a_key_that_is_masked_has_no_weight():
    tf.manual_seed(0)
    attention = nn.MultiheadAttention(8, 2, batch_first=True)
    x = tf.randn(2, 4, 8)
    gone = tf.tensor([[False, False, True, False], [False] * 4])
    out, seen = attention(x, x, x, key_padding_mask=gone, attn_mask=causal(4))
    assert not seen[0, :, 2].any() and not seen.triu(1).any()
    assert tf.allclose(seen.sum(-1), tf.ones(2, 4))
    quick, none = attention(x, x, x, gone, need_weights=False, attn_mask=causal(4))
    assert none is None and tf.allclose(out, quick, atol=1e-6)


def test_without_a_batch():
    attention, x = nn.MultiheadAttention(8, 2), tf.randn(4, 8)
    out, seen = attention(x, x, x, average_attn_weights=False)
    many, weights = attention(*[x.unsqueeze(1)] * 3, average_attn_weights=False)
    assert tf.allclose(out, many[:, 0]) and tf.allclose(seen, weights[0])
    assert seen.shape == (2, 4, 4)


@pytest.mark.parametrize("norm_first", [False, True])
def test_a_jitted_transformer_trains_as_eager(norm_first):
    def losses(wrap):
        tf.manual_seed(0)
        model = nn.Transformer(8, 2, 1, 1, **LAYER, norm_first=norm_first)
        source, target = tf.randn(5, 2, 8), tf.randn(4, 2, 8)
        optimizer = tf.optim.SGD(model.parameters(), lr=0.05)

        @wrap
        def step(source, target):
            optimizer.zero_grad()
            out = model(source, target, tgt_mask=causal(4))
            loss = (out - target).square().mean()
            loss.backward()
            optimizer.step()
            return loss

        return [step(source, target).item() for _ in range(4)]

    eager = losses(lambda f: f)
    assert eager[-1] < eager[0]
    np.testing.assert_allclose(losses(tf.jit), eager, rtol=1e-4)


def test_dropout_is_drawn_anew_at_each_call():
    layer = tf.jit(nn.TransformerEncoderLayer(8, 2, 16, dropout=0.5))
    x = tf.ones(3, 2, 8)
    assert not tf.equal(layer(x), layer(x))


WRONG = [
    (lambda: nn.MultiheadAttention(7, 2), AssertionError, "divisible"),
    (lambda: nn.MultiheadAttention(0, 2), ValueError, "greater than 0"),
    (
        lambda: nn.MultiheadAttention(8, 2)(*[tf.ones(3, 1, 6)] * 3),
        *(RuntimeError, "embedding dimension of 8, but got 6"),
    ),
    (
        lambda: nn.MultiheadAttention(8, 2)(*[tf.ones(3, 1, 8)] * 3, is_causal=True),
        *(RuntimeError, "Need attn_mask"),
    ),
    (
        lambda: nn.TransformerEncoderLayer(8, 2, activation="sine"),
        *(RuntimeError, "relu/gelu, not sine"),
    ),
    (
        lambda: nn.Transformer(8, 2, 1, 1)(tf.ones(3, 2, 8), tf.ones(3, 1, 8)),
        *(RuntimeError, "batch number"),
    ),
]


@pytest.mark.parametrize("call, error, said", WRONG)
def test_bad_input(call, error, said):
    with pytest.raises(error, match=said):
        call()


def same_weights(ours, theirs):
    weights = {k: tf.tensor(v.numpy()) for k, v in theirs.state_dict().items()}
    ours.load_state_dict(weights)
    assert [*weights] == [*ours.state_dict()] and repr(ours) == repr(theirs)


def close(a, b):
    np.testing.assert_allclose(a.detach(), b.detach(), rtol=1e-4, atol=1e-5)


def normal(*shape):
    return np.random.default_rng(0).standard_normal(shape, np.float32)


@pytest.mark.parametrize("options", FORMS, ids=str)
def test_attention_as_pytorch_computes(options):
    torch = pytest.importorskip("torch")
    theirs = torch.nn.MultiheadAttention(8, 2, **options)
    ours = nn.MultiheadAttention(8, 2, **options)
    same_weights(ours, theirs)
    q = normal(4, 3, 8)
    key, value = (
        normal(4, 3, options.get("kdim", 8)),
        normal(4, 3, options.get("vdim", 8)),
    )
    length, batch = (3, 4) if options.get("batch_first") else (4, 3)
    gone, mask = (
        normal(batch, length) > 0.8,
        np.triu(np.ones((length, length), bool), 1),
    )
    a, weights = ours(*map(tf.tensor, (q, key, value, gone)), attn_mask=tf.tensor(mask))
    b, others = theirs(
        *map(torch.tensor, (q, key, value, gone)), attn_mask=torch.tensor(mask)
    )
    close(a, b)
    close(weights, others)


@pytest.mark.parametrize("options", [{}, {"norm_first": True, "activation": "gelu"}])
def test_a_transformer_as_pytorch_computes(options):
    torch = pytest.importorskip("torch")
    sizes = (8, 2, 2, 2)
    theirs = torch.nn.Transformer(*sizes, **LAYER, batch_first=True, **options)
    ours = nn.Transformer(*sizes, **LAYER, batch_first=True, **options)
    same_weights(ours, theirs)
    source, target = normal(3, 5, 8), normal(3, 4, 8)
    gone = np.zeros((3, 5), bool)
    gone[1, 3:] = True
    mask = np.triu(np.ones((4, 4), bool), 1)
    a = ours(
        *map(tf.tensor, (source, target)),
        tgt_mask=tf.tensor(mask),
        src_key_padding_mask=tf.tensor(gone),
    )
    b = theirs(
        *map(torch.tensor, (source, target)),
        tgt_mask=torch.tensor(mask),
        src_key_padding_mask=torch.tensor(gone),
    )
    close(a, b)
    close(causal(4), torch.nn.Transformer.generate_square_subsequent_mask(4))
