"""Reverse mode: SSA to SSA.

The backward is more of the same program: values made by the rows of `derivatives.py`
from the forward's own values. So it can be read, simplified, fused, and
differentiated again.
"""

from __future__ import annotations

from typing import Any, Callable, Iterable, Optional, Sequence

from ..tracer.control import GRAPHS
from ..tracer.errors import DTypeError, ShapeError
from ..tracer.graph import (
    Graph,
    Value,
    here,
    make,
    placeholder,
    reachable,
)
from ..tracer.sizes import same_shape
from .adjoints import Parts
from .choices import through_cond
from .derivatives import row
from .inside import Engine
from .loops import through_scan, through_while

__all__ = ["vjp", "backward_graph", "between", "taps", "rule_of"]

Cotangent = Optional[Value]

# They differentiate what is inside them: these rules take the engine itself.
LOOPS = {"cond": through_cond, "while": through_while, "scan": through_scan}

# By id: functions (value, cotangent) -> cotangent, which look at the complete
# cotangent of a value, or put another in its place, before it flows on.
taps: dict[int, Callable] = {}


def rule_of(v: Value) -> Optional[Callable]:
    """The derivative that somebody else provides for a call, if it has one.

    `rule(call, cotangents of its results by number, which arguments are wanted)` is a
    list: one cotangent or None for each argument.
    """
    return v.attrs["graph"].memo.get("rule") if v.op == "call" else None


def vjp(
    outputs: Sequence[Value],
    cotangents: Sequence[Cotangent],
    wrt: Sequence[Value],
    settle: Optional[Callable[[dict, Value], None]] = None,
) -> list[Cotangent]:
    """The vector-Jacobian products: one cotangent for each of `wrt`.

    A cotangent has the shape and element type of its output; None stands for zero,
    among the results as well: None means that no path leads there. `wrt` may be
    leaves, inputs or values in between; those are treated as free variables, and
    what lies behind them gets its share too.

    Each new value carries the source line of the value it is the derivative of.
    `settle(cotangents by id, value)` is called before the derivative of a value.
    Raises ShapeError or DTypeError where a cotangent does not fit its output.
    """
    sums: dict[int, Any] = {}
    for y, g in zip(outputs, cotangents):
        if g is not None:
            _check(y, g)
            _accumulate(sums, y, g)
    path = between(wrt, outputs)
    before = here.line
    try:
        for v in reversed(path.values()):
            if v.id in sums:
                here.line = v.line
                if settle is not None:
                    settle(sums, v)
                if v.id in taps:
                    sums[v.id] = taps[v.id](v, sums[v.id])
                _pull(v, sums, path)
    finally:
        here.line = before
    return [sums.get(v.id) for v in wrt]


def _check(y: Value, g: Value) -> None:
    if not same_shape(g.shape, y.shape):
        raise ShapeError(f"a cotangent of {list(g.shape)} for an output {y!r}")
    if g.dtype is not y.dtype:
        raise DTypeError(f"a cotangent of type {g.dtype} for an output {y!r}")


def between(wrt: Sequence[Value], outputs: Iterable[Value]) -> dict[int, Value]:
    """The values between `wrt` and `outputs` along which gradients flow, by id."""
    # What is older than all of `wrt` cannot depend on it: do not look behind.
    oldest = min((v.id for v in wrt), default=0)
    path = {v.id: v for v in wrt}
    for v in reachable(outputs, stop=lambda v: v.id <= oldest):
        if _flows(v) and any(arg.id in path for arg in v.args):
            path[v.id] = v
    return {i: path[i] for i in sorted(path)}


def _flows(v: Value) -> bool:
    if v.op in GRAPHS:
        return True
    return v.dtype.is_floating_point and row(v.op, v.attrs) is not None


def _pull(v: Value, sums: dict[int, Any], path: dict[int, Value]) -> None:
    """Hand the cotangent of `v` on to those of its arguments that lie on the path."""
    g, wanted = sums[v.id], [arg.id in path for arg in v.args]
    if not any(wanted):
        return
    for arg, part, want in zip(v.args, _parts(v, g, wanted), wanted):
        if want and part is not None:
            _accumulate(sums, arg, part)


def _parts(v: Value, g: Any, wanted: list[bool]) -> Iterable[Any]:
    if v.op in LOOPS:
        return LOOPS[v.op](v, g, wanted, Engine(vjp, between))
    if v.op == "call":
        return (rule_of(v) or through_call)(v, g, wanted)
    rule = row(v.op, v.attrs)
    # Asked for by name, a value that stops the flow is on the path: it ends there.
    return rule(g, v, *v.args, **v.attrs) if rule else ()


def _accumulate(sums: dict[int, Any], v: Value, g: Any) -> None:
    sums[v.id] = sums[v.id] + g if v.id in sums else g


def through_call(v: Value, g: Parts, wanted: Sequence[bool]) -> list[Cotangent]:
    """The derivative of a call is one call: of the backward graph.

    That graph computes again what it needs of the forward; `residuals.py` has the
    form in which the forward keeps it.
    """
    graph, live = v.attrs["graph"], tuple(sorted(g))
    parts = graph.memo.get("split")
    if parts is not None and set(g) <= set(parts.live):
        return _from_kept(v, g, parts)
    wrt = tuple(i for i, want in enumerate(wanted) if want)
    backward, reached = backward_graph(graph, wrt, live)
    if not reached:
        return [None] * len(v.args)
    call = make("call", (*v.args, *(g[i] for i in live)), graph=backward)
    items = {i: make("item", (call,), index=n) for n, i in enumerate(reached)}
    return [items.get(i) for i in range(len(v.args))]


def _from_kept(v: Value, g: Parts, split: Any) -> list[Cotangent]:
    """The same where the forward keeps what the backward reads (residuals.py)."""
    live = tuple(sorted(g))
    backward, reached = split.backward(live)
    first = len(v.attrs["graph"].outputs) - len(split.kept)
    kept = [_item(v, first + n) for n in range(len(split.kept))]
    call = make("call", (*kept, *(g[i] for i in live)), graph=backward)
    items = (make("item", (call,), index=n) for n in range(len(reached)))
    found = dict(zip((split.offset + i for i in reached), items))
    return [found.get(i) for i in range(len(v.args))]


def _item(call: Value, index: int) -> Value:
    """Result number `index`; the very value whose numbers somebody keeps, if any."""
    for entry in call.data if isinstance(call.data, list) else ():
        if entry[0].attrs.get("index") == index:
            return entry[0]
    return make("item", (call,), index=index)


def backward_graph(
    graph: Graph, wrt: tuple, live: tuple
) -> tuple[Graph, tuple[int, ...]]:
    """The graph of the cotangents of the inputs numbered `wrt`, and which it has.

    Its inputs are those of `graph`, then one cotangent for each output numbered in
    `live`; its outputs are the cotangents of the inputs numbered by the second
    result: those of `wrt` that a path leads to.
    """
    key = ("vjp", wrt, live)
    if key not in graph.memo:
        graph.memo[key] = _backward_graph(graph, wrt, live)
    return graph.memo[key]


def _backward_graph(graph: Graph, wrt: tuple, live: tuple) -> tuple:
    outputs = [graph.outputs[i] for i in live]
    cotangents = [placeholder(f"g{i}", y.shape, y.dtype) for i, y in zip(live, outputs)]
    found = vjp(outputs, cotangents, [graph.inputs[i] for i in wrt])
    reached = tuple(i for i, g in zip(wrt, found) if g is not None)
    inputs = (*graph.inputs, *cotangents)
    results = [g for g in found if g is not None]
    return Graph(f"{graph.name}_vjp", inputs, results), reached
