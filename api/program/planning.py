"""From a recorded path to a plan: what it refers to is named, or refused."""

from __future__ import annotations

import re
from typing import Any, Iterable, Iterator, Optional

from ...tracer.errors import TraceError
from ...tracer.graph import Graph, Value, node
from ...tracer.sizes import Dim
from ...tracer.spelled import parse_size
from ...tracer.types import DType
from ..jit.path import Path, Ref, Source
from ..random.generator import default_generator
from .plan import STEPS, Place, Plan, portable
from .state import State

__all__ = ["Way", "plan_of"]


class Way(Path):
    """A path whose graph can be differentiated as the function could.

    So it says where gradients stop, and nothing is simplified: a rule keeps numbers,
    not derivatives at ties. Leaves are dropped: which tensors are variables is for the
    caller to decide. `training` says in which mode the modules were.
    """

    training: Optional[bool] = None
    ruled: set[str]  # functions whose own derivative is left out

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


def plan_of(path: Path, state: State) -> Plan:
    """The plan of a path. TraceError for what has no meaning outside its process."""
    inputs = tuple(_input(*i, state) for i in path.inputs)
    return Plan(
        graph=_bare(path, [_label(place, state) for place in inputs]),
        inputs=inputs,
        fresh=len(path.fresh),
        writes=tuple(_written(s, root, state) for s, root in path.writes),
        result=tuple(_results(path.result, state)),
        spec=portable(path.result_spec),
        guards=tuple(path.guards),
        grads=tuple(_grad(path, *pair, state) for pair in path.assigns),
        unset=tuple(_unset(path, *pair, state) for pair in path.slots.values()),
        blocks=path.draws[0][1] if path.draws else 0,
        sizes=tuple(_size(*pair) for pair in path.sizes),
    )


def _bare(path: Path, names: list[str]) -> Graph:
    """Outputs and guards, without what a backward outside would have read."""
    values = path.program.outputs
    for v, name in zip(path.program.inputs, names):
        v.attrs["name"] = name
    outputs = values[: len(path.fresh) + len(path.writes)]
    guards = values[len(values) - len(path.guards) :]
    return Graph(path.name, path.program.inputs, (*outputs, *guards))


def _input(kind: str, owner: Any, key: Any, state: State) -> Place:
    if kind == "tensor":
        return _place(owner, state)
    if kind == "generator" and owner is default_generator:
        return Place("generator", "")
    if kind == "number":
        return Place("state", state.number(owner, key))
    own = kind == "generator"
    what = "draws from a Generator of its own" if own else "tensors that overlap"
    raise TraceError(f"a program cannot hold {what}")


def _label(place: Place, state: State) -> str:
    """What the text of the graph calls an input."""
    if place.kind == "arg":
        known = place.at < len(state.arguments)
        return state.arguments[place.at] if known else f"x{place.at}"
    return str(place.at) or "generator"


def _place(source: Source, state: State) -> Place:
    if source.kind == "arg":
        return Place("arg", source.at)
    if source.kind == "pin":
        return Place("state", state.name(source.at))
    raise TraceError(
        "a program cannot read a gradient that an earlier call left: call zero_grad() "
        "inside it before backward(), or trace it while .grad is None"
    )


def _written(source: Source, root: bool, state: State) -> Place:
    return _place(source, state)


def _results(refs: Iterable[Ref], state: State) -> Iterator[tuple]:
    seen: dict[Any, int] = {}
    for i, ref in enumerate(refs):
        first = seen.setdefault(ref.of[1] if ref.kind == "new" else i, i)
        again = ref.kind == "new" and first != i
        yield ("again", first, ()) if again else _result(ref, state)


def _result(ref: Ref, state: State) -> tuple:
    if ref.kind == "new":
        return ("new", ref.of[0], _movements(ref.steps))
    if ref.kind == "look":  # gradients do not cross the border of a saved program
        ref = ref._replace(kind="view")
    if ref.kind in ("same", "view"):
        return (ref.kind, _place(ref.of, state), _movements(ref.steps))
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


def _grad(path: Path, slot: Any, ref: Ref, state: State) -> tuple:
    owner = _slot_owner(path, slot, state)
    return (owner, None if ref.of is None else _result(ref, state))


def _unset(path: Path, slot: Any, kind: Any, state: State) -> Place:
    if kind is not None:
        raise TraceError(
            "a program cannot go on from a gradient that was there before: call "
            "zero_grad() inside it, or trace it while .grad is None"
        )
    return _slot_owner(path, slot, state)


def _slot_owner(path: Path, slot: Any, state: State) -> Place:
    if slot.item or slot.key != "_grad":
        raise TraceError(f"a program cannot assign to {slot.key!r} of {slot.owner!r}")
    owner = slot.owner
    return _place(owner if isinstance(owner, Source) else path.source(owner), state)


def _size(text: str, outcome: Any) -> tuple:
    """A comparison of sizes, or a size that Python took as a number."""
    found = re.fullmatch(r"(.*?) (==|<=|>=|<|>) (.*)", text)
    left, sign, right = found.groups() if found else (text, "==", str(outcome))
    return parse_size(left), sign, parse_size(right), outcome if found else True
