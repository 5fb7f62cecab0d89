"""Layer functions: against NumPy written by hand, at their edges, and jitted."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tracefuse
import tracefuse.nn.functional as F
from tracefuse import nn

RNG = np.random.default_rng(0)


def rnd(*shape):
    return tracefuse.from_numpy(np.asarray(RNG.standard_normal(shape), np.float32))


def close(found, wanted, tolerance=1e-5):
    np.testing.assert_allclose(found.detach().numpy(), wanted, tolerance, tolerance)


def slope(function, at):
    x = tracefuse.tensor(at, requires_grad=True)
    function(x).sum().backward()
    return x.grad.tolist()


def test_slopes_at_the_kinks_are_those_of_pytorch():
    assert slope(F.relu, [-1.0, 0.0, 1.0]) == [0, 0, 1]
    assert slope(F.relu6, [0.0, 3.0, 6.0, 7.0]) == [0, 1, 0, 0]
    assert slope(lambda x: F.leaky_relu(x, 0.5), [-1.0, 0.0, 1.0]) == [0.5, 0.5, 1]
    assert slope(F.hardtanh, [-1.0, 0.0, 1.0]) == [0, 1, 0]
    assert slope(F.logsigmoid, [0.0]) == [0.5]
    assert slope(lambda x: F.threshold(x, 1.0, 9.0), [1.0, 2.0]) == [0, 1]


@pytest.mark.parametrize("name", "elu selu celu softplus mish logsigmoid".split())
def test_large_numbers_stay_finite(name):
    x = tracefuse.tensor([-1e4, -100.0, 100.0, 1e4], requires_grad=True)
    y = getattr(F, name)(x)
    y.sum().backward()
    assert bool(y.isfinite().all()) and bool(x.grad.isfinite().all())


def test_nan_stays_nan():
    x = tracefuse.tensor([math.nan])
    for name in ("relu", "relu6", "hardtanh", "leaky_relu", "elu", "gelu", "softplus"):
        assert bool(getattr(F, name)(x).isnan().all()), name


def test_in_place():
    x = tracefuse.tensor([-1.0, 2.0])
    assert F.relu(x, inplace=True) is x and x.tolist() == [0, 2]
    assert F.elu_(x) is x and nn.ReLU(inplace=True)(x) is x


def test_half_types_round_once():
    x = rnd(100).bfloat16()
    wide = F.gelu(x.float()).bfloat16()
    assert tracefuse.equal(F.gelu(x), wide)
    assert F.layer_norm(x, (100,)).dtype is tracefuse.bfloat16


# -- dropout


def test_dropout_keeps_the_mean():
    x = tracefuse.ones(10000, requires_grad=True)
    y = F.dropout(x, 0.25)
    assert set(np.unique(y.detach().numpy()).round(4)) == {0, np.float32(1.3333)}
    assert abs(float(y.mean()) - 1) < 0.05
    y.sum().backward()
    assert tracefuse.equal(x.grad, y.detach())
    assert F.dropout(x, 0.5, training=False) is x and F.dropout(x, 0.0) is x
    assert float(F.dropout(x, 1.0).sum()) == 0
    with pytest.raises(ValueError, match="between 0 and 1"):
        F.dropout(x, 1.5)


def test_dropout_of_channels():
    y = F.dropout2d(tracefuse.ones(40, 5, 3, 3), 0.5)
    each = y.reshape(200, 9)
    assert bool((each == each[:, :1]).all()) and 50 < int((each[:, 0] == 0).sum()) < 150
    with pytest.raises(RuntimeError, match="dropout2d"):
        F.dropout2d(tracefuse.ones(2, 2))


def test_random_layers_draw_the_same_numbers_jitted():
    def f(x):
        return F.dropout(x, 0.3)

    fast, x = tracefuse.jit(f), tracefuse.ones(50)
    tracefuse.manual_seed(4)
    plain = [f(x) for _ in range(4)]
    tracefuse.manual_seed(4)
    assert all(tracefuse.equal(fast(x), y) for y in plain)


# -- convolution and pooling, by loops


def conv_by_loops(x, w, stride, padding):
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    k = w.shape[2]
    rows = range(0, x.shape[2] - k + 1, stride)
    columns = range(0, x.shape[3] - k + 1, stride)
    patches = [[x[:, :, i : i + k, j : j + k] for j in columns] for i in rows]
    return np.array([[np.einsum("nckl,ockl->no", p, w) for p in r] for r in patches])


@pytest.mark.parametrize("stride, padding", [(1, 0), (2, 1), (3, 2)])
def test_convolution(stride, padding):
    x, w = rnd(2, 3, 7, 6), rnd(4, 3, 3, 3)
    wanted = conv_by_loops(x.numpy(), w.numpy(), stride, padding).transpose(2, 3, 0, 1)
    close(F.conv2d(x, w, stride=stride, padding=padding), wanted, 1e-4)


def test_a_transposed_convolution_is_the_adjoint():
    x, w, y = rnd(2, 3, 8, 7), rnd(4, 3, 3, 2), rnd(2, 4, 4, 4)
    options = dict(stride=2, padding=1)
    there = (F.conv2d(x, w, **options) * y).sum()
    back = (x * F.conv_transpose2d(y, w, **options, output_padding=1)).sum()
    close(there, back.numpy(), 1e-4)


def test_pooling():
    x = tracefuse.arange(16.0).reshape(1, 1, 4, 4)
    assert F.max_pool2d(x, 2).flatten().tolist() == [5, 7, 13, 15]
    assert F.avg_pool2d(x, 2).flatten().tolist() == [2.5, 4.5, 10.5, 12.5]
    assert F.max_pool2d(x, 3, padding=1, stride=3).shape == (1, 1, 2, 2)
    assert F.adaptive_avg_pool2d(x, 1).item() == 7.5
    ties = tracefuse.ones(1, 1, 2, 2, requires_grad=True)
    F.max_pool2d(ties, 2).sum().backward()
    assert ties.grad.flatten().tolist() == [1, 0, 0, 0]


def test_layers_on_sizes_that_do_not_fit():
    x = tracefuse.zeros(1, 3, 4, 4)
    for mistake, text in [
        (
            lambda: F.conv2d(x, tracefuse.zeros(2, 4, 3, 3)),
            "have 4 channels, but got 3",
        ),
        (lambda: F.conv2d(x, tracefuse.zeros(2, 3, 5, 5)), "can't be greater than"),
        (lambda: F.conv2d(x[0, 0], tracefuse.zeros(2, 3, 1, 1)), "Expected 3D"),
        (lambda: F.conv2d(x, tracefuse.zeros(2, 3, 1, 1), tracefuse.zeros(3)), "bias"),
        (lambda: F.conv2d(x.double(), tracefuse.zeros(2, 3, 1, 1)), "be the same"),
        (lambda: F.max_pool2d(x, 2, padding=2), "at most half"),
        (lambda: F.linear(x, tracefuse.zeros(2, 5)), "multiplied"),
        (lambda: F.layer_norm(x, (5,)), "normalized_shape"),
        (lambda: F.group_norm(x, 2), "divisible by num_groups"),
        (lambda: F.pad(x, (5, 0), "reflect"), "Padding size"),
        (lambda: F.glu(tracefuse.zeros(3)), "must be even"),
        (lambda: F.embedding(tracefuse.zeros(1), tracefuse.zeros(2, 2)), "Long, Int"),
        (lambda: F.gelu(x, "other"), "none or tanh"),
    ]:
        with pytest.raises(RuntimeError, match=text):
            mistake()


SIZED = {
    "linear": lambda x: nn.functional.linear(x, tracefuse.ones(3, 4)),
    "layer_norm": lambda x: F.layer_norm(x, (4,)),
    "group_norm": lambda x: F.group_norm(x, 2),
    "batch_norm": lambda x: F.batch_norm(x, None, None, training=True),
    "dropout": lambda x: F.dropout(x, 0.5),
    "cross_entropy": lambda x: F.cross_entropy(x, (x[:, 0] > 0).long()),
    "attention": lambda x: F.scaled_dot_product_attention(x, x, x),
    "embedding": lambda x: F.embedding((x > 0).long(), tracefuse.ones(2, 3)),
    "pad": lambda x: F.pad(x, (1, 2)),
    "conv1d": lambda x: F.conv1d(x[:, None], tracefuse.ones(2, 1, 3), padding=1),
    "conv_transpose1d": lambda x: F.conv_transpose1d(
        x[:, None], tracefuse.ones(1, 2, 2), stride=2
    ),
    "max_pool1d": lambda x: F.max_pool1d(x[:, None], 2),
    "avg_pool1d": lambda x: F.avg_pool1d(x[:, None], 2, padding=1),
    "adaptive_avg_pool1d": lambda x: F.adaptive_avg_pool1d(x[:, None], 2),
}


@pytest.mark.parametrize("name", SIZED)
def test_one_recording_serves_every_batch_size(name):
    def f(x):
        return SIZED[name](x)

    fast = tracefuse.jit(f, dynamic_shapes={"x": {0: tracefuse.Dim("batch")}})
    for n in (4, 6, 3):
        x = rnd(n, 4)
        tracefuse.manual_seed(0)
        wanted = f(x).numpy()
        tracefuse.manual_seed(0)
        close(fast(x), wanted)
    assert fast.cache_info()["recordings"] == 1


# -- looking up


def test_embedding_and_one_hot():
    table = rnd(4, 2).requires_grad_()
    index = tracefuse.tensor([[1, 3], [3, 0]])
    rows = F.embedding(index, table, padding_idx=3)
    close(rows, table.detach().numpy()[index.numpy()])
    rows.sum().backward()
    assert table.grad.tolist() == [[1, 1], [1, 1], [0, 0], [0, 0]]
    for wrong in (4, -1):
        with pytest.raises(IndexError):
            F.embedding(tracefuse.tensor([wrong]), table)
    assert F.one_hot(index, 4).sum(-1).tolist() == [[1, 1], [1, 1]]
    with pytest.raises(RuntimeError, match="smaller than num_classes"):
        F.one_hot(index, 3)


# -- losses


def test_cross_entropy_of_large_scores():
    x = tracefuse.tensor([[1e4, 0.0], [0.0, 1e4]], requires_grad=True)
    loss = F.cross_entropy(x, tracefuse.tensor([0, 0]))
    loss.backward()
    assert loss.item() == 5000 and x.grad.tolist() == [[0, 0], [-0.5, 0.5]]


def test_targets_that_are_ignored_or_wrong():
    x = rnd(3, 4)
    some = F.cross_entropy(x, tracefuse.tensor([1, -100, 2]))
    close(some, F.cross_entropy(x[[0, 2]], tracefuse.tensor([1, 2])).numpy())
    assert math.isnan(F.cross_entropy(x, tracefuse.tensor([-100] * 3)).item())
    for wrong in (4, -1):
        with pytest.raises(IndexError):
            F.cross_entropy(x, tracefuse.tensor([0, 1, wrong]))
    with pytest.raises(ValueError, match="match target batch_size"):
        F.cross_entropy(x, tracefuse.tensor([0, 1]))
    with pytest.raises(RuntimeError, match="expected scalar type Long"):
        F.cross_entropy(x, tracefuse.zeros(3))
    with pytest.raises(ValueError, match="not a valid value for reduction"):
        F.mse_loss(x, x, reduction="average")
    with pytest.raises(RuntimeError, match="between 0 and 1"):
        F.binary_cross_entropy(x, x)
    with pytest.warns(UserWarning, match="different to the input size"):
        F.mse_loss(x, x[:1])


def test_binary_losses_at_the_ends():
    p = tracefuse.tensor([0.0, 1.0], requires_grad=True)
    F.binary_cross_entropy(p, tracefuse.tensor([1.0, 1.0])).backward()
    assert bool(p.grad.isfinite().all())
    x = tracefuse.tensor([-1e4, 1e4], requires_grad=True)
    loss = F.binary_cross_entropy_with_logits(x, tracefuse.tensor([1.0, 1.0]))
    loss.backward()
    assert loss.item() == 5000 and x.grad.tolist() == [-0.5, 0]


# -- attention


def test_attention_over_one_key_returns_its_value():
    q, k, v = rnd(2, 3, 4), rnd(2, 1, 4), rnd(2, 1, 5)
    close(F.scaled_dot_product_attention(q, k, v), np.repeat(v.numpy(), 3, 1))
    with pytest.raises(RuntimeError, match="is_causal"):
        F.scaled_dot_product_attention(q, k, v, tracefuse.ones(3, 1), is_causal=True)


def test_causal_attention_does_not_look_ahead():
    q, k, v = rnd(4, 3), rnd(4, 3), rnd(4, 2)
    before = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    k[2:], v[2:] = 0, 7
    after = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    assert tracefuse.equal(before[:2], after[:2])
    assert not tracefuse.equal(before[2:], after[2:])


# -- initialisers


def test_initialisers():
    tracefuse.manual_seed(0)
    t = nn.Parameter(tracefuse.empty(200, 100))
    cases = [
        (nn.init.uniform_(t, -2, 4), 1.0, 6 / math.sqrt(12)),
        (nn.init.normal_(t, 1, 3), 1.0, 3.0),
        (nn.init.constant_(t, 4.5), 4.5, 0.0),
        (nn.init.xavier_uniform_(t, gain=2), 0.0, 2 * math.sqrt(2 / 300)),
        (nn.init.xavier_normal_(t), 0.0, math.sqrt(2 / 300)),
        (nn.init.kaiming_uniform_(t, nonlinearity="relu"), 0.0, math.sqrt(2 / 100)),
        (nn.init.kaiming_normal_(t, a=1, mode="fan_out"), 0.0, math.sqrt(1 / 200)),
        (nn.init.trunc_normal_(t, std=2.0), 0.0, 1.0796),
    ]
    for filled, *_ in cases[-1:]:
        assert filled is t and float(filled.abs().max()) <= 2
    statistics = {"uniform_": (1.0, 6 / math.sqrt(12)), "normal_": (0.0, 1.0)}
    for name, (mean, std) in statistics.items():
        args = (-2, 4) if name == "uniform_" else ()
        getattr(nn.init, name)(t, *args)
        assert abs(float(t.mean()) - mean) < 0.05 and abs(float(t.std()) - std) < 0.05
    assert t.requires_grad and t.is_leaf


@pytest.mark.parametrize(
    "name, options, std",
    [
        ("xavier_uniform_", dict(gain=2), 2 * math.sqrt(2 / 300)),
        ("xavier_normal_", {}, math.sqrt(2 / 300)),
        ("kaiming_uniform_", dict(nonlinearity="relu"), math.sqrt(2 / 100)),
        ("kaiming_normal_", dict(a=1, mode="fan_out"), math.sqrt(1 / 200)),
        ("trunc_normal_", dict(std=2.0), 1.0796),
    ],
)
def test_spreads_of_initialisers(name, options, std):
    tracefuse.manual_seed(0)
    t = getattr(nn.init, name)(tracefuse.empty(200, 100), **options)
    assert abs(float(t.std()) / std - 1) < 0.03 and abs(float(t.mean())) < 0.03 * std


def test_structured_initialisers():
    for shape in ((3, 5), (5, 3), (4, 4), (2, 3, 2)):
        q = nn.init.orthogonal_(tracefuse.empty(*shape), gain=2).reshape(shape[0], -1)
        small = q @ q.T if q.shape[0] <= q.shape[1] else q.T @ q
        close(small, 4 * np.eye(len(small)), 1e-4)
    assert nn.init.eye_(tracefuse.empty(2, 3)).tolist() == [[1, 0, 0], [0, 1, 0]]
    x = rnd(1, 3, 5, 5)
    w = nn.init.dirac_(tracefuse.empty(3, 3, 3, 3))
    close(F.conv2d(x, w, padding=1), x.numpy())
    sparse = nn.init.sparse_(tracefuse.empty(10, 4), sparsity=0.3)
    assert (sparse == 0).sum(0).tolist() == [3] * 4
    with pytest.raises(ValueError, match="fewer than 2"):
        nn.init.xavier_normal_(tracefuse.empty(3))
    with pytest.raises(ValueError, match="Unsupported nonlinearity"):
        nn.init.calculate_gain("softmax")


# -- helpers


def test_padding_sequences():
    parts = [tracefuse.ones(2, 3), tracefuse.ones(1, 3)]
    padded = nn.utils.rnn.pad_sequence(parts, padding_value=7)
    assert padded.shape == (2, 2, 3) and padded[1, 1].tolist() == [7, 7, 7]
    back = nn.utils.rnn.unpad_sequence(padded, tracefuse.tensor([2, 1]))
    assert all(tracefuse.equal(a, b) for a, b in zip(back, parts))
    left = nn.utils.rnn.pad_sequence(parts, True, padding_side="left")
    assert left[1, 0].tolist() == [0, 0, 0]


def test_parameters_as_a_vector():
    net = nn.Linear(2, 3)
    vector = nn.utils.parameters_to_vector(net.parameters())
    assert vector.shape == (9,) and vector.requires_grad
    nn.utils.vector_to_parameters(tracefuse.arange(9.0), net.parameters())
    assert net.bias.tolist() == [6, 7, 8] and net.weight[2, 1].item() == 5
