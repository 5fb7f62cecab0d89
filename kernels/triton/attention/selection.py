"""Masks that were written with numbers, as the conditions they stand for.

`torch.tril(torch.ones(n, n)) == 0` selects 1 or 0 by a comparison of positions and
compares that with a number: it is the opposite of the comparison. Whatever is computed
element by element from such a selection and constants is a selection as well, and one
of truth values is its condition, so bounds can be read off it (see mask.py).
"""

from __future__ import annotations

from typing import Any, NamedTuple, Optional, Sequence

import numpy as np

from ....tracer.graph import Graph, Value, constant, make, node
from ....tracer.ops import OPS
from ....tracer.types import bool_
from ...regions import kind_of

__all__ = ["plain_masks"]

MOVES = frozenset(("expand", "reshape", "permute", "slice", "stop_gradient", "leaf"))


class Selection(NamedTuple):
    """`yes` where the condition holds, else `no`; without one, always `yes`."""

    test: Optional[Value]
    yes: Any
    no: Any


def plain_masks(graph: Graph) -> Graph:
    """The graph with conditions in place of comparisons of selections."""
    found: dict[int, Optional[Selection]] = {}
    known: dict[int, Value] = {}
    for v in graph.nodes():
        found[v.id] = _selection(v, [found[a.id] for a in v.args])
        args = tuple(known.get(a.id, a) for a in v.args)
        is_test = v.dtype is bool_ and (kind_of(v) == "compare" or v.op == "cast")
        new = _condition(v, found[v.id]) if is_test else None
        if new is None and any(a is not b for a, b in zip(args, v.args)):
            new = node(v.op, args, v.attrs, v.shape, v.dtype)
        if new is not None:
            known[v.id], new.line = new, v.line
    if not known:
        return graph
    outputs = [known.get(v.id, v) for v in graph.outputs]
    return Graph(graph.name, graph.inputs, outputs)


def _condition(v: Value, found: Optional[Selection]) -> Optional[Value]:
    """What a selection of truth values comes to."""
    if found is None or found.test is None:
        return None
    if bool(found.yes) is bool(found.no):
        return constant(bool(found.yes), v.shape, bool_)
    if found.yes:
        return found.test
    return make("xor", (found.test, constant(True, v.shape, bool_)))


def _selection(v: Value, args: Sequence[Optional[Selection]]) -> Optional[Selection]:
    if v.op == "constant":
        return Selection(None, *[v.dtype.np.type(v.attrs["value"])] * 2)
    if v.op in MOVES:
        return _moved(v, args[0])
    if v.dtype is None or kind_of(v) not in ("pointwise", "compare"):
        return None
    if v.op == "where" and None not in args[1:]:
        return _chosen(v, args)
    if v.op == "cast" and v.args[0].dtype is bool_ and args[0] is None:
        return Selection(v.args[0], v.dtype.np.type(1), v.dtype.np.type(0))
    return None if None in args else _computed(v, args)


def _chosen(v: Value, args: Sequence[Any]) -> Optional[Selection]:
    """By a condition between two constants."""
    test, yes, no = args
    if test is None and yes.test is None and no.test is None:
        return Selection(v.args[0], yes.yes, no.yes)
    return _computed(v, args) if test is not None else None


def _moved(v: Value, x: Optional[Selection]) -> Optional[Selection]:
    if x is None or x.test is None:
        return x
    return x._replace(test=node(v.op, (x.test,), v.attrs, v.shape, bool_))


def _computed(v: Value, args: Sequence[Any]) -> Optional[Selection]:
    """The meaning of a primitive on both sides of one condition."""
    tests = {a.test.id: a.test for a in args if a.test is not None}
    if len(tests) > 1:
        return None
    test = next(iter(tests.values()), None)
    if v.op == "cast":
        return Selection(test, *(v.dtype.np.type(x) for x in args[0][1:]))
    meaning, sides = OPS[v.op].meaning, zip(*(a[1:] for a in args))
    with np.errstate(all="ignore"):
        return Selection(test, *(meaning(*side, **v.attrs) for side in sides))
