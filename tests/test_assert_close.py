"""`tracefuse.testing.assert_close`: what passes, what fails, and how it says so."""

from __future__ import annotations

import numpy as np
import pytest
import tracefuse as tf
from tracefuse.testing import assert_close

ones = tf.ones(2)
NEAR = [
    (ones, ones + 1e-6),
    (ones.half(), ones.half() + 1e-3),
    (ones.bfloat16(), ones.bfloat16() * 1.01),
    ([ones, {"a": 1}], (ones, {"a": 1})),
    (tf.tensor([float("inf")]), tf.tensor([float("inf")])),
    (None, None),
    (1.0, 1 + 1e-8),
    (np.ones(2), np.ones(2)),
]
FAR = [
    (ones, ones * 2, "Mismatched elements: 2 / 2 .100.0%."),
    (ones, ones.double(), "'dtype' do not match"),
    (ones, tf.ones(3), r"torch.Size\(\[2\]\) != torch.Size\(\[3\]\)"),
    (tf.tensor([1]), tf.tensor([2]), "absolute difference: 1.* at index .0,."),
    (tf.tensor([float("nan")]), tf.tensor([float("nan")]), "Mismatched"),
    ([1, ones], [1, ones + 1], r"for item \[1\]"),
    ({"a": {"b": 1}}, {"a": {"b": 2}}, r"for item \['a'\]\['b'\]"),
    ({"a": 1}, {"b": 1}, "keys of the mappings"),
    ([1], [1, 2], "length of the sequences mismatch: 1 != 2"),
    (None, 1, "None mismatch"),
    (1.0, 2.0, "Expected 2.0 but got 1.0"),
]


@pytest.mark.parametrize("a, b", NEAR)
def test_what_is_near_passes(a, b):
    assert_close(a, b)


@pytest.mark.parametrize("a, b, said", FAR)
def test_what_is_far_says_how(a, b, said):
    with pytest.raises(AssertionError, match=said):
        assert_close(a, b)


def test_options():
    nan = tf.tensor([float("nan")])
    assert_close(nan, nan, equal_nan=True)
    assert_close(ones, ones + 0.1, rtol=0, atol=0.2)
    assert_close(ones, ones.double(), check_dtype=False)
    with pytest.raises(AssertionError, match="^mine: .*not close"):
        assert_close(ones, ones + 1, msg=lambda text: f"mine: {text}")
    with pytest.raises(ValueError, match="both be specified"):
        assert_close(ones, ones, rtol=1.0)
    with pytest.raises(TypeError, match="str cannot be compared"):
        assert_close("a", "a")


@pytest.mark.parametrize("a, b, said", FAR)
def test_in_the_words_of_pytorch(a, b, said):
    torch = pytest.importorskip("torch")

    def moved(x):
        if isinstance(x, (list, tuple)):
            return [moved(e) for e in x]
        if isinstance(x, dict):
            return {k: moved(e) for k, e in x.items()}
        return torch.tensor(x.numpy()) if isinstance(x, tf.Tensor) else x

    with pytest.raises(AssertionError, match=said):
        torch.testing.assert_close(moved(a), moved(b))
