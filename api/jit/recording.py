"""One recorded run of a function, and what becomes of it.

`record` (session.py) runs the user's Python once, on the user's own tensors, while a
Recorder listens. `settle` then computes everything that outlives the run in one program
and commits it: first all numbers, then, with nothing left that can fail, the writes.
"""

from __future__ import annotations

import functools
from typing import Any, Container, Mapping, Optional, Sequence, Union

import numpy as np

from ...tracer.elsewhere import Elsewhere
from ...tracer.graph import Graph, Value, reachable
from ...tracer.pytree import flatten, rebuild
from ...tracer.record import Recorder, state
from ...tracer.recording.numbers import is_traced
from ...tracer.sizes import Dim, hint
from ...tracer.storage import Storage, resized, view_array
from ...tracer.watch import touch
from ...tracer.watching.codes import Listener
from ..engine import run_once
from ..tensor import Tensor
from .border import Border, ahead, find_border
from .loops.driven import Driven, driven_border
from .paths.commit import hold, release
from .paths.given import Given
from .varying import Substitution

__all__ = ["Recording", "untraced"]


class Recording:
    """What a run left behind: the recorder, its result, and what must be computed.

    `fresh` are the storages made inside that Python still holds, each with its
    tensors; `writes` the storages from outside that were written. `grad` says whether
    gradients were wanted when it began, `given` what containers it was given, `whole`
    what to make of a container in the result that was there before, by its id.
    """

    given: Given
    arrays: Mapping[int, np.ndarray] = {}  # those among the arguments, by number
    before: Mapping[int, bytes] = {}  # what was in them when it began
    whole: dict[int, Any]
    known: Container = ()  # ids of other containers that were there before
    met: Any = ()  # the places of followed numbers that it can have read
    ended: int  # the epoch when the function returned
    closed = False  # whether loops stand in it for the turns that they took
    notes: Sequence[str] = ()  # what there is to say of its loops
    spots: dict  # what places that are assigned to held before it
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
        self.left = _left_behind(self.outputs, self.inputs) if rec.crowded else []
        self.inputs += self.left
        self.border: Union[Border, Driven, None] = None
        if wanted:
            self.border = driven_border(rec, self.inputs, self.outputs)
            self.border = self.border or find_border(
                rec, self.inputs, self.outputs, joint
            )

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
        if self.rec.moved or self.rec.flags:
            touch()
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
        count = len(self.inputs) - len(self.left)
        known = self.rec.inputs[:count]  # computing may have met more
        inputs = [(i.value.data, _storage(i)) for i in known]
        inputs += [(v.data, None) for v in self.left]
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
        # They know the recorder: as a circle it would wait for the collector.
        self.rec.following = self.rec.turns = None
        if self.rec.shapes:
            for t in (*self.views, *(t for _, ts in self.fresh for t in ts)):
                t._steps = resized(t._steps, {})


def untraced(x: Any) -> Any:
    """A size or a number as what it is; anything else as it stands."""
    if isinstance(x, Dim):
        return hint(x)
    return x.now if is_traced(x) else x


def _own(array: Any) -> Any:
    """The same numbers in an array that nobody else holds."""
    return array.copy() if isinstance(array, Elsewhere) else np.array(array, order="C")


def _storage(i: Any) -> Optional[Storage]:
    return i.owner._storage if i.kind in ("tensor", "root") else None


def _left_behind(outputs: list[Value], inputs: list[Value]) -> list[Value]:
    """What turns of a loop left of themselves: numbers, nobody knows whence."""
    known = {v.id for v in inputs}
    return [v for v in reachable(outputs) if v.op == "input" and v.id not in known]


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
