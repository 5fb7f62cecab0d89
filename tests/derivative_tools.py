"""Finite differences for graphs, evaluated by the interpreter."""

import numpy as np
from tracefuse.autodiff.vjp import vjp
from tracefuse.tracer.graph import Graph, constant, make, placeholder
from tracefuse.tracer.interpret import interpret
from tracefuse.tracer.types import from_numpy


def variables(arrays):
    """One graph input for each array."""
    types = [from_numpy(a.dtype) for a in arrays]
    return tuple(
        placeholder(f"x{i}", a.shape, t) for i, (a, t) in enumerate(zip(arrays, types))
    )


def ones(y):
    """The cotangent 1 of `y`."""
    return constant(1, y.shape, y.dtype)


def gradients(build, arrays, weigh=ones):
    """The cotangents of `build(*inputs)` as arrays (None where there is none)."""
    args = [np.asarray(a, float) for a in arrays]
    inputs = variables(args)
    y = build(*inputs)
    found = vjp([y], [weigh(y)], inputs)
    some = [g for g in found if g is not None]
    values = iter(interpret(Graph("grads", inputs, some).verify(), args))
    return [None if g is None else next(values) for g in found]


def check(build, arrays, order=2):
    """Compare vjp with central differences, then the derivative of the result."""
    inputs = variables(arrays)
    floats = [v for v in inputs if v.dtype.is_floating_point]
    total = _weighted([build(*inputs)], seed=1)
    for seed in range(2, 2 + order):
        found = vjp([total], [ones(total)], floats)
        _compare(total, found, inputs, floats, arrays)
        present = [g for g in found if g is not None]
        if not present:
            return
        total = _weighted(present, seed)


def _weighted(values, seed):
    """One number that depends on every element, each with its own weight."""
    total = None
    for v in values:
        weight = np.random.default_rng(seed).uniform(0.5, 1.5)
        ramp = _ramp(v.shape, v.dtype) if v.shape else constant(1, (), v.dtype)
        part = (v * (ramp + weight)).sum(range(-len(v.shape), 0))
        total = part if total is None else total + part
    return total


def _ramp(shape, dtype):
    total = constant(0, shape, dtype)
    for axis in range(-len(shape), 0):
        step = make("iota", (), shape=shape, axis=axis, dtype=dtype)
        total = total * 0.7 + step * 0.3
    return total


def _compare(total, found, inputs, floats, arrays):
    present = [g for g in found if g is not None]
    values = iter(interpret(Graph("grads", inputs, present).verify(), arrays))
    graph = Graph("total", inputs, [total])
    for v, g in zip(floats, found):
        at = inputs.index(v)
        numeric = _differences(graph, arrays, at)
        exact = np.zeros_like(numeric) if g is None else next(values)
        assert exact.shape == arrays[at].shape
        np.testing.assert_allclose(exact, numeric, rtol=1e-5, atol=1e-6)


def _differences(graph, arrays, at, step=1e-5):
    result = np.zeros(arrays[at].shape)
    for place in np.ndindex(*arrays[at].shape):
        ends = []
        for sign in (1, -1):
            moved = [np.array(a) for a in arrays]
            moved[at][place] += sign * step
            ends.append(float(interpret(graph, moved)[0]))
        result[place] = (ends[0] - ends[1]) / (2 * step)
    return result
