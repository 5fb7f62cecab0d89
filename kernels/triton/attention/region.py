"""A graph with passes in place of what they compute, in an order that runs."""

from __future__ import annotations

import heapq
from typing import Any, Iterable, Optional

from ....tracer.graph import Graph, Value, node
from .delta import again
from .walks import Pass

__all__ = ["Builder"]


class Builder:
    """Rebuilds a graph with passes, each value after what it waits for."""

    def __init__(self, graph: Graph, passes: list[Pass]):
        self.graph = graph
        self.owner = {v.id: p for p in passes for v in p.values()}
        self.known: dict[int, Value] = {}
        self.inside = {v.id for v in graph.inputs}

    def build(self) -> tuple[Optional[Graph], list[Pass]]:
        """The graph; or None, and the passes that wait for one another."""
        values = self.live()
        waits, readers = self.edges(values)
        heap = [i for i, n in waits.items() if not n]
        heapq.heapify(heap)
        units = {self.unit(v): v for v in reversed(list(values.values()))}
        done = 0
        while heap:
            i = heapq.heappop(heap)
            done += 1
            self.renew(units[i], values)
            for r in readers.get(i, ()):
                waits[r] -= 1
                if not waits[r]:
                    heapq.heappush(heap, r)
        if done < len(waits):
            stuck = [p for i, p in self.owner.items() if waits.get(self.unit_of(p))]
            return None, stuck or list(self.owner.values())
        outputs = [self.get(v) for v in self.graph.outputs]
        return Graph(self.graph.name, self.graph.inputs, outputs), []

    def get(self, v: Value) -> Value:
        return self.known.get(v.id, v)

    def behind(self, v: Value) -> Iterable[Value]:
        p = self.owner.get(v.id)
        return v.args if p is None else p.leaves

    def unit_of(self, p: Pass) -> int:
        return min(v.id for v in p.values())

    def unit(self, v: Value) -> int:
        """The number of what makes `v`: its own, or the first of a pass."""
        p = self.owner.get(v.id)
        return v.id if p is None else self.unit_of(p)

    def live(self) -> dict[int, Value]:
        """What the outputs need."""
        found: dict[int, Value] = {}
        stack = list(self.graph.outputs)
        while stack:
            v = stack.pop()
            if v.id not in found:
                found[v.id] = v
                stack.extend(self.behind(v))
        return found

    def edges(self, values: dict[int, Value]) -> tuple[dict, dict]:
        """How many units each unit waits for, and who waits for it."""
        waits: dict[int, int] = {}
        readers: dict[int, list[int]] = {}
        seen: set[tuple[int, int]] = set()
        for v in values.values():
            own = self.unit(v)
            waits.setdefault(own, 0)
            for a in self.behind(v):
                edge = self.unit(a), own
                if edge not in seen:
                    seen.add(edge)
                    waits[own] += 1
                    readers.setdefault(edge[0], []).append(own)
        return waits, readers

    def renew(self, v: Value, values: dict[int, Value]) -> None:
        p = self.owner.get(v.id)
        if p is not None:
            self.place(p, values)
        elif v.id not in self.inside:
            new = again(v, self.get)
            if new is not v:
                self.known[v.id], new.line = new, v.line

    def place(self, p: Pass, values: dict[int, Value]) -> None:
        """The node of a pass, and its results that somebody wants."""
        args = tuple(map(self.get, p.leaves))
        p.slots = {v.id: n for n, v in enumerate(p.leaves)}
        nothing: Any = None  # its results have types of their own
        made = node("attention", args, {"work": p}, (), nothing)
        made.line = p.core.e.line
        for v in p.values():
            if v.id in values:
                attrs = {"index": len(p.order)}
                new = node("item", (made,), attrs, v.shape, v.dtype)
                self.known[v.id] = new
                p.order.append(v.id)
                new.line = v.line
