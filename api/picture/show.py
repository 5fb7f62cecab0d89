"""`.show(path)`: a program into a file that a browser opens."""

from __future__ import annotations

import os
from typing import Any

from ...tracer.graph import Graph
from .boxes import boxes_of
from .page import page
from .svg import drawn

__all__ = ["show"]


def show(graph: Graph, path: Any, program: Any = None) -> None:
    """Draw a graph: `path` ends with .html (with the source beside it) or .svg.

    Each kernel is a box with its operations as rows; in the page, the rows of a source
    line light up with it. `program` is how Triton divides the graph, where that is what
    runs. ValueError for another ending.
    """
    kind = os.path.splitext(os.fspath(path))[1].lower()
    if kind not in (".html", ".htm", ".svg"):
        raise ValueError(f"show writes .html or .svg, not {os.fspath(path)!r}")
    boxes = boxes_of(graph, program)
    text = drawn(boxes) if kind == ".svg" else page(graph.name, boxes)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
