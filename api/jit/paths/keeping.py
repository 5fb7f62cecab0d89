"""Whether a recording can be kept, and what it relies on when it is."""

from __future__ import annotations

from typing import Callable, Iterable

import numpy as np

from ....tracer.pytree import containers
from ....tracer.recording.outside import Met
from ....tracer.recording.overlay import state
from ....tracer.watching.bundles import inside
from ....tracer.watching.pins import Pins
from ....tracer.watching.views import behind, mark
from ...tensor import Tensor
from ..recording import Recording
from .path import PLAIN, NotKept, Ref

__all__ = ["check_pure", "elsewhere", "pins_of", "whole"]


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


def pins_of(
    recording: Recording, function: Callable, leaves: list, restless: Callable
) -> Pins:
    """The Python state that a recording may have read.

    `restless` tells of an array whether its numbers are always others.
    """
    given = set(map(id, recording.arrays.values()))
    objects = [x for x in leaves if not isinstance(x, (Tensor, *PLAIN))]
    objects = [x for x in objects if id(x) not in given]
    rec, numbers = recording.rec, recording.substitution
    moving = {(id(s.owner), s.key) for s, _ in rec.written.values() if s.item}
    rates = (i for i in rec.inputs if i.kind == "number")
    moving |= {(id(i.owner), i.key) for i in rates if not hasattr(i.owner, "plain")}
    sources = numbers.sources if numbers else ()
    moving |= {s.spot.mark for s in sources if s.leaf is None}
    codes = recording.listener.codes
    pins = Pins.of([function, *objects], codes, moving)
    pins.rely_on(Tensor)
    own = getattr(type(function), "forward", function)  # of a module
    once = [own.__code__] if hasattr(own, "__code__") else []
    pins.pin_arrays(rec.arrays, set(map(id, leaves)), once, restless)
    _check_arrays([m for key, m in rec.arrays.items() if key not in given], pins)
    if any(isinstance(x, Tensor) and pins.names & vars(x).keys() for x in leaves):
        pins.arrays.append("an attribute of a tensor it was given")
    return pins


def _check_arrays(met: Iterable[Met], pins: Pins) -> None:
    """Memory that a tensor shares is to be found again: that of a captured array."""
    captured = set(map(id, pins.found))
    for array, _, _, shared in met:
        bases = {id(array)}
        while isinstance(array.base, np.ndarray):
            array = array.base
            bases.add(id(array))
        if shared and captured.isdisjoint(bases):
            raise NotKept("from_numpy() of an array that it makes itself")


def elsewhere(recording: Recording, pins: Pins) -> set[int]:
    """Ids of containers that are in other places than those it assigns to."""
    rec = recording.rec
    new = {id(c) for slot, _ in rec.written.values() for c in inside(slot.get())}
    found = {
        id(value)
        for container, key, value, _ in pins.every()
        if mark(container, key) not in rec.written and id(behind(container)) not in new
    }
    return found | {id(c) for c in recording.given.containers}


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
