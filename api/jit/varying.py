"""Which Python numbers change between calls, and what follows them in a recording.

A number seen with a second value is *varying*: the next recording gets a traced number
in its place (tracer/recording/numbers.py), an argument, or something that the pins
watch. Where recordings go on to depend on its very value all the same, it is *fixed*
again.
"""

from __future__ import annotations

import itertools
import weakref
from typing import Any, Iterable, NamedTuple, Optional

import numpy as np

from ...tracer.record import Recorder
from ...tracer.recording.following import Following
from ...tracer.recording.numbers import FOLLOWED, is_traced
from ...tracer.watch import touch
from ...tracer.watching.codes import Listener
from ...tracer.watching.pins import Pins
from ...tracer.watching.spots import Spot, place, spots
from ...tracer.watching.views import Contents, holds, mark

__all__ = ["Followed", "Source", "Substitution", "Varying"]

_MOST = 64  # places that are followed; beyond, the first are forgotten
_RESTLESS = 8  # other numbers of an array until it is not compared any more
_PATIENCE = 3  # recordings that depend on its value until a number is fixed again


class Followed(NamedTuple):
    """An argument that is a number of that type, whatever its value."""

    kind: type


class Source(NamedTuple):
    """A followed number: its name in the lines, and the argument or place it is in.

    `told` says whether the owner of the place tells when it changes (watch.py).
    """

    name: str
    leaf: Optional[int]
    spot: Spot
    then: Any
    told: bool = False

    @property
    def key(self) -> tuple:
        """What tells sources apart."""
        return ("arg", self.leaf) if self.leaf is not None else self.spot.mark


class Varying:
    """What one jitted function has shown to change."""

    def __init__(self) -> None:
        self.leaves: dict[Any, set[int]] = {}  # by the spec of the arguments
        self.places: dict[tuple, tuple[Spot, str, bool]] = {}
        self.settled: dict[tuple, int] = {}
        self._arrays: dict[int, tuple] = {}  # that were seen to change
        self._given: dict[tuple, set[int]] = {}  # the same for arguments
        self._numbers = itertools.count()
        self.off: Optional[str] = None  # why nothing is followed

    def compare_leaves(self, entries: Iterable, leaves: list, spec: Any) -> None:
        """Mark the arguments that differ from those of kept signatures."""
        here = form(spec)
        for entry in entries:
            if form(entry.spec) == here:
                pairs = zip(entry.leaves, leaves)
                found = {i for i, (a, b) in enumerate(pairs) if _changed(a, b)}
                self.leaves.setdefault(here, set()).update(found)

    def compare_pins(self, pins: Pins) -> None:
        """Mark the watched numbers that are not what they were."""
        for container, key, then, told in pins.every():
            if type(container) is Contents and not holds(container, key, then):
                self._note_array(container.items)
            spot = place(container, key) if type(then) in (float, int) else None
            if spot is None or spot.mark in pins.moving:
                continue
            if _changed(then, spot.get()):
                self._mark(spot, told)

    def _note_array(self, array: np.ndarray) -> None:
        """Its numbers are others than when they were looked at."""
        known, seen = self._arrays.get(id(array), (None, set()))
        if known is None or known() is not array:
            known, seen = weakref.ref(array), set()
        seen.add(hash(array.tobytes()))
        self._arrays[id(array)] = known, seen

    def is_restless(self, array: np.ndarray) -> bool:
        """Whether its numbers have changed too often to be relied on."""
        known, seen = self._arrays.get(id(array), (None, ()))
        return known is not None and known() is array and len(seen) > _RESTLESS

    def note_given(self, spec: Any, leaf: int, numbers: bytes) -> bool:
        """An array among the arguments has these numbers; whether it had too many."""
        seen = self._given.setdefault((form(spec), leaf), set())
        seen.add(hash(numbers))
        return len(seen) > _RESTLESS

    def mark(self, spot: Spot, pins: Pins) -> None:
        """It was found to be left with a number that is always another."""
        watched = (mark(d, key) for d, then in pins.watched for key in then)
        if not isinstance(spot.container, list):
            self._mark(spot, spot.mark in watched)

    def _mark(self, spot: Spot, told: bool) -> None:
        if spot.mark not in self.places:
            while len(self.places) >= _MOST:
                del self.places[next(iter(self.places))]
            self.places[spot.mark] = (spot, f"n_p{next(self._numbers)}_", told)

    def release(self, suspects: list[Pins]) -> None:
        """What varies is no longer compared."""
        for pins in suspects:
            pins.release(set(self.places) - self._fixed())

    def _fixed(self) -> set:
        return {key for key, count in self.settled.items() if count >= _PATIENCE}

    def sources(self, args: list, kwargs: dict, spec: Any) -> list[Source]:
        """The numbers to follow in a call (`args` and `kwargs` are our containers)."""
        if self.off:
            return []
        found, fixed = [], self._fixed()
        wanted = self.leaves.get(form(spec), ())
        for i, spot in enumerate(spots(args, kwargs) if wanted else ()):
            if i not in wanted or spot is None or ("arg", i) in fixed:
                continue
            now = spot.get()
            if type(now) in FOLLOWED:  # a bool may be told apart by `is`
                found.append(Source(f"n_a{i}_", i, spot, now))
        for key, (spot, name, told) in self.places.items():
            now = spot.get()
            if key not in fixed and type(now) in (float, int):
                found.append(Source(name, None, spot, now, told))
        return found

    def note(self, sources: list[Source], following: Optional[Following]) -> None:
        """Count how often the recordings depended on each very value."""
        if following is None:
            return
        for source in sources:
            if source.name in following.guards:
                self.settled[source.key] = self.settled.get(source.key, 0) + 1


def _changed(then: Any, now: Any) -> bool:
    kind = type(now)
    if kind not in FOLLOWED:
        return False
    if isinstance(then, Followed):
        return False
    return type(then) is kind and repr(then) != repr(now)


def form(spec: Any) -> Any:
    """A spec as something to look up: keys that are no names count by identity."""
    if spec is None:
        return None
    keys = spec.keys if isinstance(spec.keys, tuple) else ()
    named = tuple(k if type(k) is str else (type(k), id(k)) for k in keys)
    return spec.kind, named, tuple(map(form, spec.below))


class Substitution:
    """Followed numbers in their places while the function is recorded.

    `off` says that no numbers are followed (there are symbolic sizes only).

    `changes` are the places in which it left others: (source, what is there now).
    """

    def __init__(self, sources: list[Source], off: bool = False):
        self.sources, self.off = sources, off
        self._numbers: list = []
        self.codes: set = set()  # the user's code that ran
        self.changes: list[tuple[Source, Any]] = []

    @property
    def used(self) -> bool:
        """Whether the function met a traced number or size."""
        rec = self.rec
        return bool(rec.shapes or (rec.following and rec.following.made))

    def begin(self, rec: Recorder, listener: Listener) -> None:
        """Put a Number into each place; the listener hears of the code that runs."""
        self.rec, self.codes = rec, listener.codes
        if self.off:
            return
        rec.following = following = Following(rec)
        following.give_up = listener.stop
        self._numbers = [following.source(s.name, s.then) for s in self.sources]
        for source, number in zip(self.sources, self._numbers):
            source.spot.put(number)

    def end(self) -> None:
        """Put back what was there, and a plain number for any that is left there."""
        for source, number in zip(self.sources, self._numbers):
            left = source.spot.get()
            if left is number:
                source.spot.put(source.then)
            else:
                self.changes.append((source, left))
                touch() if source.told else None
                if is_traced(left):
                    source.spot.put(left.now)
        self._numbers = []
