"""Which operation is it? The recorded program, computed node by node both ways.

The oracle (tracer/interpret.py) says in host memory what each node is. Then each
operation is compiled alone, on the oracle's numbers; then each kernel of the plan; then
the whole program. The first that differs is named, with the user's line.
"""

from __future__ import annotations

from typing import Any, Callable, Iterator, NamedTuple, Optional, Sequence

from ...kernels.fusion import plan
from ...tracer.control import GRAPHS, count
from ...tracer.graph import Graph, Value, here, make, node, placeholder, replace
from ...tracer.interpret import interpret, values
from ...tracer.record import Recorder, state
from ...tracer.simplifying.simplify import simplify
from ...tracer.sizes import guess
from ..engine import executable
from ..place import copies
from ..tensor import Tensor
from .compare import differs, on_host

__all__ = ["Sandboxed", "first_difference", "other_program", "sandboxed"]
__all__ += ["tensors"]


class Sandboxed(NamedTuple):
    """A program as plain Python runs it now, its inputs, and what its outputs are."""

    graph: Graph
    arrays: list
    results: int  # how many of the outputs, the first, are tensors in the result
    device: Any = None  # on which it runs (None: in host memory)


def sandboxed(name: str, function: Callable, args: tuple, kwargs: dict) -> Sandboxed:
    """Record the function without changing a tensor of the outside."""
    rec = Recorder(name, _by_meaning)
    before, watcher = state.recorder, guess.watcher
    try:
        state.recorder, guess.watcher = rec, rec.size_guess
        out = function(*args, **kwargs)
        return _program(rec, out)
    finally:
        state.recorder, guess.watcher, here.line = before, watcher, None
        rec.undo()


def _by_meaning(graph: Graph, arrays: Sequence, device: Any = None) -> list:
    """What a recording asks for, node by node; where the program runs."""
    found = interpret(graph, [*map(on_host, arrays)])
    return found if device is None else [copies.moved(a, device) for a in found]


def _program(rec: Recorder, out: Any) -> Sandboxed:
    outputs = [rec.value_of(t) for t in tensors(out)]
    results = len(outputs)
    outputs += [shadow.value for shadow in rec.shadows.values() if shadow.version]
    outputs += rec._held()
    outputs += [v for v, _ in rec.guards]
    inputs = [i.value for i in rec.inputs]
    arrays = [on_host(v.data) for v in inputs]
    graph = simplify(Graph(rec.name, inputs, outputs))
    return Sandboxed(graph, arrays, results, rec.device)


def tensors(x: Any) -> Iterator[Tensor]:
    if isinstance(x, Tensor):
        yield x
    elif isinstance(x, dict):
        yield from tensors(list(x.values()))
    elif isinstance(x, (list, tuple)):
        for item in x:
            yield from tensors(item)


def first_difference(program: Sandboxed) -> Optional[str]:
    """The first operation, kernel or result that comes out otherwise when compiled."""
    graph, known = program.graph, values(program.graph, program.arrays)
    for look in (_operations, _kernels):
        for part, inputs, what in look(graph):
            why = _wrong(part, [known[v.id] for v in inputs], program.device)
            if why:
                return f"{what}: it {why}"
    why = _wrong(graph, program.arrays, program.device)
    return f"the program as a whole ({graph.name}): it {why}" if why else None


def _wrong(part: Graph, arrays: Sequence, device: Any) -> Optional[str]:
    if not part.outputs:
        return None
    right = interpret(part, arrays)
    try:
        compiled = executable(part, device=device)(*arrays)
    except Exception as error:
        return f"raises {error!r} when compiled"
    for a, b in zip(right, compiled):
        why = differs(a, b)
        if why:
            return why
    return None


def _operations(graph: Graph) -> Iterator[tuple[Graph, list, str]]:
    """Each node alone; numbers that are written in the program stay there."""
    for v in graph.nodes()[len(graph.inputs) :]:
        if v.op in ("item", "constant"):
            continue
        inputs = [a for a in dict.fromkeys(v.args) if a.op != "constant"]
        new = _stand_ins(inputs)
        args = tuple(new.get(a.id, a) for a in v.args)
        again = node(v.op, args, v.attrs, v.shape, v.dtype)
        again.line = v.line
        outputs = [again]
        if v.op in GRAPHS:
            outputs = [make("item", (again,), index=i) for i in range(count(v))]
        part = Graph(f"only_{v.op}", list(new.values()), outputs)
        yield part, inputs, f"{v.op} at {v.line or '?'}"


def _stand_ins(inputs: list[Value]) -> dict[int, Value]:
    return {v.id: placeholder(f"x{i}", v.shape, v.dtype) for i, v in enumerate(inputs)}


def _kernels(graph: Graph) -> Iterator[tuple[Graph, list, str]]:
    """Each region of the plan."""
    for n, region in enumerate(plan(graph).regions):
        inputs = [v for v in region.inputs if v.op != "constant"]
        new = _stand_ins(inputs)
        given = list(new.values())
        outputs = replace(region.outputs, new)
        line = next((v.line for v in region.nodes if v.line), "?")
        part = Graph(f"kernel_{n}", given, outputs)
        ops = " ".join(v.op for v in region.nodes)
        yield part, inputs, f"the kernel at {line} ({ops})"


def other_program(plain: Graph, kept: Graph) -> Optional[str]:
    """The first operation that plain Python does now and the kept program does not."""
    ours = [_mark(v) for v in kept.nodes()[len(kept.inputs) :]]
    for v in plain.nodes()[len(plain.inputs) :]:
        if _mark(v) in ours:
            ours.remove(_mark(v))
        else:
            return f"{v.op} at {v.line or '?'}: the compiled program does not have it"
    return None


def _mark(v: Value) -> tuple:
    return v.op, v.line, repr(sorted((k, str(a)) for k, a in v.attrs.items()))
