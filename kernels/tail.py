"""The end of a program that may run in place: over the arrays that it replaces.

A training step ends with updates: new = old - rate * gradient, element by element.
Computed last, and over the old numbers, they need no memory of their own. Such an end
cannot fail once it has begun, so it may run while results are committed.
"""

from __future__ import annotations

from typing import Iterable, Mapping, NamedTuple, Optional

from ..tracer.graph import Graph, Value, reachable
from ..tracer.ops import OPS

__all__ = ["Parts", "divide"]


class Parts(NamedTuple):
    """A program in two: `first`, then `last`, which writes over its inputs.

    `first` has the outputs of the whole that are not in `late`, in order, then
    `handed`; the outputs of `last` are those in `late`, in order, and `inplace` says
    over which of its inputs each goes. Its inputs are inputs of the whole, outputs of
    it, and `handed`.
    """

    first: Graph
    last: Graph
    late: tuple
    handed: tuple
    inplace: tuple


def divide(
    graph: Graph, targets: Mapping[int, Value], shared: Iterable[Value] = ()
) -> Optional[Parts]:
    """Divide a program; None where nothing can be written in place.

    `targets` are the inputs that outputs replace, by the number of the output; `shared`
    inputs lie, in another form, in the memory of a target.
    """
    refused = {v.id for v in shared}
    wanted = dict(targets)
    while wanted:
        ends = _Ends(graph, wanted)
        bad = [k for k in wanted if not ends.fits(k, refused)]
        if not bad:
            return _parts(graph, wanted, ends)
        for k in bad:
            del wanted[k]
    return None


class _Ends:
    """The operations that nothing reads but the results in `wanted`."""

    def __init__(self, graph: Graph, wanted: Mapping[int, Value]):
        self.outputs, self.wanted = graph.outputs, wanted
        self.kept = {v.id for k, v in enumerate(graph.outputs) if k not in wanted}
        self.late: set[int] = set()
        nodes = graph.nodes()
        early = set(self.kept)
        for v in reversed(nodes):
            if v.id in early or not _is_elementwise(v):
                early.update(a.id for a in v.args)
            else:
                self.late.add(v.id)

    def fits(self, k: int, refused: set[int]) -> bool:
        """Whether output `k` can be computed at the end, at no cost."""
        out = self.outputs[k]
        if out.id not in self.late or out.shape != self.wanted[k].shape:
            return False
        for v in reachable([out], lambda v: v.id not in self.late):
            costly = OPS[v.op].kind in ("pointwise", "compare") and v.args
            new = v.id not in self.late and v.id not in self.kept
            if v.id in refused or (costly and new and v.shape == out.shape):
                return False
        return True


def _is_elementwise(v: Value) -> bool:
    """Whether `v` is computed element by element, by what cannot fail."""
    if v.op == "expand":
        return True
    if OPS[v.op].kind not in ("pointwise", "compare") or not v.args:
        return False
    # Integers may meet an exponent that has no answer.
    return all(kind.category != 1 for kind in (v.dtype, *(a.dtype for a in v.args)))


def _parts(graph: Graph, wanted: Mapping[int, Value], ends: _Ends) -> Parts:
    late = tuple(sorted(wanted))
    results = [graph.outputs[k] for k in late]
    cut = reachable(results, lambda v: v.id not in ends.late)
    given = [v for v in cut if v.id not in ends.late and v.op != "constant"]
    known = ends.kept | {v.id for v in graph.inputs}
    handed = tuple(v for v in given if v.id not in known)
    known = {v.id for v in given}
    given += [v for v in wanted.values() if v.id not in known]
    stay = (v for k, v in enumerate(graph.outputs) if k not in wanted)
    first = Graph(graph.name, graph.inputs, (*stay, *handed))
    at = {v.id: i for i, v in enumerate(given)}
    inplace = tuple((n, at[wanted[k].id]) for n, k in enumerate(late))
    last = Graph(f"{graph.name}_in_place", given, results)
    return Parts(first, last, late, handed, inplace)
