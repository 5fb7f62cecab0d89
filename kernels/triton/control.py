"""Loops and branches: Python drives, the graphs that run inside are programs too.

A branch and each turn of a `while` wait for one bool from the device; a `scan` waits
for nothing.
"""

from __future__ import annotations

from typing import Any, Callable, Sequence

from ...tracer.control import GRAPHS, graphs
from ...tracer.graph import Value

__all__ = ["is_control", "runner"]

Runs = Callable[..., tuple]


def is_control(v: Value) -> bool:
    """Whether a node runs graphs."""
    return v.op in GRAPHS


def runner(v: Value, wanted: Sequence[int], machine: Any, compile: Any) -> Callable:
    """What runs `v`: given its arrays, then one for each result numbered in `wanted`.

    `compile(graph, machine)` gives the programs of the graphs inside.
    """
    inside = [compile(graph, machine).run for graph in graphs(v)]
    run = _RUNNERS[v.op](v, inside, machine)
    count = len(v.args)

    def control(*arrays: Any) -> None:
        results = run(*arrays[:count])
        for out, index in zip(arrays[count:], wanted):
            if index < len(results):  # a scan over no rows stacks nothing
                machine.copy(out, results[index])

    return control


def _call(v: Value, inside: Sequence[Runs], machine: Any) -> Runs:
    return inside[0]


def _cond(v: Value, inside: Sequence[Runs], machine: Any) -> Runs:
    then, other = inside

    def run(chosen: Any, *args: Any) -> tuple:
        return then(*args) if machine.read(chosen) else other(*args)

    return run


def _while(v: Value, inside: Sequence[Runs], machine: Any) -> Runs:
    test, body = inside
    n = len(graphs(v)[-1].outputs)

    def run(*args: Any) -> tuple:
        carry, consts = args[:n], args[n:]
        while machine.read(test(*carry, *consts)[0]):
            carry = body(*carry, *consts)
        return carry

    return run


def _scan(v: Value, inside: Sequence[Runs], machine: Any) -> Runs:
    (body,), n, rows = inside, v.attrs["carry"], v.attrs["rows"]
    graph = graphs(v)[-1]

    def run(*args: Any) -> tuple:
        carry, xs, consts = args[:n], args[n : n + rows], args[n + rows :]
        length = v.attrs["length"]
        made = graph.outputs[n:]
        ys: list = []
        places = range(length)
        for t in reversed(places) if v.attrs["reverse"] else places:
            found = body(*carry, *(row(x, t) for x in xs), *consts)
            carry = found[:n]
            if not ys:
                shapes = [(length, *y.shape) for y in found[n:]]
                ys = [machine.empty(s, y.dtype.name) for s, y in zip(shapes, made)]
            for y, part in zip(ys, found[n:]):
                machine.copy(row(y, t), part)
        return (*carry, *ys)

    return run


def row(array: Any, t: int) -> Any:
    """Row `t`, where it lies."""
    return array[t : t + 1].reshape(array.shape[1:])


_RUNNERS = {"call": _call, "cond": _cond, "while": _while, "scan": _scan}
