"""Run a graph by the NumPy meaning of its nodes, one after the other.

The slowest way and the plainest: the oracle that generated kernels are tested with.
"""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np

from .graph import Graph, Value
from .ops import OPS
from .sizes import Dim
from .spelled import evaluate

__all__ = ["interpret"]


def interpret(graph: Graph, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The outputs of `graph` for these inputs (arrays of the inputs' types)."""
    sizes = bind_sizes(graph, arrays)
    known: dict[int, Any] = {v.id: a for v, a in zip(graph.inputs, arrays)}
    with np.errstate(all="ignore"):
        for v in graph.nodes()[len(graph.inputs) :]:
            known[v.id] = _run(v, [known[a.id] for a in v.args], sizes)
    return [np.asarray(known[v.id]) for v in graph.outputs]


def bind_sizes(graph: Graph, arrays: Sequence[np.ndarray]) -> dict[str, int]:
    """The number behind every symbol that stands alone in an input's shape."""
    sizes: dict[str, int] = {}
    for v, array in zip(graph.inputs, arrays):
        for dim, size in zip(v.shape, array.shape):
            if isinstance(dim, Dim) and dim.text.isidentifier():
                sizes.setdefault(dim.text, size)
    return sizes


def _run(v: Value, args: list, sizes: dict[str, int]) -> Any:
    if v.op == "call":
        return interpret(v.attrs["graph"], args)
    if v.op == "item":
        return args[0][v.attrs["index"]]
    attrs = {name: concrete(attr, sizes) for name, attr in v.attrs.items()}
    return np.asarray(OPS[v.op].meaning(*args, **attrs))


def concrete(attr: Any, sizes: dict[str, int]) -> Any:
    """An attribute with its symbolic sizes replaced by numbers."""
    if isinstance(attr, tuple):
        return tuple(concrete(a, sizes) for a in attr)
    return evaluate(attr, sizes) if isinstance(attr, Dim) else attr
