"""A program of symbolic sizes: the code for the sizes of a call.

Code that knows its sizes is faster: small spaces need no loop, scratch is laid out
once, and numbers that follow from sizes are constants. So the first few sizes that a
program meets get code of their own, and all others share the code with symbols. Which
one runs depends on the sizes alone: equal calls give equal numbers.
"""

from __future__ import annotations

import threading
from typing import Any, Callable, Optional, Union

from ...tracer.control import renamed
from ...tracer.graph import Graph, node, placeholder
from ...tracer.simplifying.simplify import simplified
from ...tracer.sizes import Dim
from .compile import Executable, compile

__all__ = ["Sized", "compile_sized", "of_sizes"]

MOST = 4  # sizes of a program that get code of their own


def compile_sized(
    graph: Graph, donated: tuple = (), inplace: tuple = ()
) -> Union[Executable, Sized]:
    """An executable for a simplified graph, whatever its sizes are."""
    places = told(graph)
    if not places:
        return compile(graph, donated, inplace)
    return Sized(graph, donated, inplace, places)


def told(graph: Graph) -> dict[str, tuple[int, int]]:
    """Where the inputs tell each symbolic size: symbol -> (input, axis)."""
    found: dict[str, tuple[int, int]] = {}
    for k, v in enumerate(graph.inputs):
        for axis, n in enumerate(v.shape):
            if isinstance(n, Dim) and n.text.isidentifier():
                found.setdefault(n.text, (k, axis))
    return found


def of_sizes(graph: Graph, sizes: dict[str, int]) -> Graph:
    """The graph with numbers for its symbols, simplified."""
    numbers: dict[Any, Any] = {}

    def number(attr: Any) -> Any:
        if isinstance(attr, tuple):
            return tuple(map(number, attr))
        if not isinstance(attr, Dim):
            return attr
        if attr.text not in numbers:
            numbers[attr.text] = renamed(attr, sizes)
        return numbers[attr.text]

    known: dict[int, Any] = {}
    for i, v in enumerate(graph.inputs):
        name = v.attrs.get("name", f"x{i}")
        known[v.id] = placeholder(name, number(v.shape), v.dtype)
    for v in graph.nodes()[len(graph.inputs) :]:
        attrs = {key: number(attr) for key, attr in v.attrs.items()}
        args = tuple([known[a.id] for a in v.args])
        known[v.id] = new = node(v.op, args, attrs, number(v.shape), v.dtype)
        new.line = v.line
    first = [known[v.id] for v in graph.inputs]
    return simplified(Graph(graph.name, first, [known[v.id] for v in graph.outputs]))


class Sized:
    """An executable in several forms. `run` chooses; `whole` is for all sizes, and
    `source`, `path` and `kernels` are its."""

    def __init__(self, graph: Graph, donated: tuple, inplace: tuple, places: dict):
        self.name = graph.name
        self.graph, self.rest_of = graph, (donated, inplace)
        self.symbols, self.places = [*places], [*places.values()]
        self.forms: dict[Any, Callable] = {}  # the sizes -> the function for them
        self.made: list[Executable] = []
        self.lock = threading.Lock()
        self._whole: Optional[Executable] = None
        self.run: Callable[..., tuple] = self._chooser()

    @property
    def whole(self) -> Executable:
        """The form that takes any sizes, compiled when it is first asked for."""
        if self._whole is None:
            self._whole = compile(self.graph, *self.rest_of)
        return self._whole

    source = property(lambda self: self.whole.source)
    path = property(lambda self: self.whole.path)
    kernels = property(lambda self: self.whole.kernels)

    def _chooser(self) -> Callable[..., tuple]:
        find, choose = self.forms.get, self._choose
        if len(self.places) == 1:
            ((k, axis),) = self.places

            def run(*arrays: Any) -> tuple:
                size = arrays[k].shape[axis]
                return (find(size) or choose(size, (size,)))(*arrays)

        else:
            places = self.places

            def run(*arrays: Any) -> tuple:
                sizes = tuple([arrays[k].shape[axis] for k, axis in places])
                return (find(sizes) or choose(sizes, sizes))(*arrays)

        return run

    def _choose(self, key: Any, sizes: tuple) -> Callable[..., tuple]:
        """The function for sizes that have none of their own yet."""
        with self.lock:
            if key not in self.forms and len(self.forms) >= MOST:
                return self.whole.run
            if key not in self.forms:
                graph = of_sizes(self.graph, dict(zip(self.symbols, sizes)))
                made = compile(graph, *self.rest_of)
                self.made.append(made)
                self.forms[key] = made.run
            return self.forms[key]

    def __call__(self, *arrays: Any) -> tuple:
        """The outputs for these inputs, followed by the donated buffers."""
        return self.run(*arrays)

    def rest(self) -> None:
        """Give back the scratch that is kept for the next call."""
        for made in (*self.made, self._whole):
            if made is not None:
                made.rest()

    def __repr__(self) -> str:
        return f"<executable {self.name}: {len(self.forms)} sizes>"
