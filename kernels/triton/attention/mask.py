"""Which scores a mask lets through: what lies outside is -inf, whatever the numbers.

A mask is a comparison of positions: sums of multiples of the row `i` and the column
`j`. Where the two multiples are opposite it bounds `t = j - i`, the *diagonal*: from
above for causal attention, on both sides for a sliding window. `and`, `or` and `xor`
with a constant are the logic of bounds; a bound too many is never given.
"""

from __future__ import annotations

from math import inf
from typing import NamedTuple, Optional

from ....tracer.graph import Value
from ..index import Group, Index, flat, number, split

__all__ = ["Band", "band_of", "comparison", "decided"]

FAR = 1 << 30  # positions are less, so that they fit into an int32


class Band(NamedTuple):
    """Only where `low <= column - row <= high` may there be something."""

    low: float = -inf
    high: float = inf

    def both(self, other: "Band") -> "Band":
        """Inside of both."""
        return Band(max(self.low, other.low), min(self.high, other.high))

    def either(self, other: "Band") -> "Band":
        """Inside of one of them, or between."""
        return Band(min(self.low, other.low), max(self.high, other.high))

    def sees(self, rows: int, columns: int) -> bool:
        """Whether every row has a column inside of the band, and nothing is lost."""
        if self.low > self.high:
            return False
        last = rows - 1
        return self.high >= 0 and last + self.low <= columns - 1


def affine(v: Value, index: tuple) -> Optional[Index]:
    """`v` at an index, if it is made of positions and constants alone."""
    if v.dtype is None or v.dtype.category != 1:
        return None
    found = _affine(v, index)
    if found is None or found.bound > FAR or found.least < -FAR:
        return None
    return found


def _affine(v: Value, index: tuple) -> Optional[Index]:
    if v.op == "constant":
        return number(int(v.attrs["value"]))
    if v.op == "iota":
        return index[len(index) + v.attrs["axis"]]
    if v.op in ("add", "sub", "neg"):
        parts = [affine(a, index) for a in v.args]
        if None in parts:
            return None
        signs = {"add": (1, 1), "sub": (1, -1), "neg": (-1,)}[v.op]
        terms = [p * s for p, s in zip(parts, signs) if p is not None]
        return terms[0] if len(terms) == 1 else terms[0] + terms[1]
    if v.op == "cast":
        return affine(v.args[0], index) if v.dtype.itemsize >= 4 else None
    moved = _moved(v, index)
    return affine(v.args[0], moved) if moved is not None else None


def _moved(v: Value, index: tuple) -> Optional[tuple]:
    """The index of the argument of a movement."""
    if v.op == "expand":
        shape = v.args[0].shape
        tail = index[len(index) - len(shape) :]
        return tuple(Index() if n == 1 else i for i, n in zip(tail, shape))
    if v.op == "reshape":
        return split(flat(index, v.shape), v.args[0].shape)
    if v.op == "permute":
        where = {axis % len(index): i for axis, i in zip(v.attrs["axes"], index)}
        return tuple(where[axis] for axis in range(len(index)))
    if v.op == "slice":
        at = len(index) + v.attrs["axis"]
        moved = index[at] * v.attrs["step"] + v.attrs["start"]
        return (*index[:at], moved, *index[at + 1 :])
    if v.op in ("stop_gradient", "leaf", "again"):
        return index
    return None


def comparison(v: Value, index: tuple) -> Optional[tuple[Index, int]]:
    """`a < b` or `a <= b` of positions as (x, c): it says `x <= c`."""
    if v.op not in ("lt", "le"):
        return None
    a, b = (affine(x, index) for x in v.args)
    if a is None or b is None:
        return None
    x = a + b * -1
    return x + -x.constant, -x.constant - (v.op == "lt")


class _Reader:
    """Reads bounds off a mask; `row` and `column` are the coordinates."""

    def __init__(self, row: Index, column: Index):
        self.row, self.column = row, column

    def scores(self, v: Value, index: tuple) -> Band:
        """Outside of this, `v` is -inf."""
        if v.op == "where":
            c, x, y = v.args
            if _is_least(y):
                return self.truth(c, index, True).both(self.scores(x, index))
            if _is_least(x):
                return self.truth(c, index, False).both(self.scores(y, index))
            one = self.truth(c, index, True).both(self.scores(x, index))
            return one.either(self.truth(c, index, False).both(self.scores(y, index)))
        if v.op == "add":
            one, other = (self.scores(a, index) for a in v.args)
            return one.both(other)
        if v.op == "constant" and _is_least(v):
            return Band(inf, -inf)
        if v.op in ("mul", "div") and _is_positive(v.args[1]):
            return self.scores(v.args[0], index)
        if v.op == "cast" and v.args[0].dtype.is_floating_point:
            return self.scores(v.args[0], index)
        moved = _moved(v, index)
        return self.scores(v.args[0], moved) if moved is not None else Band()

    def truth(self, c: Value, index: tuple, want: bool) -> Band:
        """Outside of this, `c` is not `want`."""
        if c.op == "constant":
            return Band() if bool(c.attrs["value"]) is want else Band(inf, -inf)
        if c.op in ("and", "or"):
            one, other = (self.truth(a, index, want) for a in c.args)
            return one.both(other) if (c.op == "and") is want else one.either(other)
        if c.op == "xor" and c.args[1].op == "constant":
            turned = bool(c.args[1].attrs["value"])
            return self.truth(c.args[0], index, want is not turned)
        moved = _moved(c, index)
        if moved is not None:
            return self.truth(c.args[0], moved, want)
        found = comparison(c, index)
        if found is None:
            return Band()
        return bounded(*found, want, self.column + self.row * -1)


def bounded(x: Index, most: int, want: bool, ahead: Index) -> Band:
    """Where `x <= most` may be `want`; `ahead` is column - row."""
    terms = dict(x.terms)
    if terms == dict(ahead.terms):
        return Band(-inf, most) if want else Band(most + 1, inf)
    if terms == dict((ahead * -1).terms):
        return Band(-most, inf) if want else Band(-inf, -most - 1)
    return Band()


def decided(x: Index, most: int, inside: Band, ahead: Index) -> Optional[bool]:
    """What `x <= most` is everywhere inside of a band; None if it depends."""
    for want in (True, False):
        rest = bounded(x, most, not want, ahead).both(inside)
        if rest.low > rest.high:
            return want
    return None


def _is_least(v: Value) -> bool:
    while v.op in ("expand", "reshape", "cast"):
        v = v.args[0]
    return v.op == "constant" and v.attrs["value"] == -inf


def _is_positive(v: Value) -> bool:
    return v.op == "constant" and 0 < v.attrs["value"] < inf


def band_of(scores: Value) -> Band:
    """The band outside of which scores of shape [..., rows, columns] are -inf."""
    *batch, rows, columns = scores.shape
    walked = Group("b", tuple(batch)), Group("i", (rows,)), Group("j", (columns,))
    row, column = number(walked[1]), number(walked[2])
    lead = tuple(number(walked[0], axis) for axis in range(len(batch)))
    return _Reader(row, column).scores(scores, (*lead, row, column))
