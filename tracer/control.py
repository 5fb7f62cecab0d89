"""Control: nodes that run graphs of their own; what those are given and return.

    call(*args; graph)                  graph(*args)
    cond(pred, *args; then, other)      then(*args) if pred else other(*args)
    while(*carry, *consts; test, body)  while test(*carry, *consts):
                                            carry = body(*carry, *consts)
    scan(*carry, *xs, *consts; body)    for x in zip(*xs):  (back to front if `reverse`)
                                            carry, y = body(*carry, *x, *consts)

The results of a node are its items: those of a `scan` are the last carry, then every
y stacked along a new first axis. A graph that is run knows nothing of the one it
stands in: whatever it reads is an operand, and its symbolic sizes are its own, told by
its inputs.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from .sizes import Dim, Int, same_shape, same_size
from .texts.spelled import substitute
from .types import DType, bool_

__all__ = ["GRAPHS", "Type", "call_sizes", "count", "given", "graphs", "misfit"]
__all__ += ["renamed", "result"]

GRAPHS = {
    "call": ("graph",),
    "cond": ("then", "other"),
    "while": ("test", "body"),
    "scan": ("body",),
}


class Type(NamedTuple):
    """The shape and element type of a value."""

    shape: tuple
    dtype: DType


def graphs(v: Any) -> list:
    """The graphs that a node runs: none but for the nodes of this page."""
    return [v.attrs[name] for name in GRAPHS.get(v.op, ())]


def given(v: Any) -> list:
    """What the graphs of a node are given: values, or the Types of rows of them."""
    if v.op == "cond":
        return list(v.args[1:])
    if v.op != "scan":
        return list(v.args)
    first, last = v.attrs["carry"], v.attrs["carry"] + v.attrs["rows"]
    rows = [Type(x.shape[1:], x.dtype) for x in v.args[first:last]]
    return [*v.args[:first], *rows, *v.args[last:]]


def count(v: Any) -> int:
    """How many results a node has."""
    return len(graphs(v)[-1].outputs)


def result(v: Any, index: int) -> Type:
    """The type of one result."""
    graph = graphs(v)[-1]
    made = graph.outputs[index]
    if v.op == "while" or (v.op == "scan" and index < v.attrs["carry"]):
        return Type(v.args[index].shape, made.dtype)
    shape = made.shape
    if any(isinstance(size, Dim) for size in shape):
        shape = renamed(shape, call_sizes(graph.inputs, given(v)))
    return Type((v.attrs["length"], *shape) if v.op == "scan" else shape, made.dtype)


def call_sizes(inputs: tuple, args: Any) -> dict:
    """What the symbols of a graph stand for where it is called."""
    sizes: dict = {}
    for x, arg in zip(inputs, args):
        for dim, size in zip(x.shape, arg.shape):
            if isinstance(dim, Dim) and dim.text.isidentifier():
                sizes.setdefault(dim.text, size)
    return sizes


def renamed(attr: Any, sizes: dict) -> Any:
    """An attribute or shape with other sizes in place of its symbols."""
    if isinstance(attr, tuple):
        return tuple(renamed(a, sizes) for a in attr)
    return substitute(attr, sizes) if isinstance(attr, Dim) else attr


# -- whether a node and its graphs fit together


def misfit(v: Any) -> str:
    """What is wrong between a node and the graphs it runs, "" when nothing is."""
    return _CHECKS.get(v.op, _check_call)(v)


def _check_call(v: Any) -> str:
    return next(filter(None, (_operands(graph, given(v)) for graph in graphs(v))), "")


def _operands(graph: Any, args: list) -> str:
    if len(graph.inputs) != len(args):
        return f"{len(args)} operands for {len(graph.inputs)} inputs"
    sizes = call_sizes(graph.inputs, args)
    for x, arg in zip(graph.inputs, args):
        if not _alike(Type(renamed(x.shape, sizes), x.dtype), arg):
            return f"{arg!r} for {x!r}"
    return ""


def _alike(a: Any, b: Any) -> bool:
    return a.dtype is b.dtype and same_shape(a.shape, b.shape)


def _check_cond(v: Any) -> str:
    if not v.args or not _alike(v.args[0], Type((), bool_)):
        return "the first operand is a bool[], which chooses"
    then, other = graphs(v)
    if len(then.outputs) != len(other.outputs):
        return f"{len(then.outputs)} results or {len(other.outputs)}"
    if problem := _check_call(v):
        return problem
    sizes = [call_sizes(g.inputs, given(v)) for g in (then, other)]
    for a, b in zip(then.outputs, other.outputs):
        types = [_typed(x, s) for x, s in zip((a, b), sizes)]
        if not _alike(*types):
            return f"a result {a!r} or {b!r}"
    return ""


def _typed(x: Any, sizes: dict) -> Type:
    return Type(renamed(x.shape, sizes), x.dtype)


def _check_while(v: Any) -> str:
    test, body = graphs(v)
    if len(test.outputs) != 1 or not _alike(test.outputs[0], Type((), bool_)):
        return "the test returns one bool[]"
    if len(body.outputs) > len(v.args):
        return f"{len(body.outputs)} results for {len(v.args)} operands"
    return _check_call(v) or _check_carry(v, len(body.outputs))


def _check_carry(v: Any, carried: int) -> str:
    body = graphs(v)[-1]
    sizes = call_sizes(body.inputs, given(v))
    for x, y in zip(v.args[:carried], body.outputs):
        if not _alike(x, _typed(y, sizes)):
            return f"the carry {x!r} becomes {y!r}"
    return ""


def _check_scan(v: Any) -> str:
    first, rows = v.attrs["carry"], v.attrs["rows"]
    if len(v.args) < first + rows or len(v.attrs["body"].outputs) < first:
        return f"{len(v.args)} operands for a carry of {first} and {rows} rows"
    length: Int = v.attrs["length"]
    for x in v.args[first : first + rows]:
        if not x.shape or not same_size(x.shape[0], length):
            return f"{x!r} has no {length} rows"
    return _check_call(v) or _check_carry(v, first)


_CHECKS = {"cond": _check_cond, "while": _check_while, "scan": _check_scan}
