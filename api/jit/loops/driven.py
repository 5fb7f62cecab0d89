"""The border of a call that Python drove: its values are their own history.

Elsewhere a jitted call is one node of eager history, with a backward of its own. What
Python drove turn by turn is no such program: every number of turns would be another.
So its results come with what was recorded, value by value, as those of eager code do,
and a backward goes that long way in pieces which are compiled once. What the pieces
did not hand on is computed again from what they did.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Optional, Sequence

from ....tracer.graph import Value, node, reachable
from ...history import keep, still, tape
from ...tensor import Tensor
from ..border import ends_of, known_input, late_writes, owner_of

__all__ = ["Driven", "driven_border"]


class Driven(NamedTuple):
    """The differentiable side of what Python drove: as much of Border as that needs."""

    inputs: Sequence[Value]
    outputs: Sequence[Value]
    leaves: Sequence[Value]
    owners: tuple
    live: tuple
    computed: tuple = ()
    used: tuple = ()

    def histories(
        self, inputs: Sequence[tuple], owners: Sequence[Tensor], more: Sequence
    ) -> dict[int, Value]:
        """The history of each output that has one."""
        known = {leaf.id: tape(t) for leaf, t in zip(self.leaves, owners)}
        kept = {tape(t).id: keep(t) for t in owners}
        for v, (array, storage) in zip(self.inputs, inputs):
            known[v.id] = known_input(v, array, storage)
        ends = [self.outputs[i] for i in self.live]
        for v in reachable(ends, stop=lambda v: v.id in known):
            if v.id not in known:
                known[v.id] = _remembered(v, known, kept)
        return {i: known[self.outputs[i].id] for i in self.live}


def _remembered(v: Value, known: dict[int, Value], kept: dict[int, tuple]) -> Value:
    """The same value with its numbers, or with those from which they follow."""
    args = tuple(known[a.id] for a in v.args)
    new = node(v.op, args, v.attrs, v.shape, v.dtype)
    new.line = v.line
    found = {a.id: kept[a.id] for a in args if a.id in kept}
    if v.data is not None:
        found[new.id] = (new, v.data, still, 0)
    elif not new.live:
        lists = (a.data for a in args if isinstance(a.data, list))
        found.update((entry[0].id, entry) for entries in lists for entry in entries)
    new.data = list(found.values())
    return new


def driven_border(rec: Any, inputs: Sequence[Value], outputs: list) -> Optional[Driven]:
    """The border of a recording that Python drove; None where it has to be another.

    Where tensors are written, or a backward ran inside, arrays may be shared or gone.
    """
    written = any(shadow.version for shadow in rec.shadows.values())
    other = written or rec.pulls or rec.freed or rec.shapes or rec.moved or rec.flags
    if other or not rec.crowded:
        return None
    live, used, leaves = ends_of(rec, outputs)
    owners = tuple(owner_of(rec, leaf) for leaf in leaves)
    inside = any(t is None or t._array is None for t in owners)
    if used or not live or inside:
        return None
    if any(late_writes(rec, leaf, t) for leaf, t in zip(leaves, owners)):
        return None
    return Driven(inputs, outputs, leaves, owners, live)
