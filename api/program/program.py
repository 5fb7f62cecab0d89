"""Program: a traced function that stands on its own."""

from __future__ import annotations

from typing import Any

from ...tracer.errors import DTypeError, GuardError, ShapeError
from ...tracer.graph import Graph, Value
from ...tracer.pytree import flatten, rebuild
from ...tracer.record import state as thread
from ...tracer.sizes import Dim, substitute
from ...tracer.splice import Splice
from ...tracer.types import BY_NUMPY
from ..device import device as as_device
from ..engine import executable
from ..jit.jitted import Jitted
from ..jit.tree import End, Fork, Tree
from ..jit.unpack import Kind
from ..generator import default_generator
from ..tensor import Tensor, view, wrap, write
from .plan import Place, Plan

__all__ = ["Program"]


class Program:
    """A traced function: its graph, its tensors, and nothing of its source.

    Made by `jit.trace` and `jit.load`. Calling it checks the arguments against the
    signature it was traced with (ShapeError, DTypeError or TypeError name what was
    given and expected); a path that was never recorded raises GuardError.
    """

    def __init__(
        self, name: str, leaves: list, spec: Any, state: dict[str, Tensor]
    ) -> None:
        self.name, self.leaves, self.spec = name, leaves, spec
        self.plans: list[Plan] = []
        self._state = state
        self._tree = Tree(name)
        self._jitted = _Compiled(self)

    def add(self, plan: Plan) -> None:
        """Add a recorded path."""
        self._tree.add(_Branch(plan))  # type: ignore[arg-type]
        self.plans.append(plan)
        self._jitted.clear_cache()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._jitted(*args, **kwargs)

    # -- looking inside

    @property
    def graph(self) -> Graph:
        """The SSA of the first recorded path."""
        return self.plans[0].graph

    @property
    def source(self) -> str:
        """The generated code of the first recorded path."""
        return executable(self.graph).source

    def state_dict(self) -> dict[str, Tensor]:
        """The tensors of the program by name; they are the program's own."""
        return {name: t.detach() for name, t in self._state.items()}

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
            write(self._state[name].detach(), t)

    def parameters(self) -> list[Tensor]:
        """The program's tensors."""
        return list(self._state.values())

    def to(self, device: Any) -> "Program":
        """The program on another device (DeviceError where there is none)."""
        as_device(device).require()
        return self

    def eval(self) -> "Program":
        """Itself: what a program does was settled when it was traced."""
        return self

    def save(self, path: Any) -> None:
        """Write the program to one file: graph text and tensors, no code."""
        from .storing import save_program

        save_program(self, path)

    def __repr__(self) -> str:
        return f"<program {self.signature()}: {len(self._state)} tensors>"

    def signature(self) -> str:
        """The arguments it takes, as text."""
        return f"{self.name}({', '.join(map(_describe, self.leaves))})"

    # -- running: the graphs are spliced into the recording of a jitted call

    def _run(self, *args: Any, **kwargs: Any) -> Any:
        leaves, spec = flatten((args, kwargs))
        sizes = self._check(leaves, spec)
        rec = thread.recorder
        assert rec is not None
        known = {
            v.id: self._value(place[1], leaves) for place, v in self._tree.inputs
        }
        splice = Splice(known, sizes)
        end = self._follow(splice)
        return _finish(self, end, splice, leaves)

    def _value(self, place: Place, leaves: list) -> Value:
        rec = thread.recorder
        if place.kind == "generator":
            return rec.draw(default_generator, 0)[0]  # type: ignore[union-attr]
        return rec.value_of(self._tensor(place, leaves))  # type: ignore[union-attr]

    def _tensor(self, place: Place, leaves: list) -> Tensor:
        return leaves[place.at] if place.kind == "arg" else self._state[place.at]

    def _follow(self, splice: Splice) -> End:
        here = self._tree.root
        while isinstance(here, Fork):
            t = wrap(thread.recorder, splice.values([here.value])[0])  # type: ignore
            seen = t.item()
            found = next((b for o, b in here.branches.items() if o == seen), None)
            if found is None:
                known = ", ".join(map(repr, here.branches))
                raise GuardError(
                    f"{self.name}: at {here.line} the program saw {seen!r}, a way that "
                    f"was never recorded (recorded: {known}). Trace it with an example "
                    "that goes there as well."
                )
            here = found
        assert here is not None
        return here

    def _check(self, leaves: list, spec: Any) -> dict:
        if spec != self.spec:
            raise TypeError(
                f"{self.signature()} was called with other arguments: {spec!r} given, "
                f"{self.spec!r} expected"
            )
        sizes: dict = {}
        for i, (x, kind) in enumerate(zip(leaves, self.leaves)):
            if isinstance(kind, Kind):
                self._check_tensor(i, x, kind, sizes)
            elif x is not kind and (type(x) is not type(kind) or x != kind):
                raise TypeError(f"argument {i} of {self.signature()} is {x!r}")
        return sizes

    def _check_tensor(self, i: int, x: Any, kind: Kind, sizes: dict) -> None:
        if not isinstance(x, Tensor):
            given = type(x).__name__
            raise TypeError(f"argument {i} of {self.signature()} is a {given}")
        if x.dtype is not BY_NUMPY[kind.dtype]:
            raise DTypeError(f"argument {i} of {self.signature()} is {x.dtype}")
        fits = len(x.shape) == len(kind.shape)
        if not fits or not all(map(_fit(sizes), kind.shape, x.shape)):
            raise ShapeError(
                f"argument {i} of {self.signature()} has shape {list(x.shape)}"
            )


class _Compiled(Jitted):
    """Runs a program; its symbols are those of the arguments."""

    def __init__(self, program: Program):
        super().__init__(program._run)
        self._name, self._program = program.name, program
        self.disabled = False

    def _shapes(self, args: tuple, kwargs: dict) -> dict:
        leaves, _ = flatten((args, kwargs))
        found = {}
        for x, kind in zip(leaves, self._program.leaves):
            if isinstance(x, Tensor) and isinstance(kind, Kind):
                found[id(x)] = (x, _symbols(kind.shape, x._array.shape))
        return found


def _symbols(shape: tuple, sizes: tuple) -> tuple:
    """The sizes of an argument, with the program's own symbols where it has some."""
    if len(shape) != len(sizes):
        return sizes
    plain = [isinstance(n, Dim) and n.text.isidentifier() for n in shape]
    return tuple(n.bind(k) if p else k for n, k, p in zip(shape, sizes, plain))


class _Branch:
    """A plan in the form in which a Tree takes a path."""

    def __init__(self, plan: Plan):
        self.plan, self.program = plan, plan.graph
        self.inputs = [("place", place, None) for place in plan.inputs]
        self.guards, self.lines = plan.guards, plan.lines


def _fit(sizes: dict) -> Any:
    def fits(expected: Any, given: Any) -> bool:
        if not isinstance(expected, Dim):
            return given == expected
        if expected.text.isidentifier() and expected.text not in sizes:
            sizes[expected.text] = given
            top = expected.max
            return given >= expected.min and (top is None or given <= top)
        return given == substitute(expected, sizes)

    return fits


def _describe(leaf: Any) -> str:
    if not isinstance(leaf, Kind):
        return repr(leaf)
    sizes = ", ".join(map(str, leaf.shape))
    return f"{BY_NUMPY[leaf.dtype].name}[{sizes}]"


def _finish(program: Program, end: End, splice: Splice, leaves: list) -> Any:
    """Write what the path writes and hand out what it returns."""
    rec, plan = thread.recorder, end.path.plan  # type: ignore[attr-defined]
    values = splice.values(end.outputs)
    roots = [wrap(rec, v) for v in values[: plan.fresh]]  # type: ignore[arg-type]
    for place, v in zip(plan.writes, values[plan.fresh :]):
        rec.write(program._tensor(place, leaves).detach(), v)  # type: ignore
    if plan.blocks:
        rec.draw(default_generator, splice.renew(plan.blocks))  # type: ignore

    def make(entry: tuple) -> Any:
        kind, of, steps = entry
        if kind == "plain":
            return splice.renew(of)
        t = roots[of] if kind == "new" else program._tensor(of, leaves)
        for op, attrs in steps:
            t = view(t, op, **{k: splice.renew(a) for k, a in attrs.items()})
        return t

    for name, entry in plan.grads:
        program._state[name].grad = entry and make(entry)  # type: ignore
    return rebuild(plan.spec, map(make, plan.result))


