"""Attention in the SSA: which values need never lie in memory.

A softmax over the last axis of scores, `e = exp(s - max(s))` and `p = e / sum(e)`,
whose scores are made of a product with a short inner axis, is where it starts. Every
value of that size that is computed from such products element by element (scale,
mask, dropout; in a training step the gradients of the scores as well) is *virtual*: a
kernel computes it again, tile by tile, where it is summed up or multiplied. What does
that is a *sink*: a sum over rows or columns, a product with a narrow matrix. Names play
no part in it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Iterable, NamedTuple, Optional

from ....tracer.graph import Graph, Value
from ....tracer.types import HALVES, float32
from ...regions import kind_of
from .chain import chain

__all__ = ["Core", "Found", "Sink", "by_row", "cores", "find"]
__all__ += ["readers", "swapped"]

TYPES = (*HALVES, float32)
WIDEST = 256  # the longest inner axis, and the widest result
NOTHING = frozenset(("reshape", "expand", "stop_gradient", "leaf", "again"))


class Core(NamedTuple):
    """A softmax: `e = exp(scores - largest)`, `p = e / total`, by row."""

    scores: Value
    largest: Value
    e: Value
    total: Value
    p: Value


class Sink(NamedTuple):
    """What takes a virtual value in.

    `value` is a product or a sum, or the virtual value itself where something else
    wants it in memory (`kept`). With `rows`, there is a result for each row of scores.
    """

    value: Value
    virtual: Value
    rows: bool
    kept: bool = False

    @property
    def solid(self) -> Optional[Value]:
        """The other operand of a product."""
        if self.value.op != "dot" or self.kept:
            return None
        a, b = self.value.args
        return b if a is self.virtual else a

    @property
    def width(self) -> int:
        """The axis that a product does not share with the scores."""
        if self.solid is None:
            return 1
        return self.value.shape[-1 if self.value.args[0] is self.virtual else -2]


@dataclass
class Found:
    """One attention: virtual values by id, each with whether it lies transposed."""

    core: Core
    turned: dict[int, bool] = field(default_factory=dict)
    dots: dict[int, Value] = field(default_factory=dict)
    sinks: list[Sink] = field(default_factory=list)

    @property
    def width(self) -> int:
        """The longest inner axis, or width of a result."""
        inner = (d.args[0].shape[-1] for d in self.dots.values())
        return max([*inner, *(s.width for s in self.sinks)])

    @property
    def is_half(self) -> bool:
        """Whether all products are of half types."""
        return all(d.dtype in HALVES for d in self.dots.values())

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.core.scores.shape[-2:]


def cores(nodes: Iterable[Value]) -> list[Core]:
    """Every softmax over a last axis."""
    found = []
    sums: dict[int, Value] = {}
    quotients: dict[int, list[Value]] = {}
    nodes = list(nodes)
    for v in nodes:
        if v.op == "sum" and v.attrs["axes"] == (-1,) and v.args[0].op == "exp":
            sums[v.args[0].id] = v
        if v.op == "div":
            quotients.setdefault(v.args[0].id, []).append(v)
    for e in nodes:
        total = sums.get(e.id)
        largest = _largest(e)
        if total is None or largest is None:
            continue
        for p in quotients.get(e.id, ()):
            if by_row(p.args[1]) is total:
                found.append(Core(e.args[0].args[0], largest, e, total, p))
                break
    return found


def _largest(e: Value) -> Optional[Value]:
    if e.op != "exp" or e.args[0].op != "sub":
        return None
    s, most = e.args[0].args
    row = by_row(most)
    if row is None or row.op != "max" or row.attrs["axes"] != (-1,):
        return None
    return row if row.args[0] is s and len(s.shape) >= 2 else None


def by_row(v: Value) -> Optional[Value]:
    """What a number for each row was stretched from."""
    shape = v.shape
    while v.op in NOTHING and v.shape != shape[:-1]:
        v = v.args[0]
    return v if v.shape == shape[:-1] else None


def swapped(v: Value) -> Optional[Value]:
    """What `v` is the transposed of, matrix by matrix."""
    n = len(v.shape)
    if v.op == "permute" and v.attrs["axes"] == (*range(-n, -2), -1, -2):
        return v.args[0]
    return None


# -- what is virtual


def readers(graph: Graph) -> dict[int, list[Value]]:
    """Who reads each value."""
    found: dict[int, list[Value]] = {}
    for v in graph.nodes():
        for a in dict.fromkeys(v.args):
            found.setdefault(a.id, []).append(v)
    return found


def find(graph: Graph, core: Core, users: dict[int, list]) -> Optional[Found]:
    """The attention around a softmax; None if it is none. `users` are the readers."""
    found = Found(core)
    if any(type(n) is not int or not n for n in core.scores.shape):
        return None
    if min(core.scores.shape[-2:]) < 2 or core.e.dtype not in TYPES:
        return None
    finder = _Finder(graph, found, users)
    if not finder.pull(core.scores, False) or not found.dots:
        return None
    finder.push()
    finder.settle()
    return found if finder.is_attention() else None


class _Finder:
    def __init__(self, graph: Graph, found: Found, users: dict[int, list]):
        self.found, self.users = found, users
        self.virtual: dict[int, Value] = {}
        self.results = {v.id for v in graph.outputs}
        shape = found.core.scores.shape
        self.size, self.count = shape[-2:], _elements(shape)
        self.queue: list[Value] = []
        self.pulled: dict[int, bool] = {}  # whether something virtual lies behind

    def fits(self, v: Value) -> bool:
        """Whether `v` has a place for each score."""
        if v.dtype is None or _elements(v.shape) != self.count:
            return False
        return self.place(v, False) or self.place(v, True)

    def place(self, v: Value, turned: bool) -> bool:
        size = self.size[::-1] if turned else self.size
        return v.shape[-2:] == size and _elements(v.shape) == self.count

    def pull(self, v: Value, turned: bool) -> bool:
        """Make `v` virtual if there are products behind it, element by element."""
        if v.id in self.found.turned:
            return True
        if v.id in self.pulled or not self.place(v, turned):
            return False
        self.pulled[v.id] = False
        if v.op == "dot":
            is_virtual = self.is_score(v)
            if is_virtual:
                self.found.dots[v.id] = v
        elif kind_of(v) in ("pointwise", "compare"):
            is_virtual = any([self.pull(a, turned) for a in v.args])
        else:
            other = _turn(v)
            is_virtual = other is not None and self.pull(v.args[0], turned ^ other)
        if is_virtual:
            self.enter(v, turned)
        return is_virtual

    def enter(self, v: Value, turned: bool) -> None:
        self.found.turned[v.id], self.virtual[v.id] = turned, v
        self.queue.append(v)

    def is_score(self, v: Value) -> bool:
        """A product of narrow matrices, neither of them virtual."""
        if v.dtype not in TYPES or not 2 <= v.args[0].shape[-1] <= WIDEST:
            return False
        return not any(a.id in self.found.turned for a in v.args)

    def push(self) -> None:
        """Everything that is computed from virtual values, element by element."""
        while self.queue:
            v = self.queue.pop()
            turned = self.found.turned[v.id]
            for user in self.users.get(v.id, ()):
                if user.id not in self.found.turned:
                    self.follow(user, turned)

    def follow(self, v: Value, turned: bool) -> None:
        if kind_of(v) in ("pointwise", "compare"):
            for a in v.args:
                self.pull(a, turned)
        else:
            other = _turn(v)
            if other is None or not self.fits(v):
                return
            turned ^= other
        self.enter(v, turned)

    # -- sinks

    def settle(self) -> None:
        """Who takes virtual values in."""
        takers: dict[int, Value] = {}
        kept = {i: v for i, v in self.virtual.items() if i in self.results}
        for v in self.virtual.values():
            takers.update((user.id, user) for user in self.users.get(v.id, ()))
        for v in takers.values():
            if v.id in self.virtual:
                continue
            own = [a for a in dict.fromkeys(v.args) if a.id in self.virtual]
            sink = self.sink(v, own[0]) if len(own) == 1 else None
            if sink is None:
                kept.update((a.id, a) for a in own)
            else:
                self.found.sinks.append(sink)
        self.found.sinks += [Sink(v, v, True, True) for v in kept.values()]
        self.found.sinks.sort(key=lambda s: s.value.id)

    def sink(self, v: Value, virtual: Value) -> Optional[Sink]:
        """`v`, if it sums up or multiplies `virtual`."""
        turned = self.found.turned[virtual.id]
        if v.op in ("sum", "max") and v.attrs["axes"] in ((-1,), (-2,)):
            if v.op == "max" and v is not self.found.core.largest:
                return None
            return Sink(v, virtual, (v.attrs["axes"] == (-1,)) is not turned)
        if v.op == "dot" and v.args[0] is not v.args[1] and v.dtype in TYPES:
            first = v.args[0] is virtual
            width = v.shape[-1] if first else v.shape[-2]
            if 2 <= width <= WIDEST:
                return Sink(v, virtual, first is not turned)
        return None

    def is_attention(self) -> bool:
        """Whether the softmax weighs something: a product takes it in, linearly."""
        core, dots = self.found.core, self.found.sinks
        return any(
            s.solid is not None and chain(s.virtual, core.p) is not None for s in dots
        )


def _turn(v: Value) -> Optional[bool]:
    """Whether a movement exchanges rows and columns; None if it does more."""
    if v.op in ("stop_gradient", "leaf", "again"):
        return False
    if v.op == "reshape" and v.shape[-2:] == v.args[0].shape[-2:]:
        return False
    return True if swapped(v) is not None else None


def _elements(shape: tuple) -> int:
    count = 1
    for n in shape:
        count *= n
    return count
