"""RNN, LSTM, GRU and their cells: by hand, jitted, differentiated, as PyTorch does."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import tracefuse as tf
from tracefuse import nn
from tracefuse.nn.utils.rnn import (
    pack_padded_sequence,
    pack_sequence,
    pad_packed_sequence,
)

LAYERS = [nn.RNN, nn.LSTM, nn.GRU]
CELLS = [nn.RNNCell, nn.LSTMCell, nn.GRUCell]
KINDS = [
    {},
    {"num_layers": 2, "batch_first": True},
    {"bidirectional": True, "bias": False},
    {"num_layers": 2, "bidirectional": True},
]


def by_hand(layer, cell, x):
    """One layer in one direction, by its cell."""
    own = dict(zip(("weight_ih", "weight_hh", "bias_ih", "bias_hh"), layer))
    cell.load_state_dict(own)
    state, outs = None, []
    for row in x.unbind(0):
        state = cell(row, state)
        outs.append(state[0] if isinstance(state, tuple) else state)
    return tf.stack(outs), state


@pytest.mark.parametrize("kind, cell", [*zip(LAYERS, CELLS)])
def test_a_layer_is_its_cell_in_a_loop(kind, cell):
    tf.manual_seed(0)
    layer, x = kind(3, 4), tf.randn(5, 2, 3)
    out, state = layer(x)
    expected, last = by_hand(layer.all_weights[0], cell(3, 4), x)
    assert tf.allclose(out, expected, atol=1e-6)
    last = last[1] if isinstance(state, tuple) else last
    after = state[1] if isinstance(state, tuple) else state
    assert tf.allclose(after[0], last, atol=1e-6)


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("options", KINDS, ids=str)
def test_jitted_training_gives_the_same_as_eager(kind, options):
    def losses(wrap):
        tf.manual_seed(0)
        model, x = kind(3, 4, **options), tf.randn(5, 2, 3)
        optimizer = tf.optim.SGD(model.parameters(), lr=0.1)

        @wrap
        def step(x):
            optimizer.zero_grad()
            loss = model(x)[0].square().mean()
            loss.backward()
            optimizer.step()
            return loss

        return [step(x).item() for _ in range(3)]

    eager = losses(lambda f: f)
    assert eager[2] < eager[0]
    np.testing.assert_allclose(losses(tf.jit), eager, rtol=1e-5)


@pytest.mark.parametrize("kind", LAYERS)
def test_gradients(kind):
    tf.manual_seed(0)
    layer = kind(2, 3, bidirectional=True, dtype=tf.float64)
    x = tf.randn(3, 2, 2, dtype=tf.float64, requires_grad=True)
    assert tf.autograd.gradcheck(lambda x: layer(x)[0], (x,))


def test_without_a_batch_and_with_a_state():
    layer, x, h = nn.GRU(3, 4), tf.randn(5, 3), tf.randn(1, 4)
    out, after = layer(x, h)
    many, states = layer(x.unsqueeze(1), h.unsqueeze(1))
    assert out.shape == (5, 4) and after.shape == (1, 4)
    assert tf.allclose(out, many[:, 0]) and tf.allclose(after, states[:, 0])


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("both", [False, True])
def test_packed_sequences_are_as_if_each_ran_alone(kind, both):
    tf.manual_seed(0)
    layer = kind(3, 4, bidirectional=both)
    rows = [tf.randn(n, 3) for n in (2, 5, 3)]
    out, state = layer(pack_sequence(rows, enforce_sorted=False))
    padded, lengths = pad_packed_sequence(out)
    assert lengths.tolist() == [2, 5, 3]
    for i, row in enumerate(rows):
        alone, after = layer(row)
        assert tf.allclose(padded[: len(row), i], alone, atol=1e-6)
        assert not padded[len(row) :, i].any()
        for got, want in zip(tuple(state), tuple(after)):
            if isinstance(state, tuple):
                assert tf.allclose(got[:, i], want, atol=1e-6)
        if not isinstance(state, tuple):
            assert tf.allclose(state[:, i], after, atol=1e-6)


def test_packing_and_back():
    x = tf.arange(12.0).reshape(2, 3, 2)
    packed = pack_padded_sequence(x, [3, 2], batch_first=True)
    assert packed.batch_sizes.tolist() == [2, 2, 1]
    back, lengths = pad_packed_sequence(packed, True, -1.0, total_length=4)
    assert lengths.tolist() == [3, 2] and back.shape == (2, 4, 2)
    assert back[1, 2:].tolist() == [[-1, -1], [-1, -1]]
    assert tf.equal(back[0, :3], x[0])


WRONG = [
    (lambda: nn.LSTM(3, 4)(tf.ones(2, 2, 5)), RuntimeError, "Expected 3, got 5"),
    (lambda: nn.LSTM(3, 4)(tf.ones(1, 1, 2, 3)), ValueError, "2D or 3D, got 4D"),
    (lambda: nn.GRU(3, 4)(tf.ones(2, 2, 3), tf.ones(1, 1, 4)), RuntimeError, "hidden"),
    (lambda: nn.LSTM(3, 0), ValueError, "hidden_size"),
    (lambda: nn.LSTM(3, 4, proj_size=4), ValueError, "proj_size"),
    (lambda: nn.RNN(3, 4, nonlinearity="sin"), ValueError, "nonlinearity 'sin'"),
    (lambda: nn.GRUCell(3, 4)(tf.ones(2, 2, 3)), ValueError, "1D or 2D, got 3D"),
    (lambda: nn.GRUCell(3, 4)(tf.ones(2)), RuntimeError, "got 2 expected 3"),
    (
        lambda: pack_padded_sequence(tf.ones(3, 2, 1), [1, 3]),
        *(RuntimeError, "sorted in decreasing order"),
    ),
    (
        lambda: pack_padded_sequence(tf.ones(3, 2, 1), [3, 0]),
        *(RuntimeError, "greater than 0"),
    ),
]


@pytest.mark.parametrize("call, error, said", WRONG)
def test_bad_input(call, error, said):
    with pytest.raises(error, match=said):
        call()


def test_as_pytorch_prints_and_names():
    layer = nn.LSTM(3, 4, num_layers=2, batch_first=True, bidirectional=True)
    assert repr(layer) == (
        "LSTM(3, 4, num_layers=2, batch_first=True, bidirectional=True)"
    )
    assert repr(nn.RNNCell(3, 4, nonlinearity="relu")) == (
        "RNNCell(3, 4, nonlinearity=relu)"
    )
    assert [*layer.state_dict()][4:8] == [
        *("weight_ih_l0_reverse", "weight_hh_l0_reverse"),
        *("bias_ih_l0_reverse", "bias_hh_l0_reverse"),
    ]


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize(
    "options", [*KINDS, {"num_layers": 3, "dropout": 0.5}], ids=str
)
def test_as_pytorch_computes(name, options):
    torch = pytest.importorskip("torch")
    theirs = getattr(torch.nn, name)(3, 4, **options).eval()
    ours = getattr(nn, name)(3, 4, **options).eval()
    weights = {k: tf.tensor(v.numpy()) for k, v in theirs.state_dict().items()}
    ours.load_state_dict(weights)
    assert repr(ours) == repr(theirs)
    x = np.random.default_rng(0).standard_normal((2, 5, 3)).astype(np.float32)

    def flat(found):
        return [found[0], *(found[1] if name == "LSTM" else [found[1]])]

    for a, b in itertools.zip_longest(
        flat(ours(tf.tensor(x))), flat(theirs(torch.tensor(x)))
    ):
        np.testing.assert_allclose(a.detach(), b.detach(), rtol=1e-4, atol=1e-5)


def test_a_projected_memory_as_pytorch_computes():
    torch = pytest.importorskip("torch")
    theirs, ours = torch.nn.LSTM(3, 5, 2, proj_size=2), nn.LSTM(3, 5, 2, proj_size=2)
    weights = {k: tf.tensor(v.numpy()) for k, v in theirs.state_dict().items()}
    ours.load_state_dict(weights)
    x = np.ones((4, 2, 3), np.float32)
    (a, (h, c)), (b, (i, d)) = ours(tf.tensor(x)), theirs(torch.tensor(x))
    for ours_, theirs_ in ((a, b), (h, i), (c, d)):
        np.testing.assert_allclose(ours_.detach(), theirs_.detach(), atol=1e-5)
