"""Whether a recording can be kept, and what it relies on when it is."""

from __future__ import annotations

from typing import Callable

from ...tracer.overlay import state
from ...tracer.pins import Pins
from ...tracer.pytree import containers
from ..tensor import Tensor
from .path import PLAIN, NotKept, Ref
from .recording import Recording

__all__ = ["check_pure", "pins_of", "whole"]


def check_pure(recording: Recording) -> None:
    """NotKept where it did what nobody can watch or replay."""
    rec, listener = recording.rec, recording.listener
    if rec.volatile:
        raise NotKept(rec.volatile)
    if listener.opaque:
        raise NotKept(listener.opaque)
    if state.autocast is not rec.autocast:
        raise NotKept("it leaves autocast in another mode than it was")
    if recording.given.changed():
        raise NotKept("it changes a container it was given")


def pins_of(recording: Recording, function: Callable, leaves: list) -> Pins:
    """The Python state that a recording may have read."""
    objects = [x for x in leaves if not isinstance(x, (Tensor, *PLAIN))]
    rec, numbers = recording.rec, recording.substitution
    moving = {(id(s.owner), s.key) for s, _ in rec.written.values() if s.item}
    rates = (i for i in rec.inputs if i.kind == "number")
    moving |= {(id(i.owner), i.key) for i in rates if not hasattr(i.owner, "plain")}
    sources = numbers.sources if numbers else ()
    moving |= {s.spot.mark for s in sources if s.leaf is None}
    codes = recording.listener.codes
    pins = Pins.of([function, *objects], codes, moving)
    if any(isinstance(x, Tensor) and pins.names & vars(x).keys() for x in leaves):
        pins.arrays.append("an attribute of a tensor it was given")
    return pins


def whole(recording: Recording, pins: Pins) -> dict[int, Ref]:
    """The containers in the result that were there before, by id: they are returned
    themselves. A captured one is the very object, which the pins hold."""
    given = {id(c): (c, at) for c, at in recording.given.places()}
    watched = (d for d, _ in pins.watched)
    lists = (d if isinstance(d, dict) else getattr(d, "items", d) for d in watched)
    captured = {*pins._seen, *map(id, lists)}
    found: dict[int, Ref] = {}
    for c in containers(recording.result):
        if id(c) in given:
            at = given[id(c)][1]
            if len(at) > 1:
                raise NotKept("it returns a container that it was given twice")
            found[id(c)] = Ref("given", at[0])
        elif id(c) in captured:
            found[id(c)] = Ref("plain", c)
    return found
