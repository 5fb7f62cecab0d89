"""From a recorded path to a plan: what it refers to is named, or refused."""

from __future__ import annotations

import re
from typing import Any, Iterable, Iterator, Optional

from ...tracer.errors import TraceError
from ...tracer.graph import Graph, Value, node
from ...tracer.sizes import Dim
from ...tracer.texts.spelled import parse_size
from ...tracer.types import DType
from ..jit.paths.path import NotKept, Path, Ref, Source
from ..jit.recording import Recording
from ..random.generator import default_generator
from .conditions import conditions_of
from .hooks import waiting
from .plan import KINDS, STEPS, Place, Plan, portable
from .state import State

__all__ = ["Way", "plan_of"]


class Way(Path):
    """A path whose graph can be differentiated as the function could.

    So it says where gradients stop, and nothing is simplified: a rule keeps numbers,
    not derivatives at ties. Leaves are dropped: which tensors are variables is for the
    caller to decide. `training` says in which mode the modules were.
    """

    simple = False
    training: Optional[bool] = None
    ruled: set[str]  # functions whose own derivative is left out
    conditions: tuple = ()

    def __init__(self, recording: Recording, leaves: list):
        self.conditions = conditions_of(recording, leaves)
        self.waiting = waiting(recording)
        super().__init__(recording, leaves)
        if self.moves:
            raise NotKept("it assigns .data: copy_() the numbers, which are state")

    def _program(self) -> Graph:
        whole, self.ruled = self._recording.program, self._rec.ruled
        values = (*whole.outputs, *(v for v, _ in self._rec.guards))
        known = {v.id: v for v in whole.inputs}
        for v in Graph(self.name, whole.inputs, values).nodes():
            if v.id not in known:
                known[v.id] = _without_leaves(v, known)
        return Graph(self.name, whole.inputs, [known[v.id] for v in values])


def _without_leaves(v: Value, known: dict[int, Value]) -> Value:
    args = tuple(known[a.id] for a in v.args)
    if v.op == "leaf":
        return args[0]
    new = node(v.op, args, v.attrs, v.shape, v.dtype)
    new.line = v.line
    return new


def plan_of(path: Way, state: State) -> Plan:
    """The plan of a path. TraceError for what has no meaning outside its process."""
    if path.moves:
        raise TraceError("a program cannot assign .data: write with copy_() instead")
    places = _Places(path, state)
    inputs = tuple(places.input(*i) for i in path.inputs)
    before = [(places.owner(slot), kind) for slot, kind in path.slots.values()]
    return Plan(
        graph=_bare(path, [_label(place, state) for place in inputs]),
        inputs=inputs,
        fresh=len(path.fresh),
        writes=tuple(places.place(s) for s, _ in path.writes),
        result=tuple(_results(path.result, places)),
        spec=portable(path.result_spec, KINDS),
        guards=tuple(path.guards),
        grads=tuple(_grad(*pair, places) for pair in path.assigns),
        unset=tuple(at for at, kind in before if kind is None),
        preset=tuple(at for at, kind in before if kind is not None),
        blocks=path.draws[0][1] if path.draws else 0,
        sizes=tuple(_size(*pair) for pair in path.sizes),
        conditions=path.conditions,
    )


def _bare(path: Path, names: list[str]) -> Graph:
    """Outputs and guards, without what a backward outside would have read."""
    values = path.program.outputs
    for v, name in zip(path.program.inputs, names):
        v.attrs["name"] = name
    outputs = values[: len(path.fresh) + len(path.writes)]
    guards = values[len(values) - len(path.guards) :]
    return Graph(path.name, path.program.inputs, (*outputs, *guards))


class _Places:
    """The names of what a path refers to."""

    def __init__(self, path: Path, state: State):
        self.path, self.state = path, state

    def input(self, kind: str, owner: Any, key: Any) -> Place:
        """Where an input of the graph comes from."""
        if kind == "tensor":
            return self.place(owner)
        if kind == "generator" and owner is default_generator:
            return Place("generator", "")
        if kind == "number":
            return Place("state", self.state.number(owner, key))
        own = kind == "generator"
        what = "draws from a Generator of its own" if own else "tensors that overlap"
        raise TraceError(f"a program cannot hold {what}")

    def place(self, source: Source) -> Place:
        """An argument, a tensor of the state, or what is in its `.grad`."""
        if source.kind == "arg":
            return Place("arg", source.at)
        if source.kind == "slot":
            return Place("grad", self.owner(self.path.slots[source.at][0]))
        return Place("state", self.state.name(source.at))

    def owner(self, slot: Any) -> Place:
        """Whose `.grad` it is. TraceError for any other slot."""
        if slot.item or slot.key != "_grad":
            raise TraceError(
                f"a program cannot hold the tensor that it assigns to {slot.key!r} for "
                "the next call: register a buffer, and write to it with copy_()"
            )
        owner = slot.owner
        known = isinstance(owner, Source)
        return self.place(owner if known else self.path.source(owner))


def _label(place: Place, state: State) -> str:
    """What the text of the graph calls an input."""
    if place.kind == "arg":
        known = place.at < len(state.arguments)
        return state.arguments[place.at] if known else f"x{place.at}"
    if place.kind == "grad":
        return f"{_label(place.at, state)}_grad"
    return str(place.at) or "generator"


def _results(refs: Iterable[Ref], places: _Places) -> Iterator[tuple]:
    seen: dict[Any, int] = {}
    for i, ref in enumerate(refs):
        first = seen.setdefault(ref.of[1] if ref.kind == "new" else i, i)
        again = ref.kind == "new" and first != i
        yield ("again", first, ()) if again else _result(ref, places)


def _result(ref: Ref, places: _Places) -> tuple:
    if ref.kind == "new":
        return ("new", ref.of[0], _movements(ref.steps))
    if ref.kind == "look":  # gradients do not cross the border of a saved program
        ref = ref._replace(kind="view")
    if ref.kind in ("same", "view"):
        return (ref.kind, places.place(ref.of), _movements(ref.steps))
    if isinstance(ref.of, (bool, int, float, str, type(None), DType, Dim)):
        return ("plain", ref.of, ())
    raise TraceError(f"a program cannot return {ref.of!r}")


def _movements(steps: tuple) -> tuple:
    """View steps that mean something to another process."""
    while steps[:1] and steps[0][0] == "leaf":
        steps = steps[1:]  # the mark of the tensor itself
    if any(op not in STEPS for op, _ in steps):
        raise TraceError("a program cannot make new variables (requires_grad)")
    return steps


def _grad(slot: Any, ref: Ref, places: _Places) -> tuple:
    return (places.owner(slot), None if ref.of is None else _result(ref, places))


def _size(text: str, outcome: Any) -> tuple:
    """A comparison of sizes, or a size that Python took as a number."""
    found = re.fullmatch(r"(.*?) (==|<=|>=|<|>) (.*)", text)
    left, sign, right = found.groups() if found else (text, "==", str(outcome))
    return parse_size(left), sign, parse_size(right), outcome if found else True
