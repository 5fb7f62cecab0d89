"""Which operations share a box: the kernels of the plan, and what lies between them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Iterable, NamedTuple, Optional, Sequence

from ...kernels.fusion import plan
from ...kernels.regions import Region
from ...tracer.graph import Graph, Value
from ...tracer.texts.text import node_texts

__all__ = ["Box", "Row", "boxes_of"]


@dataclass
class Row:
    """One operation or input: its text, and whose results it reads.

    `free` says that no kernel computes it: it is how the others read.
    """

    id: int
    text: str
    line: Optional[str]
    reads: list[int]
    result: bool = False
    free: bool = False


@dataclass
class Box:
    """Rows that run together; `kind` is "input", "view", "host" or of the region."""

    title: str
    kind: str
    rows: list[Row] = field(default_factory=list)
    layer: int = 0
    x: float = 0.0
    y: float = 0.0


class Part(NamedTuple):
    """What becomes a box."""

    title: str
    kind: str
    nodes: Sequence[Value]


def boxes_of(graph: Graph, program: Any = None) -> list[Box]:
    """The boxes of a graph, in an order that runs.

    `program` is how Triton divides it (kernels/triton/program.py); without one they
    are the loops of the NumPy backend.
    """
    if program is None:
        parts = [_loop(r) for r in plan(graph).regions if r.kind != "view"]
        return [box for box in _Boxes(graph, parts).made if box.rows]
    parts = [_launch(step) for step in program.steps]
    return [box for box in _Boxes(program.graph, parts).made if box.rows]


class _Boxes:
    def __init__(self, graph: Graph, parts: Iterable[Part]):
        self.texts = node_texts(graph)
        self.results = {v.id for v in graph.outputs}
        self.made: list[Box] = []
        self.home: dict[int, int] = {}  # id of a node -> number of its box
        for v in graph.inputs:
            self.put(v, self.open("input", "input"))
        for part in parts:
            at = self.open(part.title, part.kind)
            for v in part.nodes:
                self.put(v, at)
        self.place_free(graph)
        for box in self.made:
            box.rows.sort(key=lambda row: row.id)

    def open(self, title: str, kind: str) -> int:
        self.made.append(Box(title, kind))
        return len(self.made) - 1

    def put(self, v: Value, at: int) -> None:
        if v.id in self.texts and v.id not in self.home:  # it may be computed twice
            reads = [a.id for a in v.args if a.id in self.texts]
            result, free = v.id in self.results, self.made[at].kind == "view"
            row = Row(v.id, self.texts[v.id], v.line, reads, result, free)
            self.made[at].rows.append(row)
            self.home[v.id] = at

    def place_free(self, graph: Graph) -> None:
        """What no kernel computes is how one reads: it stands with its first reader."""
        first: dict[int, int] = {}
        for v in reversed(graph.nodes()):
            if v.id not in self.home:
                at = first.get(v.id)
                self.put(v, self.open("view", "view") if at is None else at)
                if v.id in self.home:
                    self.made[self.home[v.id]].rows[-1].free = True
            place = self.home.get(v.id, first.get(v.id))
            for a in v.args if place is not None else ():
                first[a.id] = min(place or 0, first.get(a.id, place or 0))


def _loop(region: Region) -> Part:
    """A loop of the NumPy backend, or what it leaves to NumPy as it is."""
    title = f"kernel: {region.nodes[0].op}"
    if region.kind == "loop":
        title = f"kernel over {list(region.shape)}"
    return Part(title, region.kind, region.nodes)


def _launch(step: Any) -> Part:
    """A launch on a GPU, or what is not done there."""
    if step.kernel is None:
        return Part(f"on the host: {step.host.op}", "host", step.shows)
    tags = step.kernel.tags
    title = f"{step.kernel.name}, {step.kernel.bytes:,} bytes"
    return Part(title, "opaque" if tags else "loop", step.shows)
