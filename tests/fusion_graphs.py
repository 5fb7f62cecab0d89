"""Graphs that kernels meet in practice, and graphs that nobody would write."""

from __future__ import annotations

import numpy as np
from tracefuse.tracer import algebra as al
from tracefuse.tracer import types as ty
from tracefuse.tracer.graph import Graph, constant, make, placeholder


def kept(shape, axis):
    """`shape` with size 1 along `axis`."""
    return shape[:axis] + (1,) + shape[len(shape) + axis + 1 :]


def stretch(rows, x, axis=-1):
    """A reduction of `x` over `axis`, as an operand beside it."""
    return rows.reshape(kept(x.shape, axis)).expand(x.shape)


def softmax(x, axis=-1):
    e = al.exp(x - stretch(make("max", (x,), axes=(axis,)), x, axis))
    return e / stretch(e.sum((axis,)), x, axis)


def normalised(x):
    """(x - mean) / deviation over the last axis, and 1 / deviation."""
    scale = 1 / float(x.shape[-1])
    d = x - stretch(x.sum((-1,)) * scale, x)
    rest = 1.0 / al.sqrt((d * d).sum((-1,)) * scale + 1e-5)
    return d * stretch(rest, x), rest


def layer_norm(x, w, b):
    y, _ = normalised(x)
    return y * w.expand(x.shape) + b.expand(x.shape)


def layer_norm_with_gradient(n, c, dtype=ty.float32):
    x, g = (placeholder(name, (n, c), dtype) for name in "xg")
    w, b = (placeholder(name, (c,), dtype) for name in "wb")
    y, rest = normalised(x)
    gy, scale = g * w.expand(x.shape), 1 / float(c)
    mean, along = gy.sum((-1,)) * scale, (gy * y).sum((-1,)) * scale
    gx = (gy - stretch(mean, x) - y * stretch(along, x)) * stretch(rest, x)
    out = y * w.expand(x.shape) + b.expand(x.shape)
    return [x, w, b, g], [out, gx, (g * y).sum((-2,)), g.sum((-2,))]


def cross_entropy_with_gradient(n, c, dtype=ty.float32):
    y, t = placeholder("y", (n, c), dtype), placeholder("t", (n,), ty.int64)
    z = y - stretch(make("max", (y,), axes=(-1,)), y)
    logp = z - stretch(al.log(al.exp(z).sum((-1,))), y)
    number = make("iota", (), shape=(n, c), axis=-1, dtype=ty.int64)
    hit = al.eq(number, t.reshape((n, 1)).expand((n, c)))
    loss = al.where(hit, -logp, 0.0).sum((-2, -1)) * (1 / n)
    return [y, t], [loss, (al.exp(logp) - hit.cast(dtype)) * (1 / n)]


def batch_norm(n, c, h, w, dtype=ty.float32):
    x = placeholder("x", (n, c, h, w), dtype)
    scale = 1 / float(n * h * w)
    over = (-4, -2, -1)

    def spread(v):
        return v.reshape((1, c, 1, 1)).expand(x.shape)

    d = x - spread(x.sum(over) * scale)
    return [x], [d / spread(al.sqrt((d * d).sum(over) * scale + 1e-5))]


def random_graph(seed):
    """A few dozen nodes over one space, its rows and columns, chosen at random."""
    rng = np.random.default_rng(seed)
    shape = [(4, 6), (130, 300), (3, 5, 7), (20, 30, 70)][seed % 4]
    x, y = (placeholder(n, shape, ty.float64) for n in "xy")
    w = placeholder("w", shape[-1:], ty.float64)
    pool = [x, y, w.expand(shape)]
    for _ in range(int(rng.integers(5, 40))):
        a, b = (pool[int(k)] for k in rng.integers(0, len(pool), 2))
        pool.append(NODES[int(rng.integers(0, len(NODES)))](rng, a, b))
    picked = [pool[int(k)] for k in rng.choice(len(pool), 4)]
    whole = tuple(range(-len(shape), 0))
    late = [pool[-1].sum((-2,)), make("max", (pool[-1],), axes=whole)]
    return Graph("random", [x, y, w], [*picked, *late])


def _rows(rng, a, b):
    axis = -int(rng.integers(1, a.ndim + 1))
    op = ("sum", "max")[int(rng.integers(0, 2))]
    rows = make(op, (a,), axes=(axis,)).reshape(kept(a.shape, axis))
    return al.tanh(rows).expand(a.shape) - b


def _flipped(rng, a, b):
    axis = -int(rng.integers(1, a.ndim + 1))
    n = a.shape[axis]
    given = dict(axis=axis, start=n - 1, length=n, step=-1)
    return make("slice", (a,), **given) + b * 0.5


def _turned(rng, a, b):
    back = tuple(range(-a.ndim, 0))[::-1]
    return al.sin((a + b).permute(back)).permute(back)


NODES = (
    _rows,
    _flipped,
    _turned,
    lambda rng, a, b: al.tanh(a),
    lambda rng, a, b: al.where(al.lt(a, b), a, b * 0.5),
    lambda rng, a, b: al.where(al.le(a, b), a, constant(0, a.shape, a.dtype)),
    lambda rng, a, b: a + b,
    lambda rng, a, b: a - b,
    lambda rng, a, b: al.maximum(a * 0.5, b),
)
