"""Run a function under a recording, and what it recorded by the NumPy meaning."""

from __future__ import annotations

from typing import Any, Callable, NamedTuple

import numpy as np
from tracefuse import Tensor
from tracefuse.tracer.graph import Graph
from tracefuse.tracer.interpret import interpret
from tracefuse.tracer.record import Recorder, state


class Recorded(NamedTuple):
    """What came of it: results, the arguments afterwards, the recorder."""

    outputs: list[np.ndarray]
    arguments: list[np.ndarray]
    recorder: Recorder


def recorded(function: Callable[..., Any], *args: Tensor) -> Recorded:
    """Record `function(*args)`, then compute the graph as the oracle does."""
    rec = Recorder("test", lambda graph, arrays: interpret(graph, arrays))
    state.recorder = rec
    try:
        result = function(*args)
        outputs = [result] if isinstance(result, Tensor) else list(result or ())
        values = [rec.value_of(t) for t in (*outputs, *args)]
    finally:
        state.recorder = None
    graph = Graph("test", [i.value for i in rec.inputs], values).verify()
    arrays = interpret(graph, [i.value.data for i in rec.inputs])
    count = len(outputs)
    return Recorded(arrays[:count], arrays[count:], rec)
