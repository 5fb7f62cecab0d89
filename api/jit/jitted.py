"""Jitted: a function that is recorded, compiled and from then on replayed."""

from __future__ import annotations

import functools
import threading
import types
import warnings
from typing import (
    Any,
    Callable,
    Concatenate,
    Generic,
    Optional,
    ParamSpec,
    TypeVar,
    overload,
)

from ...tracer.pytree import flatten
from ...tracer.record import state
from ...tracer.watch import epoch
from ...tracer.watching.mutation import may_mutate
from ...tracer.watching.pins import Pins
from ...tracer.where import user_level
from ..backends import using
from ..config import config
from .again import why_again
from .dimensions import Dimensions
from .loops.closing import close_loops
from .lowered import Lowered, lower
from .paths.arrays import arrays_of, numbers_of, rely_on_arrays
from .paths.assigned import Assigned
from .paths.entry import FORK, MISS, Entry
from .paths.flags import flags_of
from .paths.keeping import check_pure, elsewhere, pins_of, whole
from .paths.path import NotKept, Path
from .paths.unpack import alike
from .recording import Recording
from .report import Report
from .runs import Runs
from .session import Rerun
from .varying import Varying

__all__ = ["Jitted"]

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")

_MANY = 8  # recordings of one way after which we say that it never settles


class Jitted(Runs, Generic[P, R]):
    """A function that is recorded, compiled, and from then on replayed.

    Made by `jit`. A call that finds what a recording relied on unchanged runs
    compiled code only; any other records, and gives the same answer.
    """

    _assigned: Assigned

    _always = False  # whether it records even where jit is disabled

    def __init__(
        self,
        function: Callable[P, R],
        dynamic_shapes: Optional[dict] = None,
        backend: Optional[str] = None,
    ):
        functools.update_wrapper(self, function, updated=())
        self.__wrapped__ = function
        self._name = getattr(function, "__name__", type(function).__name__)
        self._dynamic, self._backend = dynamic_shapes, backend
        self._lock = threading.RLock()
        self.clear_cache()

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        if state.recorder is not None or (config.disable_jit and not self._always):
            return self.__wrapped__(*args, **kwargs)
        for entry in self._recent:
            result = entry.call(args, kwargs)
            if result is not MISS:
                if result is FORK:
                    return self._record(args, kwargs, entry)
                return result
        return self._look_further(args, kwargs)

    def _look_further(self, args: tuple, kwargs: dict) -> Any:
        """None of the signatures used last: look among all of these shapes."""
        result, entry = self._known(args, kwargs)
        if entry is None or result is FORK:
            return self._record(args, kwargs, entry)
        return result

    @overload
    def __get__(self, owner: None, kind: type) -> Jitted[P, R]: ...

    @overload
    def __get__(
        self: Jitted[Concatenate[Any, Q], R], owner: object, kind: type
    ) -> Callable[Q, R]: ...

    def __get__(self, owner: Any, kind: Optional[type] = None) -> Any:
        return self if owner is None else types.MethodType(self, owner)

    def __getattr__(self, name: str) -> Any:
        # What is not ours is the function's: a jitted module keeps its parameters().
        if name == "__wrapped__":
            raise AttributeError(name)
        return getattr(self.__wrapped__, name)

    def __repr__(self) -> str:
        return f"<jit {self._name}: {len(self._all())} signatures>"

    # -- recording

    def _record(self, args: tuple, kwargs: dict, entry: Optional[Entry]) -> Any:
        if self._lock.acquire(blocking=False):
            try:
                with using(self._backend):
                    return self._record_locked(args, kwargs, entry)
            finally:
                self._lock.release()
        # Another thread was recording: perhaps just this.
        with self._lock, using(self._backend):
            result, entry = self._known(args, kwargs)
            if entry is None or result is FORK:
                return self._record_locked(args, kwargs, entry)
            return result

    def _record_locked(self, args: tuple, kwargs: dict, entry: Optional[Entry]) -> Any:
        leaves, spec = flatten((args, kwargs))
        self._report.asked(why_again(self._recent, entry, leaves))
        self._compare(args, leaves, spec)
        before, grad = epoch.value, state.grad
        spots = self._assigned.hold()
        held = [pins for pins in self._suspects if pins.hold()]
        arrays = arrays_of(leaves if self._path is Path else [])
        numbers = numbers_of(arrays)
        try:
            exact = entry is not None and not entry.sizes
            recording, kinds = self._run(args, kwargs, leaves, spec, exact)
        except Rerun:
            self._report.ran_plain()
            return self.__wrapped__(*args, **kwargs)
        rec = recording.rec
        self._codes |= recording.listener.codes
        if entry is not None and not alike(entry.leaves, kinds):
            self._remove(entry)  # from now on, a number or a size is traced
            entry = None
        entry = entry or Entry(self._name, kinds, spec, grad)
        recording.arrays, recording.before = arrays, numbers
        entry.sizes = bool(rec.shapes) and not self._dimensions.note(rec)
        try:
            recording.spots = spots
            self._keep(recording, leaves, entry, held, before)
            self._insert(entry, args)
        except NotKept as why:
            self._report.not_kept(str(why), recording.notes)
            self._warn_if_never(str(why))
        finally:
            recording.forget()
        return recording.answer

    def _keep(
        self, recording: Recording, leaves: list, entry: Entry, held: list, before: int
    ) -> None:
        recording.notes = close_loops(recording)
        check_pure(recording)
        if state.grad is not entry.grad:
            raise NotKept("it leaves the grad mode another than it was")
        restless = self._varying.is_restless
        pins = pins_of(recording, self.__wrapped__, leaves, restless)
        self._rely_on_arrays(recording, pins, entry)
        if pins.arrays:
            raise NotKept(f"it can read {pins.arrays[0]}, which nobody can watch")
        why = "it may change Python state: one more call has to show it does not"
        if recording.ended != before:
            why = "it changed a module, an optimizer or a setting on the way"
            self._unsettled(pins, held, why)
        if self._path is Path:
            self._assigned.read(recording.rec, pins, recording.spots)
        codes = recording.listener.codes
        if may_mutate(codes, pins.containers) or pins.compares_numbers():
            if recording.left_traced or not self._explained(
                recording, pins, held, entry
            ):
                self._unsettled(pins, held, why)
        recording.met = pins.met
        if self._path is Path:  # a Program returns containers of its own
            recording.whole = whole(recording, pins)
            recording.known = elsewhere(recording, pins)
        path = self._path(recording, leaves)
        path.flags = flags_of(recording, path)
        entry.add(path, pins)
        self._report.kept(path)

    def _rely_on_arrays(self, recording: Recording, pins: Pins, entry: Entry) -> None:
        restless = functools.partial(self._varying.note_given, entry.spec)
        rely_on_arrays(recording, pins, self.__wrapped__, entry, restless)

    def _explained(
        self, recording: Recording, pins: Pins, held: list, entry: Entry
    ) -> bool:
        """Whether it changed nothing but tensors in places: each call does it again."""
        if self._path is not Path:  # a Program has no such places
            return any(p.hold() for p in held)
        known = self._assigned.explain(recording.rec, pins, held, entry.pins)
        if known is None:
            self._remove(entry)
            raise NotKept("it assigns a tensor that another way relies on")
        return known

    def _unsettled(self, pins: Pins, held: list, why: str) -> None:
        """A call changed Python state, or may have: see what the next one does."""
        for p in held:  # a counter, perhaps
            self._varying.compare_pins(p)
        self._suspects = [*self._suspects[-7:], pins]
        raise NotKept(why)

    def _warn_if_never(self, why: str) -> None:
        if self._report.failures == _MANY and not self._recent:
            warnings.warn(
                f"{self._name} records at every call and reuses compiled pieces only: "
                f"{why}. The answers are right; see {self._name}.explain().",
                stacklevel=user_level(),
            )

    # -- looking inside

    def lower(self, *args: Any, **kwargs: Any) -> Lowered:
        """The program for these arguments, not run: `.graph` and `.source`."""
        shapes = self._shapes(args, kwargs)
        with using(self._backend):
            return lower(self._name, self.__wrapped__, args, kwargs, shapes)

    def explain(self, *args: Any, **kwargs: Any) -> str:
        """In words: what was compiled, on what it relies, why it recorded again."""
        if args or kwargs:
            self(*args, **kwargs)
        return self._report.text(self._all(), self._dimensions.reasons())

    def cache_info(self) -> dict:
        """How many signatures and paths are kept, and how often it recorded."""
        entries = self._all()
        paths = sum(len(e.tree.paths) for e in entries)
        return {
            "signatures": len(entries),
            "paths": paths,
            "recordings": self._report.recordings,
        }

    def clear_cache(self) -> None:
        """Forget every recording."""
        with self._lock:
            self._forget()
            self._suspects, self._codes = [], set()
            self._varying, self._assigned = Varying(), Assigned()
            self._dimensions = Dimensions()
            self._report = Report(self._name)
