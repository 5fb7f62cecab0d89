"""The digits that come with the package."""

from __future__ import annotations

import numpy as np
import tracefuse


def test_digits_are_the_whole_test_set_of_the_source():
    images, labels = tracefuse.data.digits()
    assert images.shape == (1797, 64) and images.dtype == np.float32
    assert labels.shape == (1797,) and labels.dtype == np.int64
    # The counts that the source's own description gives for its test set.
    counts = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert np.bincount(labels).tolist() == counts
    assert images.min() == 0 and images.max() == 1
    assert np.array_equal(images * 16, np.round(images * 16))


def test_each_call_gives_fresh_arrays():
    images, _ = tracefuse.data.digits()
    images[:] = 7
    assert tracefuse.data.digits()[0].max() == 1
