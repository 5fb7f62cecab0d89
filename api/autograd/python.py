"""Where Python takes part in a derivative: hooks, and backwards that users wrote.

A derivative is SSA made from SSA. Python in the middle of it wants tensors. Three
kinds of world give it some: in an eager backward what it is shown is computed on the
spot (`Numbers`); under a recording it computes on recorded tensors, and what it does
joins the program (`Symbols`); a graph that is differentiated on its own, long after it
was recorded, gets a recording for that moment.
"""

from __future__ import annotations

import contextlib
import threading
from typing import Any, Iterable, Iterator, Optional, Union

import numpy as np

from ...autodiff.vjp import rule_of, taps
from ...tracer.elsewhere import away
from ...tracer.errors import TraceError
from ...tracer.graph import Value
from ...tracer.record import Recorder, state
from ...tracer.storage import Leaf
from ..engine import evaluate, place_of, run, unpacked
from ..history import keep, still
from ..tensor import Tensor, fresh, wrap
from .anomaly import Finder, mode

__all__ = ["Numbers", "Symbols", "now", "python"]


class Now(threading.local):
    """The eager backward that this thread is in; whether it records one; the values
    along which it goes, by id."""

    backward: Optional["Numbers"] = None
    path: Any = None
    inside = False


now = Now()


_PIECE = 256  # steps of a long way that are one program


class Numbers:
    """An eager backward along `path`: Python is shown tensors that hold numbers.

    `history` are the values whose kept arrays may be read. With `create_graph` what
    Python computes can be differentiated again.
    """

    def __init__(
        self,
        path: Iterable[Value],
        history: Iterable[Value],
        create_graph: bool,
        wrt: Iterable[Value],
    ):
        self.ids, self.create_graph = {v.id for v in path}, create_graph
        self.wanted = {v.id for v in wrt}
        self.history = tuple(history)
        self.known = _kept(self.history)
        self.given: set[int] = set()  # ids of what was handed out
        self.behind = set(self.known)  # what the forward kept
        self.device = device_of(self.history, self.known)
        self.gone = 0  # steps since a piece ended
        self.place: Optional[tuple] = None  # where it did
        self.finder = Finder() if mode.on and mode.check_nan else None

    def compute(self, values: Iterable[Value]) -> None:
        """Learn the numbers of `values`, all in one program."""
        todo = {v.id: v for v in values if v.id not in self.known}
        if not todo:
            return
        arrays, used = evaluate(
            "backward", list(todo.values()), self.known, self.device
        )
        for v, array in zip(todo.values(), arrays):
            self.known[v.id] = (v, array, still, 0)
            if self.create_graph and v.live:
                v.data = used

    def settle(self, sums: dict, v: Value) -> None:
        """Compute whatever is pending, so that nothing is computed twice."""
        shown = self.finder is not None or v.id in taps or rule_of(v) is not None
        if not (shown or self._is_far(v)):
            return
        pending = (g for i, g in sums.items() if i <= v.id or i in self.wanted)
        self.compute(x for g in pending for x in _values(g))
        if self.finder is not None:
            self.finder.check(self, sums, v)

    def _is_far(self, v: Value) -> bool:
        """Whether a long way is to be gone in pieces, and one of them ends before `v`.

        They end at one place in a loop, so that turns differ in nothing: each piece is
        compiled once, whatever their number.
        """
        self.gone += 1
        if self.gone < _PIECE or len(self.ids) < 4 * _PIECE or self.create_graph:
            return False
        place = v.op, v.line
        if self.place not in (None, place) and self.gone < 2 * _PIECE:
            return False
        self.place, self.gone = place, 0
        return True

    def array(self, g: Value) -> np.ndarray:
        """The numbers of a cotangent."""
        self.compute([g])
        return unpacked(self.known[g.id][1])

    def tensor(self, g: Value) -> Tensor:
        """A cotangent as a tensor."""
        array, storage = self.array(g), self.known[g.id][2]
        if storage is not still or g.id in self.given or self.create_graph:
            array = array.copy()  # somebody else holds it
        self.given.add(g.id)
        t = fresh(array)
        if self.create_graph and g.live:
            t._storage.value, t._value, t._seen = g, g, 0
        return t

    def value(self, t: Tensor) -> Value:
        """A tensor as a cotangent."""
        entry = keep(t)
        self.known[entry[0].id] = entry
        return entry[0]


def device_of(history: Iterable[Value], known: dict[int, tuple]) -> Any:
    """Where a backward runs: on the GPU, if anything it goes along lies there."""
    if not away.used:
        return None
    leaves = (v.data.tensor() for v in history if isinstance(v.data, Leaf))
    arrays = [t._array for t in leaves if t is not None]
    return place_of(arrays) or place_of([entry[1] for entry in known.values()])


def _values(g: Any) -> Iterable[Value]:
    return g.values() if isinstance(g, dict) else (g,)


def _kept(history: Iterable[Value]) -> dict[int, tuple]:
    known: dict[int, tuple] = {}
    for v in history:
        if isinstance(v.data, list):
            for own, *rest in v.data:
                own = v if own is None else own
                known[own.id] = (own, *rest)
    return known


class Symbols:
    """A recording: Python is shown recorded tensors."""

    def __init__(self, rec: Recorder):
        self.rec = rec

    def tensor(self, g: Value) -> Tensor:
        """A cotangent as a tensor."""
        return wrap(self.rec, g)

    def value(self, t: Tensor) -> Value:
        """A tensor as a cotangent."""
        return self.rec.value_of(t)


World = Union[Numbers, Symbols]


@contextlib.contextmanager
def python(v: Value) -> Iterator[World]:
    """The world in which Python sees the derivative of `v`."""
    grad, eager = state.grad, now.backward
    try:
        if eager is not None and v.id in eager.ids:
            state.grad = eager.create_graph
            yield eager
        elif state.recorder is not None:
            yield Symbols(state.recorder)
        else:
            yield from _apart(v)
    finally:
        state.grad = grad


def _apart(v: Value) -> Iterator[World]:
    rec = state.recorder = Recorder("backward", run)
    state.grad = True
    try:
        yield Symbols(rec)
    finally:
        state.recorder = None
    if rec.inputs:
        raise TraceError(
            f"the backward of what {v.line or 'a jitted function'} computed reads a "
            "tensor that is neither its argument nor saved: save_for_backward() it"
        )
