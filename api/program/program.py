"""Program: a traced function that stands on its own."""

from __future__ import annotations

import operator
from typing import Any

from ...tracer.errors import GuardError, ShapeError
from ...tracer.graph import Graph, Value, make
from ...tracer.pytree import flatten, rebuild
from ...tracer.record import state as thread
from ...tracer.sizes import Dim, Int, hint, same_size
from ...tracer.spelled import substitute
from ...tracer.splice import Splice
from ...tracer.types import int64
from ..arrays.scalars import item
from ..device import check_device
from ..engine import executable
from ..jit.jitted import Jitted
from ..jit.tree import Fork, Tree, told
from ..jit.unpack import Kind
from ..random.generator import default_generator
from ..tensor import Tensor, view, wrap, write
from .plan import Place, Plan
from .signature import Signature
from .storing import save_program

__all__ = ["Program"]


class Program:
    """A traced function: its graph, its tensors, and nothing of its source.

    Made by `jit.trace` and `jit.load`. Calling it checks the arguments against the
    signature it was traced with (ShapeError, DTypeError or TypeError name what was
    given and expected); a path that was never recorded raises GuardError.
    """

    def __init__(self, signature: Signature, state: dict[str, Tensor]) -> None:
        self.name, self.signature = signature.name, signature
        self.plans: list[Plan] = []
        self._state = state
        self._tree = Tree(self.name)
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
        """The program on another device (DeviceError where there is none)."""
        check_device(device)
        return self

    def eval(self) -> "Program":
        """Itself: what a program does was settled when it was traced."""
        return self

    def save(self, path: Any) -> None:
        """Write the program to one file: graph text and tensors, no code."""
        save_program(self, path)

    def __repr__(self) -> str:
        return f"<program {self.signature}: {len(self._state)} tensors>"

    # -- running: the graphs are spliced into the recording of a jitted call

    def _run(self, *args: Any, **kwargs: Any) -> Any:
        leaves, spec = flatten((args, kwargs))
        sizes = self.signature.check(leaves, spec)
        self._check_sizes(sizes)
        inputs = self._tree.inputs
        known = {v.id: self._value(place, leaves) for (_, place, _), v in inputs}
        splice = Splice(known, sizes)
        end = self._follow(splice)
        return _Finish(self, end.path.plan, leaves, splice).run(end.outputs)

    def _value(self, place: Place, leaves: list) -> Value:
        rec: Any = thread.recorder
        if place.kind != "generator":
            return rec.value_of(self.tensor(place, leaves))
        words, drawn = rec.draw(default_generator, 0)
        return words if same_size(drawn, 0) else words + _second(drawn)

    def tensor(self, place: Place, leaves: list) -> Tensor:
        """The tensor at a place."""
        return leaves[place.at] if place.kind == "arg" else self._state[place.at]

    def _check_sizes(self, sizes: dict[str, Int]) -> None:
        for left, sign, right, outcome in {s for p in self.plans for s in p.sizes}:
            a, b = substitute(left, sizes), substitute(right, sizes)
            if _SIGNS[sign](a, b) != outcome:
                given = ", ".join(f"{n} = {hint(size)}" for n, size in sizes.items())
                raise GuardError(
                    f"{self.name}: with {given} it would go a way that was never "
                    f"recorded: {left} {sign} {right} was {outcome} in its example"
                )

    def _follow(self, splice: Splice) -> Any:
        rec: Any = thread.recorder
        here: Any = self._tree.root
        while isinstance(here, Fork):
            seen = item(wrap(rec, splice.values([here.value])[0]))
            found = _branch(here, seen)
            if found is None:
                known = ", ".join(map(str, here.branches))
                raise GuardError(
                    f"{self.name}: at {here.line} the program saw {seen!r}, a way that "
                    f"was never recorded (recorded: {known}). Trace it with an example "
                    "that goes there as well."
                )
            here = found
        return here


def _branch(fork: Fork, seen: Any) -> Any:
    """Where an outcome leads (nan is one of them), or None."""
    return fork.branches.get(told(seen))


_SIGNS = {
    "==": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _second(count: Int) -> Value:
    """i64[0, count], which moves the state of a generator on by so many blocks."""
    place = make("iota", (), axis=-1, shape=(2,), dtype=int64)
    if not isinstance(count, Dim):
        return place * count
    ones = make("constant", (), value=1, shape=(count,), dtype=int64)
    return place * ones.sum((-1,)).expand((2,))


class _Compiled(Jitted):
    """Runs a program; its symbols are those of the arguments."""

    _always = True  # there is no plain Python to run instead

    def __init__(self, program: Program):
        super().__init__(program._run)
        self._name, self._program = program.name, program

    def _shapes(self, args: tuple, kwargs: dict) -> dict:
        leaves, _ = flatten((args, kwargs))
        found: dict = {}
        known: dict[str, int] = {}
        for x, kind in zip(leaves, self._program.signature.leaves):
            if isinstance(x, Tensor) and isinstance(kind, Kind):
                found[id(x)] = (x, _symbols(kind.shape, x._array.shape, known))
        return found


def _symbols(shape: tuple, sizes: tuple, known: dict[str, int]) -> tuple:
    """The sizes of an argument, as the program's symbols where they agree with them."""
    if len(shape) != len(sizes):
        return sizes
    pairs = list(zip(shape, sizes))
    fits = [isinstance(n, Dim) and known.setdefault(n.text, k) == k for n, k in pairs]
    return tuple(n.bind(k) if fit else k for (n, k), fit in zip(pairs, fits))


class _Branch:
    """A plan in the form in which a Tree takes a path."""

    def __init__(self, plan: Plan):
        self.plan, self.program = plan, plan.graph
        self.inputs = [("place", place, None) for place in plan.inputs]
        self.guards, self.lines = plan.guards, plan.lines


class _Finish:
    """Writes what a path writes and hands out what it returns."""

    def __init__(self, program: Program, plan: Plan, leaves: list, splice: Splice):
        self.program, self.plan = program, plan
        self.leaves, self.splice = leaves, splice
        self.roots: list[Tensor] = []
        self.results: list[Any] = []

    def run(self, outputs: tuple) -> Any:
        """The result, after all writes."""
        rec: Any = thread.recorder
        plan, splice = self.plan, self.splice
        written = [self.tensor(place) for place in plan.writes]
        self.check(written)
        values = splice.values(outputs)
        self.roots = [wrap(rec, v) for v in values[: plan.fresh]]
        for t, v in zip(written, values[plan.fresh :]):
            rec.write(t, v)
        if not same_size(plan.blocks, 0):
            rec.draw(default_generator, splice.renew(plan.blocks))
        for place, entry in plan.grads:
            self.tensor(place).grad = entry and self.made(entry)  # type: ignore
        for entry in plan.result:
            self.results.append(self.made(entry))
        return rebuild(plan.spec, self.results)

    def tensor(self, place: Place) -> Tensor:
        """The tensor at a place."""
        return self.program.tensor(place, self.leaves)

    def check(self, written: list[Tensor]) -> None:
        """Nothing that the recording took for granted about tensors is otherwise."""
        for place in self.plan.unset:
            if self.tensor(place).grad is not None:  # type: ignore[attr-defined]
                raise GuardError(
                    f"{self.program.name}: {place.kind} {place.at} has a gradient from "
                    "before; it had none when this was traced. Set .grad to None."
                )
        tensors = [t for t in self.leaves if isinstance(t, Tensor)]
        for t in (*tensors, *self.program.parameters()):
            if any(t is not w and t._storage is w._storage for w in written):
                raise RuntimeError(
                    f"{self.program.name} writes a tensor that shares memory with "
                    "another one it was given: clone() one of them"
                )

    def made(self, entry: tuple) -> Any:
        """A leaf of the result."""
        kind, of, steps = entry
        if kind == "plain":
            return self.splice.renew(of)
        if kind == "again":
            return self.results[of]
        t = self.roots[of] if kind == "new" else self.tensor(of)
        for op, attrs in steps:
            t = view(t, op, **{k: self.splice.renew(a) for k, a in attrs.items()})
        return t
