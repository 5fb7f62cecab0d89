"""The body of a loop, cut out of what was recorded between two visits of one place."""

from __future__ import annotations

from typing import Callable, Hashable, Optional

from ....tracer.graph import Graph, Value, constant, make, node, placeholder, reachable
from ....tracer.record import Recorder
from ....tracer.recording.closing import closed
from ....tracer.structure import graph_key
from ....tracer.types import bool_
from .visits import Visit

__all__ = ["Body", "Unclear", "body_of"]

_EVERYWHERE = ("input", "constant")  # known by what they are, whenever they were made


class Unclear(Exception):
    """Two visits from which no loop can be told yet."""


class Body:
    """One turn as a function: of what changes in it (`keys`) and what it reads.

    The value that Python looks at is carried along: it is the test. `start` is the
    visit from which the turns are those of the loop.
    """

    def __init__(self, start: Visit, keys: list, graphs: list, operands: list):
        self.start, self.keys = start, keys
        self.test, self.body = graphs
        self.operands = operands
        self.parts = start.parts(start.cells)
        moving = {start.cells[key].id for key in keys}
        every = ((key, v.id) for key, v in start.cells.items())
        self.still = {key: i for key, i in every if i not in moving}

    def before(self) -> list[Value]:
        """What the loop begins with."""
        return [self.start.cells[key] for key in self.keys]

    def ends_at(self, end: Visit) -> Optional[str]:
        """Why a visit is none of this loop; None when it is."""
        if end.key != self.start.key or end.cells.keys() != self.start.cells.keys():
            return "its variables differ in the end"
        moved = any(end.cells[key].id != i for key, i in self.still.items())
        if moved or end.parts(end.cells) != self.parts:
            return "it changes other tensors in the end"
        return None


def body_of(
    rec: Recorder,
    line: Optional[str],
    first: Visit,
    second: Visit,
    third: Visit,
    outcome: bool,
) -> Body:
    """The body, from two turns that did the same. Unclear where they did not."""
    visits = (first, second, third)
    keys = _changing(visits)
    if any(_has_history(visit.cells[key]) for visit in visits for key in keys):
        raise Unclear("gradients flow from turn to turn")
    turns = [_turn(a, b, keys) for a, b in zip(visits, visits[1:])]
    if turns[0][0] != turns[1][0]:
        raise Unclear("its turns differ in what they compute")
    start = next(filter(_is_own(visits, keys), visits[:2]), None)
    if start is None:
        raise Unclear("its turns hold tensors from before it")
    _, holes, after = turns[1]
    goes_on = holes[-1] if outcome else make("eq", (holes[-1], _no()))
    graphs, operands = closed(rec, {"test": [goes_on], "body": after}, holes)
    for v in (*graphs[0].nodes(), *graphs[1].nodes()):
        v.line = v.line or line
    return Body(start, keys, graphs, operands)


def _has_history(v: Value) -> bool:
    """Whether a derivative can lead behind it: that would be part of its state."""
    return v.live and not (v.op == "leaf" and not v.args[0].live)


def _no() -> Value:
    return constant(False, (), bool_)


def _changing(visits: tuple) -> list[Hashable]:
    """The cells that carry something from turn to turn; the test comes last."""
    first, second, third = visits
    for a, b in ((first, second), (second, third)):
        if a.key != b.key or a.cells.keys() != b.cells.keys():
            raise Unclear("its variables differ")
    parts = [v.parts(first.cells) for v in visits]
    changed = [
        {key for key in first.cells if a.cells[key] is not b.cells[key]}
        for a, b in ((first, second), (second, third))
    ]
    if parts[0] != parts[1] or parts[1] != parts[2] or changed[0] != changed[1]:
        raise Unclear("its turns differ in what they change")
    lead = [key for n, key in enumerate(first.cells) if parts[0][n] == n]
    keys = [key for key in lead if key in changed[0] and key != "guard"]
    return [*keys, "guard"]


def _is_own(visits: tuple, keys: list) -> Callable[[Visit], bool]:
    """Whether what changes hands from a visit on was made in a turn before it."""
    together = list(zip(*(v.storages for v in visits)))
    still = [all(ref is refs[0] for ref in refs) for refs in together]

    def own(visit: Visit) -> bool:
        fresh = all(same or not old for same, old in zip(still, visit.known))
        return fresh and not any(visit.cells[k].id in visit.elsewhere for k in keys)

    return own


def _turn(a: Visit, b: Visit, keys: list) -> tuple[Hashable, list, list]:
    """What leads from one visit to the next: its structure, its holes, its outputs."""
    holes = [
        placeholder(f"c{i}", a.cells[key].shape, a.cells[key].dtype)
        for i, key in enumerate(keys)
    ]
    known = {a.cells[key].id: hole for key, hole in zip(keys, holes)}
    outputs = [b.cells[key] for key in keys]
    operands: list[Value] = []
    for v in reachable(outputs, lambda v: v.id in known or _outside(v, a)):
        if v.id in known or v.op == "constant":
            continue
        if _outside(v, a):
            operands.append(v)
        elif any(x.id in known for x in v.args):
            args = tuple(known.get(x.id, x) for x in v.args)
            known[v.id] = new = node(v.op, args, v.attrs, v.shape, v.dtype)
            new.line = v.line
    after = [known.get(v.id, v) for v in outputs]
    key = graph_key(Graph("turn", [*holes, *operands], after))
    return (key, tuple(v.id for v in operands)), holes, after


def _outside(v: Value, start: Visit) -> bool:
    return v.op == "input" or (v.id <= start.mark and v.op != "constant")
