"""Tensors as text: known cases, and thousands of elements against PyTorch."""

from __future__ import annotations

import random

import numpy as np
import pytest
import tracefuse as tf

NAN, INF = float("nan"), float("inf")
CASES = [
    (tf.tensor(3), "tensor(3)"),
    (tf.tensor(2.5), "tensor(2.5000)"),
    (tf.tensor([1.0, 2.0]), "tensor([1., 2.])"),
    (tf.tensor([1.0, NAN, INF]), "tensor([1., nan, inf])"),
    (tf.tensor([1.5, -INF]), "tensor([1.5000,   -inf])"),
    (tf.tensor([1e-5, 1.0]), "tensor([1.0000e-05, 1.0000e+00])"),
    (tf.tensor([1e9]), "tensor([1.0000e+09])"),
    (tf.tensor([0.0, -0.0]), "tensor([0., -0.])"),
    (tf.tensor([True, False]), "tensor([ True, False])"),
    (tf.tensor([1, -20]), "tensor([  1, -20])"),
    (tf.tensor([]), "tensor([])"),
    (tf.zeros(0, 3), "tensor([], size=(0, 3))"),
    (tf.zeros(0, dtype=tf.int64), "tensor([], dtype=tracefuse.int64)"),
    (tf.zeros(2, dtype=tf.float64), "tensor([0., 0.], dtype=tracefuse.float64)"),
    (tf.zeros(1, 2, 1), "tensor([[[0.],\n         [0.]]])"),
    (tf.arange(2000), "tensor([   0,    1,    2,  ..., 1997, 1998, 1999])"),
    (tf.ones(1, requires_grad=True), "tensor([1.], requires_grad=True)"),
    (tf.ones(1, requires_grad=True) * 2, "tensor([2.], grad_fn=<MulBackward0>)"),
]


@pytest.mark.parametrize(("t", "text"), CASES, ids=[text for _, text in CASES])
def test_known_cases(t, text):
    assert repr(t) == str(t) == f"{t}" if t.ndim else repr(t) == text
    assert repr(t) == text


def test_long_rows_are_wrapped():
    lines = repr(tf.arange(40)).split("\n")
    assert lines[1].startswith(" " * 8) and max(map(len, lines)) <= 80


def test_format():
    assert f"{tf.tensor(2.5):.3f}" == "2.500" and f"{tf.tensor([1]):}" == "tensor([1])"
    with pytest.raises(TypeError, match="unsupported format string"):
        f"{tf.tensor([2.5]):.3f}"


def test_options():
    with tf.printoptions(precision=2):
        assert repr(tf.tensor([1.2345])) == "tensor([1.23])"
        assert tf.get_printoptions()["precision"] == 2
    with tf.printoptions(threshold=5, edgeitems=1):
        assert repr(tf.arange(9)) == "tensor([0,  ..., 8])"
    with tf.printoptions(sci_mode=True):
        assert repr(tf.tensor([1.0])) == "tensor([1.0000e+00])"
    assert repr(tf.tensor([1.2345])) == "tensor([1.2345])"


def test_numbers_for_python():
    x = tf.tensor([[2.5]])
    assert (x.item(), float(x), int(x), bool(x)) == (2.5, 2.5, 2, True)
    assert [10, 20, 30][tf.tensor(1)] == 20
    assert type(tf.tensor(1).item()) is int and type(tf.tensor(True).item()) is bool
    assert tf.tensor([1.5], dtype=tf.bfloat16).tolist() == [1.5]


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: tf.ones(2).item(), RuntimeError, "2 elements cannot be converted"),
        (lambda: bool(tf.ones(2)), RuntimeError, "more than one value is ambiguous"),
        (lambda: bool(tf.ones(0)), RuntimeError, "no values is ambiguous"),
        (lambda: int(tf.ones(2)), ValueError, "only one element tensors"),
        (lambda: [1][tf.tensor(0.0)], TypeError, "only integer tensors"),
    ],
)
def test_what_is_no_number(call, error, text):
    with pytest.raises(error, match=text):
        call()


# -- against PyTorch

KINDS = ["float32", "float64", "float16", "bfloat16", "int64", "int32", "uint8", "bool"]
OPTIONS = [
    *({}, {}, {}, {"precision": 2}, {"edgeitems": 2, "threshold": 5}),
    *({"linewidth": 40}, {"sci_mode": True}, {"sci_mode": False}, {"profile": "short"}),
]


def random_array(r, rng):
    shape = [r.choice((0, 1, 2, 3, 5, 5, 7, 7)) for _ in range(r.randint(0, 4))]
    if r.random() < 0.1:
        shape = [r.choice((999, 1000, 1001, 1500))]
    array = np.asarray(rng.normal(size=shape) * 10.0 ** r.randint(-9, 9))
    if r.random() < 0.3:
        array = np.asarray(np.round(array * 10.0 ** r.randint(-9, 2)))
    if r.random() < 0.25 and array.size:
        array.reshape(-1)[r.randrange(array.size)] = r.choice((NAN, INF, -INF, -0.0))
    return np.asarray(array)


@pytest.mark.parametrize("seed", range(6))
def test_as_torch_prints(seed):
    torch = pytest.importorskip("torch")
    r, rng = random.Random(seed), np.random.default_rng(seed)
    for _ in range(60):
        kind, options = r.choice(KINDS), r.choice(OPTIONS)
        array = random_array(r, rng)
        if "float" not in kind:
            array = np.asarray(np.nan_to_num(array, posinf=0, neginf=0).clip(0, 200))
        theirs = torch.from_numpy(array).to(getattr(torch, kind))
        ours = tf.from_numpy(array).to(getattr(tf, kind))
        torch.set_printoptions(profile="default")
        torch.set_printoptions(**options)
        with tf.printoptions(**options):
            found = repr(ours).replace("tracefuse.", "torch.")
        expected = repr(theirs)
        torch.set_printoptions(profile="default")
        if "dtype" in expected:  # the longer name may start a new line
            found, expected = "".join(found.split()), "".join(expected.split())
        assert found == expected
