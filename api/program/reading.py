"""Reading one path of a program: each field against the graph and the signature."""

from __future__ import annotations

from typing import Any, Iterator, NamedTuple

from ...tracer.errors import FormatError, TracefuseError
from ...tracer.graph import Graph, Value, make, placeholder
from ...tracer.recording.declare import symbols
from ...tracer.sizes import Dim, Int, same_shape
from ...tracer.texts.schema import ATTRS, check
from ...tracer.texts.spelled import substitute
from ...tracer.types import BY_NUMPY, DType, int64
from ..jit.paths.unpack import Kind
from ..tensor import Tensor
from .conditions import Condition
from .fields import Field
from .plan import KINDS, STEPS, Place, Plan
from .signature import Signature
from .trees import Tree, value_of

__all__ = ["Reader"]

MOST_STEPS = 100
SIGNS = ("==", "<", "<=", ">", ">=")


class Type(NamedTuple):
    """Shape and element type of what stands at a place."""

    shape: tuple
    dtype: DType

    def fits(self, v: Any) -> bool:
        """Whether a value is of that type, by algebra."""
        return self.dtype is v.dtype and same_shape(self.shape, v.shape)

    def __str__(self) -> str:
        return f"{self.dtype.short}[{', '.join(map(str, self.shape))}]"


class Reader:
    """Reads a path on `graph` of a program with that signature and state."""

    def __init__(
        self,
        graph: Graph,
        signature: Signature,
        state: dict[str, Tensor],
        sizes: dict[str, Dim],
    ):
        self.graph, self.symbols = graph, sizes
        self.leaves, self.state = signature.leaves, state

    def plan(self, path: Field) -> Plan:
        """The plan."""
        names = "inputs fresh writes tree results grads unset draws sizes"
        *fields, preset, given = path.object(
            *names.split(), optional=("preset", "given")
        )
        inputs, fresh, writes, tree, results, grads, unset, draws, sizes = fields
        graph = self.graph
        self.preset = tuple(map(self.owner, _rows(preset)))
        self.check_graph(path)
        count = fresh.integer(0, len(graph.outputs))
        self.roots = graph.outputs[:count]
        spec, leaves = Tree(KINDS).read(tree)
        made: list[tuple] = []
        for field in results.items(leaves):
            made.append(self.result(field, made))
        return Plan(
            graph=Graph(graph.name, graph.inputs, self.values),
            inputs=self.inputs(inputs),
            fresh=count,
            writes=self.writes(writes, graph.outputs[count:]),
            result=tuple(made),
            spec=spec,
            guards=tuple(outcome for _, outcome in graph.guards),
            grads=tuple(map(self.grad, grads.items())),
            unset=tuple(map(self.owner, unset.items())),
            preset=self.preset,
            blocks=self.count(draws),
            sizes=tuple(map(self.comparison, sizes.items())),
            conditions=tuple(map(self.condition, _rows(given))),
        )

    # -- the graph

    def check_graph(self, path: Field) -> None:
        """It uses the sizes of the signature only; its guards are single numbers."""
        used = {name for v in self.graph.nodes() for name in symbols(v)}
        if not used <= self.symbols.keys():
            unknown = min(used - self.symbols.keys())
            raise FormatError(f"the graph of {path.where} uses a size {unknown}")
        for v, outcome in self.graph.guards:
            kinds = (bool, int, float) if v.dtype and v.shape == () else ()
            if not kinds or type(outcome) is not kinds[v.dtype.category]:
                name = f"the graph of {path.where}"
                raise FormatError(f"{name} expects {outcome} of {v!r}")

    @property
    def values(self) -> tuple:
        """Outputs, then guards."""
        return (*self.graph.outputs, *(v for v, _ in self.graph.guards))

    # -- places

    def place(self, field: Field) -> Place:
        """An argument that is a tensor, a tensor of the state, what was in the `.grad`
        of one of these, or the generator."""
        if field.value is None:
            return Place("generator", "")
        if type(field.value) is dict:
            (of,) = field.object("grad")
            owner = self.owner(of)
            if owner not in self.preset:
                of.wrong("one of those whose .grad was there before")
            return Place("grad", owner)
        if type(field.value) is str:
            return Place("state", field.word(self.state))
        number = field.integer(0, len(self.leaves) - 1)
        if not isinstance(self.leaves[number], Kind):
            field.wrong("the number of an argument that is a tensor")
        return Place("arg", number)

    def tensor(self, field: Field) -> Place:
        """A place, but not the generator."""
        return field.wrong("a tensor") if field.value is None else self.place(field)

    def owner(self, field: Field) -> Place:
        """A place, but no gradient."""
        return field.wrong("no gradient") if _is_grad(field) else self.tensor(field)

    def type_of(self, place: Place) -> Type:
        """What stands at a place."""
        if place.kind == "grad":
            return self.type_of(place.at)
        if place.kind == "generator":
            return Type((2,), int64)
        x = self.leaves[place.at] if place.kind == "arg" else self.state[place.at]
        return Type(x.shape, BY_NUMPY[x.dtype] if isinstance(x, Kind) else x.dtype)

    def fitting(self, field: Field, place: Place, v: Value) -> Place:
        """The place, once `v` is known to be of its type."""
        if not self.type_of(place).fits(v):
            given = Type(v.shape, v.dtype) if v.dtype else v.op
            field.wrong(f"a place for {given}, not for {self.type_of(place)}")
        return place

    def inputs(self, field: Field) -> tuple:
        """Where each input of the graph comes from."""
        pairs = zip(field.items(len(self.graph.inputs)), self.graph.inputs)
        return tuple(self.fitting(x, self.place(x), v) for x, v in pairs)

    def writes(self, field: Field, values: tuple) -> tuple:
        """Where each output goes that is no result."""
        pairs = zip(field.items(len(values)), values)
        found = tuple(self.fitting(x, self.tensor(x), v) for x, v in pairs)
        if len(set(found)) != len(found):
            field.wrong("each place once")
        return found

    # -- results

    def result(self, field: Field, before: list) -> tuple:
        """One leaf of the result."""
        fields = field.value if type(field.value) is dict else {}
        if "steps" in fields:
            return self.made(field)[0]
        if "again" not in fields:
            return ("plain", value_of(field, self.symbols), ())
        (again,) = field.object("again")
        first = again.integer(0, len(before) - 1)
        if before[first][0] != "new":
            again.wrong("the number of an earlier result that is new")
        return ("again", first, ())

    def made(self, field: Field) -> tuple[tuple, Value]:
        """A tensor of the result, and a Value of its type."""
        kinds = [k for k in ("new", "same", "view") if k in field.value]
        of, steps = field.object(kinds[0] if len(kinds) == 1 else "new", "steps")
        if kinds[0] == "new":
            at: Any = of.integer(0, len(self.roots) - 1)
            root = self.roots[at]
        else:
            at = self.tensor(of)
            root = self.type_of(at)
        rows = list(steps.items(0 if kinds[0] == "same" else None))
        v = self.example(of, root)
        moves = []
        for row in rows[: MOST_STEPS + 1]:
            v, move = self.step(row, v)
            moves.append(move)
        if len(rows) > MOST_STEPS:
            steps.wrong(f"at most {MOST_STEPS} steps")
        return (kinds[0], at, tuple(moves)), v

    def example(self, field: Field, like: Any) -> Value:
        """A placeholder of that type whose sizes know what they were in the example."""
        if like.dtype is None:
            field.wrong("the number of a tensor")
        shape = tuple(substitute(n, self.symbols) for n in like.shape)
        return placeholder("t", shape, like.dtype)

    def step(self, field: Field, v: Value) -> tuple[Value, tuple]:
        """One view step."""
        name, body = field.items(2)
        op = name.word(STEPS)
        fields = body.object(*ATTRS[op])
        attrs = {key: self.attr(x, 0) for key, x in zip(ATTRS[op], fields)}
        for key, attr in attrs.items():
            if not ATTRS[op][key].fits(attr):
                body.wrong(f"{ATTRS[op][key].what} as {key}")
        try:
            new = make(op, (v,), **attrs)
            problem = check(new)
        except (TracefuseError, ArithmeticError, LookupError) as error:
            problem = str(error)
        except (AttributeError, TypeError, ValueError) as error:
            problem = str(error)
        if problem:
            field.wrong(f"a step that fits ({problem})")
        return new, (op, attrs)

    def attr(self, field: Field, depth: int) -> Any:
        """A size, or a tuple of such."""
        if type(field.value) is not list:
            return field.size(self.symbols)
        if depth > 2:
            field.wrong("at most three levels")
        return tuple(self.attr(x, depth + 1) for x in field.items())

    def grad(self, field: Field) -> tuple:
        """A place and what is left in its `.grad`, None or a result."""
        where, what = field.items(2)
        place = self.owner(where)
        if what.value is None:
            return (place, None)
        if type(what.value) is not dict:
            what.wrong("a result")
        entry, v = self.made(what)
        self.fitting(where, place, v)
        return (place, entry)

    def condition(self, field: Field) -> Condition:
        """What a path relied on about an argument."""
        at, what, line = field.items(3)
        if at.value is None:
            text = None if line.value is None else line.text()
            return Condition(None, None, what.flag(), text)
        place = self.owner(at)
        if place.kind != "arg":
            at.wrong("the number of an argument that is a tensor")
        text = None if line.value is None else line.text()
        if type(what.value) is bool:
            return Condition(place.at, None, what.value, text)
        axes = len(self.leaves[place.at].shape)
        strides = what.items(axes if what.value else 0)
        found = tuple(n.integer(-(2**62), 2**62) for n in strides)
        return Condition(place.at, found, False, text)

    # -- sizes

    def count(self, field: Field) -> Int:
        """How many blocks are drawn."""
        found = field.size(self.symbols)
        negative = isinstance(found, int) and found < 0
        return field.wrong("no negative number") if negative else found

    def comparison(self, field: Field) -> tuple:
        """What Python relied on about sizes."""
        left, sign, right, outcome = field.items(4)
        sizes = (left.size(self.symbols), right.size(self.symbols))
        return sizes[0], sign.word(SIGNS), sizes[1], outcome.flag()


def _rows(field: Field) -> Iterator[Field]:
    """Of a list that may be missing."""
    return iter(()) if field.value is None else field.items()


def _is_grad(field: Field) -> bool:
    return type(field.value) is dict
