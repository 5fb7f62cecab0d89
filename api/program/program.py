"""Program: a traced function that stands on its own."""

from __future__ import annotations

from typing import Any, Optional, Sequence

from ...tracer.errors import GuardError, ShapeError, TraceError
from ...tracer.graph import Graph, Value, make
from ...tracer.later import Later
from ...tracer.pytree import flatten
from ...tracer.record import state as thread
from ...tracer.sizes import Dim, Int, same_size
from ...tracer.splice import Splice
from ...tracer.types import int64
from ...tracer.watch import Watched, touch
from .. import device as devices
from ..arrays.scalars import item
from ..engine import executable, place_of
from ..jit.paths.tree import Fork, told
from ..placing import moved_to
from ..random.generator import default_generator
from ..tensor import Tensor, view, wrap, write
from .compiled import Compiled
from .finish import Finish
from .kernels import kernels_for
from .plan import Place, Plan, portable
from .signature import Signature, spelled
from .storing import save_program
from .variant import Variant, listed, merged, takers

__all__ = ["Program"]

picture = Later("..picture.show", __package__)


class Program(Watched):
    """A traced function: its graphs, its tensors, and nothing of its source.

    Made by `jit.trace` and `jit.load`. It holds one signature or several
    (`signatures`), each with the ways that were recorded for it. A call takes the first
    that its arguments fit; ShapeError, DTypeError or TypeError name what was given and
    what there is, and a path that was never recorded raises GuardError.

    What was recorded of a training step, it does at every call: parameters, optimizer
    state and buffers are tensors of the program that it writes. A learning rate is one
    too (`tensors["optimizer.lr"]`), so it can be changed.

    Autocast and the default dtype are those of the recording, whatever they are when it
    is called.

    Custom derivative rules (`autograd.Function`, `custom_vjp`, `custom_jvp`) and hooks
    are Python, so no file holds them: the gradient of a loaded program is that of its
    arithmetic. `save` warns of what it leaves out.
    """

    def __init__(
        self,
        signature: Signature,
        state: dict[str, Tensor],
        training: Optional[bool] = None,
    ) -> None:
        self.name, self.training = signature.name, training
        self.variants = [Variant(signature)]
        self.ruled: set[str] = set()  # functions whose own derivative is left out
        self.hooked: set[str] = set()  # what has hooks that are left out
        self._state = state
        self._jitted = Compiled(self)

    def add(self, plan: Plan) -> None:
        """Add a recorded path to the first signature."""
        self.variants[0].add(plan)
        self._changed()

    def include(self, variant: Variant) -> None:
        """Add a signature with its ways; takes the place of one that has none."""
        self.variants = [v for v in self.variants if v.plans] + [variant]
        self._changed()

    def update(self, other: "Program") -> None:
        """Add what another trace of the same function recorded: other signatures, and
        other ways of the same. TraceError where its tensors are not the very same.

        >>> import tracefuse
        >>> def f(x):
        ...     return x * 2 if x.sum() > 0 else x - 1
        >>> program = tracefuse.jit.trace(f, tracefuse.ones(2))
        >>> program.update(tracefuse.jit.trace(f, -tracefuse.ones(2)))
        >>> program(tracefuse.tensor([-1.0, -2.0]))
        tensor([-2., -3.])
        """
        for name, t in other.tensors.items():
            if self._state.get(name, t) is not t:
                raise TraceError(f"{name} of {other} is another tensor than of {self}")
        self.variants = merged([*self.variants, *other.variants])
        self._state.update(other.tensors)
        self.ruled |= other.ruled
        self.hooked |= other.hooked
        self._changed()

    def _changed(self) -> None:
        self._jitted.clear_cache()
        touch()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._jitted(*args, **kwargs)

    # -- looking inside

    @property
    def signature(self) -> Signature:
        """The first signature."""
        return self.variants[0].signature

    @property
    def signatures(self) -> list[Signature]:
        """What it can be called with, in the order in which it is tried."""
        return [variant.signature for variant in self.variants]

    @property
    def plans(self) -> list[Plan]:
        """Every recorded path."""
        return [plan for variant in self.variants for plan in variant.plans]

    @property
    def graph(self) -> Graph:
        """The SSA of the first recorded path."""
        return self.plans[0].graph

    @property
    def source(self) -> str:
        """The generated code of the first recorded path."""
        return self._made().source

    def show(self, path: Any) -> None:
        """Draw the first recorded path, into a file .html or .svg (else ValueError)."""
        picture.show(self.graph, path, getattr(self._made(), "program", None))

    def _made(self) -> Any:
        """What the first recorded path is compiled to, where the state lies."""
        places = [t._array for t in self._state.values()]
        return executable(self.graph, device=place_of(places))

    def state_dict(self) -> dict[str, Tensor]:
        """The tensors of the program by name; they are the program's own."""
        return {name: view(t, "stop_gradient") for name, t in self._state.items()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Copy other numbers into the program's tensors. KeyError for a wrong name."""
        if state.keys() != self._state.keys():
            wrong = sorted(state.keys() ^ self._state.keys())
            raise KeyError(f"missing or unexpected in the state: {', '.join(wrong)}")
        for name, t in state.items():
            if tuple(t.shape) != tuple(self._state[name].shape):
                have, want = list(t.shape), list(self._state[name].shape)
                raise ShapeError(f"size mismatch for {name}: {have}, expected {want}")
        for name, t in state.items():
            write(view(self._state[name], "stop_gradient"), t)

    @property
    def tensors(self) -> dict[str, Tensor]:
        """The program's tensors by name, themselves."""
        return self._state

    def parameters(self) -> list[Tensor]:
        """The program's tensors."""
        return list(self._state.values())

    def to(self, device: Any) -> "Program":
        """Move its tensors to another device (DeviceError where there is none); from
        then on it takes arguments there. Returns itself."""
        return self.moved(devices.place(device))

    def moved(self, there: Any) -> "Program":
        """The same for a device of kernels/gpu (None: host memory)."""
        for t in self._state.values():
            t.data = moved_to(view(t, "stop_gradient"), there)  # type: ignore
        return self

    def train(self, mode: bool = True) -> "Program":
        """Take the ways recorded in that mode, where there are some of each; else
        nothing changes: what a program does was settled when it was traced."""
        if self.training not in (None, mode):
            self.training = mode
            touch()
        return self

    def eval(self) -> "Program":
        """`train(False)`."""
        return self.train(False)

    def save(self, path: Any, targets: Sequence[str] = ()) -> None:
        """Write the program to one file: graph text and tensors, no code.

        Warns of custom derivative rules and of hooks that wait for a backward: a file
        cannot hold them.

        For GPUs of these `targets` ("sm_90", ...) the file also brings machine code,
        which `load(path, kernels=True)` uses: there it runs without a compiler.
        CompileError where triton, which this takes, is missing or cannot compile it.
        """
        save_program(self, path, kernels_for(self, targets))

    def __repr__(self) -> str:
        more = len(self.variants) - 1
        others = f" and {more} more" if more else ""
        return f"<program {self.signature}{others}: {len(self._state)} tensors>"

    # -- running: the graphs are spliced into the recording of a jitted call

    def variants_for(self, leaves: list, spec: Any) -> list[Variant]:
        """Those that take these arguments; raises where there is none."""
        modes = (None, self.training)
        known = [v for v in self.variants if v.training in modes] or self.variants
        if len(known) == 1:
            return known
        call = spelled(self.name, leaves, portable(spec))
        mode = {None: "", True: " in train()", False: " in eval()"}[self.training]
        called = f"{self.name} was called{mode} as {call}, and holds\n"
        return takers(known, leaves, spec, called + listed(self.variants))

    def _run(self, *args: Any, **kwargs: Any) -> Any:
        leaves, spec = flatten((args, kwargs))
        missed: Optional[GuardError] = None
        for variant in self.variants_for(leaves, spec):
            try:
                return self._run_as(variant, leaves, spec)
            except _NeverRecorded as why:  # another one may have gone there
                missed = missed or why
        raise GuardError(*missed.args) if missed else AssertionError

    def _run_as(self, variant: Variant, leaves: list, spec: Any) -> Any:
        sizes = variant.sizes(leaves, spec)
        self._check_grads(variant, leaves)
        inputs = variant.tree.inputs
        known = {v.id: self._value(place, leaves) for (_, place, _), v in inputs}
        splice = Splice(known, sizes)
        end = self._follow(splice, variant.tree.root)
        return Finish(self, end.path.plan, leaves, splice).run(end.outputs)

    def _value(self, place: Place, leaves: list) -> Value:
        rec: Any = thread.recorder
        if place.kind != "generator":
            return rec.value_of(self.tensor(place, leaves))
        words, drawn = rec.draw(default_generator, 0)
        return words if same_size(drawn, 0) else words + _second(drawn)

    def tensor(self, place: Place, leaves: list) -> Tensor:
        """The tensor at a place."""
        if place.kind == "grad":
            return self.tensor(place.at, leaves).grad  # type: ignore[return-value]
        return leaves[place.at] if place.kind == "arg" else self._state[place.at]

    def _check_grads(self, variant: Variant, leaves: list) -> None:
        """Where it was recorded with and without a gradient from before."""
        for places, there in (variant.unset, False), (variant.preset, True):
            for place in places:
                if (self.tensor(place, leaves).grad is not None) is not there:
                    raise _NeverRecorded(
                        f"{self.name}: {place} has {_BEFORE[not there]}; it had "
                        f"{_BEFORE[there]} when this was traced. {_REMEDY[there]}"
                    )

    def _follow(self, splice: Splice, here: Any) -> Any:
        rec: Any = thread.recorder
        while isinstance(here, Fork):
            seen = item(wrap(rec, splice.values([here.value])[0]))
            found = _branch(here, seen)
            if found is None:
                known = ", ".join(map(str, here.branches))
                raise _NeverRecorded(
                    f"{self.name}: at {here.line} the program saw {seen!r}, a way that "
                    f"was never recorded (recorded: {known}). Trace it with an example "
                    "that goes there as well."
                )
            here = found
        return here


_BEFORE = ("no gradient", "a gradient from before")
_REMEDY = ("Set .grad to None.", "Trace it without one as well.")


class _NeverRecorded(GuardError):
    """At a guard, not somewhere inside."""


def _branch(fork: Fork, seen: Any) -> Any:
    """Where an outcome leads (nan is one of them), or None."""
    return fork.branches.get(told(seen))


def _second(count: Int) -> Value:
    """i64[0, count], which moves the state of a generator on by so many blocks."""
    place = make("iota", (), axis=-1, shape=(2,), dtype=int64)
    if not isinstance(count, Dim):
        return place * count
    ones = make("constant", (), value=1, shape=(count,), dtype=int64)
    return place * ones.sum((-1,)).expand((2,))
