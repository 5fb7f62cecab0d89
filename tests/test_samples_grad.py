"""Gradients of every sample beside finite differences, in float64."""

from __future__ import annotations

import numpy as np
import tracefuse as torch
from samples import SAMPLES, each
from sampling import flatten, tensors

STEP = 1e-5
FIRST = [s for s in SAMPLES if s.order]
SECOND = [s for s in SAMPLES if s.order > 1]


def total(leaves, seed=1):
    """One number that depends on every element, each with its own weight."""
    rng, number = np.random.default_rng(seed), 0.0
    for leaf in flatten(leaves):
        if torch.is_tensor(leaf) and leaf.dtype.is_floating_point:
            weights = rng.uniform(0.5, 1.5, tuple(leaf.shape))
            number = number + (leaf * torch.tensor(weights)).sum()
    return number


def loss_of(sample):
    """The sample as one number; a random one draws the same numbers again."""
    function = sample.function

    def loss(*given):
        return total(function(*given))

    return loss


def variables(given):
    return [t for t in given if t.requires_grad]


def grads_of(given):
    return [as_zeros(t) if t.grad is None else t.grad.numpy() for t in variables(given)]


def as_zeros(t):
    return np.zeros(tuple(t.shape))


def seeded(function, *given):
    torch.manual_seed(5)
    return function(*given)


def differences(loss, arrays):
    """Central differences of `loss` by every element of every float array."""
    found = []
    for at, array in enumerate(arrays):
        if array.dtype.kind == "f":
            slopes = np.zeros(array.shape)
            for place in np.ndindex(*array.shape):
                slopes[place] = slope(loss, arrays, at, place)
            found.append(slopes)
    return found


def slope(loss, arrays, at, place):
    ends = []
    for sign in (1, -1):
        moved = [np.array(a) for a in arrays]
        moved[at][place] += sign * STEP
        ends.append(float(seeded(loss, *tensors(moved))))
    return (ends[0] - ends[1]) / (2 * STEP)


def compare(found, numeric):
    assert len(found) == len(numeric)
    for one, two in zip(found, numeric):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-7)


def backward(loss, *given):
    """Gradients by the arguments; what has no history has slope zero everywhere."""
    number = seeded(loss, *given)
    if torch.is_tensor(number) and number.requires_grad:
        number.backward()
    return grads_of(given)


@each(FIRST)
def test_gradients(sample):
    """Eager; with the backward inside a jitted call; and across its border."""
    loss, arrays = loss_of(sample), sample.make_args(4, "float64")
    numeric = differences(loss, arrays)
    compare(backward(loss, *tensors(arrays, grad=True)), numeric)
    inside, border = torch.jit(backward_inside(loss)), torch.jit(loss)
    for _ in range(2):
        compare([g.numpy() for g in seeded(inside, *tensors(arrays))], numeric)
        compare(backward(border, *tensors(arrays, grad=True)), numeric)


def backward_inside(loss):
    """The gradients as results of one function of plain tensors."""

    def step(*given):
        leaves = [
            t.detach().requires_grad_() if t.dtype.is_floating_point else t
            for t in given
        ]
        number = loss(*leaves)
        if torch.is_tensor(number) and number.requires_grad:
            number.backward()
        wanted = variables(leaves)
        return [torch.zeros_like(t) if t.grad is None else t.grad for t in wanted]

    return step


def slopes_of(loss):
    """One number made of the gradients of `loss`."""

    def second(*given):
        given = [t if t.requires_grad else again(t) for t in given]
        leaves = variables(given)
        found = torch.autograd.grad(
            loss(*given), leaves, create_graph=True, allow_unused=True
        )
        return total([g for g in found if g is not None], seed=2)

    return second


def again(t):
    return t.detach().requires_grad_() if t.dtype.is_floating_point else t


@each(SECOND)
def test_gradients_of_gradients(sample):
    """Along two directions: eager, and with all of it inside a jitted call."""
    second, arrays = slopes_of(loss_of(sample)), sample.make_args(4, "float64")
    directions = [direction(arrays, seed) for seed in (1, 2)]
    numeric = [along(second, arrays, d) for d in directions]
    found = [backward(second, *tensors(arrays, grad=True))]
    inside = torch.jit(backward_inside(second))
    for _ in range(2):
        found.append([g.numpy() for g in seeded(inside, *tensors(arrays))])
    for grads in found:
        exact = [sum((g * d).sum() for g, d in zip(grads, way)) for way in directions]
        np.testing.assert_allclose(exact, numeric, rtol=1e-5, atol=1e-6)


def direction(arrays, seed):
    """A step of every float array."""
    rng = np.random.default_rng(seed)
    return [rng.uniform(-1, 1, a.shape) for a in arrays if a.dtype.kind == "f"]


def along(loss, arrays, steps):
    """The central difference of `loss` along one direction."""
    ends = []
    for sign in (STEP, -STEP):
        left = iter(steps)
        moved = [a + sign * next(left) if a.dtype.kind == "f" else a for a in arrays]
        ends.append(float(seeded(loss, *tensors(moved))))
    return (ends[0] - ends[1]) / (2 * STEP)
