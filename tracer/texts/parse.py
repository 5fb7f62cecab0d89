"""Read a graph from its text: strictly, since the text may come from anywhere.

Nothing is evaluated. Every operation, attribute, type and name is checked as it is
read; a value must be defined above its use, a called graph above its call, so there
are no cycles to guard against and no recursion but that of nested parentheses.
"""

from __future__ import annotations

import re
from typing import Any, Iterator, Optional

from ..control import GRAPHS
from ..errors import FormatError, TracefuseError
from ..graph import Graph, Value, constant, here, node, placeholder
from ..ops import OPS
from ..shapes import infer
from ..sizes import Dim, same_shape
from ..types import DType, bool_
from .literals import WORDS, Literals, holds
from .schema import ATTRS, check, operands
from .tokens import Line, lines

__all__ = ["parse_graph"]

MOST_NODES, DEEPEST = 10_000_000, 40
_EXAMPLE = re.compile(r"(\w+) = (\d{1,18})\b")


def parse_graph(text: str) -> Graph:
    """The last graph of a text (those before it are the ones it calls).

    Raises FormatError with the number of the line, what was found there and what
    was expected.

    >>> parse_graph("graph f(x: f32[2]) {\\n  %0 = exp(x) : f32[2]\\n  return %0\\n}")
    <graph f: 2 values>
    """
    line = here.line
    try:
        graphs = list(_graphs(lines(text)))
    finally:
        here.line = line
    if not graphs:
        raise FormatError("line 1: found nothing, expected a graph")
    return graphs[-1]


def _graphs(rest: Iterator[Line]) -> Iterator[Graph]:
    known: dict[str, Graph] = {}
    written_out: dict[str, int] = {}  # nodes when every call is written out
    depth: dict[str, int] = {}  # how deep loops and branches are nested
    for head in rest:
        reader = _Reader(head, known)
        name = reader.name
        if name in known:
            head.wrong(f"there are two graphs named {name}")
        known[name] = reader.body(rest)
        inside = sum(written_out[called] for called, _ in reader.calls)
        written_out[name] = reader.nodes + inside
        if written_out[name] > MOST_NODES:
            head.wrong(f"{name} comes to more than {MOST_NODES} nodes")
        below = (depth[called] + loop for called, loop in reader.calls)
        depth[name] = max(below, default=0)
        if depth[name] > DEEPEST:
            head.wrong(f"{name} has loops inside loops, {DEEPEST} levels deep")
        yield known[name]


class _Reader(Literals):
    """Reads one graph; `line` is where it stands."""

    def __init__(self, head: Line, graphs: dict[str, Graph]):
        self.line, self.graphs = head, graphs
        self.symbols = {}
        self.values: dict[str, Value] = {}
        self.guards: list[tuple[Value, Any]] = []
        self.nodes = 0
        self.calls: list[tuple[str, bool]] = []  # (name, whether a loop runs it)
        head.need("graph")
        self.name = head.take("name", "the name of the graph")
        self.example = {
            name: int(n) for name, n in _EXAMPLE.findall(head.comment or "")
        }
        if head.skip("["):
            head.listed("]", self.symbol)
        head.need("(")
        self.inputs = head.listed(")", self.input)
        head.need("{")
        head.end()

    # -- the head

    def symbol(self) -> None:
        """``b`` or ``b(min=1, max=64)``."""
        name = self.line.take("name", "the name of a size")
        bounds: dict = {}
        if self.line.skip("("):
            bounds = dict(self.line.listed(")", self.bound))
        self.declare(name, bounds)

    def bound(self) -> tuple[str, Any]:
        """``min=1`` or ``max=64``."""
        if self.line.peek() not in ("min", "max"):
            self.line.refuse("min or max")
        name = self.line.take("name")
        self.line.need("=")
        size = self.number(self.line.take("number"))
        if type(size) is not int:
            self.line.wrong(f"{size} is no size")
        return name, size

    def declare(self, name: str, bounds: dict) -> Dim:
        """A symbol of this graph, with its size in the example if the text says it."""
        if name in {**WORDS, **self.symbols} or not name.isidentifier():
            self.line.wrong(f"{name} is not free to name a size")
        dim = Dim(name, **bounds)
        example = self.example.get(name)
        self.symbols[name] = dim if example is None else dim.bind(example)
        return self.symbols[name]

    def input(self) -> Value:
        """``x: f32[b, 784]``; a size that stands alone declares its symbol."""
        name = self.line.take("name", "the name of an input")
        if name in self.values or name in WORDS:
            self.line.wrong(f"{name} is not free to name an input")
        self.line.need(":")
        shape, dtype = self.type(self.free_size)
        self.values[name] = placeholder(name, shape, dtype)
        return self.values[name]

    def free_size(self) -> Any:
        """A size, which may be a symbol seen for the first time."""
        alone = self.line.kind() == "name" and self.line.peek(1) in (",", "]")
        if alone and self.line.peek() not in {**WORDS, **self.symbols}:
            return self.declare(self.line.take("name"), {})
        return self.expression()

    # -- the body

    def body(self, rest: Iterator[Line]) -> Graph:
        """All lines up to the closing brace."""
        outputs: Optional[list] = None
        for self.line in rest:
            if outputs is not None:
                self.line.need("}")
                self.line.end()
                return Graph(self.name, self.inputs, outputs, self.guards)
            outputs = self.statement()
            self.line.end()
        self.line.wrong("the text ends inside a graph, expected '}'")

    def statement(self) -> Optional[list]:
        """A node, a guard, or the return, whose values are the answer."""
        if self.line.kind() == "value":
            self.assign()
        elif self.line.skip("guard"):
            self.guard()
        elif self.line.skip("return"):
            return self.line.listed("", self.operand)
        else:
            self.line.refuse("a value such as %0, guard or return")
        return None

    def guard(self) -> None:
        """``guard(%3, True)``."""
        self.line.need("(")
        value = self.operand()
        self.line.need(",")
        self.guards.append((value, self.expression()))
        self.line.need(")")

    def assign(self) -> None:
        """``%0 = op(operands, attributes) : type  # line``."""
        name = self.line.take("value")
        if name in self.values:
            self.line.wrong(f"{name} is defined twice")
        self.line.need("=")
        op = self.line.peek()
        if op not in OPS or op == "input":
            self.line.refuse("an operation")
        self.line.take("name")
        self.line.need("(")
        args, attrs = self.operands(op)
        shape: tuple = ()
        dtype: Any = None
        if op not in GRAPHS:
            self.line.need(":")
            shape, dtype = self.type()
        here.line = self.line.comment
        self.values[name] = self.make(op, args, attrs, shape, dtype)

    def operands(self, op: str) -> tuple[list, dict]:
        """The operands, then the attributes, up to the closing parenthesis."""
        args: list = []
        attrs: dict = {}

        def item() -> None:
            if self.line.peek(1) == "=":
                self.attribute(op, attrs)
            elif attrs:
                self.line.refuse("an attribute (operands come first)")
            else:
                args.append(self.operand(numbers=True))

        self.line.listed(")", item)
        return args, attrs

    def operand(self, numbers: bool = False) -> Any:
        """A value defined above, or perhaps the number of a constant."""
        name, kind = self.line.peek(), self.line.kind()
        if name in self.values:
            self.line.at += 1
            return self.values[name]
        if numbers and (kind in ("number", "sign") or name in WORDS):
            return self.factor()
        self.line.refuse("a value defined above")

    def attribute(self, op: str, attrs: dict) -> None:
        """``axes=(-1,)``, of the kind that the operation takes under this name."""
        known = ATTRS[op]
        name = self.line.peek()
        if name not in known or name in attrs:
            self.line.refuse(f"an attribute of {op} ({', '.join(known) or 'none'})")
        self.line.take("name")
        self.line.need("=")
        word = self.line.peek()
        if name == "dtype":
            attrs[name] = self.dtype()
        elif name in GRAPHS.get(op, ()):
            attrs[name] = self.graph(op, word)
        else:
            attrs[name] = self.expression()
        if not known[name].fits(attrs[name]):
            self.line.wrong(f"{op} takes {known[name].what} as {name}, not {word!r}")

    def graph(self, op: str, name: str) -> Optional[Graph]:
        """A graph defined above."""
        found = self.graphs.get(self.line.take("name"))
        if found:
            self.calls.append((name, op != "call"))
        return found

    # -- the node, once everything about it fits

    def make(self, op: str, args: list, attrs: dict, shape: tuple, dtype: Any) -> Value:
        """A verified node. The text's own sizes are kept."""
        if OPS[op].kind == "source":
            attrs = {**attrs, "shape": shape, "dtype": dtype}
        attrs = {name: attrs[name] for name in ATTRS[op] if name in attrs}
        if len(attrs) != len(ATTRS[op]):
            self.line.wrong(f"{op} takes all of {', '.join(ATTRS[op])}")
        count = operands(op)
        if len(args) != (count or max(len(args), op == "concat")):
            self.line.wrong(f"{op} takes {count} operands, not {len(args)}")
        if op == "constant" and not holds(dtype, attrs["value"]):
            self.line.wrong(f"{attrs['value']!r} is no {dtype.short}")
        lifted = self.lift(op, args, shape, dtype)
        try:
            made = node(op, lifted, attrs, *infer(op, lifted, attrs))
            problem = check(made)
        except (TracefuseError, ArithmeticError, LookupError) as error:
            self.line.wrong(f"{op}: {error}")
        except (AttributeError, TypeError, ValueError) as error:
            self.line.wrong(f"{op}: {error}")
        if problem:
            self.line.wrong(f"{op}: {problem}")
        if made.dtype is not dtype or not same_shape(made.shape, shape):
            self.line.wrong(f"this is {made!r}, not {dtype} {list(shape)}")
        self.nodes += 1
        return made

    def lift(self, op: str, args: list, shape: tuple, dtype: Any) -> tuple:
        """Numbers among the operands as constants of the type that must stand there."""
        values = [a for a in args if isinstance(a, Value)]
        if len(values) == len(args):
            return tuple(args)
        if OPS[op].kind == "compare" and values:
            shape, dtype = values[0].shape, values[0].dtype
        elif OPS[op].kind != "pointwise" or op == "cast":
            self.line.wrong(f"{op} takes values, not numbers")
        types = [dtype] * len(args)
        types[0] = bool_ if op == "where" else dtype
        return tuple(self.lifted(a, shape, t) for a, t in zip(args, types))

    def lifted(self, value: Any, shape: tuple, dtype: DType) -> Value:
        """A value as it is, a number as a constant."""
        if isinstance(value, Value):
            return value
        if not holds(dtype, value):
            self.line.wrong(f"{value!r} is no {dtype.short}")
        self.nodes += 1
        return constant(value, shape, dtype)
