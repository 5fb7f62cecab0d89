"""One recorded run of a function, and what becomes of it.

`record` runs the user's Python once on the user's own tensors while a Recorder listens.
`settle` then computes everything that outlives the run in one program and commits it:
first all numbers, then, with nothing left that can fail, the writes.
"""

from __future__ import annotations

import contextlib
import functools
from typing import Any, Callable, Optional, Sequence

import numpy as np

from ...tracer.codes import Listener
from ...tracer.elsewhere import Elsewhere
from ...tracer.errors import TraceError
from ...tracer.graph import Graph, Value, here
from ...tracer.mutation import asks_for_ints, asks_for_types, may_mutate
from ...tracer.numbers import is_traced
from ...tracer.pytree import flatten, rebuild
from ...tracer.record import Recorder, state
from ...tracer.sizes import Dim, guess, hint
from ...tracer.storage import Storage, resized, view_array
from ...tracer.watch import epoch
from ...tracer.where import user_line
from ..engine import run, run_once
from ..tensor import Tensor
from .border import Border, ahead, find_border
from .commit import hold, release
from .given import Given
from .varying import Substitution

__all__ = ["Again", "Recording", "Rerun", "record", "untraced"]


class Rerun(Exception):
    """Computing failed in a way that plain Python reports better: let it run."""


class Again(Exception):
    """A run with traced numbers or sizes went where they must not: without them."""


def _check_repeatable(
    rec: Recorder,
    listener: Listener,
    numbers: Optional[Substitution],
    error: Optional[Exception],
) -> None:
    """Again, where the user's Python can run once more without anybody noticing."""
    traced = numbers is not None and numbers.used
    hidden = not (listener.opaque or may_mutate(listener.codes, True))
    if traced and hidden:
        rec.undo()
        raise Again(str(error or "it asks for the type of something")) from error


def _shows(rec: Recorder, listener: Listener) -> bool:
    """Whether it may have seen that a number or a size is none."""
    if asks_for_types(listener.codes):
        return True
    if not rec.shapes:
        return False
    # What is seen through another tensor is no input: nothing brings its sizes.
    roots = any(i.kind == "root" for i in rec.inputs)
    parts = not rec.shapes.keys().isdisjoint(rec.derived)
    return roots or parts or asks_for_ints(listener.codes)


class Recording:
    """What a run left behind: the recorder, its result, and what must be computed.

    `fresh` are the storages made inside that Python still holds, each with its
    tensors; `writes` the storages from outside that were written. `grad` says whether
    gradients were wanted when it began, `given` what containers it was given, `whole`
    what to make of a container in the result that was there before, by its id.
    """

    given: Given
    whole: dict[int, Any]
    met: Any = ()  # the places of followed numbers that it can have read
    ended: int  # the epoch when the function returned
    left_traced = False  # whether a traced number was found outside afterwards

    def __init__(
        self,
        rec: Recorder,
        result: Any,
        listener: Listener,
        grad: bool,
        numbers: Optional[Substitution] = None,
    ):
        self.rec, self.result, self.listener = rec, result, listener
        self.whole = {}
        self.fresh: list[tuple[Storage, list[Tensor]]] = _survivors(rec)
        self.views = _outside_views(rec)
        self.writes = [(s, sh) for s, sh in rec.shadows.items() if sh.version]
        values = [_root_value(rec, *pair) for pair in self.fresh]
        self.substitution = numbers
        self.numbers = rec.following.held() if rec.following is not None else []
        self.outputs: list[Value] = [*values, *(sh.value for _, sh in self.writes)]
        self.outputs += [number._value for number in self.numbers]
        wanted = grad or state.grad
        joint = ahead(rec, self.outputs, listener) if wanted and rec.pulls else None
        rec.sizes_for([], [])
        self.inputs = [i.value for i in rec.inputs]
        self.border: Optional[Border] = None
        if wanted:
            self.border = find_border(rec, self.inputs, self.outputs, joint)

    @functools.cached_property
    def program(self) -> Graph:
        """Everything that is to be computed, as one graph."""
        kept = self.border.computed if self.border else ()
        return Graph(self.rec.name, self.inputs, (*self.outputs, *kept))

    def settle(self) -> None:
        """Compute and commit."""
        arrays = self._compute()
        histories = self._histories(arrays)
        before = hold()
        try:
            self._commit(arrays, histories)
        finally:
            release(before)

    def _commit(self, arrays: list, histories: dict) -> None:
        for (storage, tensors), array in zip(self.fresh, arrays):
            _give(storage, tensors, array)
        for (storage, shadow), array in zip(self.writes, arrays[len(self.fresh) :]):
            _write_back(storage, shadow, array)
        first = len(self.fresh) + len(self.writes)
        for number, array in zip(self.numbers, arrays[first:]):
            number._now = array.item()
        for t in self.views:
            t._array, t._seen = view_array(t._storage.array, t._steps), -1
        for generator, (_, blocks) in self.rec.generators.items():
            generator.advance(int(blocks))
        storages = [s for s, _ in (*self.fresh, *self.writes)]
        for i, value in histories.items():
            storages[i].value = value

    def _compute(self) -> list[np.ndarray]:
        """All numbers of the program, each in an array that nobody else holds."""
        program = self.program
        if self.rec.flushed:
            self.rec.flush([v for v in program.outputs if v.data is None])
            return [_own(v.data) for v in program.outputs]
        arrays = [v.data for v in self.inputs]
        return list(run_once(program, arrays, self.rec.device))

    def _histories(self, arrays: list[np.ndarray]) -> dict[int, Value]:
        """Taken before anything is committed: a history is of the numbers it saw."""
        if self.border is None:
            return {}
        kept = arrays[len(self.outputs) :]
        inputs = [(i.value.data, _storage(i)) for i in self.rec.inputs]
        return self.border.histories(inputs, self.border.owners, kept)

    @property
    def answer(self) -> Any:
        """The result for the caller: sizes and numbers as what they are."""
        given = {id(c) for c in self.given.containers}
        leaves, spec = flatten(self.result, given)
        if not any(isinstance(x, Dim) or is_traced(x) for x in leaves):
            return self.result
        return rebuild(spec, map(untraced, leaves))

    def release(self, handed: set[int]) -> None:
        """Hold no numbers but these (by id)."""
        self.numbers = [x if id(x) in handed else None for x in self.numbers]

    def forget(self) -> None:
        """Drop the numbers: what is kept of a recording is its SSA.

        The tensors, in turn, forget the symbols: their sizes are numbers now.
        """
        for v in self.inputs:
            v.data = None
        if self.rec.shapes:
            for t in (*self.views, *(t for _, ts in self.fresh for t in ts)):
                t._steps = resized(t._steps, {})


def untraced(x: Any) -> Any:
    """A size or a number as what it is; anything else as it stands."""
    if isinstance(x, Dim):
        return hint(x)
    return x.now if is_traced(x) else x


def _heard(rec: Recorder) -> Callable[[str, object], None]:
    """Notes guesses about sizes, and the line of the user that first made each."""

    def watcher(text: str, outcome: object) -> None:
        if text not in rec.size_lines:
            rec.size_lines[text] = user_line()
            rec.size_guess(text, outcome)

    return watcher


def _own(array: Any) -> Any:
    """The same numbers in an array that nobody else holds."""
    return array.copy() if isinstance(array, Elsewhere) else np.array(array, order="C")


def _storage(i: Any) -> Optional[Storage]:
    return i.owner._storage if i.kind in ("tensor", "root") else None


def _survivors(rec: Recorder) -> list:
    alive: dict[Storage, list] = {}
    for ref in rec.made:
        t = ref()
        if t is not None and t._storage.maker is rec:
            alive.setdefault(t._storage, []).append(t)
    return list(alive.items())


def _outside_views(rec: Recorder) -> list:
    """Views of outside storages that were made inside and are still held."""
    alive = (ref() for ref in rec.made)
    return [t for t in alive if t is not None and t._storage.maker is not rec]


def _root_value(rec: Recorder, storage: Storage, tensors: list) -> Value:
    """What to compute for a storage: the root, or the one view of it that is left."""
    if len(tensors) == 1 and tensors[0]._steps:
        return rec.value_of(tensors[0])
    return storage.value  # type: ignore[return-value]


def _give(storage: Storage, tensors: list, array: np.ndarray) -> None:
    marks = ("leaf", "stop_gradient")
    if len(tensors) == 1:  # its view became the root
        tensors[0]._steps = tuple(s for s in tensors[0]._steps if s[0] in marks)
    storage.array, storage.value, storage.maker = array, None, None
    storage.version = 0
    for t in tensors:
        t._array = view_array(array, t._steps)
        t._value, t._seen = None, -1


def _write_back(storage: Storage, shadow: Any, array: np.ndarray) -> None:
    target = storage.array if shadow.root else shadow.owner._array
    np.copyto(target, array)
    storage.version += 1


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
    listener = Listener()
    rec = Recorder(name, listener.deaf_to(run) if listen else run)
    rec.shapes.update(shapes or {})
    before, watcher = state.recorder, guess.watcher
    grad, given = state.grad, Given(tuple(args), kwargs)
    try:
        state.recorder, guess.watcher = rec, _heard(rec)
        if numbers is not None:
            numbers.begin(rec, listener)
        if rec.following is not None:
            guess.number = rec.following.of_size
        with listener if listen else contextlib.nullcontext():
            result = fn(*args, **kwargs)
        ended = epoch.value
    except (TraceError, MemoryError):
        rec.undo()
        raise
    except Exception as error:
        state.recorder, guess.watcher = before, watcher
        guess.number = here.settle = None
        _check_repeatable(rec, listener, numbers, error)
        with contextlib.suppress(TraceError):  # the user's own error matters more
            Recording(rec, None, listener, grad).settle()
        raise
    except BaseException:
        rec.undo()
        raise
    finally:
        state.recorder, guess.watcher, here.line = before, watcher, None
        guess.number = here.settle = None
        if numbers is not None:
            numbers.end()
    if numbers is not None and _shows(rec, listener):
        _check_repeatable(rec, listener, numbers, None)
    recording = Recording(rec, result, listener, grad, numbers)
    recording.given, recording.ended = given, ended
    try:
        recording.settle()
    except IndexError as error:
        rec.undo()
        raise Rerun from error
    except BaseException:
        rec.undo()
        raise
    return recording
