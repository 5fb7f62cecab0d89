"""Run a graph by the NumPy meaning of its nodes, one after the other.

The slowest way and the plainest: the oracle that generated kernels are tested with.
"""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np

from .control import count, graphs, result
from .graph import Graph, Value
from .ops import OPS
from .sizes import Dim
from .texts.spelled import evaluate
from .types import float64, from_numpy

__all__ = ["interpret", "values"]


def interpret(graph: Graph, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The outputs of `graph` for these inputs (arrays of the inputs' types)."""
    known = values(graph, arrays)
    return [np.asarray(known[v.id]) for v in graph.outputs]


def values(
    graph: Graph, arrays: Sequence[np.ndarray], wide: bool = False
) -> dict[int, Any]:
    """What every value of `graph` is, by id; of several results, a list.

    `wide`: all floats are float64, whatever the types in the graph.
    """
    sizes = bind_sizes(graph, arrays)
    widened = _widened if wide else lambda x: x
    known: dict[int, Any] = {v.id: widened(a) for v, a in zip(graph.inputs, arrays)}
    with np.errstate(all="ignore"):
        for v in graph.nodes()[len(graph.inputs) :]:
            known[v.id] = widened(_run(v, [known[a.id] for a in v.args], sizes, wide))
    return known


def _widened(x: Any) -> Any:
    if isinstance(x, list):
        return list(map(_widened, x))
    return x.astype(np.float64) if from_numpy(x.dtype).is_floating_point else x


def bind_sizes(graph: Graph, arrays: Sequence[np.ndarray]) -> dict[str, int]:
    """The number behind every symbol that stands alone in an input's shape."""
    sizes: dict[str, int] = {}
    for v, array in zip(graph.inputs, arrays):
        for dim, size in zip(v.shape, array.shape):
            if isinstance(dim, Dim) and dim.text.isidentifier():
                sizes.setdefault(dim.text, size)
    return sizes


def _run(v: Value, args: list, sizes: dict[str, int], wide: bool = False) -> Any:
    if v.op == "item":
        return args[0][v.attrs["index"]]
    if v.op in _CONTROL:
        return _CONTROL[v.op](v, args, sizes)
    attrs = {name: concrete(attr, sizes) for name, attr in v.attrs.items()}
    if wide and v.dtype.is_floating_point and "dtype" in attrs:
        attrs["dtype"] = float64
    return np.asarray(OPS[v.op].meaning(*args, **attrs))


def concrete(attr: Any, sizes: dict[str, int]) -> Any:
    """An attribute with its symbolic sizes replaced by numbers."""
    if isinstance(attr, tuple):
        return tuple(concrete(a, sizes) for a in attr)
    return evaluate(attr, sizes) if isinstance(attr, Dim) else attr


# -- control


def _call(v: Value, args: list, sizes: dict[str, int]) -> list:
    return interpret(v.attrs["graph"], args)


def _cond(v: Value, args: list, sizes: dict[str, int]) -> list:
    then, other = graphs(v)
    return interpret(then if args[0] else other, args[1:])


def _while(v: Value, args: list, sizes: dict[str, int]) -> list:
    test, body = graphs(v)
    carry, consts = args[: count(v)], args[count(v) :]
    while interpret(test, [*carry, *consts])[0]:
        carry = interpret(body, [*carry, *consts])
    return carry


def _scan(v: Value, args: list, sizes: dict[str, int]) -> list:
    (body,), carried, length = graphs(v), v.attrs["carry"], v.attrs["length"]
    last = carried + v.attrs["rows"]
    carry, xs, consts = args[:carried], args[carried:last], args[last:]
    made = [result(v, i) for i in range(carried, count(v))]
    ys = [np.empty(concrete(y.shape, sizes), y.dtype.np) for y in made]
    steps = range(concrete(length, sizes))
    for t in reversed(steps) if v.attrs["reverse"] else steps:
        new = interpret(body, [*carry, *(x[t] for x in xs), *consts])
        carry = new[:carried]
        for y, row in zip(ys, new[carried:]):
            y[t] = row
    return [*carry, *ys]


_CONTROL = {"call": _call, "cond": _cond, "while": _while, "scan": _scan}
