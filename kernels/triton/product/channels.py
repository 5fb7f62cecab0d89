"""Convolutions with channels last: neighbours in memory meet in one access.

A convolution is a product with windows of its input. With channels before the places, a
tile of windows is gathered element by element, since neighbours along a row of the
picture begin at any address. With channels last, and innermost in the sum, a thread
loads 16 bytes at once, past the registers. So inputs, weights and gradients are laid
so once (`laid` is a kernel that moves), as far as the product is worth it. The result
stays as it was: channels are its rows.

The gradient of the input is a product with windows of the gradient, laid the same way;
that of the weight has the channels as columns.
"""

from __future__ import annotations

from math import prod
from typing import NamedTuple, Optional

from ....tracer.graph import Value, make, node
from .laying import BYTES, even_count, laid, padded, swap, swapped

__all__ = ["ChannelsLast"]

LEAST = 1 << 22  # multiplications that are worth a kernel which moves the operands
MORE = 3  # times as many channels at most, so that accesses come out even


class Windows(NamedTuple):
    """An operand [..., inner axis, places] made of the windows of a value.

    `value` is the primitive that shows windows, `channels` how many there are and
    `size` the windows' size; `last` says that channels are last in the sum already.
    """

    value: Value
    channels: int
    size: tuple[int, ...]
    last: bool


class ChannelsLast:
    """The rule: what becomes of a product. It remembers what is laid so already."""

    def __init__(self) -> None:
        self.known: dict[tuple, Value] = {}

    def __call__(self, v: Value, args: tuple) -> Optional[Value]:
        if v.op == "slice":
            return _sliced(v, args[0])
        if v.op != "dot" or prod(v.shape) * args[0].shape[-1] < LEAST:
            return None
        a, b = args
        found = windows_of(b)
        if found is not None and self.pays(found):
            return self.product(v, a, b, found)
        b = _through_merge(b)
        if b.op == "permute" and b.attrs["axes"] == swap(b):
            found = windows_of(b.args[0])
            if found is not None and not found.last and self.pays(found):
                return self.columns(v, args, b.args[0], found)
        return None

    def pays(self, w: Windows) -> bool:
        """Whether accesses become wider, and not by much too many channels."""
        even = even_count(w.channels, w.value)
        places = prod(w.value.shape[-2 * len(w.size) : -len(w.size)])
        steps = prod(w.size) * prod(w.value.attrs["stride"])
        plain = steps == 1 and places * w.value.dtype.itemsize % BYTES == 0
        return even <= MORE * w.channels and not plain

    # -- the product and the gradient of its input: channels are in the sum

    def product(self, v: Value, a: Value, b: Value, w: Windows) -> Value:
        """Windows as the columns."""
        right, even = self.windows(b, w), even_count(w.channels, w.value)
        left = self.weights(a, w, even)
        return node("dot", (left, right), {"inner": even}, v.shape, v.dtype)

    def weights(self, a: Value, w: Windows, even: int) -> Value:
        """The other operand in the same order; once where it is the same for all."""
        lead, m = a.shape[:-2], a.shape[-2]
        same = [constant_along(a, axis) for axis in range(len(lead))]
        for axis, alike in enumerate(same):
            if alike:
                attrs = {"axis": axis - len(a.shape), "start": 0, "length": 1}
                a = make("slice", (a,), step=1, **attrs)
        few, count = a.shape[:-2], prod(w.size)
        inner = (count, w.channels) if w.last else (w.channels, count)
        a = make("reshape", (a,), shape=(*few, m, *inner))
        a = a if w.last else a.permute((*range(-len(a.shape), -2), -1, -2))
        a = padded(a, even)
        a = make("reshape", (laid(a),), shape=(*few, m, count * even))
        return a.expand((*lead, m, count * even)) if any(same) else a

    def windows(self, b: Value, w: Windows) -> Value:
        """The windows, channels last in memory and in the sum: [..., sum, places]."""
        k = len(w.size)
        shown = self.folded(w.value, k) if w.last else self.shown(w.value, k)
        return _summed(shown, k)

    def shown(self, v: Value, k: int) -> Value:
        """Windows of a picture [..., channels, places]."""
        (x,) = v.args
        pad = x if x.op == "pad" and not any(map(any, x.attrs["pads"][:-k])) else None
        x = self.laid(x if pad is None else x.args[0], k)
        if pad is not None:
            x = make("pad", (x,), **pad.attrs)
        return make("windows", (x,), **v.attrs)

    def folded(self, v: Value, k: int) -> Value:
        """What a fold reads of a gradient [..., channels, places]."""
        (spread,) = v.args
        (g,) = spread.args
        x = self.laid(g.args[0], 1)
        lead = x.shape[:-1]
        x = make("reshape", (x,), shape=(*lead, *g.shape[-2 * k :]))
        x = x.expand((*lead, *spread.shape[-2 * k :]))
        at = len(v.shape) - 2 * k - 1
        shape = (*v.shape[:at], lead[-1], *v.shape[at + 1 :])
        return node("folded", (x,), v.attrs, shape, v.dtype)

    # -- the gradient of the weight: channels are columns

    def columns(self, v: Value, args: tuple, b: Value, w: Windows) -> Optional[Value]:
        """Windows as rows of the sum, (channels, offsets) as columns."""
        a, old = args
        count, even = prod(w.size), even_count(w.channels, w.value)
        right = self.windows(b, w)
        right = swapped(right)
        right = make("reshape", (right,), shape=(*old.shape[:-1], count * even))
        shape = (*v.shape[:-1], count * even)
        found = node("dot", (self.rows(a), right), {"columns": even}, shape, v.dtype)
        found = make("reshape", (found,), shape=(*v.shape[:-1], count, even))
        if even != w.channels:
            attrs = {"axis": -1, "start": 0, "length": w.channels, "step": 1}
            found = make("slice", (found,), **attrs)
        found = found.permute((*range(-len(found.shape), -2), -1, -2))
        return make("reshape", (found,), shape=v.shape)

    def rows(self, a: Value) -> Value:
        """A gradient [channels, batch * places]: where places do not come out even, as
        it is laid for the gradient of the input.
        """
        x = a.args[0] if a.op == "reshape" else a
        if x.op != "permute" or x.attrs["axes"] != (-2, -3, -1) or len(a.shape) != 2:
            return a
        g = x.args[0]
        at_places, at_channels = (n * g.dtype.itemsize % BYTES for n in g.shape[:-3:-1])
        if not at_places or at_channels:
            return a
        return make("reshape", (self.laid(g, 1).permute((-2, -3, -1)),), shape=a.shape)

    # -- what is laid

    def laid(self, x: Value, k: int) -> Value:
        """`x` [..., channels, k axes of places], whose channels are last in memory.

        There are more of them where that makes accesses come out even.
        """
        *lead, channels = x.shape[:-k]
        places, even = x.shape[len(x.shape) - k :], even_count(channels, x)
        while x.op == "reshape":
            x = x.args[0]
        sizes = (prod(lead), channels, prod(places))
        mark = (x.id, *sizes)
        found = self.known.get(mark)
        if found is None:
            x = make("reshape", (x,), shape=sizes).permute((-3, -1, -2))
            found = self.known[mark] = laid(padded(x, even))
        return make(
            "reshape", (found.permute((-3, -1, -2)),), shape=(*lead, even, *places)
        )


def windows_of(v: Value) -> Optional[Windows]:
    """How an operand [..., inner axis, places] shows windows, if it does."""
    if v.op != "reshape" or v.args[0].op != "permute":
        return None
    turned = v.args[0]
    (shown,) = turned.args
    if shown.op not in ("windows", "folded"):
        return None
    k, rank = len(shown.attrs["size"]), len(shown.shape)
    at, last = -2 * k - 1, shown.op == "folded"
    lead, sizes = tuple(range(-rank, at)), tuple(range(-k, 0))
    order = (*lead, *sizes, at) if last else (*lead, at, *sizes)
    if rank <= 2 * k or turned.attrs["axes"] != (*order, *range(-2 * k, -k)):
        return None
    channels, size = shown.shape[at], shown.shape[-k:]
    places = prod(shown.shape[-2 * k : -k])
    if v.shape != (*shown.shape[: rank + at], channels * prod(size), places):
        return None
    if last and not _is_spread(shown, k):
        return None
    return Windows(shown, channels, size, last)


def _is_spread(shown: Value, k: int) -> bool:
    """Whether the terms of a fold are one gradient for all window offsets."""
    spread = shown.args[0]
    if spread.op != "expand" or spread.args[0].op != "reshape":
        return False
    g = spread.args[0]
    fits = g.args[0].shape == (*g.shape[: -2 * k], prod(g.shape[-2 * k : -k]))
    return g.shape[-k:] == (1,) * k and fits


def constant_along(v: Value, axis: int) -> bool:
    """Whether movement shows the same for all places along an axis, counted from 0."""
    while True:
        if v.shape[axis] == 1:
            return True
        if v.op == "expand":
            axis -= len(v.shape) - len(v.args[0].shape)
            if axis < 0 or v.args[0].shape[axis] == 1:
                return True
        elif v.op == "permute":
            axis = v.attrs["axes"][axis] + len(v.shape)
        elif v.op == "reshape":
            if v.shape[: axis + 1] != v.args[0].shape[: axis + 1]:
                return False
        elif v.op not in ("cast", "stop_gradient", "leaf"):
            return False
        v = v.args[0]


def _summed(shown: Value, k: int) -> Value:
    """[..., channels, places, offsets] as [..., (offsets, channels), places]."""
    rank, at = len(shown.shape), -2 * k - 1
    order = (*range(-rank, at), *range(-k, 0), at, *range(-2 * k, -k))
    turned = shown.permute(order)
    lead, places = turned.shape[: rank + at], prod(turned.shape[-k:])
    long = prod(turned.shape[rank + at : -k])
    return make("reshape", (turned,), shape=(*lead, long, places))


def _sliced(v: Value, x: Value) -> Optional[Value]:
    """A part of the places of a fold is computed alone: where padding was cut off."""
    if x.op != "reshape" or x.args[0].op != "dot" or v.attrs["step"] != 1:
        return None
    dot, axis = x.args[0], v.attrs["axis"]
    w = windows_of(dot.args[1])
    if w is None or not w.last or axis < -len(w.size):
        return None
    k, shown = len(w.size), w.value
    if x.shape[-k:] != shown.shape[-2 * k : -k]:
        return None
    begin = list(shown.attrs.get("begin", (0,) * k))
    begin[axis] += v.attrs["start"]
    sizes = (*shown.shape[: -2 * k], *v.shape[-k:], *shown.shape[-k:])
    attrs = {**shown.attrs, "begin": tuple(begin)}
    right = _summed(node("folded", shown.args, attrs, sizes, shown.dtype), k)
    shape = (*dot.shape[:-1], right.shape[-1])
    part = node("dot", (dot.args[0], right), dot.attrs, shape, dot.dtype)
    part.line = dot.line
    return make("reshape", (part,), shape=v.shape)


def _through_merge(v: Value) -> Value:
    """What `v` is with its leading axes as one."""
    if v.op == "reshape" and v.args[0].shape[-1] == v.shape[-1]:
        return v.args[0]
    return v
