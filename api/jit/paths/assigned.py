"""Tensors that the function puts into plain places: `cache["k"] = y`, `self.h = h`.

Nobody hears of such an assignment. But where a place held one tensor before the call
and holds another after it, that is what happened: it is done again at every call. So
it is with a bundle of them: `self.state = (h, c)`. A place that the caller fills with
another tensor between calls (`self.batch = x`) is read anew at each call as well.
"""

from __future__ import annotations

from typing import Any, Iterable, Iterator, Optional

from ....tracer.record import Recorder
from ....tracer.watching.bundles import alike, inside
from ....tracer.watching.pins import Pins
from ....tracer.watching.spots import Spot, place
from ....tracer.watching.views import behind, mark
from ...tensor import Tensor
from .path import NotKept

__all__ = ["Assigned"]


class Assigned:
    """The places to which one jitted function has been seen to assign tensors."""

    def __init__(self) -> None:
        self.spots: dict[tuple, Spot] = {}

    def hold(self) -> dict[tuple, Any]:
        """What the places hold before a recording."""
        return {known: spot.get() for known, spot in self.spots.items()}

    def compare(self, pins: Pins) -> None:
        """Note the places in which somebody has put another tensor since."""
        for container, key, then in pins.places:
            spot = place(container, key)
            if spot is None or spot.get() is then:
                continue
            if _moves(then, spot.get()):
                self.spots.setdefault(spot.mark, spot)

    def read(self, rec: Recorder, pins: Pins, before: dict[tuple, Any]) -> None:
        """What such a place holds is found there at each call, and written if it was.

        `before` is what they held when the recording began.
        """
        for container, key, now in pins.places:
            known = mark(container, key)
            then = before.get(known)
            if _moves(then, now):
                alone = self._is_alone(pins, self.spots[known], then)
                if now is then and not alone:
                    continue  # this very tensor is relied on
                _check(alone)
                slot = _note(rec, pins, self.spots[known], then)
                if now is not then:
                    rec.written[id(slot.owner), slot.key] = (slot, then)

    def explain(
        self, rec: Recorder, pins: Pins, held: Iterable[Pins], known: Iterable[Pins]
    ) -> Optional[bool]:
        """Whether tensors in places are all that the recording has changed.

        They become slots that it writes, and `pins` do not rely on them. None where
        `known`, the pins of other ways, rely on such a place.
        """
        for before in held:
            found = _assigned(before)
            if found is not None:
                return self._take(rec, pins, found, known)
        return False

    def _take(
        self, rec: Recorder, pins: Pins, found: list, known: Iterable[Pins]
    ) -> Optional[bool]:
        self.spots.update((spot.mark, spot) for spot, _ in found)
        for spot, then in found:
            _check(self._is_alone(pins, spot, then))
            slot = _note(rec, pins, spot, then)
            rec.written[id(slot.owner), slot.key] = (slot, then)
        marks = {spot.mark for spot, _ in found}
        relied = (mark(c, key) for other in known for c, key, _ in other.places)
        return True if marks.isdisjoint(relied) else None

    def _is_alone(self, pins: Pins, spot: Spot, then: Any) -> bool:
        """Whether a tensor is in no other place: else it was read as one of the two."""
        held = {id(t) for _, t in spot.slot.parts(then) if t is not None}
        new = {id(c) for other in self.spots.values() for c in inside(other.get())}
        for container, key, value, _ in pins.every():
            known = mark(container, key) in self.spots or id(behind(container)) in new
            if not (known or held.isdisjoint(_within(value))):
                return False
        return True


def _check(alone: bool) -> None:
    if not alone:
        raise NotKept("a tensor in a place it assigns to is captured as well")


def _assigned(before: Pins) -> Optional[list[tuple[Spot, Tensor]]]:
    """The places with other tensors, and what they held; None if more has changed."""
    changed = before.changed()
    found: list[tuple[Spot, Tensor]] = []
    for container, key, then in changed or ():
        spot = place(container, key)
        if spot is None or not _moves(then, spot.get()):
            return None
        found.append((spot, then))
    return None if changed is None else found


def _within(value: Any) -> Iterator[int]:
    """The ids of it and, if it is a tuple, of its items: these are no places."""
    yield id(value)
    if isinstance(value, tuple):
        for item in value:
            yield from _within(item)


def _moves(then: Any, now: Any) -> bool:
    """Whether a tensor may have taken the place of another, or several together."""
    return (_is_plain(then) and _is_plain(now)) or alike(then, now)


def _is_plain(x: Any) -> bool:
    """Whether it is a tensor that has no attributes of the user's."""
    return isinstance(x, Tensor) and not vars(x)


def _note(rec: Recorder, pins: Pins, spot: Spot, then: Any) -> Any:
    slot = spot.slot
    pins.release({spot.mark})
    pins.forget(spot.get())
    for part, leaf in slot.parts(then):
        rec.slots.setdefault((id(slot.owner), part.name), (part, leaf))
    return slot
