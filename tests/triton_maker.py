"""Random graphs of every primitive, made so that right answers can be told from wrong.

Numbers are small integers in whatever type, so most results must be *exact*. What is
not (tanh, a quotient) is kept away from comparisons, roundings and positions. `most`
bounds the magnitude of each value: what could grow beyond the exact is clipped.
"""

from __future__ import annotations

import math

from tracefuse.tracer import algebra as al
from tracefuse.tracer import types as ty
from tracefuse.tracer.graph import Graph, constant, placeholder

FLOATS = (ty.float32, ty.float16, ty.bfloat16, ty.float64)
INTS = (ty.int64, ty.int32, ty.uint8, ty.int8, ty.int16)
DTYPES = (*FLOATS, *INTS, ty.bool_)
SIZES = (1, 2, 3, 5, 7, 16, 17, 0, 64, 33, 128, 257, 1000)
EXACT = 2.0**20  # sums below this are exact in float32
WIDE = 40_000  # the most elements of a value


def count(shape):
    return math.prod(shape)


class Maker:
    """A graph in the making; `pick(n)` chooses one of the numbers below n."""

    def __init__(self, pick):
        self.pick, self.inputs, self.pool = pick, [], []
        self.most: dict = {}
        self.rough: set = set()
        self.indices: list = []  # inputs that hold row numbers

    def one(self, options):
        return options[self.pick(len(options))]

    def maybe(self, n=2):
        return self.pick(n) == 0

    def between(self, low, high):
        return low + self.pick(high - low + 1)

    # -- values

    def input(self, shape, dtype, name="x"):
        v = placeholder(f"{name}{len(self.inputs)}", tuple(shape), dtype)
        self.inputs.append(v)
        return self.note(v, 4.0)

    def note(self, v, most, *sources):
        """Bound `v`, and remember whether it is exact."""
        self.most[v.id] = float(most)
        for s in sources:
            self.bound(s)
        if any(s.id in self.rough for s in sources):
            self.rough.add(v.id)
        return v

    def add(self, v, most, *sources):
        self.pool.append(self.note(v, most, *sources))
        return v

    def bound(self, v):
        """No more than this; what was made on the way has the bounds of its parts."""
        if v.id not in self.most:
            self.note(v, max(map(self.bound, v.args), default=64), *v.args)
        return self.most[v.id]

    def some(self, test=lambda v: True):
        """A value of the pool that passes, or None."""
        fits = [v for v in self.pool if test(v)]
        return self.one(fits[-6:] if self.pick(3) else fits) if fits else None

    def exact(self, test=lambda v: True):
        return self.some(lambda v: v.id not in self.rough and test(v))

    def of(self, shape, dtype):
        """A value of this shape and type: one of the pool, or an input."""
        found = self.some(lambda v: (v.shape, v.dtype) == (shape, dtype))
        return found if found is not None else self.input(shape, dtype)

    def like(self, x, test=lambda v: True):
        """Another value of the shape and type of `x`, made if need be."""
        kind = x.shape, x.dtype
        found = self.some(lambda v: (v.shape, v.dtype) == kind and test(v))
        if found is not None and self.pick(3):
            return found
        if self.maybe(4):
            return self.note(constant(self.one((2, 1, 0)), x.shape, x.dtype), 2)
        if x.shape and self.maybe():
            n = len(x.shape)
            row = self.input([m if self.pick(2) else 1 for m in x.shape], x.dtype)
            row = row if self.pick(2) else self.input(x.shape[self.pick(n) :], x.dtype)
            return self.note(row.expand(x.shape), 4)
        return self.input(x.shape, x.dtype)

    def small(self, v, most):
        """`v`, clipped if it may exceed what stays exact."""
        if not v.dtype.is_floating_point or self.bound(v) <= most:
            return v
        v, source = al.minimum(al.maximum(v, -float(most)), float(most)), v
        return self.note(v, most, source)

    def shape(self, limit=WIDE):
        shape = []
        for _ in range(self.pick(5)):
            shape.append(self.one([n for n in SIZES if n <= limit] or [1]))
            limit //= max(shape[-1], 1)
        return shape

    # -- the whole

    def graph(self, steps, length):
        """A graph of so many steps, with a few outputs."""
        for _ in range(self.between(1, 2)):
            self.pool.append(self.input(self.shape(), self.one(DTYPES)))
        for _ in range(length):
            self.one(steps)(self)
        outs = [self.pool[-1]]
        outs += [self.one(self.pool) for _ in range(self.pick(4))]
        if self.maybe(8):
            outs.append(self.note(constant(3, (2, 3), ty.int32), 3))
        if self.maybe(8):
            outs += [outs[0], self.one(self.inputs)]
        used = [v for v in Graph("f", self.inputs, outs).nodes() if v.op == "input"]
        return Graph("f", used or self.inputs[:1], outs)
