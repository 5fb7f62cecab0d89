"""`jit`: the decorator."""

from __future__ import annotations

import functools
import threading
import types
import warnings
from typing import Any, Callable, Optional

from ...tracer.mutation import may_mutate
from ...tracer.pins import Pins
from ...tracer.pytree import containers, flatten
from ...tracer.record import state
from ...tracer.watch import epoch
from ..config import config
from ..tensor import Tensor
from .entry import FORK, MISS, Entry
from .lowered import Lowered, lower
from .path import PLAIN, NotKept, Path, Ref
from .recording import Recording, Rerun, record
from .report import Report
from .symbols import symbolic_shapes
from .unpack import kinds_of

__all__ = ["Jitted", "jit"]

_RECENT = 4  # signatures tried before the table is asked
_KEPT = 1024  # shapes kept; the oldest is forgotten, and recorded again if it returns
_ALIKE = 32  # signatures kept that differ in other things than shapes
_MANY = 8  # recordings of one way after which we say that it never settles


class Jitted:
    """A function that is recorded, compiled, and from then on replayed.

    Made by `jit`. A call that finds what a recording relied on unchanged runs
    compiled code only; any other records, and gives the same answer.
    """

    _path = Path

    _always = False  # whether it records even where jit is disabled

    def __init__(self, function: Callable, dynamic_shapes: Optional[dict] = None):
        functools.update_wrapper(self, function, updated=())
        self.__wrapped__ = function
        self._name = getattr(function, "__name__", type(function).__name__)
        self._dynamic = dynamic_shapes
        self._recent: tuple[Entry, ...] = ()
        self._entries: dict[Any, list[Entry]] = {}
        self._suspects: list[Pins] = []
        self._report = Report(self._name)
        self._lock = threading.RLock()

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
        for entry in self._entries.get(_shapes_of(args), ()):
            result = entry.call(args, kwargs)
            if result is FORK:
                return self._record(args, kwargs, entry)
            if result is not MISS:
                others = (e for e in self._recent if e is not entry)
                self._recent = (entry, *others)[:_RECENT]
                return result
        return self._record(args, kwargs, None)

    def __get__(self, owner: Any, kind: Optional[type] = None) -> Any:
        return self if owner is None else types.MethodType(self, owner)

    def __getattr__(self, name: str) -> Any:
        # What is not ours is the function's: a jitted module keeps its parameters().
        if name == "__wrapped__":
            raise AttributeError(name)
        return getattr(self.__wrapped__, name)

    def __repr__(self) -> str:
        return f"<jit {self._name}: {len(self._all())} signatures>"

    def _all(self) -> list[Entry]:
        return [entry for some in self._entries.values() for entry in some]

    # -- recording

    def _shapes(self, args: tuple, kwargs: dict) -> dict:
        return symbolic_shapes(self.__wrapped__, args, kwargs, self._dynamic)

    def _record(self, args: tuple, kwargs: dict, entry: Optional[Entry]) -> Any:
        with self._lock:
            return self._record_locked(args, kwargs, entry)

    def _record_locked(self, args: tuple, kwargs: dict, entry: Optional[Entry]) -> Any:
        leaves, spec = flatten((args, kwargs))
        shapes = self._shapes(args, kwargs)
        kinds = kinds_of(leaves, shapes)
        grad, before = state.grad, epoch.value
        held = [pins for pins in self._suspects if pins.hold()]
        try:
            recording = record(self._name, self.__wrapped__, args, kwargs, shapes)
        except Rerun:
            return self.__wrapped__(*args, **kwargs)
        entry = entry or Entry(self._name, kinds, spec, grad)
        try:
            self._keep(recording, leaves, entry, held, before)
            self._insert(entry, _shapes_of(args))
        except NotKept as why:
            self._report.not_kept(str(why))
            self._warn_if_never(str(why))
        finally:
            recording.forget()
        return recording.answer

    def _keep(
        self, recording: Recording, leaves: list, entry: Entry, held: list, before: int
    ) -> None:
        _check_pure(recording, before)
        if state.grad is not entry.grad:
            raise NotKept("it leaves the grad mode another than it was")
        pins = self._pins(recording, leaves)
        if pins.arrays:
            raise NotKept(f"it can read {pins.arrays[0]}, which nobody can watch")
        if may_mutate(recording.listener.codes, pins.containers):
            self._check_settled(pins, held)
        if self._path is Path:  # a Program returns containers of its own
            recording.whole = _whole(recording, pins)
        path = self._path(recording, leaves)
        entry.add(path, pins)
        self._report.kept(path)

    def _insert(self, entry: Entry, shapes: Any) -> None:
        same = self._entries.setdefault(shapes, [])
        if entry not in same:
            same.insert(0, entry)
            del same[_ALIKE:]
            self._recent = (entry, *self._recent)[:_RECENT]
        while len(self._entries) > _KEPT:
            oldest = next(iter(self._entries))
            gone = self._entries.pop(oldest)
            self._recent = tuple(e for e in self._recent if e not in gone)

    def _pins(self, recording: Recording, leaves: list) -> Pins:
        objects = [x for x in leaves if not isinstance(x, (Tensor, *PLAIN))]
        rec = recording.rec
        moving = {(id(s.owner), s.key) for s, _ in rec.written.values() if s.item}
        moving |= {(id(i.owner), i.key) for i in rec.inputs if i.kind == "number"}
        codes = recording.listener.codes
        pins = Pins.of([self.__wrapped__, *objects], codes, moving)
        if any(isinstance(x, Tensor) and pins.names & vars(x).keys() for x in leaves):
            pins.arrays.append("an attribute of a tensor it was given")
        return pins

    def _check_settled(self, pins: Pins, held: list) -> None:
        """Code that could change Python state is kept once a call changed none."""
        if any(p.hold() for p in held):
            return
        self._suspects = [*self._suspects[-7:], pins]
        raise NotKept(
            "it may change Python state: one more call has to show it does not"
        )

    def _warn_if_never(self, why: str) -> None:
        if self._report.failures == _MANY and not self._recent:
            warnings.warn(
                f"{self._name} records at every call and reuses compiled pieces only: "
                f"{why}. The answers are right; see {self._name}.explain().",
                stacklevel=4,
            )

    # -- looking inside

    def lower(self, *args: Any, **kwargs: Any) -> Lowered:
        """The program for these arguments, not run: `.graph` and `.source`."""
        shapes = self._shapes(args, kwargs)
        return lower(self._name, self.__wrapped__, args, kwargs, shapes)

    def explain(self, *args: Any, **kwargs: Any) -> str:
        """In words: what was compiled, on what it relies, why it recorded again."""
        if args or kwargs:
            self(*args, **kwargs)
        return self._report.text(self._all())

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
            self._entries, self._recent, self._suspects = {}, (), []
            self._report = Report(self._name)


def _shapes_of(args: tuple) -> tuple:
    return tuple(a._array.shape if isinstance(a, Tensor) else None for a in args)


def _check_pure(recording: Recording, before: int) -> None:
    rec, listener = recording.rec, recording.listener
    if rec.volatile:
        raise NotKept(rec.volatile)
    if listener.opaque:
        raise NotKept(listener.opaque)
    if epoch.value != before:
        raise NotKept("it changed a module, an optimizer or a setting on the way")
    if recording.given.changed():
        raise NotKept("it changes a container it was given")


def _whole(recording: Recording, pins: Pins) -> dict[int, Ref]:
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


def jit(
    function: Optional[Callable] = None,
    *,
    dynamic_shapes: Optional[dict] = None,
    backend: str = "numpy",
) -> Any:
    """Compile a function (a method, a module, any callable) by recording it.

    The first call runs the Python and records what it does; later calls replay the
    compiled program as long as everything that the recording read is unchanged, and
    record again otherwise. Writes, random draws, `backward()` and optimizer steps are
    part of the program.

    `dynamic_shapes` marks sizes that vary: {"x": {0: Dim("batch")}}, by the name of
    the argument and the axis. `backend` says what code is generated for: "numpy".
    ValueError for another one.

    >>> import tracefuse
    >>> @tracefuse.jit
    ... def f(x):
    ...     return (x * x).sum()
    >>> f(tracefuse.ones(3))
    tensor(3.)
    """
    if backend != "numpy":
        raise ValueError(f"backend {backend!r} is not there; there is 'numpy'")
    if function is None:
        return functools.partial(jit, dynamic_shapes=dynamic_shapes)
    if not callable(function):
        raise TypeError(f"jit takes a function, not a {type(function).__name__}")
    return Jitted(function, dynamic_shapes)
