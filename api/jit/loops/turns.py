"""Is it a loop? A recording that comes to one place again and again may prove it.

`Turns` hears of every value that Python looks at. Where one frame looks at the same
place again, with equal variables but for the numbers in tensors (visits.py), and
nothing in between could change anything else (tracer/watching/turns.py), Python is
bound to do the same again for as long as the value comes out the same: what was
recorded between two visits is the body of a loop, and the value its test (bodies.py).

Python drives the recorded call to its end all the same. What is kept of it may have
the loop in place of the turns that it happened to take (closing.py).
"""

from __future__ import annotations

import sys
import types
import weakref
from typing import Any, Optional

from ....tracer.graph import Value
from ....tracer.record import Recorder
from ....tracer.watching.codes import Listener, is_foreign
from ....tracer.watching.turns import change_in, is_alone, turn_of
from ....tracer.where import is_our_file
from .bodies import Body, Unclear, body_of
from .visits import Unknown, Visit, first_difference

__all__ = ["Loop", "Turns"]

_NOTED = 40  # guards after which further turns of a loop are not noted
_TRIES = 6  # visits after which a place that proved nothing is let be


class Loop:
    """A place that is visited again: its visits, then its body, then its end."""

    def __init__(self, frame: types.FrameType, line: Optional[str], outcome: bool):
        self.frame, self.code, self.offset = id(frame), frame.f_code, frame.f_lasti
        self.line, self.outcome = line, outcome
        self.known: weakref.WeakSet = weakref.WeakSet()  # storages at the first visit
        self.visits: list[Visit] = []
        self.places: list[int] = []  # how many guards there were at each visit
        self.tries = 0
        self.body: Optional[Body] = None
        self.end: Optional[Visit] = None
        self.guards = range(0)  # those that the loop stands for

    @property
    def place(self) -> tuple:
        """What tells its instruction."""
        return self.code, self.offset

    def is_at(self, frame: types.FrameType) -> bool:
        """Whether the frame is where the loop is."""
        return id(frame) == self.frame and frame.f_lasti == self.offset


class Turns:
    """The loops of one recording. `reasons` says why places are no loops, by line."""

    def __init__(self, rec: Recorder, listener: Listener):
        self.rec, self.listener = rec, listener
        self.loops: list[Loop] = []
        self.open: Optional[Loop] = None
        self.reasons: dict[tuple, str] = {}
        self.dropped = False  # whether turns were let go without being noted

    @property
    def inside(self) -> bool:
        """Whether Python is in a loop that is proven."""
        return self.open is not None and self.open.body is not None

    @property
    def noted(self) -> int:
        """How many guards the proven loops stand for."""
        now = len(self.rec.guards)
        open_ = now - self.open.guards.start if self.open and self.inside else 0
        ended = (loop for loop in self.loops if loop.end and loop.body)
        return open_ + sum(len(loop.guards) for loop in ended)

    def visit(self, v: Value, outcome: Any) -> bool:
        """Python looks at `v`, and it is `outcome`. Whether that need not be noted."""
        frames, ours = _frames()
        if self.open is not None and _at(self.open, frames):
            return self._again(self.open, frames, ours, v, outcome)
        self._leave(v.line)
        if type(outcome) is bool and frames:
            self._begin(frames, ours, v, outcome)
        return False

    def _leave(self, line: Optional[str]) -> None:
        """Something else than the next turn of the loop."""
        loop, self.open = self.open, None
        if loop is None:
            return
        if loop.body is not None:
            self._refuse(loop, f"it was left at {line}")
        elif loop.visits[-1].outcome is loop.outcome:
            self._refuse(loop, f"Python looks at another value in a turn, at {line}")

    def _refuse(self, loop: Loop, why: str) -> None:
        self.reasons[loop.place] = f"loop at {loop.line} is not closed: {why}"
        loop.body = None
        if self.open is loop:
            self.open = None
        self._pass(False)
        if self.dropped:
            self.rec.give_up()

    def _pass(self, on: bool) -> None:
        """Turns are no longer noted, or are again."""
        if self.rec.passing is not on:
            self.rec.passing = on
            self.listener.rest(on)

    def _begin(self, frames: list, ours: set[int], v: Value, outcome: bool) -> None:
        depth, problem = _loop_in(frames, outcome)
        if depth is None:
            return
        loop = Loop(frames[depth], v.line, outcome)
        if loop.place in self.reasons:
            return
        self.open = loop
        if problem is not None:
            self._refuse(loop, problem)
            return
        alive = (ref() for ref in self.rec.made)
        loop.known.update(t._storage for t in alive if t is not None)
        self._look(loop, frames[: depth + 1], ours, v, outcome)

    def _again(
        self, loop: Loop, frames: list, ours: set[int], v: Value, outcome: Any
    ) -> bool:
        if loop.body is not None and outcome is loop.outcome:
            if len(self.rec.guards) >= _NOTED:
                self.dropped = True
                self._pass(True)
            return self.dropped
        self._pass(False)
        depth = next(n for n, frame in enumerate(frames) if loop.is_at(frame))
        if self._look(loop, frames[: depth + 1], ours, v, outcome):
            if loop.body is None:
                self._prove(loop)
            if outcome is not loop.outcome:
                self._end(loop)
        return False

    def _look(
        self, loop: Loop, frames: list, ours: set[int], v: Value, outcome: bool
    ) -> bool:
        """Take down the state; False when that closes the matter."""
        ran = self.listener.lately()
        codes = [x for x in ran if not isinstance(x, str)]
        why = _why_not(self.rec, self.listener)
        if loop.visits and why is None and loop.body is None:
            why = next(filter(None, map(change_in, codes)), None)
            why = why or next((f"it calls {x}" for x in ran - {*codes}), None)
            if loop.code in ran:
                why = f"it calls {loop.code.co_name}"
        visit = Visit(self.rec, v, outcome, ours)
        try:
            visit.look(frames)
        except Unknown as unknown:
            why = why or str(unknown)
        if why is not None:
            self._refuse(loop, why)
            return False
        visit.known = [ref() in loop.known for ref in visit.storages]
        loop.visits.append(visit)
        loop.places.append(len(self.rec.guards))
        return True

    def _prove(self, loop: Loop) -> None:
        """Two turns alike, from equal states: the body is what they did."""
        if len(loop.visits) < 3:
            return
        first, second, third = loop.visits = loop.visits[-3:]
        loop.places = loop.places[-3:]
        try:
            loop.body = body_of(self.rec, loop.line, first, second, third, loop.outcome)
        except Unclear as why:
            loop.tries += 1
            if loop.tries >= _TRIES or third.outcome is not loop.outcome:
                name = first_difference(second, third)
                self._refuse(
                    loop, f"{name} is another in each turn" if name else str(why)
                )
            return
        start = loop.visits.index(loop.body.start)
        loop.guards = range(loop.places[start], loop.places[start])
        self.loops.append(loop)

    def _end(self, loop: Loop) -> None:
        self.open = None
        if loop.body is None:
            return
        loop.end = loop.visits[-1]
        loop.guards = range(loop.guards.start, len(self.rec.guards) + 1)
        why = loop.body.ends_at(loop.end)
        if why is not None:
            self._refuse(loop, why)
        loop.visits = []


def _why_not(rec: Recorder, listener: Listener) -> Optional[str]:
    """What keeps the whole recording from having loops."""
    if rec.volatile or listener.opaque:
        return rec.volatile or listener.opaque
    return "gradients are taken of it" if rec.pulls else None


def _frames() -> tuple[list, set[int]]:
    """The frames of the user's that run now, innermost first, up to code of others;
    and the tensors that the library itself is holding, by id."""
    frame: Optional[types.FrameType] = sys._getframe(2)
    ours: set[int] = set()
    while frame is not None and is_our_file(frame.f_code.co_filename):
        ours.update(map(id, frame.f_locals.values()))
        frame = frame.f_back
    found = []
    while frame is not None and not is_foreign(frame.f_code):
        found.append(frame)
        frame = frame.f_back
    return found, ours


def _at(loop: Loop, frames: list) -> bool:
    return any(map(loop.is_at, frames))


def _loop_in(frames: list, outcome: bool) -> tuple[Optional[int], Optional[str]]:
    """The innermost frame that may come here again, and why that proves nothing."""
    for depth, frame in enumerate(frames):
        code, offset = frame.f_code, frame.f_lasti
        turn = turn_of(code, offset, None if depth else outcome)
        if turn is not None:
            return depth, turn.problem
        if not is_alone(code, offset):
            return None, None
    return None, None
