"""Passes: which sinks of virtual values share a walk over the scores.

online   by rows: largest and total of each row, and the products that weigh by
         the softmax, all in one walk over the columns
others   by rows or by columns, with the numbers of each row from memory: gradients
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Iterable, Sequence

from ....tracer.graph import Value, reachable
from ...regions import kind_of
from .chain import chain
from .find import Core, Found, Sink

__all__ = ["Pass", "is_even", "passes"]

BLOCK, LONGEST = 64, 64  # of a walk, and how many blocks for each program
MOVES = frozenset(("expand", "reshape", "permute", "slice", "stop_gradient", "leaf"))
SOURCES = frozenset(("constant", "iota", "random_bits"))


@dataclass
class Pass:
    """One kernel: a block of rows (or columns) of scores, walked over along the rest.

    `leaves` are what it reads, `slots` says as which arguments of its node, `order`
    numbers the results that are wanted, by the ids of the sinks' values.
    """

    found: Found
    rows: bool
    online: bool = False
    sinks: list[Sink] = field(default_factory=list)
    leaves: list[Value] = field(default_factory=list)
    slots: dict[int, int] = field(default_factory=dict)
    order: list[int] = field(default_factory=list)

    @property
    def core(self) -> Core:
        """The softmax."""
        return self.found.core

    def values(self) -> list[Value]:
        """What it computes for others."""
        return [s.value for s in self.sinks]

    def loads_once(self, v: Value, args: Sequence[Value]) -> bool:
        """Whether `v`, one of the arguments of its node, is an operand that stays.

        What little is done to it is done by the pass as well as by a kernel before.
        """
        stays, walks = set(), {s.solid.id for s in self.sinks if s.solid is not None}
        for dot in self.found.dots.values():
            turned = self.found.turned[dot.id] is self.rows
            held, walked = dot.args[:: -1 if turned else 1]
            stays.add(held.id)
            walks.add(walked.id)
        slots = [i for i, n in self.slots.items() if args[n] is v]
        return bool(slots) and all(i in stays and i not in walks for i in slots)


def passes(found: Found) -> list[Pass]:
    """The sinks, divided into walks over the scores."""
    core = found.core
    first = Pass(found, True, True)
    own = core.largest.id, core.total.id
    first.sinks = [s for s in found.sinks if s.value.id in own]
    rest = [s for s in found.sinks if s.value.id not in own]
    later = []
    for sink in rest:
        weighs = sink.solid is not None and chain(sink.virtual, core.p) is not None
        if sink.rows and weighs and not _follows([sink.solid], first.values()):
            first.sinks.append(sink)
        else:
            later.append(sink)
    found_passes = [first]
    for sink in sorted(later, key=lambda s: s.value.id):
        _place(sink, found_passes, found)
    for p in found_passes:
        p.leaves = leaves(p, p.sinks)
    return found_passes


def is_even(p: Pass) -> bool:
    """Whether there are programs enough for how far each of them walks."""
    stays, walk = p.found.size if p.rows else p.found.size[::-1]
    batch = math.prod(p.core.scores.shape[:-2])
    return walk // BLOCK <= LONGEST * batch * -(-stays // BLOCK)


def _place(sink: Sink, passes: list[Pass], found: Found) -> None:
    """Let a later pass that this sink does not wait for do it, or one of its own."""
    waits = leaves(Pass(found, sink.rows), [sink])
    later = list(enumerate(passes))[1:]  # whoever waits for the first comes after it
    before = [n for n, p in later if _follows(waits, p.values())]
    for p in passes[max([0, *before]) + 1 :]:
        if p.rows is sink.rows:
            p.sinks.append(sink)
            return
    passes.append(Pass(found, sink.rows, False, [sink]))


def _follows(values: Iterable, others: Iterable[Value]) -> bool:
    """Whether one of `values` is computed from one of `others`."""
    ids = {v.id for v in others}
    least = min(ids, default=0)
    return any(v.id in ids for v in reachable(values, stop=lambda v: v.id < least))


def leaves(p: Pass, sinks: Iterable[Sink]) -> list[Value]:
    """What a pass reads: where virtual values begin."""
    core, virtual = p.core, p.found.turned
    found: dict[int, Value] = {}
    seen: set[int] = {core.p.id, core.e.id} if p.online else set()
    stack = [core.scores] if p.online else []
    for s in sinks:
        stack.append(s.virtual)
        if s.solid is not None:
            found[s.solid.id] = s.solid
    while stack:
        v = stack.pop()
        if v.id in seen:
            continue
        seen.add(v.id)
        if v.id in p.found.dots:
            found.update((a.id, a) for a in v.args)
        elif v.id in virtual or _is_made(v, p.found.size):
            stack.extend(v.args)
        else:
            found[v.id] = v
    return [found[i] for i in sorted(found)]


def _is_made(v: Value, size: tuple[int, int]) -> bool:
    """Whether a pass makes up `v` itself rather than reading it."""
    if v.op in MOVES or v.op in SOURCES:
        return True
    if not _is_plain(v):
        return False
    if v.shape[-2:] in (size, size[::-1]):
        return True
    return all(map(_is_plain, reachable([v], stop=lambda x: not _is_plain(x))))


def _is_plain(v: Value) -> bool:
    if v.op in MOVES or v.op in SOURCES:
        return True
    return kind_of(v) in ("pointwise", "compare")
