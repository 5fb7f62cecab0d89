"""`jit.script`: a function recorded as it is called, saved with all of its ways."""

from __future__ import annotations

from typing import Any, Callable, Iterator, Optional, Sequence

from ...tracer.errors import TraceError
from ...tracer.pytree import rebuild
from ...tracer.sizes import Dim
from ...tracer.watching.mutation import asks_for_ints, asks_for_types
from ..jit.jitted import Jitted
from ..jit.paths.entry import Entry
from ..jit.paths.unpack import Kind, kinds_of
from ..jit.recording import Recording
from ..jit.session import Again, record
from .hooks import hooked
from .pinning import settled
from .planning import Way, plan_of
from .program import Program
from .signature import Signature
from .state import State, mode_of
from .storing import described
from .tracing import argument_names, bare, name_of
from .variant import Variant

__all__ = ["Script", "script"]


class Script(Jitted):
    """A jitted function whose recorded ways can be saved as one Program.

    A size that changes between calls becomes a symbol, as in `jit`.
    """

    _path = Way

    def __init__(self, function: Callable, dynamic_shapes: Optional[dict] = None):
        super().__init__(function, dynamic_shapes)
        self._name = name_of(function)

    def program(self) -> Program:
        """All ways recorded so far, of every signature, as they would be replayed now.

        Ways of the module's other mode (train or eval) are kept beside them. TraceError
        when it was never called, or when a way cannot be part of a program.
        """
        state, mode = State(self.__wrapped__), mode_of(self.__wrapped__)
        variants = _variants(self._name, self._entries_now(mode), state)
        if not variants:
            why = [*self._report.reasons] or ["call it with an example first"]
            raise TraceError(f"{self._name} has no recording to save: {why[-1]}")
        moded = any(v.training is not None for v in variants)
        program = Program(variants[0].signature, state.tensors, mode if moded else None)
        for variant in variants:
            program.include(variant)
        for path in (path for entry in self._all() for path in entry.tree.paths):
            program.ruled |= path.ruled  # type: ignore[attr-defined]
            program.hooked |= hooked(path.waiting, state)  # type: ignore
        return program

    def _entries_now(self, mode: Optional[bool]) -> list[Entry]:
        """What is kept in the modes of the last call, the last used first; without
        what has become stale."""
        known = [*self._recent, *self._all()]
        entries = list(
            {id(e): e for e in known if _modes(e) == _modes(known[0])}.values()
        )
        live = [e for e in entries if _mode(e) is not mode or _holds(e)]
        return sorted(live or entries[:1], key=lambda e: (not _holds(e), not e.grad))

    def save(self, path: Any) -> None:
        """Write every way recorded so far to one file."""
        self.program().save(path)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.__wrapped__, name)

    # -- recording: sizes may be symbols, numbers are what they are

    def clear_cache(self) -> None:
        """Forget every recording."""
        super().clear_cache()
        self._varying.off = "a program takes its numbers as they are"

    def _compare(self, args: tuple, leaves: list, spec: Any) -> None:
        if asks_for_types(self._codes) or asks_for_ints(self._codes):
            self._dimensions.off = "it asks for the type of something"

    def _run(
        self, args: tuple, kwargs: dict, leaves: list, spec: Any, exact: bool
    ) -> tuple[Recording, list]:
        sizes = {} if self._dynamic else self._dimensions.symbolic(leaves, spec)
        if sizes and not exact:
            try:
                return self._run_with(args, kwargs, leaves, spec, _from_nothing(sizes))
            except Again as why:
                self._dimensions.off = str(why)
        shapes = self._shapes(args, kwargs)
        recording = record(self._name, self.__wrapped__, args, kwargs, shapes)
        return recording, kinds_of(leaves, shapes)

    def _keep(
        self, recording: Recording, leaves: list, entry: Entry, held: list, before: int
    ) -> None:
        super()._keep(recording, leaves, entry, held, before)
        entry.tree.paths[-1].training = mode_of(self.__wrapped__)  # type: ignore


def script(f: Callable, dynamic_shapes: Optional[dict] = None) -> Script:
    """An alias for PyTorch programs: `f` is recorded at its first calls.

    Every way that Python takes is kept, for every signature it is called with (other
    ranks, types, containers or plain values); a size seen with a second value becomes
    symbolic, or `dynamic_shapes` marks it as in `jit.trace`. `.save(path)` writes all
    of it as one Program.

    >>> import tracefuse
    >>> double = script(lambda x: x * 2)
    >>> for x in (tracefuse.ones(3), tracefuse.ones(5), tracefuse.ones(2, 2)):
    ...     _ = double(x)
    >>> [str(signature) for signature in double.program().signatures]
    ['program(float32[2, 2])', 'program(float32[s0])']
    """
    return Script(f, dynamic_shapes)


def _from_nothing(sizes: dict) -> dict:
    """The same symbols for any size at all: what a way relied on, its guards say."""
    made: dict[str, Dim] = {}

    def renew(n: Any) -> Any:
        if not isinstance(n, Dim):
            return n
        return made.setdefault(n.text, Dim(n.text).bind(n.hint or 0))

    return {key: (t, tuple(map(renew, shape))) for key, (t, shape) in sizes.items()}


# -- from entries to variants


def _mode(entry: Entry) -> Optional[bool]:
    return getattr(entry.tree.paths[0], "training", None) if entry.tree.paths else None


def _modes(entry: Entry) -> tuple:
    """Autocast and the default dtype, which settle what is computed."""
    return id(entry.autocast), entry.dtype


def _holds(entry: Entry) -> bool:
    """Whether the Python state that it read is still as it was."""
    return all(pins.hold() for pins in entry.pins)


def _variants(name: str, entries: Sequence[Entry], state: State) -> list[Variant]:
    """One for each signature and mode; exact ones before those of any size."""
    made: dict[Any, Variant] = {}
    for entry in entries:
        state.arguments = _names(state, entry)
        plans = [plan_of(path, state) for path in entry.tree.paths]  # type: ignore
        signature = Signature(name, bare(entry.leaves), entry.spec)
        signature, plans = settled(signature, plans)
        variant = Variant(signature, _mode(entry))
        for plan in plans:
            variant.add(plan)
        known = made.setdefault(variant.key, variant)
        if known is not variant and _holds(entry):
            known.merge(variant)
    found = list(_without_modes(list(made.values())))
    found = [v for v in found if not any(_rather(w, v) for w in found)]
    return sorted(found, key=_generality)


def _names(state: State, entry: Entry) -> list[str]:
    args, kwargs = rebuild(entry.spec, [object() for _ in entry.leaves])
    return argument_names(state.function, args, kwargs)


def _without_modes(variants: list[Variant]) -> Iterator[Variant]:
    """Modes are told where they matter: of those that do the same, one is enough."""
    several = len({v.training for v in variants}) > 1
    done: dict[Any, Variant] = {}
    for v in variants:
        key = (v.signature.key, described(v))
        if not several:
            v.training = None
        elif key in done:
            done[key].training = None
            continue
        done[key] = v
        yield v


def _rather(general: Variant, exact: Variant) -> bool:
    return bool(general.signature.symbols) and general.covers(exact)


def _generality(variant: Variant) -> tuple:
    same = sum(isinstance(x, Kind) and x.first is not None for x in _leaves(variant))
    return (bool(variant.signature.symbols), -same)


def _leaves(variant: Variant) -> list:
    return variant.signature.leaves
