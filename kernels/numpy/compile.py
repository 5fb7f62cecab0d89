"""Compile a graph to a NumPy function.

    run = compile(graph).run
    y, z = run(x, w)

The function takes the arrays of the graph's inputs (any strides, the right shapes and
element types: the caller checks) and returns a tuple of fresh contiguous arrays.
Executables do not change once made and may run in several threads at once: scratch
memory belongs to the call.
"""

from __future__ import annotations

import builtins
import threading
from typing import Any, Callable, Hashable, NamedTuple, Optional, Sequence

from ...tracer.graph import Graph
from ...tracer.structure import graph_key
from ...tracer.where import show_source
from ..folder import keep
from ..transposed import transpose_products
from .names import namespace
from .program import Program
from .source import generate
from .stored import nbytes

__all__ = ["Executable", "KernelRecord", "compile", "listeners", "remembered"]


class KernelRecord(NamedTuple):
    """One kernel, for people: its name, operations, source line and bytes moved."""

    name: str
    ops: tuple
    line: Optional[str]
    bytes: int


class Executable:
    """A compiled graph: `run` is the generated function itself.

    `source` is its module's text, `path` the file that holds it (None where it could
    not be written), `kernels` what it consists of, in order.
    """

    __slots__ = ("name", "run", "source", "path", "kernels")

    def __init__(self, name: str, source: str, path: Optional[str], kernels: tuple):
        self.name, self.source, self.path, self.kernels = name, source, path, kernels
        self.run: Callable[..., tuple] = load(name, source, path)
        for listener in listeners:
            listener(self)

    def __call__(self, *arrays: Any) -> tuple:
        """The outputs for these inputs, followed by the donated buffers."""
        return self.run(*arrays)

    def rest(self) -> None:
        """Give back the scratch that is kept for the next call."""
        for name, value in self.run.__globals__.items():
            if name.startswith("pool") and type(value) is list:
                value.clear()

    def __repr__(self) -> str:
        return f"<executable {self.name}: {len(self.kernels)} kernels>"


# Hear of every Executable that is made (a profiler, while it is on).
listeners: list[Callable[[Executable], None]] = []
_known: dict[Hashable, Executable] = {}
MOST = 4096  # executables that are remembered
_lock = threading.Lock()


def compile(
    graph: Graph,
    donated: Sequence[int] = (),
    inplace: Sequence[tuple[int, int]] = (),
    cache: bool = True,
) -> Executable:
    """An Executable for `graph`, whose calls have been inlined (`simplify` does).

    `donated` numbers the outputs for which the caller brings the array: the function
    then takes these buffers after the inputs, in the order of `donated`, writes the
    outputs into them and returns them. Each must be contiguous, of the output's shape
    and type, and share no memory with an input. `inplace` are pairs (output, input)
    of one shape and type: the output is written over the array of that input, which
    shares no memory with other inputs. With `cache`, an equal graph of the same name
    gets the same Executable.

    >>> import numpy as np
    >>> from ...tracer.graph import placeholder
    >>> from ...tracer.types import float32
    >>> x = placeholder("x", (3,), float32)
    >>> double = compile(Graph("double", [x], [x + x]))
    >>> double(np.ones(3, np.float32))
    (array([2., 2., 2.], dtype=float32),)
    """
    donated, inplace = tuple(donated), tuple(inplace)
    if not cache:
        return build(graph, donated, inplace)
    mark = (graph.name, graph_key(graph), donated, inplace)
    found = _known.get(mark)
    if found is None:
        with _lock:
            found = _known.get(mark)
            if found is None:
                while len(_known) >= MOST:
                    del _known[next(iter(_known))]
                found = _known[mark] = build(graph, donated, inplace)
    return found


def remembered() -> list[Executable]:
    """The executables that there are."""
    return list(_known.values())


def build(graph: Graph, donated: tuple, inplace: tuple) -> Executable:
    """Generate, store and load."""
    source, program = generate(transpose_products(graph), donated, inplace)
    name = program.graph_name
    path = keep("numpy", name, source)
    return Executable(name, source, path, records(program))


def load(name: str, source: str, path: Optional[str]) -> Callable[..., tuple]:
    """The function of a source text; tracebacks show its lines."""
    file = path or f"<tracefuse {name} {hash(source) & 0xFFFFFFFF:x}>"
    scope = namespace()
    exec(builtins.compile(source, file, "exec"), scope)
    show_source(file, source, scope[name])
    return scope[name]


def records(p: Program) -> tuple:
    """One record for each region; a region without a function is called by its op."""
    made = []
    for region in p.plan.regions:
        first = region.nodes[0]
        ops = tuple(v.op for v in region.nodes)
        line = next((v.line for v in region.nodes if v.line), None)
        moved = sum(nbytes(v) for v in (*region.inputs, *region.outputs))
        made.append(KernelRecord(p.called.get(first.id, first.op), ops, line, moved))
    return tuple(made)
