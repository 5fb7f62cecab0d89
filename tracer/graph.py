"""The SSA: values, and graphs of them.

A `Value` is a node and its result in one. Nodes are created after what they read, so
sorting by `id` is a topological order, and what is not reachable from a graph's
outputs is dead without anybody removing it.

    graph   := "graph" name "(" inputs ")" "{" node* "return" values "}"
    node    := value "=" op "(" values "," attributes ")" ":" type "#" source line

Two marks belong to differentiation. `leaf(x)` is `x` as a variable to differentiate
by: each is its own, never shared. A value is *live* when a path without
`stop_gradient` leads to it from a leaf: then gradients flow through it.
"""

from __future__ import annotations

import itertools
import threading
from typing import Any, Callable, Iterable, Optional

import numpy as np

from .algebra import Algebra
from .control import GRAPHS, graphs, misfit
from .errors import VerifyError
from .ops import OPS
from .shapes import infer
from .sizes import Dim, guess, same_shape
from .types import DType

__all__ = ["Value", "Graph", "make", "constant", "placeholder", "here", "reachable"]
__all__ += ["mark", "replace"]

_ids = itertools.count()
_new = object.__new__
_DEAD = frozenset("eq ne lt le stop_gradient argmax argmin argsort".split())


class Here(threading.local):
    """The user's source line on whose behalf nodes are being made."""

    line: Optional[str] = None
    settle: Optional[Callable[[dict], dict]] = None  # plain numbers for traced ones


here = Here()


class Value(Algebra):
    """One SSA value: `op(*args, **attrs)`, with its shape and element type.

    `data` is what is known of its numbers (an array, when somebody kept it);
    `line` is the user's source line, "file.py:12".
    """

    __slots__ = (
        *("op", "args", "attrs", "shape", "dtype", "live", "line", "id", "data"),
        "__weakref__",
    )

    op: str
    args: tuple
    attrs: dict
    shape: tuple
    dtype: DType
    live: bool
    line: Optional[str]
    id: int
    data: Any

    def _apply(self, op: str, *args: "Value", **attrs: Any) -> "Value":
        return make(op, args, **attrs)

    def _lift(self, other: Any) -> Any:
        if isinstance(other, Value):
            return other
        if isinstance(other, (bool, int, float)):
            return constant(other, self.shape, self.dtype)
        return NotImplemented

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    def __repr__(self) -> str:
        kind = "?" if self.dtype is None else self.dtype.short
        return f"{self.op}%{self.id}: {kind}{list(self.shape)}"

    def __bool__(self) -> bool:
        raise TypeError(f"{self!r} is symbolic: it has no truth value")

    # The movements that rules are written with.

    def sum(self, axes: Iterable[int]) -> "Value":
        """The sum over negative `axes`, which are dropped."""
        axes = tuple(axes)
        return make("sum", (self,), axes=axes) if axes else self

    def expand(self, shape: tuple) -> "Value":
        """Stretched to `shape` as NumPy broadcasts."""
        same = same_shape(self.shape, shape)
        return self if same else make("expand", (self,), shape=shape)

    def reshape(self, shape: tuple) -> "Value":
        """The same elements under another shape."""
        same = same_shape(self.shape, shape)
        return self if same else make("reshape", (self,), shape=shape)

    def permute(self, axes: tuple) -> "Value":
        """Axis i of the result is axis `axes[i]`."""
        in_order = axes == tuple(range(-len(axes), 0))
        return self if in_order else make("permute", (self,), axes=axes)

    def cast(self, dtype: DType) -> "Value":
        """In another element type."""
        return self if self.dtype is dtype else make("cast", (self,), dtype=dtype)


def make(op: str, args: tuple, **attrs: Any) -> Value:
    """A new node. Raises ShapeError or DTypeError when the arguments do not fit."""
    if here.settle is not None and attrs:
        attrs = here.settle(attrs)
    shape, dtype = infer(op, args, attrs)
    return node(op, args, attrs, shape, dtype)


def node(op: str, args: tuple, attrs: dict, shape: tuple, dtype: DType) -> Value:
    """A node whose type is known already (a rebuild, a parsed text)."""
    v = _new(Value)
    v.op, v.args, v.attrs, v.shape, v.dtype = op, args, attrs, shape, dtype
    v.live = op == "leaf"
    for arg in args:
        if arg.live:
            v.live = _flows(op, dtype)
            break
    v.line, v.id, v.data = here.line, next(_ids), None
    return v


def _flows(op: str, dtype: Optional[DType]) -> bool:
    """Whether gradients go through it, where they come to an argument."""
    return op not in _DEAD and (dtype is None or dtype.is_floating_point)


def constant(value: Any, shape: tuple, dtype: DType) -> Value:
    """A splat: `value` everywhere; an integer too large for `dtype` wraps round."""
    if type(value) is not float or dtype.category != 2:
        if isinstance(value, Dim) and guess.number is not None:
            value = guess.number(value)
        if hasattr(value, "splat"):  # a number that the recording follows
            return value.splat(shape, dtype)
        value = (bool, int, float)[dtype.category](value)
        if dtype.category == 1 and not 0 <= value < 128:
            value = int(np.array(value).astype(dtype.np))
    return _source("constant", {"value": value, "shape": shape, "dtype": dtype})


def placeholder(name: str, shape: tuple, dtype: DType) -> Value:
    """An input of a graph."""
    return _source("input", {"name": name, "shape": shape, "dtype": dtype})


def _source(op: str, attrs: dict) -> Value:
    if here.settle is not None:
        attrs = here.settle(attrs)
    return node(op, (), attrs, attrs["shape"], attrs["dtype"])


def mark(op: str, v: Value) -> Value:
    """`v` as a `leaf`, or behind a `stop_gradient`."""
    return node(op, (v,), {}, v.shape, v.dtype)


def reachable(
    outputs: Iterable[Value], stop: Any = None, inside: Any = ()
) -> list[Value]:
    """All values the outputs depend on, in order of creation (loops, no recursion).

    `stop(value)` true means: take the value, do not look behind it. So does an id that
    is `inside`, which costs less.
    """
    seen: dict = {}
    stack = list(outputs)
    while stack:
        v = stack.pop()
        if v.id not in seen:
            seen[v.id] = v
            if v.args and v.id not in inside and (stop is None or not stop(v)):
                stack.extend(v.args)
    return [seen[i] for i in sorted(seen)]


def replace(outputs: Iterable[Value], known: dict[int, Value]) -> list[Value]:
    """The outputs with other values put in place of some: `known` maps their ids.

    Only what depends on a replaced value is made anew. `known` gains the new ones.
    """
    outputs = list(outputs)
    for v in reachable(outputs, stop=lambda v: v.id in known):
        if v.id not in known and any(a.id in known for a in v.args):
            args = tuple(known.get(a.id, a) for a in v.args)
            known[v.id] = new = node(v.op, args, v.attrs, v.shape, v.dtype)
            new.line = v.line
    return [known.get(v.id, v) for v in outputs]


class Graph:
    """A named function from inputs to outputs.

    `guards` are (value, expected outcome) pairs that held when it was recorded.
    """

    __slots__ = ("name", "inputs", "outputs", "guards", "memo", "__weakref__")

    def __init__(self, name: str, inputs: Any, outputs: Any, guards: Any = ()):
        self.name = name
        self.inputs: tuple = tuple(inputs)
        self.outputs: tuple = tuple(outputs)
        self.guards: tuple = tuple(guards)
        self.memo: dict = {}  # what others derived from this graph (it never changes)

    def nodes(self) -> list[Value]:
        """Inputs first, then everything the outputs and guards need, in order."""
        roots = (*self.outputs, *(v for v, _ in self.guards))
        inside = {v.id for v in self.inputs}
        rest = reachable(roots, inside=inside)
        return [*self.inputs, *(v for v in rest if v.id not in inside)]

    def verify(self) -> "Graph":
        """Check every node against its rule; VerifyError names the first that fails."""
        inside, inputs = set(), {v.id for v in self.inputs}
        for v in self.nodes():
            if v.op == "input" and v.id not in inputs:
                raise VerifyError(f"{self.name}: {v!r} is not among the inputs")
            if any(arg.id not in inside for arg in v.args):
                raise VerifyError(f"{self.name}: {v!r} is used before it is made")
            if v.op not in OPS:
                raise VerifyError(f"{self.name}: there is no primitive {v.op!r}")
            if v.op != "input":
                _verify_type(self.name, v)
            inside.add(v.id)
        return self

    def __repr__(self) -> str:
        return f"<graph {self.name}: {len(self.nodes())} values>"


def _verify_type(name: str, v: Value) -> None:
    for inner in graphs(v):
        inner.verify()
    if v.op in GRAPHS and (problem := misfit(v)):
        raise VerifyError(f"{name}: {v!r}: {problem}")
    shape, dtype = infer(v.op, v.args, v.attrs)
    if not same_shape(shape, v.shape) or dtype is not v.dtype:
        raise VerifyError(f"{name}: {v!r} should be {dtype} {list(shape)}")
