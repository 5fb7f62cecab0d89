"""The rules of vmap: one per kind, and one per primitive that is not like its kind.

A rule takes the walk (`Batching`) and a value of one example, and makes the value of
all: `b.known` has those arguments that differ between examples, `b.all(arg)` gives any
argument the axis of examples in front.
"""

from __future__ import annotations

from typing import Any, Callable

from ..errors import TraceError
from ..graph import Value, make
from ..sizes import same_size

__all__ = ["KINDS", "ROWS", "Rule", "state_of"]

Rule = Callable[[Any, Value], Value]


def _as_it_is(b: Any, v: Value) -> Value:
    return make(v.op, tuple(map(b.all, v.args)), **v.attrs)


def _expand(b: Any, v: Value) -> Value:
    x, new = b.all(v.args[0]), v.ndim - v.args[0].ndim
    x = x.reshape((b.size, *(1,) * new, *x.shape[1:]))
    return x.expand((b.size, *v.shape))


def _reshape(b: Any, v: Value) -> Value:
    return b.all(v.args[0]).reshape((b.size, *v.shape))


def _permute(b: Any, v: Value) -> Value:
    return b.all(v.args[0]).permute((-v.ndim - 1, *v.attrs["axes"]))


def _pad(b: Any, v: Value) -> Value:
    pads = ((0, 0, 0), *v.attrs["pads"])
    return make("pad", (b.all(v.args[0]),), pads=pads, value=v.attrs["value"])


def _dot(b: Any, v: Value) -> Value:
    """Where the examples share a matrix, their rows form one tall matrix."""
    x, y = v.args
    shared = [arg.id not in b.known for arg in v.args]
    if same_size(x.shape[-1], 1):
        return _outer(b.all(x), b.all(y))
    if v.ndim != 2 or not any(shared):
        return _as_it_is(b, v)
    if shared[1]:
        return _tall(b.known[x.id], y)
    return _turn(_tall(_turn(b.known[y.id]), _turn(x)))


def _outer(x: Value, y: Value) -> Value:
    """A column times a row sums nothing: no library is quicker than one pass."""
    shape = (*x.shape[:-1], y.shape[-1])
    return x.expand(shape) * y.expand(shape)


def _tall(rows: Value, matrix: Value) -> Value:
    size, height, width = rows.shape
    product = make("dot", (rows.reshape((size * height, width)), matrix))
    return product.reshape((size, height, matrix.shape[-1]))


def _turn(x: Value) -> Value:
    return x.permute((*range(-x.ndim, -2), -1, -2))


def _gather(b: Any, v: Value) -> Value:
    (x, index), width = v.args, v.attrs["batch"]
    if x.id not in b.known and not width:  # all read the same rows: more of them
        return make("gather", (x, b.known[index.id]), batch=0)
    return make("gather", (b.all(x), b.all(index)), batch=width + 1)


def _scatter(b: Any, v: Value) -> Value:
    attrs = {"batch": v.attrs["batch"] + 1, "mode": v.attrs["mode"]}
    return make("scatter", tuple(map(b.all, v.args)), **attrs)


def state_of(v: Value) -> Value:
    """The random state that `v` is, behind marks that leave the numbers as they are."""
    while v.op in ("again", "stop_gradient"):
        v = v.args[0]
    return v


def _random_bits(b: Any, v: Value) -> Value:
    (state,), draws = v.args, b.draws
    if draws is None or state.id in b.known:
        raise TraceError("vmap: the state of a random generator differs by example")
    before = draws.starts[state_of(state).id]
    skip = before + (v.attrs["skip"] - before) * draws.total
    bits = make("random_bits", v.args, shape=(draws.total, *v.shape), skip=skip)
    if same_size(b.size, draws.total):
        return bits
    cut = {"axis": -v.ndim - 1, "start": draws.first, "length": b.size, "step": 1}
    return make("slice", (bits,), **cut)


KINDS: dict[str, Rule] = dict.fromkeys(
    ("pointwise", "compare", "reduce", "movement", "window", "scan"), _as_it_is
)
# Primitives that name a shape, all axes, or leading ones.
ROWS: dict[str, Rule] = {
    "expand": _expand,
    "reshape": _reshape,
    "permute": _permute,
    "pad": _pad,
    "dot": _dot,
    "gather": _gather,
    "scatter": _scatter,
    "random_bits": _random_bits,
}
