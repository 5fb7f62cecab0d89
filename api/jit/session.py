"""One run of the user's Python while a Recorder listens, and what it leaves behind."""

from __future__ import annotations

import contextlib
from typing import Any, Callable, Optional, Sequence

from ...tracer.errors import TraceError
from ...tracer.graph import here
from ...tracer.record import Recorder, state
from ...tracer.sizes import guess
from ...tracer.watch import epoch
from ...tracer.watching.codes import Listener
from ...tracer.watching.mutation import asks_for_ints, asks_for_types, may_mutate
from ...tracer.where import user_line
from ..engine import run
from .loops.turns import Turns
from .paths.given import Given
from .paths.told import tell_sizes
from .recording import Recording
from .varying import Substitution

__all__ = ["Again", "Rerun", "record"]


class Rerun(Exception):
    """Computing failed in a way that plain Python reports better: let it run."""


class Again(Exception):
    """A run with traced numbers or sizes went where they must not: without them."""


def record(
    name: str,
    fn: Callable,
    args: Sequence,
    kwargs: dict,
    shapes: Optional[dict] = None,
    listen: bool = True,
    numbers: Optional[Substitution] = None,
) -> Recording:
    """Run `fn` while recording, settle what it did, and return the recording.

    What the user's Python raises passes through, after the writes that came before
    it were committed. When anything of ours fails, everything is as before.
    """
    session = _Session(name, shapes, listen, numbers)
    given = Given(tuple(args), kwargs)
    try:
        with session:
            result = session.heard(fn, args, kwargs)
    except Exception as error:
        session.leave(error)
        raise
    except BaseException:
        session.rec.undo()
        raise
    finally:
        if numbers is not None:
            numbers.end()
    return session.settled(result, given)


class _Session:
    """A context: inside it, this thread records."""

    ended: int

    def __init__(
        self,
        name: str,
        shapes: Optional[dict],
        listen: bool,
        numbers: Optional[Substitution],
    ):
        self.listener, self.listen, self.numbers = Listener(), listen, numbers
        self.rec = Recorder(name, self.listener.deaf_to(run) if listen else run)
        self.rec.shapes.update(shapes or {})
        self.grad, self.before = state.grad, (state.recorder, guess.watcher)

    def __enter__(self) -> None:
        state.recorder, guess.watcher = self.rec, _heard(self.rec)

    def __exit__(self, *exc: Any) -> None:
        state.recorder, guess.watcher = self.before
        guess.number = here.settle = here.line = None

    def heard(self, fn: Callable, args: Sequence, kwargs: dict) -> Any:
        """What `fn` returns; the listener hears of all that it runs."""
        rec = self.rec
        if self.numbers is not None:
            self.numbers.begin(rec, self.listener)
        if rec.following is not None:
            guess.number = rec.following.of_size
        if self.listen:
            rec.turns = Turns(rec, self.listener)
        with self.listener if self.listen else contextlib.nullcontext():
            result = fn(*args, **kwargs)
        self.ended = epoch.value
        return result

    def leave(self, error: Exception) -> None:
        """It raised: what the user's Python wrote before stays, if it was that."""
        if isinstance(error, (TraceError, MemoryError)):
            self.rec.undo()
            return
        self._check_repeatable(error)
        tell_sizes(error, self.rec.shapes)
        with contextlib.suppress(TraceError):  # the user's own error matters more
            Recording(self.rec, None, self.listener, self.grad).settle()

    def settled(self, result: Any, given: Given) -> Recording:
        """The recording, once all of it is computed and committed."""
        if self.numbers is not None and self._shows():
            self._check_repeatable(None)
        made = Recording(self.rec, result, self.listener, self.grad, self.numbers)
        made.given, made.ended = given, self.ended
        try:
            made.settle()
        except IndexError as error:
            self.rec.undo()
            raise Rerun from error
        except BaseException:
            self.rec.undo()
            raise
        return made

    def _shows(self) -> bool:
        """Whether the user's Python may have seen that a number or a size is none."""
        rec, codes = self.rec, self.listener.codes
        if asks_for_types(codes):
            return True
        if not rec.shapes:
            return False
        # What is seen through another tensor is no input: nothing brings its sizes.
        roots = any(i.kind == "root" for i in rec.inputs)
        parts = not rec.shapes.keys().isdisjoint(rec.derived)
        return roots or parts or asks_for_ints(codes)

    def _check_repeatable(self, error: Optional[Exception]) -> None:
        """Again, where it can run once more without anybody noticing."""
        traced = self.numbers is not None and self.numbers.used
        hidden = not (self.listener.opaque or may_mutate(self.listener.codes, True))
        if traced and hidden:
            self.rec.undo()
            raise Again(str(error or "it asks for the type of something")) from error


def _heard(rec: Recorder) -> Callable[[str, object], None]:
    """Notes guesses about sizes, and the line of the user that first made each."""

    def watcher(text: str, outcome: object) -> None:
        if text not in rec.size_lines:
            rec.size_lines[text] = user_line()
            rec.size_guess(text, outcome)

    return watcher
