"""What the tests of function transforms compare with."""

from __future__ import annotations

import numpy as np
import tracefuse as torch


def draw(*shape, seed=0, dtype=np.float64):
    return torch.tensor(
        np.random.default_rng(seed).standard_normal(shape).astype(dtype)
    )


def close(found, want, tolerance=1e-9):
    found, want = leaves_of(found), leaves_of(want)
    assert len(found) == len(want)
    for a, b in zip(found, want):
        a, b = np.asarray(a), np.asarray(b)
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, tolerance, tolerance)


def leaves_of(tree):
    if isinstance(tree, dict):
        return [x for key in sorted(tree) for x in leaves_of(tree[key])]
    if isinstance(tree, (tuple, list)):
        return [x for part in tree for x in leaves_of(part)]
    return [tree.detach().numpy() if torch.is_tensor(tree) else np.asarray(tree)]


def slopes(f, array, step=1e-6):
    """The Jacobian of a function of one array, by central differences."""
    array = np.asarray(array)
    columns = []
    for place in np.ndindex(*array.shape):
        ends = []
        for sign in (1, -1):
            moved = array.copy()
            moved[place] += sign * step
            ends.append(f(torch.tensor(moved)).numpy())
        columns.append((ends[0] - ends[1]) / (2 * step))
    found = np.stack(columns, -1)
    return found.reshape(*found.shape[:-1], *array.shape)
