"""`jit`: the decorator."""

from __future__ import annotations

import functools
import threading
import types
import warnings
from typing import Any, Callable, Optional

from ...tracer.later import Later
from ...tracer.mutation import asks_for_ints, asks_for_types, may_mutate
from ...tracer.pins import Pins
from ...tracer.pytree import flatten
from ...tracer.record import state
from ...tracer.watch import epoch, touch
from ...tracer.where import user_level
from ..backends import check_backend, using
from ..config import config
from .again import why_again
from .cache import Cache
from .dimensions import Dimensions
from .entry import FORK, MISS, Entry
from .escapes import untrace_outside, untrace_rest
from .keeping import check_pure, pins_of, whole
from .lowered import Lowered, lower
from .path import NotKept, Path
from .recording import Again, Recording, Rerun, record
from .report import Report
from .symbols import symbolic_shapes
from .unpack import alike, kinds_of
from .varying import Followed, Substitution, Varying

__all__ = ["Jitted", "jit"]

# Imported when somebody asks for it.
verified = Later("..verify.verified", __package__)

_MANY = 8  # recordings of one way after which we say that it never settles


class Jitted(Cache):
    """A function that is recorded, compiled, and from then on replayed.

    Made by `jit`. A call that finds what a recording relied on unchanged runs
    compiled code only; any other records, and gives the same answer.
    """

    _path = Path

    _suspects: list[Pins]
    _codes: set[types.CodeType]  # that ran so far
    _varying: Varying
    _dimensions: Dimensions

    _always = False  # whether it records even where jit is disabled

    def __init__(
        self,
        function: Callable,
        dynamic_shapes: Optional[dict] = None,
        backend: Optional[str] = None,
    ):
        functools.update_wrapper(self, function, updated=())
        self.__wrapped__ = function
        self._name = getattr(function, "__name__", type(function).__name__)
        self._dynamic, self._backend = dynamic_shapes, backend
        self._lock = threading.RLock()
        self.clear_cache()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
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

    def _shapes(self, args: tuple, kwargs: dict) -> dict:
        return symbolic_shapes(self.__wrapped__, args, kwargs, self._dynamic)

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
        held = [pins for pins in self._suspects if pins.hold()]
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
        entry.sizes = bool(rec.shapes) and not self._dimensions.note(rec)
        try:
            self._keep(recording, leaves, entry, held, before)
            self._insert(entry, args)
        except NotKept as why:
            self._report.not_kept(str(why))
            self._warn_if_never(str(why))
        finally:
            recording.forget()
        return recording.answer

    def _run(
        self, args: tuple, kwargs: dict, leaves: list, spec: Any, exact: bool
    ) -> tuple[Recording, list]:
        """A recording and its kinds of arguments: with what varies traced, if it can.

        `exact` asks for sizes as they are.
        """
        shapes = self._shapes(args, kwargs)
        if self._path is Path:
            sizes = {} if self._dynamic else self._dimensions.symbolic(leaves, spec)
            if sizes and not exact:
                try:
                    return self._run_with(args, kwargs, leaves, spec, sizes)
                except Again as why:
                    self._dimensions.off = str(why)
            if not self._varying.off:
                try:
                    return self._run_with(args, kwargs, leaves, spec, shapes)
                except Again as why:
                    self._varying.off = str(why)
        recording = record(self._name, self.__wrapped__, args, kwargs, shapes)
        return recording, kinds_of(leaves, shapes)

    def _run_with(
        self, args: tuple, kwargs: dict, leaves: list, spec: Any, shapes: dict
    ) -> tuple[Recording, list]:
        """The same with traced numbers and sizes. Again where it must be without."""
        kinds = kinds_of(leaves, shapes)
        places, names = list(args), dict(kwargs)
        sources = self._varying.sources(places, names, spec)
        for source in sources:
            if source.leaf is not None:
                kinds[source.leaf] = Followed(type(source.then))
        numbers = Substitution(sources, bool(self._varying.off))
        try:
            recording = record(
                self._name, self.__wrapped__, places, names, shapes, numbers=numbers
            )
        except Exception:
            self._untrace(numbers, leaves, args, kwargs)
            raise
        recording.left_traced = self._untrace(numbers, leaves, args, kwargs)
        if untrace_rest(recording):
            self._varying.off = "it keeps a number where nobody can watch it"
            recording.rec.volatile = self._varying.off
        self._varying.note(sources, recording.rec.following)
        return recording, kinds

    def _compare(self, args: tuple, leaves: list, spec: Any) -> None:
        """Which Python numbers are others than in what is kept?"""
        varying, alike = self._varying, self._alike(args)[:8]
        if self._path is not Path:
            return
        varying.compare_leaves(alike, leaves, spec)
        known = [*(pins for entry in alike for pins in entry.pins), *self._suspects]
        for pins in known:
            varying.compare_pins(pins)
        if asks_for_types(self._codes):
            varying.off = self._dimensions.off = "it asks for the type of something"
        if asks_for_ints(self._codes):
            self._dimensions.off = "it asks whether something is an int"
        varying.release(self._suspects)

    def _untrace(
        self, numbers: Substitution, leaves: list, args: tuple, kwargs: dict
    ) -> bool:
        """Nobody outside is left with a traced number; whether anybody was."""
        if not (numbers.used and may_mutate(numbers.codes, True)):
            return False
        given = leaves, args, kwargs
        left, pins = untrace_outside(numbers, self.__wrapped__, *given)
        for spot in left:
            self._varying.mark(spot, pins)
        if left:
            touch()
        return bool(left)

    def _keep(
        self, recording: Recording, leaves: list, entry: Entry, held: list, before: int
    ) -> None:
        check_pure(recording)
        if state.grad is not entry.grad:
            raise NotKept("it leaves the grad mode another than it was")
        pins = pins_of(recording, self.__wrapped__, leaves)
        if pins.arrays:
            raise NotKept(f"it can read {pins.arrays[0]}, which nobody can watch")
        why = "it may change Python state: one more call has to show it does not"
        if recording.ended != before:
            why = "it changed a module, an optimizer or a setting on the way"
            self._unsettled(pins, held, why)
        if may_mutate(recording.listener.codes, pins.containers):
            if recording.left_traced or not any(p.hold() for p in held):
                self._unsettled(pins, held, why)
        recording.met = pins.met
        if self._path is Path:  # a Program returns containers of its own
            recording.whole = whole(recording, pins)
        path = self._path(recording, leaves)
        entry.add(path, pins)
        self._report.kept(path)

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
            self._varying = Varying()
            self._dimensions = Dimensions()
            self._report = Report(self._name)


def jit(
    function: Optional[Callable] = None,
    *,
    dynamic_shapes: Optional[dict] = None,
    backend: Optional[str] = None,
    verify: Any = False,
) -> Any:
    """Compile a function (a method, a module, any callable) by recording it.

    The first call runs the Python and records what it does; later calls replay the
    compiled program as long as everything that the recording read is unchanged, and
    record again otherwise. Writes, random draws, `backward()` and optimizer steps are
    part of the program.

    `dynamic_shapes` marks sizes that vary: {"x": {0: Dim("batch")}}, by the name of
    the argument and the axis. `backend` says what code is generated: "numpy", or
    "triton-interpreter" for GPU kernels that run, exactly, on the CPU; without it
    `config.backend` does. ValueError for another one.

    `verify=True` runs the plain function beside the compiled one at every call, on the
    same state and random numbers, and raises VerifyError where they differ, naming the
    operation and the line; "float64" compares both with a float64 reference as well.

    >>> import tracefuse
    >>> @tracefuse.jit
    ... def f(x):
    ...     return (x * x).sum()
    >>> f(tracefuse.ones(3))
    tensor(3.)
    """
    if backend is not None:
        check_backend(backend)
    if function is None:
        options = dict(dynamic_shapes=dynamic_shapes, backend=backend, verify=verify)
        return functools.partial(jit, **options)
    if not callable(function):
        raise TypeError(f"jit takes a function, not a {type(function).__name__}")
    if verify:
        return verified.verified(function, dynamic_shapes, backend, verify)
    return Jitted(function, dynamic_shapes, backend)
