"""What a program does with the inputs and outputs of its graphs, as plain data.

A `Plan` is one recorded path without any Python object in it: tensors are named by the
argument they are or by their name in the program's state, so that it can be written
to a file and read back where nothing of the source exists.
"""

from __future__ import annotations

import collections
from typing import Any, NamedTuple

from ...tracer.errors import TraceError
from ...tracer.graph import Graph
from ...tracer.pytree import Spec
from ...tracer.sizes import Dim
from ..jit.path import Path, Ref, Source
from ..tensor import Tensor

__all__ = ["Plan", "Place", "State", "plan_of"]


class Place(NamedTuple):
    """Where a tensor is: ("arg", number), ("state", name) or ("generator", "")."""

    kind: str
    at: Any


class Plan(NamedTuple):
    """One path of a program.

    `graph` returns the outputs, then the guards. `inputs` says where each of its
    inputs comes from; the first `fresh` outputs are storages of results, the others
    go to `writes`. `result` and `spec` rebuild what the function returned; a result is
    ("new", storage number, steps), ("same", Place), ("view", Place, steps) or
    ("plain", value). `grads` are (state name, result) to leave in `.grad`.
    """

    graph: Graph
    inputs: tuple
    fresh: int
    writes: tuple
    result: tuple
    spec: Any
    guards: tuple
    lines: tuple
    grads: tuple
    blocks: Any


class State:
    """The tensors of a program, by name: the module's own names where there are."""

    def __init__(self, module: Any) -> None:
        self.tensors: dict[str, Tensor] = {}
        self._names: dict[int, str] = {}
        for kind in ("named_parameters", "named_buffers"):
            for name, t in getattr(module, kind, lambda: ())():
                self._names[id(t)] = name

    def name(self, t: Tensor) -> str:
        """The name of `t`, which from now on belongs to the program."""
        name = self._names.setdefault(id(t), f"captured.{len(self._names)}")
        self.tensors[name] = t
        return name


def plan_of(path: Path, state: State) -> Plan:
    """The plan of a path. TraceError for what has no meaning outside its process."""
    return Plan(
        graph=path.program,
        inputs=tuple(_input(*i, state) for i in path.inputs),
        fresh=len(path.fresh),
        writes=tuple(_written(s, root, state) for s, root in path.writes),
        result=tuple(_result(ref, state) for ref in path.result),
        spec=_portable(path.result_spec),
        guards=tuple(path.guards),
        lines=tuple(path.lines),
        grads=tuple(_grad(slot, ref, state) for slot, ref in path.assigns),
        blocks=path.draws[0][1] if path.draws else 0,
    )


def _input(kind: str, owner: Any, key: Any, state: State) -> Place:
    if kind == "generator":
        return Place("generator", "")
    if kind == "tensor":
        return _place(owner, state)
    raise TraceError(
        "a program cannot hold "
        + ("a number that is read anew at each call" if kind == "number" else "aliases")
        + f": {owner!r}"
    )


def _place(source: Source, state: State) -> Place:
    if source.kind == "arg":
        return Place("arg", source.at)
    if source.kind == "pin":
        return Place("state", state.name(source.at))
    raise TraceError("a program cannot read a gradient that an earlier call left behind")


def _written(source: Source, root: bool, state: State) -> Place:
    return _place(source, state)


def _result(ref: Ref, state: State) -> tuple:
    if ref.kind == "new":
        return ("new", ref.of[0], ref.steps)
    if ref.kind in ("same", "view"):
        return (ref.kind, _place(ref.of, state), ref.steps)
    if isinstance(ref.of, (bool, int, float, str, type(None), Dim)):
        return ("plain", ref.of, ())
    raise TraceError(f"a program cannot return {ref.of!r}")


def _grad(slot: Any, ref: Ref, state: State) -> tuple:
    if slot.key != "_grad" or slot.item:
        raise TraceError(f"a program cannot assign to {slot.key!r} of {slot.owner!r}")
    return (state.name(slot.owner), None if ref.of is None else _result(ref, state))


def _portable(spec: Any) -> Any:
    """The Spec with the user's own classes replaced by named tuples."""
    if spec is None:
        return None
    below = tuple(map(_portable, spec.below))
    if spec.kind in (tuple, list, dict):
        return Spec(spec.kind, spec.keys, below)
    fields = spec.keys or getattr(spec.kind, "_fields", ())
    return Spec(named(spec.kind.__name__, tuple(fields)), None, below)


_made: dict[tuple, type] = {}


def named(name: str, fields: tuple) -> type:
    """A named tuple type; the same one for the same name and fields."""
    key = (name, fields)
    if key not in _made:
        _made[key] = collections.namedtuple(name, fields)  # type: ignore[misc]
    return _made[key]
