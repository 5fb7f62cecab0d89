"""Simplify: a graph rebuilt without what is equal, known or needless.

One walk in order of creation. Calls are inlined, equal nodes become one, constants
are folded through the NumPy meaning, and the rules of `rules.py` and `moves.py` are
applied until none fits. What nothing reads is simply never reached.
"""

from __future__ import annotations

import functools
from typing import Any, Iterator, Optional

import numpy as np

from ..control import GRAPHS, call_sizes, renamed
from ..graph import Graph, Value, constant, here, node, placeholder, reachable
from ..ops import OPS
from ..sizes import Dim
from ..structure import freeze_attrs
from ..types import DType
from .moves import MOVEMENT, REDUCTION
from .rewrite import COMMUTATIVE, Rules
from .rules import ARITHMETIC, LOGIC
from .trim import trim
from .unite import unite

__all__ = ["simple_part", "simplified", "simplify", "RULES"]

RULES = Rules([*ARITHMETIC, *LOGIC, *MOVEMENT, *REDUCTION])
_FOLDS = frozenset(
    op.name for op in OPS.values() if op.kind in ("pointwise", "compare")
) - {"leaf", "stop_gradient"}
_MARKS = frozenset(("leaf", "stop_gradient"))


def simplify(graph: Graph, final: bool = True) -> Graph:
    """The same function in fewer steps: bit for bit the same results.

    `final` is for code generation: the marks of differentiation (`leaf` and
    `stop_gradient`) are dropped. Otherwise every leaf stays, itself, where it is.
    The result shares no Value with `graph` and holds no data.

    >>> from tracefuse.tracer.types import float32
    >>> x = placeholder("x", (2,), float32)
    >>> [v.op for v in simplify(Graph("f", [x], [-(-x) * 1.0 - -x])).nodes()]
    ['input', 'add']
    """
    line = here.line
    try:
        return _Pass(final).run(graph)
    finally:
        here.line = line


def simplified(graph: Graph, final: bool = True) -> Graph:
    """`simplify(graph)`, once: what came of it is remembered on the graph."""
    key = "simplified", final
    found = graph.memo.get(key)
    if found is None:
        graph.memo[key] = found = simplify(graph, final)
        found.memo[key] = ITSELF
    return graph if found is ITSELF else found


def simple_part(part: Graph) -> Graph:
    """A piece cut out of a simplified graph, which need not be simplified again."""
    if all(v.op == "input" for v in part.inputs):
        part.memo["simplified", True] = ITSELF
    return part


ITSELF = "itself"  # a graph that cannot be made simpler has no reference to itself


class _Frame:
    """One graph being walked: where the walk stands and what is known so far."""

    __slots__ = ("graph", "rest", "known", "sizes", "call")

    def __init__(self, graph: Graph, args: Any, call: Optional[Value] = None):
        self.graph, self.call = graph, call
        self.rest: Iterator = iter(graph.nodes()[len(graph.inputs) :])
        self.known: dict[int, Any] = {v.id: a for v, a in zip(graph.inputs, args)}
        sizes = call_sizes(graph.inputs, args) if call is not None else {}
        same = (isinstance(n, Dim) and n.text == name for name, n in sizes.items())
        self.sizes = {} if all(same) else sizes  # what its symbols are called here


class _Pass:
    """One run of `simplify`; `shared` finds a node by what it computes."""

    def __init__(self, final: bool):
        self.final = final
        self.shared: dict[tuple, Value] = {}
        self.loops: dict[int, Value] = {}  # id of a new loop -> what it stands for
        self.settled: set[int] = set()  # ids of new nodes that no rule fits
        self.readers: dict[int, int] = {}  # how many read what a new node stands for

    def run(self, graph: Graph) -> Graph:
        """Walk `graph` and everything it calls."""
        inputs = [self.input(v, i) for i, v in enumerate(graph.inputs)]
        frames = [_Frame(graph, inputs)]
        users = _users(frames[0].graph)
        guards: list = []
        while True:
            frame = frames[-1]
            call = self.walk(frame, users)
            if call is not None:
                args = [frame.known[a.id] for a in call.args]
                frames.append(_Frame(call.attrs["graph"], args, call))
                users.update(_users(call.attrs["graph"]))
                continue
            guards += [(frame.known[v.id], want) for v, want in frame.graph.guards]
            outputs = [frame.known[v.id] for v in frame.graph.outputs]
            frames.pop()
            if frame.call is None:
                done = Graph(graph.name, inputs, outputs, guards)
                return trim(unite(done, self.loops)) if self.loops else done
            frames[-1].known[frame.call.id] = outputs

    def walk(self, frame: _Frame, users: dict) -> Optional[Value]:
        """Go on in `frame`; stops at a call, which is the answer."""
        known = frame.known
        for v in frame.rest:
            if v.op == "call":
                return v
            here.line = v.line
            args = tuple([known[a.id] for a in v.args])
            if v.op == "item" and type(args[0]) is list:  # of a call that is inlined
                new = args[0][v.attrs["index"]]
            else:
                new = self.visit(_resized(v, frame.sizes), args)
            known[v.id] = new
            self.readers[new.id] = self.readers.get(new.id, 0) + users.get(v.id, 0)
        return None

    def input(self, v: Value, i: int) -> Value:
        """A fresh input like `v`, which may itself be some computed value."""
        new = placeholder(v.attrs.get("name", f"x{i}"), v.shape, v.dtype)
        new.live, new.line = v.live and not self.final, v.line
        self.settled.add(new.id)
        return new

    def visit(self, v: Value, args: tuple) -> Value:
        """What the operation of `v` on new operands comes to."""
        if v.op in _MARKS and self.final:
            return args[0]
        if v.op == "leaf":
            return self.settle(node(v.op, args, v.attrs, v.shape, v.dtype))
        key = _key(v, args)
        new = self.shared.get(key)
        if new is None:
            new = self.shared[key] = self.reduce(v, args)
        return new

    def reduce(self, v: Value, args: tuple) -> Value:
        """A node for `v`, or what simpler thing folding or a rule makes of it."""
        if v.op in GRAPHS:
            attrs = {k: self.inner(a) for k, a in v.attrs.items()}
            new = node(v.op, args, attrs, v.shape, v.dtype)
            self.loops[new.id] = v
            return self.settle(new)
        if v.op == "constant":
            attrs = {**v.attrs, "value": tidy(v.attrs["value"], v.dtype)}
            return self.settle(node("constant", (), attrs, v.shape, v.dtype))
        new = node(v.op, args, v.attrs, v.shape, v.dtype)
        simpler = _fold(new)
        if simpler is None:
            simpler = RULES(new, self.alone)
        return self.settle(new) if simpler is None else self.adopt(simpler)

    def inner(self, attr: Any) -> Any:
        """An attribute, simplified where it is a graph that a loop runs."""
        return simplified(attr, self.final) if isinstance(attr, Graph) else attr

    def settle(self, new: Value) -> Value:
        """Nothing more can be done about `new`."""
        self.settled.add(new.id)
        return new

    def adopt(self, found: Value) -> Value:
        """The nodes of a rule's answer that are new, simplified in their turn."""
        known: dict[int, Value] = {}
        for v in reachable([found], inside=self.settled):
            if v.id in self.settled:
                known[v.id] = v
            else:
                known[v.id] = self.visit(v, tuple([known[a.id] for a in v.args]))
        return known[found.id]

    def alone(self, v: Value) -> bool:
        """Whether nothing but `v` reads its last operand."""
        return self.readers.get(v.args[-1].id) == 1


def _users(graph: Graph) -> dict[int, int]:
    """How many read each value of a graph."""
    count: dict[int, int] = {}
    for v in graph.nodes():
        for arg in v.args:
            count[arg.id] = count.get(arg.id, 0) + 1
    for v in (*graph.outputs, *(v for v, _ in graph.guards)):
        count[v.id] = count.get(v.id, 0) + 1
    return count


def _resized(v: Value, sizes: dict) -> Value:
    """`v` with the symbols of a called graph replaced by the caller's sizes."""
    if not sizes:
        return v
    attrs = {name: renamed(attr, sizes) for name, attr in v.attrs.items()}
    return node(v.op, (), attrs, renamed(v.shape, sizes), v.dtype)


def _key(v: Value, args: tuple) -> tuple:
    """What `v` computes; shape and type follow from it."""
    ids = [a.id for a in args]
    if v.op in COMMUTATIVE:
        ids.sort()
    if v.op == "constant":
        value = tidy(v.attrs["value"], v.dtype)
        return ("constant", repr(value), v.dtype, *v.shape)
    if v.attrs:
        return (v.op, *ids, freeze_attrs(v.attrs))
    return (v.op, *ids)


# -- constants


def tidy(value: Any, dtype: DType) -> Any:
    """The shortest number that is the same constant in this type."""
    if dtype.category != 2:
        return value
    if dtype.itemsize == 8 or (abs(value) <= 256 and value == int(value)):
        return value
    return _shortest(value, dtype)


@functools.lru_cache(maxsize=1024)
def _shortest(value: float, dtype: DType) -> float:
    with np.errstate(all="ignore"):
        exact = dtype.np.type(value)
        short = float(str(exact))
        return short if dtype.np.type(short) == exact else float(exact)


def _fold(v: Value) -> Optional[Value]:
    """The constant that an operation on constants comes to."""
    if not v.args or v.op not in _FOLDS:
        return None
    for a in v.args:
        if a.op != "constant":
            return None
    try:
        numbers = [np.asarray(a.attrs["value"], a.dtype.np) for a in v.args]
        with np.errstate(all="ignore"):
            result = OPS[v.op].meaning(*numbers, **v.attrs)
    except (ArithmeticError, ValueError, TypeError):
        return None  # what has no answer says so when it runs
    kind = (bool, int, float)[v.dtype.category]
    return constant(kind(np.asarray(result, v.dtype.np)), v.shape, v.dtype)
