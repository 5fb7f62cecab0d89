"""One element from each row of something computed: the element alone is computed.

A loss reads the label's log probability from each row. `gather(f(x, row), i)` is
`f(gather(x, i), row)` for what goes element by element, so the rows themselves need
not lie in memory, and picking takes no pass of its own.
"""

from __future__ import annotations

import math
from typing import Optional, Sequence

from ...tracer.graph import Value, constant, make, node
from ..regions import kind_of

__all__ = ["picked"]

# Computing an element once more must be little beside computing its row.
SHARE = 8
DEEPEST = 64  # operations that are looked through
SOURCES = frozenset(("input", "iota", "random_bits"))


def picked(v: Value, args: Sequence[Value]) -> Optional[Value]:
    """`gather` behind the pointwise operations; None where that gains nothing."""
    x, rows = args
    if v.attrs["batch"] != len(x.shape) - 1 or kind_of(x) != "pointwise":
        return None
    if math.prod(v.shape) * SHARE > math.prod(x.shape):
        return None
    picker = _Picker(v, rows)
    if not picker.is_of_row(x) or len(picker.of_row) > DEEPEST:
        return None
    return picker.pick(x)


class _Picker:
    """Rewrites what is computed of whole rows for one element of each."""

    def __init__(self, v: Value, rows: Value):
        self.v, self.rows = v, rows
        self.of_row: dict[int, bool] = {}  # whether something of a whole row is in it
        self.plain: dict[int, bool] = {}  # whether all of it comes from inputs
        self.known: dict[int, Value] = {}

    def is_of_row(self, x: Value) -> bool:
        """Whether `x` needs what its rows were reduced to."""
        if x.id not in self.of_row:
            self.of_row[x.id] = False
            if _of_row(x) is not None:
                self.of_row[x.id] = x.op != "constant"
            elif kind_of(x) in ("pointwise", "compare"):
                self.of_row[x.id] = any([self.is_of_row(a) for a in x.args])
        return self.of_row[x.id]

    def is_plain(self, x: Value) -> bool:
        """Whether `x` is computed from inputs, element by element."""
        if x.id not in self.plain:
            elementwise = kind_of(x) in ("pointwise", "compare")
            made = elementwise and all(map(self.is_plain, x.args))
            self.plain[x.id] = made or x.op in SOURCES or _of_row(x) is not None
        return self.plain[x.id]

    def pick(self, x: Value) -> Value:
        """One element of each row of `x`."""
        if x.id not in self.known:
            self.known[x.id] = self.picked(x)
            self.known[x.id].line = self.v.line
        return self.known[x.id]

    def picked(self, x: Value) -> Value:
        shape, row = self.v.shape, _of_row(x)
        if x.op == "constant":
            return constant(x.attrs["value"], shape, x.dtype)
        if row is not None:
            more = (1,) * (len(shape) - len(x.shape) + 1)
            lead = (*row.shape[:-1], *more)
            return make("expand", (row.reshape(lead),), shape=shape)
        through = kind_of(x) in ("pointwise", "compare")
        if through and (self.is_of_row(x) or self.is_plain(x)):
            return node(x.op, tuple(map(self.pick, x.args)), x.attrs, shape, x.dtype)
        return make("gather", (x, self.rows), **self.v.attrs)


def _of_row(x: Value) -> Optional[Value]:
    """What holds one number for each row of `x`; a constant is that as well."""
    if x.op == "constant":
        return x
    if x.op == "expand" and x.args[0].shape and x.args[0].shape[-1] == 1:
        return x.args[0]
    return None
