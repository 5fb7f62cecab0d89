"""Which operations share a box: the kernels of the plan, and what lies between them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional

from ...kernels.fusion import plan
from ...kernels.regions import Region
from ...tracer.graph import Graph, Value
from ...tracer.text import node_texts

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
    """Rows that run together; `kind` is "input", "view" or that of the region."""

    title: str
    kind: str
    rows: list[Row] = field(default_factory=list)
    layer: int = 0
    x: float = 0.0
    y: float = 0.0


def boxes_of(graph: Graph) -> list[Box]:
    """The boxes of a graph, in an order that runs."""
    return [box for box in _Boxes(graph).made if box.rows]


class _Boxes:
    def __init__(self, graph: Graph):
        self.texts = node_texts(graph)
        self.results = {v.id for v in graph.outputs}
        self.made: list[Box] = []
        self.home: dict[int, int] = {}  # id of a node -> number of its box
        for v in graph.inputs:
            self.put(v, self.open("input", "input"))
        for region in plan(graph).regions:
            if region.kind != "view":
                at = self.open(_title(region), region.kind)
                for v in region.nodes:
                    self.put(v, at)
        self.place_free(graph)
        for box in self.made:
            box.rows.sort(key=lambda row: row.id)

    def open(self, title: str, kind: str) -> int:
        self.made.append(Box(title, kind))
        return len(self.made) - 1

    def put(self, v: Value, at: int) -> None:
        if v.id in self.texts:
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


def _title(region: Region) -> str:
    if region.kind == "loop":
        return f"kernel over {list(region.shape)}"
    return f"kernel: {region.nodes[0].op}"
