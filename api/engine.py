"""Running SSA: simplify, compile, keep by structure, call.

The lower floors never run anything themselves; what they need computed (a flush of a
recording, the values behind an eager gradient) comes through here.
"""

from __future__ import annotations

import threading
from typing import Any, Iterable, Sequence

import numpy as np

from ..kernels.numpy.compile import Executable, compile
from ..tracer.graph import Graph, Value, reachable
from ..tracer.simplify import simplify
from ..tracer.structure import structure_key

__all__ = ["executable", "run", "evaluate"]

_cache: dict[Any, Executable] = {}
_lock = threading.Lock()
_KEPT = 4096  # structures remembered; the oldest are forgotten first


def executable(graph: Graph, donated: tuple = ()) -> Executable:
    """The compiled form of `graph`, made once for each structure.

    `donated` numbers the outputs for which the caller passes buffers.
    """
    key = (structure_key(graph.outputs, graph.inputs), donated, graph.name)
    found = _cache.get(key)
    if found is None:
        with _lock:  # compiling happens once, whoever asks
            found = _cache.get(key)
            if found is None:
                found = compile(simplify(graph), donated=donated)
                _cache[key] = found
                while len(_cache) > _KEPT:
                    _cache.pop(next(iter(_cache)), None)
    return found


def run(graph: Graph, arrays: Sequence[np.ndarray]) -> Iterable[np.ndarray]:
    """The outputs of `graph`; none of them shares memory with an input."""
    return executable(graph)(*arrays)


def evaluate(
    name: str, values: Sequence[Value], history: Iterable[Value]
) -> tuple[list[np.ndarray], list[tuple]]:
    """The numbers of eager values, and what was read for them.

    `history` are the values whose kept arrays may be used. What is read is a list of
    (value, array, storage, version), the form in which a history keeps it.
    """
    known = _kept(history)
    nodes = reachable(values, stop=lambda v: v.id in known)
    used = [known[v.id] for v in nodes if v.id in known]
    for value, _, storage, version in used:
        if storage.version != version:
            _changed(value, storage, version)
    graph = Graph(name, [entry[0] for entry in used], values)
    return list(run(graph, [entry[1] for entry in used])), used


def _kept(history: Iterable[Value]) -> dict[int, tuple]:
    known: dict[int, tuple] = {}
    for v in history:
        if isinstance(v.data, list):
            for entry in v.data:
                known[entry[0].id] = entry
    return known


def _changed(value: Value, storage: Any, version: int) -> None:
    raise RuntimeError(
        "one of the variables needed for gradient computation has been modified by an "
        f"inplace operation: [{value.dtype} {list(value.shape)}], is at version "
        f"{storage.version}; expected version {version} instead."
    )
