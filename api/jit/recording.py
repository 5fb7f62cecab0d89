"""One recorded run of a function, and what becomes of it.

`record` runs the user's Python once on the user's own tensors while a Recorder listens.
`settle` then computes everything that outlives the run in one program and commits it:
first all numbers, then, with nothing left that can fail, the writes.
"""

from __future__ import annotations

import contextlib
from typing import Any, Callable, Optional

import numpy as np

from ...tracer.codes import Listener
from ...tracer.errors import TraceError
from ...tracer.graph import Graph, Value, here
from ...tracer.pytree import flatten, rebuild
from ...tracer.record import Recorder, state
from ...tracer.sizes import Dim, guess, hint
from ...tracer.storage import Storage, resized, view_array
from ..engine import run
from ..tensor import Tensor
from .border import Border, find_border
from .commit import hold, release
from .given import Given

__all__ = ["Recording", "Rerun", "record"]


class Rerun(Exception):
    """Computing failed in a way that plain Python reports better: let it run."""


class Recording:
    """What a run left behind: the recorder, its result, and what must be computed.

    `fresh` are the storages made inside that Python still holds, each with its
    tensors; `writes` the storages from outside that were written. `grad` says whether
    gradients were wanted when it began, `given` what containers it was given, `whole`
    what to make of a container in the result that was there before, by its id.
    """

    given: Given
    whole: dict[int, Any]

    def __init__(self, rec: Recorder, result: Any, listener: Listener, grad: bool):
        self.rec, self.result, self.listener = rec, result, listener
        self.whole = {}
        self.fresh: list[tuple[Storage, list[Tensor]]] = _survivors(rec)
        self.views = _outside_views(rec)
        self.writes = [(s, sh) for s, sh in rec.shadows.items() if sh.version]
        values = [_root_value(rec, *pair) for pair in self.fresh]
        self.outputs: list[Value] = [*values, *(sh.value for _, sh in self.writes)]
        rec.sizes_for([], [])
        self.inputs = [i.value for i in rec.inputs]
        self.border: Optional[Border] = None
        if grad or state.grad:
            self.border = find_border(rec, self.inputs, self.outputs)

    @property
    def program(self) -> Graph:
        """Everything that is to be computed, as one graph."""
        kept = self.border.kept if self.border else ()
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
            return [np.array(v.data, order="C") for v in program.outputs]
        return list(run(program, [v.data for v in self.inputs]))

    def _histories(self, arrays: list[np.ndarray]) -> dict[int, Value]:
        """Taken before anything is committed: a history is of the numbers it saw."""
        if self.border is None:
            return {}
        kept = arrays[len(self.outputs) :]
        inputs = [(i.value.data, _storage(i)) for i in self.rec.inputs]
        return self.border.histories(inputs, self.border.owners, kept)

    @property
    def answer(self) -> Any:
        """The result for the caller: sizes as the numbers they are."""
        given = {id(c) for c in self.given.containers}
        leaves, spec = flatten(self.result, given)
        if not any(isinstance(x, Dim) for x in leaves):
            return self.result
        return rebuild(spec, (hint(x) if isinstance(x, Dim) else x for x in leaves))

    def forget(self) -> None:
        """Drop the numbers: what is kept of a recording is its SSA.

        The tensors, in turn, forget the symbols: their sizes are numbers now.
        """
        for v in self.inputs:
            v.data = None
        if self.rec.shapes:
            for t in (*self.views, *(t for _, ts in self.fresh for t in ts)):
                t._steps = resized(t._steps, {})


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
    args: tuple,
    kwargs: dict,
    shapes: Optional[dict] = None,
    listen: bool = True,
) -> Recording:
    """Run `fn` while recording, settle what it did, and return the recording.

    What the user's Python raises passes through, after the writes that came before
    it were committed. When anything of ours fails, everything is as before.
    """
    listener = Listener()
    rec = Recorder(name, listener.deaf_to(run) if listen else run)
    rec.shapes.update(shapes or {})
    before, watcher = state.recorder, guess.watcher
    grad, given = state.grad, Given(args, kwargs)
    try:
        state.recorder, guess.watcher = rec, rec.size_guess
        with listener if listen else contextlib.nullcontext():
            result = fn(*args, **kwargs)
    except (TraceError, MemoryError):
        rec.undo()
        raise
    except Exception:
        state.recorder, guess.watcher = before, watcher
        with contextlib.suppress(TraceError):  # the user's own error matters more
            Recording(rec, None, listener, grad).settle()
        raise
    except BaseException:
        rec.undo()
        raise
    finally:
        state.recorder, guess.watcher, here.line = before, watcher, None
    recording = Recording(rec, result, listener, grad)
    recording.given = given
    try:
        recording.settle()
    except IndexError as error:
        rec.undo()
        raise Rerun from error
    except BaseException:
        rec.undo()
        raise
    return recording
