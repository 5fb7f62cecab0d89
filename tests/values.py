"""Inputs and one-line nodes that the tests of rules and passes are written with."""

from __future__ import annotations

from tracefuse.tracer.graph import constant, make, placeholder
from tracefuse.tracer.types import bool_, float16, float32, int32

S = (12, 12)
f, g = placeholder("f", S, float32), placeholder("g", S, float32)
i, j = placeholder("i", S, int32), placeholder("j", S, int32)
p, q = placeholder("p", S, bool_), placeholder("q", S, bool_)
one = placeholder("one", (3, 1), float32)
h = placeholder("h", S, float16)


def neg(v):
    return make("neg", (v,))


def round_(v):
    return make("round", (v,))


def splat(value, shape=S, dtype=float32):
    return constant(value, shape, dtype)


def part(v, start, length, step=1, axis=-1):
    return make("slice", (v,), axis=axis, start=start, length=length, step=step)


def joined(*values):
    return make("concat", values, axis=-1)


def padded(v, low, high, mid=0, value=0.0):
    return make("pad", (v,), pads=((0, 0, 0), (low, high, mid)), value=value)


def update(v, u, start, step=1):
    return make("update_slice", (v, u), axis=-1, start=start, step=step)


def reduced(op, v, *axes):
    return make(op, (v,), axes=axes)


def by_index(op, v):
    return make("gather", (v, make(op, (v,), axis=-1)), batch=v.ndim - 1)


INPUTS = (f, g, i, j, p, q, one, h)


def ops(graph):
    """The names of the operations of a graph, in order."""
    return [v.op for v in graph.nodes() if v.op not in ("input", "constant")]
