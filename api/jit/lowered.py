"""A program to look at: recorded, compiled, but not run."""

from __future__ import annotations

from typing import Any, Callable

from ...kernels.numpy.compile import Executable
from ...tracer.graph import Graph, here
from ...tracer.later import Later
from ...tracer.record import Recorder, state
from ...tracer.simplifying.simplify import simplify
from ...tracer.sizes import guess
from ...tracer.texts.text import print_graph
from ..engine import executable, run

__all__ = ["Lowered", "lower"]

picture = Later("..picture.show", __package__)


class Lowered:
    """What `jit(f).lower(*args)` gives.

    `graph` is the SSA (`str(graph)` for its text), `source` the generated code.
    """

    def __init__(self, graph: Graph, device: Any = None):
        self.graph = graph
        self.executable: Executable = executable(graph, device=device)

    @property
    def source(self) -> str:
        """The generated Python."""
        return self.executable.source

    @property
    def path(self) -> Any:
        """The file in which the generated code lies (None: in memory only)."""
        return self.executable.path

    def as_text(self) -> str:
        """The SSA as text."""
        return print_graph(self.graph)

    def show(self, path: Any) -> None:
        """Draw it: a page with your source beside it (.html), or a picture (.svg).

        ValueError for another ending.
        """
        picture.show(self.graph, path, getattr(self.executable, "program", None))


def lower(name: str, fn: Callable, args: tuple, kwargs: dict, shapes: dict) -> Lowered:
    """Record `fn` and throw away everything but the program."""
    rec = Recorder(name, run)
    rec.shapes.update(shapes)
    before, watcher = state.recorder, guess.watcher
    try:
        state.recorder, guess.watcher = rec, rec.size_guess
        result = fn(*args, **kwargs)
        return Lowered(_program(rec, result), rec.device)
    finally:
        state.recorder, guess.watcher, here.line = before, watcher, None
        rec.undo()


def _program(rec: Recorder, result: Any) -> Graph:
    held = {id(v): v for v in rec._held()}
    written = [s.value for s in rec.shadows.values() if s.version]
    outputs = [*held.values(), *written]
    inputs = [i.value for i in rec.inputs]
    return simplify(Graph(rec.name, inputs, outputs))
