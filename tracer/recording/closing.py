"""Graphs that stand on their own, of values that were recorded amid others."""

from __future__ import annotations

from typing import Iterable, Optional, Sequence

from ..graph import Graph, Value, constant, make, placeholder, reachable, replace
from ..record import Recorder
from ..sizes import Dim, Int
from ..types import int64

__all__ = ["advanced", "closed"]

_FIXED = ("input", "leaf")  # known by what they are: there is one of each


def closed(
    rec: Recorder,
    functions: dict[str, list[Value]],
    holes: Sequence[Value],
    since: Optional[int] = None,
) -> tuple[list[Graph], list[Value]]:
    """Graphs of functions (their outputs, by name) of `holes` and of what they read.

    The second result are the values outside that they read, the same for all: further
    inputs. Outside is what depends on no hole, so what a loop would compute again and
    again is computed once before it. With `since`, an id, only what is older than
    that: a branch that is not taken computes nothing.
    """
    roots = [v for outputs in functions.values() for v in outputs]
    given = {v.id for v in holes}
    oldest = min([*given, *([] if since is None else [since])], default=0)
    nodes = reachable(roots, lambda v: v.id in given or v.id < oldest)
    inside = set(given)
    for v in nodes:
        if _belongs(v, inside, since):
            inside.add(v.id)
    _take_stretches(nodes, inside)
    own = [v for v in nodes if v.id in inside]
    operands = _outside([*(a for v in own for a in v.args), *roots], inside)
    operands += rec.sizes_for(own, [*holes, *operands])
    known = {v.id: _entry(i, v) for i, v in enumerate(operands)}
    inputs = [*holes, *known.values()]
    graphs = [
        Graph(name, inputs, replace(outputs, known))
        for name, outputs in functions.items()
    ]
    return graphs, operands


def _belongs(v: Value, inside: set[int], since: Optional[int]) -> bool:
    if v.op == "item" or any(a.id in inside for a in v.args):
        return any(a.id in inside for a in v.args)
    return since is not None and v.id > since and v.op not in _FIXED


def _take_stretches(nodes: list[Value], inside: set[int]) -> None:
    """What is only stretched for the inside is stretched there: it takes no memory."""
    read: set[int] = set()
    for v in reversed(nodes):
        if v.id not in inside and v.op == "expand" and v.id in read:
            inside.add(v.id)
        if v.id in inside:
            read.update(a.id for a in v.args)


def _outside(values: Iterable[Value], inside: set[int]) -> list[Value]:
    found = {v.id: v for v in values if v.id not in inside and v.op != "constant"}
    return [found[i] for i in sorted(found)]


def _entry(i: int, v: Value) -> Value:
    new = placeholder(f"k{i}", v.shape, v.dtype)
    new.live = v.live
    return new


def advanced(state: Value, blocks: Int) -> Value:
    """The state of a generator, so many blocks further on."""
    place = make("iota", (), axis=-1, shape=(2,), dtype=int64)
    if not isinstance(blocks, Dim):
        return state + place * blocks
    ones = constant(1, (blocks,), int64)
    return state + place * ones.sum((-1,)).expand((2,))
