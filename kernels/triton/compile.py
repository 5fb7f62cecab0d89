"""Compile a graph to Triton kernels and the function that launches them.

    run = compile(graph, machine).run
    y, z = run(x, w)

The machine says where the numbers lie and how a kernel is started: on a GPU, or in the
interpreter on NumPy arrays. What it offers is in `Machine`.
"""

from __future__ import annotations

import builtins
import threading
from typing import Any, Callable, Hashable, Protocol, Sequence

import numpy as np

from ...tracer.graph import Graph, Value, here, node, placeholder
from ...tracer.shapes import call_sizes, renamed
from ...tracer.sizes import Dim
from ...tracer.structure import graph_key
from ...tracer.where import show_source
from ..numpy.compile import KernelRecord
from ..transposed import transpose_products
from .attention.attend import attended
from .control import is_control, runner
from .host import host_function
from .kernel import Kernel
from .lifted import Lifting
from .made import tell
from .native.sources import LIBRARY, PRELUDE
from .numbers import places_of
from .prepare import prepared
from .program import Program, Step

__all__ = ["Executable", "Machine", "compile"]

KEPT = 1024  # programs remembered by a machine
SIZES = 256  # choices of sizes of one program that are remembered


class Machine(Protocol):
    """Where programs run."""

    name: str
    precision: str  # of float32 products: "ieee" or "tf32"
    programs: dict

    def prepare(self, kernels: Sequence[Kernel]) -> None:
        """Compile them, several at once; errors come with the launchers."""

    def launcher(self, kernel: Kernel) -> Callable[..., None]:
        """What starts a kernel, given its arrays."""

    def empty(self, shape: tuple, dtype: str) -> Any:
        """A fresh array."""

    def solid(self, array: Any) -> Any:
        """The array, contiguous."""

    def host(self, v: Value) -> Callable[..., None]:
        """What runs a primitive as NumPy: its arrays, then those to write to."""

    def read(self, array: Any) -> np.ndarray:
        """The array in host memory, once it is computed."""

    def copy(self, out: Any, array: Any) -> None:
        """Write one array to another of its shape."""

    def flag(self) -> Any:
        """A fresh int32 that is 0."""

    def check(self, flag: Any) -> None:
        """IndexError if the flag was set."""


class Executable:
    """A compiled graph: `run(*arrays)` gives its outputs, donated buffers last.

    `source` is the text of kernels and host function, `kernels` what it consists of,
    `slow` the primitives that run as NumPy on the host, with their lines.
    """

    __slots__ = (
        *("name", "run", "source", "path", "kernels", "slow", "program", "machine"),
        "__weakref__",
    )

    def __init__(self, program: Program, donated: Sequence[int], machine: Machine):
        self.name, self.program, self.machine = program.name, program, machine
        self.path = None
        lines = host_function(program, donated)
        self.source = module(program, lines)
        self.kernels = records(program)
        steps = enumerate(program.steps)
        hosts = [(n, s.host, s) for n, s in steps if s.host is not None]
        slow = (v for _, v, _ in hosts if not is_control(v))
        self.slow = tuple((v.op, v.line) for v in slow)
        scope = {f"host{n}": on_host(v, s, machine) for n, v, s in hosts}
        machine.prepare(tuple(program.kernels.values()))
        for name, kernel in program.kernels.items():
            scope[name] = machine.launcher(kernel)
        for name in ("empty", "solid", "flag", "check"):
            scope[name] = getattr(machine, name)
        self.run: Callable[..., tuple] = load(self.name, "\n".join(lines), scope)
        tell(self)

    def __call__(self, *arrays: Any) -> tuple:
        """The outputs for these inputs, followed by the donated buffers."""
        return self.run(*arrays)

    def __repr__(self) -> str:
        return f"<executable {self.name}: {len(self.kernels)} kernels>"


class Sized:
    """An executable for a graph of symbolic sizes: one for each choice of them."""

    def __init__(self, graph: Graph, donated: tuple, machine: Machine):
        self.graph, self.donated, self.machine = graph, donated, machine
        self.name, self.path = graph.name, None
        self.made: dict[tuple, Any] = {}
        self.choices = 0  # so far
        lifts = hasattr(machine, "with_values")
        self.lifting: Machine = Lifting(machine) if lifts else machine

    def __call__(self, *arrays: Any) -> tuple:
        """As `run`."""
        return self.run(*arrays)

    @property
    def kernels(self) -> tuple:
        """Those of the sizes used last."""
        return self._last("kernels", ())

    @property
    def slow(self) -> tuple:
        """What runs on the host, of the sizes used last."""
        return self._last("slow", ())

    @property
    def source(self) -> str:
        """The text for the sizes used last."""
        return self._last("source", "# generated for each choice of sizes\n")

    def _last(self, name: str, none: Any) -> Any:
        made = list(self.made.values())
        return getattr(made[-1], name) if made else none

    def run(self, *arrays: Any) -> tuple:
        """As an executable for the sizes of these arrays."""
        sizes = tuple(a.shape for a in arrays[: len(self.graph.inputs)])
        found = self.made.get(sizes)
        if found is None:
            while len(self.made) >= SIZES:
                self.made.pop(next(iter(self.made)), None)
            graph = at_sizes(self.graph, sizes)
            found = self.made[sizes] = compile(graph, self.lifting, self.donated)
            self.choices += 1
        return found.run(*arrays)


_lock = threading.RLock()


def compile(graph: Graph, machine: Machine, donated: Sequence[int] = ()) -> Any:
    """An executable for `graph`, made once for each structure and machine.

    `donated` numbers the outputs for which the caller brings contiguous buffers.
    """
    donated = tuple(donated)
    numbers = places_of(graph.inputs)
    facts = donated, numbers, machine.precision
    mark: Hashable = (graph.name, graph_key(graph), *facts)
    with _lock:
        found = machine.programs.get(mark)
        if found is None:
            while len(machine.programs) >= KEPT:
                del machine.programs[next(iter(machine.programs))]
            found = machine.programs[mark] = build(graph, machine, donated)
    return found


def build(graph: Graph, machine: Machine, donated: tuple) -> Any:
    """Divide, generate and load."""
    if any(isinstance(n, Dim) for v in graph.nodes() for n in v.shape or ()):
        return Sized(graph, donated, machine)
    before, here.line = here.line, None
    try:
        known = attended(transpose_products(graph), machine.precision)
        program = Program(prepared(known), machine.precision)
    finally:
        here.line = before
    return Executable(program, donated, machine)


def at_sizes(graph: Graph, shapes: Sequence[tuple]) -> Graph:
    """The graph with these numbers in place of its symbols."""
    inputs = [
        v if v.shape == () else placeholder(v.attrs["name"], shape, v.dtype)
        for v, shape in zip(graph.inputs, shapes)
    ]
    sizes = call_sizes(graph.inputs, tuple(inputs))
    known = {v.id: new for v, new in zip(graph.inputs, inputs)}
    for v in graph.nodes()[len(inputs) :]:
        args = tuple(known[a.id] for a in v.args)
        attrs = {k: renamed(a, sizes) for k, a in v.attrs.items()}
        shape = renamed(v.shape, sizes)
        new = known[v.id] = node(v.op, args, attrs, shape, v.dtype)
        new.line = v.line
    return Graph(graph.name, inputs, [known[v.id] for v in graph.outputs])


def on_host(v: Value, step: Step, machine: Machine) -> Callable[..., None]:
    """What does the work of a step that is no kernel."""
    if is_control(v):
        wanted = [item.attrs["index"] for item in step.writes]
        return runner(v, wanted, machine, compile)
    return machine.host(v)


def load(name: str, text: str, scope: dict) -> Callable[..., tuple]:
    """The function of a source text; tracebacks show its lines."""
    file = f"<tracefuse {name} {hash(text) & 0xFFFFFFFF:x}>"
    exec(builtins.compile(text, file, "exec"), scope)
    show_source(file, text, scope[name])
    return scope[name]


def module(p: Program, lines: Sequence[str]) -> str:
    """The whole text, for people: kernels with their grids, then the host function."""
    used = any("lib." in kernel.source for kernel in p.kernels.values())
    imports = (PRELUDE + (LIBRARY if used else "")).rstrip()
    blocks = [f"# Generated by tracefuse for {p.graph.name}.", imports]
    for kernel in p.kernels.values():
        config = kernel.configs[0]
        chosen = ", ".join(f"{c}={n}" for c, n in config.constants)
        about = f"# grid: {', '.join(kernel.grid)}; {chosen}; {config.warps} warps"
        blocks.append(f"{about}\n{kernel.source.rstrip()}")
    blocks.append("\n".join(lines))
    return "\n\n\n".join(blocks) + "\n"


def records(p: Program) -> tuple:
    """One record for each step."""
    made = []
    for step in p.steps:
        k, v = step.kernel, step.host
        if k is not None:
            made.append(KernelRecord(k.name, k.ops, k.line, k.bytes))
        elif v is not None:
            moved = sum(w.dtype.itemsize * int(np.prod(w.shape)) for w in step.writes)
            made.append(KernelRecord(f"host {v.op}", (v.op,), v.line, moved))
    return tuple(made)
