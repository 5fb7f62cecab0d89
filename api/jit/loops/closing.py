"""The loops of a recording that were proven, in place of the turns it took.

What a recorded call computed is written once more: up to each loop as it was; then the
`while` of its body; then, with what the loop ends with in place of what its last turn
left behind, the rest.
"""

from __future__ import annotations

from typing import Iterable, Optional

from ....tracer.graph import Graph, Value, make, node, reachable
from ..recording import Recording
from .bodies import Body
from .turns import Loop, Turns
from .visits import Visit

__all__ = ["close_loops"]

_CLOSED = "loop at {} is closed: its turns are a while of the program"


class _Open(Exception):
    """What is read of a loop beside its end: it cannot be closed."""


def close_loops(recording: Recording) -> list[str]:
    """Put loops into the program of a recording; what to say of them, and of others."""
    turns: Optional[Turns] = recording.rec.turns
    if turns is None:
        return []
    loops = [loop for loop in turns.loops if loop.body and loop.end]
    notes = list(turns.reasons.values())
    try:
        if loops and not turns.inside:
            _close(recording, loops)
            notes += [_CLOSED.format(loop.line) for loop in loops]
            return list(dict.fromkeys(notes))
    except _Open as why:
        notes += [f"loop at {loop.line} is not closed: {why}" for loop in loops]
    if turns.dropped:
        recording.rec.give_up()
    return list(dict.fromkeys(notes))


def _close(recording: Recording, loops: list[Loop]) -> None:
    rec = recording.rec
    if recording.border is not None or rec.pulls:
        raise _Open("gradients flow through it")
    written = _Rewriting(recording.inputs)
    for loop in loops:
        if loop.body is not None and loop.end is not None:
            written.enter(loop.body, loop.end, loop.line)
    gone = {n for loop in loops for n in loop.guards}
    kept = [guard for n, guard in enumerate(rec.guards) if n not in gone]
    outputs = written.all(recording.program.outputs)
    values = written.all(v for v, _ in kept)
    recording.closed = True
    recording.program = Graph(rec.name, recording.inputs, outputs)
    rec.guards = [(v, outcome) for v, (_, outcome) in zip(values, kept)]


class _Rewriting:
    """What was recorded, anew: `known` maps ids to what stands for them."""

    def __init__(self, inputs: Iterable[Value]):
        self.known: dict[int, Value] = {v.id: v for v in inputs}
        self.left: list[range] = []  # ids of what the turns of loops made

    def enter(self, body: Body, end: Visit, line: Optional[str]) -> None:
        """Write a loop; from here on its end is what the `while` gives."""
        args = self.all([*body.before(), *body.operands])
        whole = make("while", tuple(args), test=body.test, body=body.body)
        whole.line = line
        for index, key in enumerate(body.keys):
            item = make("item", (whole,), index=index)
            item.line = line
            self.known[end.cells[key].id] = item
        self.left.append(range(body.start.mark + 1, end.mark + 1))

    def all(self, outputs: Iterable[Value]) -> list[Value]:
        """The values as they are now."""
        outputs = list(outputs)
        for v in reachable(outputs, stop=lambda v: v.id in self.known):
            if v.id not in self.known:
                self.known[v.id] = self._anew(v)
        return [self.known[v.id] for v in outputs]

    def _anew(self, v: Value) -> Value:
        if v.op == "constant":
            return v
        if any(v.id in inside for inside in self.left):
            raise _Open(f"what a turn computes at {v.line} is read after it")
        args = tuple(self.known[a.id] for a in v.args)
        if all(a is b for a, b in zip(args, v.args)):
            return v
        new = node(v.op, args, v.attrs, v.shape, v.dtype)
        new.line = v.line
        return new
