"""The flush of a recording: Python asks for a number, and what is pending runs."""

from __future__ import annotations

import weakref
from typing import Any, Callable, Iterable

import numpy as np

from ..graph import Graph, Value, reachable
from ..storage import Storage
from .declare import declaring
from .overlay import Input, Shadow
from .unseen import check_seen, is_unseen

__all__ = ["Flushing"]


class Flushing:
    """Computes pieces of a recording. `run(graph, arrays)` is given by the api floor.

    Where Python drives a loop (`crowded`, or `passing` over turns that are known),
    what a turn has computed is from then on a number without a past.
    """

    name: str
    run: Callable[..., Iterable]
    inputs: list[Input]
    shapes: dict[int, tuple]
    shadows: dict[Storage, Shadow]
    made: list[weakref.ref]
    following: Any
    device: Any
    flushed: bool
    crowded: bool
    passing: bool
    value_of: Callable[[Any], Value]

    def demand(self, v: Value) -> np.ndarray:
        """The numbers of `v`, now."""
        if v.data is None:
            self.flush([v])
        return v.data

    def flush(self, wanted: list[Value]) -> None:
        """Run the pending piece behind `wanted`.

        What other tensors still hold of that piece is kept too, so that no number is
        computed twice however often Python looks.
        """
        if not wanted:
            return
        self.flushed, driven = True, self.crowded or self.passing
        wanted = [*wanted, *self._left()] if driven else wanted
        known = lambda v: v.data is not None  # noqa: E731
        nodes = reachable(wanted, stop=known)
        check_seen(nodes)
        inside = {v.id for v in nodes}
        outputs = {v.id: v for v in wanted}
        for v in self._held():
            if v.id in inside and v.data is None:
                outputs[v.id] = v
        inputs = [v for v in nodes if known(v)]
        inputs += self.sizes_for(nodes, inputs)
        graph = Graph(self.name, inputs, outputs.values())
        place = () if self.device is None else (self.device,)
        arrays = self.run(graph, [v.data for v in inputs], *place)
        for v, array in zip(graph.outputs, arrays):
            v.data = array
            if driven and not v.live:
                # Nobody looks behind it again.
                v.op, v.args, v.attrs = "input", (), {"name": f"h{v.id}"}

    def _left(self) -> list[Value]:
        """What a turn of a loop left to be computed: so that it does not pile up."""
        written = (shadow.value for shadow in self.shadows.values() if shadow.version)
        numbers = self.following.held() if self.following is not None else ()
        left = (*self._held(), *written, *(number._value for number in numbers))
        return [v for v in left if v.data is None and not is_unseen(v)]

    def sizes_for(self, nodes: list[Value], inputs: list[Value]) -> list[Value]:
        """Further inputs, which tell the symbolic sizes in the nodes."""
        for t, _ in self.shapes.values():
            self.value_of(t)
        candidates = [i.value for i in self.inputs] if self.shapes else []
        return declaring(nodes, inputs, candidates)

    def _held(self) -> list[Value]:
        """The values of tensors made here that Python still holds."""
        self.made = [ref for ref in self.made if ref() is not None]
        alive = (ref() for ref in self.made)
        return [self.value_of(t) for t in alive if t is not None]
