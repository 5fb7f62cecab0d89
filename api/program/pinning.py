"""Sizes that a recording took for equal: one and the same, where its graph needs it.

`ones(n, n) @ x` of an x with n rows that is [2, 2] in the example was recorded because
Python saw `n == 2`. As text such a graph holds by algebra only with 2 in place of n.
"""

from __future__ import annotations

from typing import Any, Iterator, Optional

from ...tracer.errors import FormatError
from ...tracer.graph import Graph, Value, placeholder
from ...tracer.sizes import Dim, Int, hint
from ...tracer.splice import Splice
from ...tracer.texts.spelled import substitute
from ...tracer.texts.text import parse_graph, print_graph
from ..jit.paths.unpack import Kind
from .plan import Plan
from .signature import Signature

__all__ = ["settled"]


def settled(signature: Signature, plans: list[Plan]) -> tuple[Signature, list[Plan]]:
    """Both with equal sizes made one, where a graph does not hold without.

    First what the comparisons say (`n == 2`, `n == m`); where that is not enough,
    every symbol they speak of becomes the number that it was.
    """
    for sizes in (None, _solved, _fixed):
        if sizes is not None:
            names = _Names(signature.symbols)
            sizes(names, plans)
            signature = _signature(signature, names)
            plans = [_plan(plan, names) for plan in plans]
        if not signature.symbols or all(map(_holds, plans)):
            break
    return signature, plans


def _holds(plan: Plan) -> bool:
    """Whether a reader would take the graph: each size follows from the inputs."""
    if not any(True for _ in _equalities([plan])):
        return True
    try:
        parse_graph(print_graph(plan.guarded))
    except FormatError:
        return False
    return True


def _equalities(plans: list[Plan]) -> Iterator[tuple[Int, Int]]:
    for plan in plans:
        for left, sign, right, outcome in plan.sizes:
            if sign == "==" and outcome:
                yield left, right


def _solved(names: dict[str, Int], plans: list[Plan]) -> None:
    """What follows for symbols that stand alone on one side."""
    for pair in _equalities(plans):
        left, right = (substitute(n, names) for n in pair)
        name = _alone(left) or _alone(right)
        other = right if _alone(left) else left
        if name and (isinstance(other, int) or _alone(other)):
            for key in names:
                names[key] = substitute(names[key], _Names({**names, name: other}))


def _alone(n: Int) -> Optional[str]:
    return n.text if isinstance(n, Dim) and n.text.isidentifier() else None


def _fixed(names: dict[str, Int], plans: list[Plan]) -> None:
    """The symbols that equalities speak of as numbers."""
    spoken = " ".join(str(n) for pair in _equalities(plans) for n in pair)
    for key, size in names.items():
        if key in _words(spoken):
            names[key] = hint(size)


def _words(text: str) -> set[str]:
    apart = "".join(c if c.isalnum() or c == "_" else " " for c in text)
    return set(apart.split())


# -- putting sizes in


def _signature(signature: Signature, names: dict[str, Int]) -> Signature:
    leaves = [
        x._replace(shape=_renewed(x.shape, names)) if isinstance(x, Kind) else x
        for x in signature.leaves
    ]
    return Signature(signature.name, leaves, signature.spec)


def _plan(plan: Plan, names: dict[str, Int]) -> Plan:
    rows = ((*_renewed((a, b), names), sign, out) for a, sign, b, out in plan.sizes)
    return plan._replace(
        graph=_graph(plan.graph, names),
        result=tuple(_entry(entry, names) for entry in plan.result),
        grads=tuple((at, entry and _entry(entry, names)) for at, entry in plan.grads),
        blocks=_renewed(plan.blocks, names),
        sizes=tuple(
            (a, sign, b, out)
            for a, b, sign, out in rows
            if isinstance(a, Dim) or isinstance(b, Dim)
        ),
    )


def _entry(entry: tuple, names: dict[str, Int]) -> tuple:
    kind, of, steps = entry
    made = ((op, {k: _renewed(a, names) for k, a in at.items()}) for op, at in steps)
    return kind, _renewed(of, names), tuple(made)


def _graph(graph: Graph, names: dict[str, Int]) -> Graph:
    known = {v.id: _input(v, names) for v in graph.inputs}
    values = _Splice(known, names).values(graph.outputs)
    new = Graph(graph.name, [known[v.id] for v in graph.inputs], values)
    new.memo.update((k, v) for k, v in graph.memo.items() if k == "rule")
    return new


def _input(v: Value, names: dict[str, Int]) -> Value:
    return placeholder(v.attrs["name"], _renewed(v.shape, names), v.dtype)


class _Names(dict):
    """What each symbol becomes; those that only a called graph has stay."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> Int:
        return Dim(name)


class _Splice(Splice):
    """Graphs that are called know the sizes too."""

    def renew(self, attr: Any) -> Any:
        """An attribute with other sizes."""
        if isinstance(attr, Graph):
            return _graph(attr, self.sizes)
        return super().renew(attr)


def _renewed(x: Any, names: dict[str, Int]) -> Any:
    if type(x) is tuple:
        return tuple(_renewed(each, names) for each in x)
    return substitute(x, names) if isinstance(x, Dim) else x
