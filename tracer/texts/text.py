"""The text form of a graph: for reading, for golden tests, for saved programs.

    graph mlp(x: f32[b, 784], w: f32[784, 256]) {
      %0 = dot(x, w)        : f32[b, 256]    # model.py:12
      %1 = maximum(%0, 0.0) : f32[b, 256]    # model.py:13
      return %1
    }

A constant among operands is written as its number where its type is plain from the
rest of the line. Called graphs stand above their callers. `parse_graph` reads it all
back: `same(parse_graph(print_graph(g)), g)`.
"""

from __future__ import annotations

import json
import re
from typing import Any, Iterable, Iterator

from ..graph import Graph, Value
from ..ops import OPS
from ..sizes import Dim, numel, same_shape, same_size
from ..structure import nested
from ..types import DType
from .literals import WORDS
from .parse import parse_graph
from .schema import ATTRS

__all__ = ["node_texts", "parse_graph", "print_graph"]

WIDEST = 60  # a longer line does not push the types of the others to the right


def print_graph(graph: Graph) -> str:
    """The text of `graph` and of all graphs it calls.

    >>> text = "graph f(x: f32[2]) {\\n  %0 = exp(x) : f32[2]\\n  return %0\\n}\\n"
    >>> print_graph(parse_graph(text)) == text
    True
    """
    graphs = nested(graph)
    names = _unique(g.name for g in reversed(graphs))  # the caller keeps its own
    named = {id(g): name for g, name in zip(reversed(graphs), names)}
    return "\n".join(_Printer(g, named).text() for g in graphs)


def node_texts(graph: Graph) -> dict[int, str]:
    """``%0 = dot(x, w) : f32[2, 3]`` by id of each node that has a line of its own,
    and ``x: f32[2, 4]`` by id of each input."""
    printer = _Printer(graph, {id(g): g.name for g in nested(graph)})
    texts = {
        v.id: f"{printer.names[v.id]}: {printer.type(v.shape, v.dtype)}"
        for v in graph.inputs
    }
    for v in printer.rows:
        kind = f" : {printer.type(v.shape, v.dtype)}" if v.dtype else ""
        texts[v.id] = f"{printer.names[v.id]} = {printer.call(v)}{kind}"
    return texts


def _unique(wanted: Iterable[str]) -> list[str]:
    """Names as wanted, made valid and different."""
    used, names = set(WORDS), []
    for name in wanted:
        name = re.sub(r"\W", "_", str(name)) or "_"
        name = base = name if name.isidentifier() else f"_{name}"
        count = 1
        while name in used:
            count += 1
            name = f"{base}_{count}"
        used.add(name)
        names.append(name)
    return names


def kind_of(v: Value) -> str:
    """The kind of its primitive; "" for one that only a backend knows."""
    return OPS[v.op].kind if v.op in OPS else ""


class _Printer:
    """Writes one graph; `graphs` are the names of those it calls."""

    def __init__(self, graph: Graph, graphs: dict[int, str]):
        self.graph, self.graphs = graph, graphs
        names = _unique(
            v.attrs.get("name", f"x{i}") for i, v in enumerate(graph.inputs)
        )
        self.names = {v.id: name for v, name in zip(graph.inputs, names)}
        self.nodes = graph.nodes()[len(graph.inputs) :]
        self.number()

    def number(self) -> None:
        """Names for all nodes but the constants that every reader writes as numbers."""
        named = {
            v.id for v in (*self.graph.outputs, *(v for v, _ in self.graph.guards))
        }
        for v in self.nodes:
            plain = kind_of(v) in ("pointwise", "compare")
            for i, arg in enumerate(v.args):
                if arg.op == "constant" and not (plain and self.obvious(v, i)):
                    named.add(arg.id)
        rows = [v for v in self.nodes if v.op != "constant" or v.id in named]
        self.names.update((v.id, f"%{n}") for n, v in enumerate(rows))
        self.rows = rows

    def obvious(self, v: Value, i: int) -> bool:
        """Whether the type of a constant operand follows from the rest of the line."""
        if kind_of(v) == "compare":
            return v.args[1 - i].op != "constant" or v.args[1 - i].id in self.names
        return v.op != "cast"

    def text(self) -> str:
        """The whole graph."""
        left = [f"{self.names[v.id]} = {self.call(v)}" for v in self.rows]
        types = [self.type(v.shape, v.dtype) if v.dtype else "" for v in self.rows]
        lines = [v.line for v in self.rows]
        rows = list(_columns(left, types, lines))
        rows += [self.guard(v, outcome) for v, outcome in self.graph.guards]
        results = ", ".join(self.names[v.id] for v in self.graph.outputs)
        rows.append(f"return {results}".rstrip())
        return "".join([self.head(), "\n", *(f"  {row}\n" for row in rows), "}\n"])

    def guard(self, v: Value, outcome: Any) -> str:
        """What Python relied on."""
        line = f"  # {_plain(v.line)}" if v.line else ""
        return f"guard({self.names[v.id]}, {self.attr(outcome)}){line}"

    def call(self, v: Value) -> str:
        """``op(operands, attributes)``."""
        hidden = ("shape", "dtype") if kind_of(v) == "source" else ()
        parts = [self.names.get(a.id) or self.constant(a) for a in v.args]
        order = sorted(v.attrs, key=list(ATTRS[v.op]).index)
        parts += [f"{k}={self.attr(v.attrs[k])}" for k in order if k not in hidden]
        return f"{v.op}({', '.join(parts)})"

    def constant(self, v: Value) -> str:
        """The number of a constant, so that its kind can be seen."""
        return str((bool, int, float)[v.dtype.category](v.attrs["value"]))

    def type(self, shape: tuple, dtype: DType) -> str:
        """``f32[b, 784]``."""
        return f"{dtype.short}[{', '.join(map(str, shape))}]"

    def attr(self, a: Any) -> str:
        """An attribute as the parser reads it."""
        if isinstance(a, tuple):
            inner = ", ".join(map(self.attr, a))
            return f"({inner},)" if len(a) == 1 else f"({inner})"
        if isinstance(a, DType):
            return a.short
        if isinstance(a, Graph):
            return self.graphs[id(a)]
        return json.dumps(a) if isinstance(a, str) else str(a)

    # -- the head

    def head(self) -> str:
        """``graph name[symbols](inputs) {``, one input a line where they are many."""
        inputs = [
            f"{self.names[v.id]}: {self.type(v.shape, v.dtype)}"
            for v in self.graph.inputs
        ]
        symbols = _symbols(self.graph.inputs, self.nodes)
        brackets = f"[{', '.join(symbols)}]" if symbols else ""
        start = f"graph {self.graphs[id(self.graph)]}{brackets}("
        example = self.example()
        line = f"{start}{', '.join(inputs)}) {{{example}"
        if len(line) <= 88:
            return line
        return "".join(
            [start, "\n", *(f"    {x},\n" for x in inputs), f") {{{example}"]
        )

    def example(self) -> str:
        """The sizes of the example, where the text cannot be checked without them."""
        if not any(map(_undecided, self.nodes)):
            return ""
        alone = (n for v in self.graph.inputs for n in v.shape if _is_symbol(n))
        sizes = {n.text: n.hint for n in alone if n.hint is not None}
        return "  # " + ", ".join(f"{name} = {size}" for name, size in sizes.items())


def _columns(left: list, types: list, lines: list) -> Iterator[str]:
    """The three columns of the nodes of a graph, aligned."""
    first = min(max(map(len, left), default=0), WIDEST)
    second = min(max(map(len, types), default=0), WIDEST)
    for what, kind, line in zip(left, types, lines):
        row = f"{what.ljust(first)} : {kind}" if kind else what
        if line:
            row = f"{row.ljust(first + 3 + second)}    # {_plain(line)}"
        yield row


def _plain(line: str) -> str:
    return " ".join(line.split())


def _is_symbol(n: Any) -> bool:
    return isinstance(n, Dim) and n.text.isidentifier()


def _symbols(inputs: tuple, nodes: list) -> list[str]:
    """The symbols that the inputs do not declare by themselves, and their bounds."""
    declared: dict[str, str] = {}
    extra: dict[str, str] = {}
    for v in inputs:
        for n in v.shape:
            if _is_symbol(n) and n.text not in extra:
                declared[n.text] = n.text
                if n.min or n.max is not None:
                    bounds = {"min": n.min or None, "max": n.max}
                    known = [f"{k}={m}" for k, m in bounds.items() if m is not None]
                    extra[n.text] = f"{n.text}({', '.join(known)})"
            elif isinstance(n, Dim):
                extra.update(
                    (s, s) for s in _names(n) if s not in {**declared, **extra}
                )
    for v in nodes:
        for n in _sizes((v.shape, *v.attrs.values())):
            extra.update((s, s) for s in _names(n) if s not in {**declared, **extra})
    return list(extra.values())


def _names(n: Dim) -> list[str]:
    return re.findall(r"[^\W\d]\w*", n.text)


def _sizes(attrs: Iterable) -> Iterator[Dim]:
    for a in attrs:
        if isinstance(a, Dim):
            yield a
        elif type(a) is tuple:
            yield from _sizes(a)


def _undecided(v: Value) -> bool:
    """Whether a node's sizes fit only as they were in the example."""
    if v.op == "reshape":
        return not same_size(numel(v.args[0].shape), numel(v.shape))
    if v.op == "windows":
        return any(isinstance(n, Dim) for n in v.shape)
    alike = kind_of(v) in ("pointwise", "compare")
    return alike and not all(same_shape(v.shape, a.shape) for a in v.args)


# `print(graph)` shows the text; repr stays short, for error messages and debuggers.
Graph.__str__ = print_graph  # type: ignore[assignment, method-assign]
