"""Running SSA: simplify, compile, keep by structure, call.

The lower floors never run anything themselves; what they need computed (a flush of a
recording, the values behind an eager gradient) comes through here.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Iterable, Sequence

import numpy as np

from ..kernels.settings import settings
from ..tracer.elsewhere import Elsewhere, away
from ..tracer.graph import Graph, Value, reachable
from ..tracer.later import Later
from ..tracer.structure import structure_key
from .backends import compile_on, compile_with, current, mark_of

if TYPE_CHECKING:
    from ..kernels.numpy.compile import Executable

__all__ = ["check_version", "evaluate", "executable", "run", "run_once"]
__all__ += ["place_of", "unpacked"]

# Imported when something is compiled for the first time.
simplifier = Later("..tracer.simplifying.simplify", __package__)

_cache: dict[Any, Executable] = {}
_lock = threading.Lock()
_KEPT = 4096  # structures remembered; the oldest are forgotten first


def executable(
    graph: Graph, donated: tuple = (), inplace: tuple = (), device: Any = None
) -> Executable:
    """The compiled form of `graph`, made once for each structure.

    `donated` numbers the outputs for which the caller passes buffers, `inplace` are
    pairs (output, input): the output is written over that input. `device` is the GPU
    on which it runs (None: in host memory).
    """
    name = current() if device is None else mark_of(device)
    rest = (donated, inplace, graph.name, name, settings.precision)
    key = (structure_key(graph.outputs, graph.inputs), *rest)
    found = _cache.get(key)
    if found is None:
        with _lock:  # compiling happens once, whoever asks
            found = _cache.get(key)
            if found is None:
                simple = simplifier.simplified(graph)
                # Whoever keeps the program asks for its simple form next.
                known = key
                if simple is not graph:
                    known = (structure_key(simple.outputs, simple.inputs), *rest)
                found = _cache.get(known)
                if found is None:
                    found = _compile(simple, donated, inplace, name, device)
                _cache[key] = _cache[known] = found
                while len(_cache) > _KEPT:
                    _cache.pop(next(iter(_cache)), None)
    return found


def _compile(
    simple: Graph, donated: tuple, inplace: tuple, name: Any, device: Any
) -> Executable:
    if device is not None:
        return compile_on(device, simple, donated)
    return compile_with(name, simple, donated, inplace)


def run(graph: Graph, arrays: Sequence, device: Any = None) -> Iterable:
    """The outputs of `graph`; none of them shares memory with an input.

    It runs where the arrays lie; `device` says so of one without any.
    """
    return executable(graph, device=device or place_of(arrays))(*arrays)


def run_once(graph: Graph, arrays: Sequence, device: Any = None) -> Iterable:
    """`run`, where the same is not expected to run again: no scratch is kept for it."""
    made = executable(graph, device=device or place_of(arrays))
    try:
        return made(*arrays)
    finally:
        rest = getattr(made, "rest", None)  # some keep no scratch
        if rest is not None:
            rest()


def evaluate(
    name: str, values: Sequence[Value], known: dict[int, tuple], device: Any = None
) -> tuple[list[np.ndarray], list[tuple]]:
    """The numbers of eager values, and what was read for them.

    `known` are the values whose numbers are at hand, by id: (value, array, storage,
    version), the form in which a history keeps them; so is what was read. `device` is
    where it runs if no array says so.
    """
    nodes = reachable(values, stop=lambda v: v.id in known)
    used = [known[v.id] for v in nodes if v.id in known]
    for value, _, storage, version in used:
        check_version(value, storage, version)
    graph = Graph(name, [entry[0] for entry in used], values)
    arrays = [unpacked(entry[1]) for entry in used]
    return list(run(graph, arrays, place_of(arrays) or device)), used


def place_of(arrays: Sequence) -> Any:
    """The device on which an array lies; None when all lie in host memory."""
    if not away.used:
        return None
    return next((a.device for a in arrays if isinstance(a, Elsewhere)), None)


def unpacked(array: Any) -> np.ndarray:
    """An array that a history kept; hooks of the user may hold it in another form."""
    return array if isinstance(array, (np.ndarray, Elsewhere)) else array.unpack()


def check_version(value: Any, storage: Any, version: int) -> None:
    """RuntimeError when what was kept has been written since."""
    if storage.version != version:
        _changed(value, storage, version)


def _changed(value: Any, storage: Any, version: int) -> None:
    raise RuntimeError(
        "one of the variables needed for gradient computation has been modified by an "
        f"inplace operation: [{value.dtype} {list(value.shape)}], is at version "
        f"{storage.version}; expected version {version} instead."
    )
