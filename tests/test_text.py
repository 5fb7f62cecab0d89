"""Graphs as text: what is printed is read back, and nothing else is believed."""

from __future__ import annotations

import inspect
import math
import random
from pathlib import Path

import pytest
from graphs import bits_equal, feeds, graphs
from hypothesis import given, settings
from tracefuse.tracer.algebra import eq, le, lt, maximum, where
from tracefuse.tracer.errors import FormatError
from tracefuse.tracer.graph import Graph, constant, here, make, placeholder
from tracefuse.tracer.interpret import interpret
from tracefuse.tracer.ops import OPS
from tracefuse.tracer.sizes import Dim
from tracefuse.tracer.structure import same
from tracefuse.tracer.texts.schema import ATTRS, check, operands
from tracefuse.tracer.texts.text import parse_graph, print_graph
from tracefuse.tracer.types import DTYPES, bfloat16, bool_, float32, int64
from values import INPUTS, S, f, g, h, i, one, p, padded, part, splat, update

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(autouse=True)
def no_line(monkeypatch):
    """Other tests leave the last user's line behind."""
    monkeypatch.setattr(here, "line", None)


def lined(number, value):
    value.line = f"model.py:{number}"
    return value


def mlp():
    """The example of the design page, with a symbolic batch."""
    b = Dim("b")
    x = placeholder("x", (b, 784), float32)
    w = placeholder("w", (784, 256), float32)
    bias = placeholder("bias", (256,), float32)
    product = lined(12, make("dot", (x, w)))
    total = lined(12, product + lined(12, bias.expand((b, 256))))
    return Graph("mlp", [x, w, bias], [lined(13, maximum(total, 0.0))])


def everything():
    """One of each kind of node and attribute."""
    rows = placeholder("rows", (2,), int64)
    state = placeholder("state", (2,), int64)
    unfolded = make("windows", (f,), size=(3,), stride=(2,), dilation=(1,))
    values = [
        make("cast", (f,), dtype=bfloat16),
        where(le(f, -0.0), math.inf, f - math.nan),
        make("permute", (f,), axes=(-1, -2)),
        make("max", (f,), axes=(-1,)),
        make("argmin", (f,), axis=-2),
        padded(f, 1, 0, 2, -math.inf),
        make("concat", (f, g), axis=-1),
        update(f, part(g, 0, 3), 11, -2),
        make("fold", (unfolded,), shape=(12,), stride=(2,), dilation=(1,)),
        make("gather", (f, rows), batch=0),
        make("scatter", (f, rows, part(g, 0, 2, 1, -2)), batch=0, mode="max"),
        make("cumulative", (i,), axis=-1, mode="add"),
        make("argsort", (f,), axis=-1, descending=True),
        make("iota", (), shape=S, axis=-2, dtype=int64),
        make("random_bits", (state,), shape=(8,), skip=2),
        make("leaf", (f,)) * make("stop_gradient", (g,)),
        splat(2.5),
        lt(splat(1.0), splat(2.0)) ^ p,
        make("dot", (h, h)),
        one.sum(()),
    ]
    return Graph("everything", [*INPUTS, rows, state], values)


def nest():
    """A graph that calls another of the same name twice, under a guard."""
    x = placeholder("x", (3,), float32)
    inner = Graph("f", [x], [x * 2.0, x + 1.0])
    y = placeholder("x", (3,), float32)
    call = lined(4, make("call", (y,), graph=inner))
    first, second = (make("item", (call,), index=n) for n in range(2))
    again = make("item", (make("call", (first,), graph=inner),), index=1)
    total = lined(5, lt(again.sum((-1,)), 3.5))
    return Graph("f", [y], [second, again], [(total, True)])


def odd():
    """Names that collide or are no names, sizes of every shape, many inputs."""
    b, n = Dim("b", min=1, max=64).bind(8), Dim("n")
    names = ["x", "x", "return", "nan", "2 b", ""]
    inputs = [placeholder(name, (b, 4), float32) for name in names]
    wide = placeholder("wide", (b * 2 + 1, n * b), float32)
    cut = part(inputs[0], 0, b // 3, 2, -2)
    halves = inputs[1].reshape((b // 2, 2, 4))
    return Graph("an odd one", [*inputs, wide], [cut, halves, constant(7, (n,), int64)])


@pytest.mark.parametrize("make_graph", [mlp, everything, nest, odd])
def test_text_is_as_agreed(make_graph):
    text = print_graph(make_graph())
    assert text == (GOLDEN / f"{make_graph.__name__}.txt").read_text()


@pytest.mark.parametrize("make_graph", [mlp, everything, nest, odd])
def test_what_is_printed_is_read_back(make_graph):
    graph = make_graph()
    again = parse_graph(print_graph(graph))
    assert same(graph, again)
    assert print_graph(again) == print_graph(graph)
    assert [v.dtype for v in again.inputs] == [v.dtype for v in graph.inputs]


def test_every_line_and_name_survives():
    again = parse_graph(print_graph(mlp()))
    lines = [v.line for v in again.nodes()[3:] if v.op != "constant"]
    assert lines == [f"model.py:{n}" for n in (12, 12, 12, 13)]
    assert [v.attrs["name"] for v in again.inputs] == ["x", "w", "bias"]
    assert again.name == "mlp" and here.line is None


def test_bounds_and_examples_survive():
    again = parse_graph(print_graph(odd()))
    b = again.inputs[0].shape[0]
    assert (b.min, b.max, b.hint) == (1, 64, 8)


@settings(max_examples=100, deadline=None)
@given(graphs())
def test_random_graphs_are_read_back(graph):
    again = parse_graph(print_graph(graph))
    assert same(graph, again)
    for a, b in zip(interpret(graph, feeds(graph)), interpret(again, feeds(again))):
        assert bits_equal(a, b)


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
def test_constants_of_every_type(dtype):
    kind = (bool, int, float)[dtype.category]
    numbers = {
        bool: [True, False],
        int: [0, 1, 127, 2 ** (dtype.itemsize * 8 - dtype.is_signed) - 1],
        float: [0.0, -0.0, 0.1, math.pi, 1e-300, 1e300, math.inf, -math.inf, math.nan],
    }[kind]
    x = placeholder("x", (2,), dtype)
    outputs = [eq(x, constant(n, (2,), dtype)) for n in numbers]
    graph = Graph("constants", [x], [*outputs, constant(numbers[0], (), dtype)])
    assert same(graph, parse_graph(print_graph(graph)))


def test_long_programs_are_read_in_one_breath():
    v = f
    for n in range(5000):
        v = lined(n, v * 1.5)
    graph = Graph("long", [f], [v])
    assert same(graph, parse_graph(print_graph(graph)))


# -- the schema


@pytest.mark.parametrize("op", OPS.values(), ids=OPS)
def test_the_schema_knows_every_attribute(op):
    assert op.name in ATTRS
    if inspect.isfunction(op.meaning):
        names = inspect.signature(op.meaning).parameters
        assert set(ATTRS[op.name]) - {"dtype"} <= set(names)
        given = [n for n in names if n not in ATTRS[op.name]]
        assert operands(op.name) in (len(given), None)


def test_the_schema_knows_the_types():
    refused = {
        op for op in OPS if OPS[op].kind == "pointwise" and not closed(op, int64)
    }
    assert {"exp", "sqrt", "div", "tanh", "erf"} <= refused
    assert refused.isdisjoint({"add", "neg", "and", "shl", "maximum", "leaf"})
    assert not closed("xor", float32) and not closed("sub", bool_)


def closed(op, dtype):
    args = [constant(1, (), dtype)] * operands(op)
    args = [constant(True, (), bool_), *args[1:]] if op == "where" else args
    attrs = {"dtype": dtype} if op == "cast" else {}
    return not check(make(op, tuple(args), **attrs))


# -- what is refused

HEAD = "graph f(x: f32[b, 4], i: i64[3]) {\n"
WINDOWS = HEAD + "%0 = windows(i, "
REFUSED = {
    "": "found nothing",
    "hello": "line 1: found 'hello', expected 'graph'",
    "graph f(x: f32[2]) {": "line 1: the text ends inside a graph",
    "graph f(x: f32[2] {": "line 1: the text ends inside parentheses",
    "graph f(x: f32[2]) {\n}": "line 2: found '}', expected a value",
    "graph f(x: f33[2]) {\n": "found 'f33', expected an element type",
    "graph f(x: f32[-2]) {\n": "[-2] is no shape",
    "graph f(x: f32[2.5]) {\n": "[2.5] is no shape",
    "graph f(x: f32[9999999999, 9999999999]) {\n": "no shape",
    "graph f(x: f32[99999999999999999999999]) {\n": "more than 64 bits",
    "graph f(x: f32[2], x: f32[2]) {\n": "x is not free to name an input",
    "graph f(nan: f32[2]) {\n": "nan is not free",
    "graph f(x: f32[2*b]) {\n": "found 'b', expected",
    "graph f(x: f32[b//0]) {\n": "found 'b', expected",
    "graph f[b](x: f32[b//0]) {\n": "no size is b // 0",
    "graph f[b(like=1)](x: f32[b]) {\n": "found 'like', expected min or max",
    "graph f[b(min=1.5)](x: f32[b]) {": "1.5 is no size",
    "graph f[b, b](x: f32[b]) {\n": "b is not free",
    HEAD + "%0 = exp(x) : f32[b, 4]\n": "line 2: the text ends inside a graph",
    HEAD + "%0 = exp(x) : f32[b, 5]\nreturn %0\n}": "line 2: this is exp",
    HEAD + "%0 = exp(x) : f64[b, 4]": "not tracefuse.float64",
    HEAD + "%0 = exp(x, x) : f32[b, 4]": "exp takes 1 operands, not 2",
    HEAD + "%0 = exp() : f32[b, 4]": "exp takes 1 operands, not 0",
    HEAD + "%0 = exp(%1) : f32[b, 4]": "line 2: found '%1', expected a value defined",
    HEAD + "%0 = exp(y) : f32[b, 4]": "found 'y', expected a value defined above",
    HEAD + "%0 = exp(i) : i64[3]": "exp of int64",
    HEAD + "%0 = system(x) : f32[b, 4]": "found 'system', expected an operation",
    HEAD + '%0 = input(name="x") : f32[4]': "found 'input', expected an operation",
    HEAD + "%0 = __import__(x) : f32[4]": "expected an operation",
    HEAD + "%0 = exp(x, axis=-1) : f32[b, 4]": "found 'axis', expected an attribute",
    HEAD + "%0 = exp(x) : f32[b, 4]\n%0 = exp(x) : f32[b, 4]": "line 3: %0 is defined",
    HEAD + "%0 = sum(x) : f32[b]": "sum takes all of axes",
    HEAD + "%0 = sum(x, axes=-1) : f32[b]": "sum takes a tuple of negative axes",
    HEAD + "%0 = sum(x, axes=(1,)) : f32[b]": "sum takes a tuple of negative axes",
    HEAD + "%0 = sum(x, axes=(-1, -1)) : f32[b]": "none twice",
    HEAD + "%0 = sum(x, axes=(-3,)) : f32[b]": "sum: ",
    HEAD + "%0 = argmax(x, axis=-3) : i64[b]": "argmax: ",
    HEAD + "%0 = sum(x, axes=(-1,), axes=(-1,)) : f32[b]": "found 'axes'",
    HEAD + "%0 = sum(axes=(-1,), x) : f32[b]": "operands come first",
    HEAD + "%0 = reshape(x, shape=(b, 5)) : f32[b, 5]": "reshape: ",
    HEAD + "%0 = reshape(i, shape=(-1, -3)) : i64[3]": "reshape takes a shape",
    HEAD + "%0 = cast(x, dtype=c64) : f32[b, 4]": "found 'c64', expected an element",
    HEAD + "%0 = add(x, 1) : f32[b, 4]": "1 is no f32",
    HEAD + "%0 = add(i, 1.0) : i64[3]": "1.0 is no i64",
    HEAD + "%0 = add(i, 9223372036854775808) : i64[3]": "is no i64",
    HEAD + "%0 = add(x, x) : f32[4, b]": "this is add",
    HEAD + "%0 = add(x, i) : f32[b, 4]": "add: ",
    HEAD + "%0 = dot(x, 1.0) : f32[b, 4]": "dot takes values, not numbers",
    HEAD + "%0 = dot(i, i) : i64[3]": "dot: ",
    HEAD + "%0 = lt(1.0, 2.0) : bool[3]": "lt takes values, not numbers",
    HEAD + "%0 = constant(value=True) : f32[3]": "True is no f32",
    HEAD + '%0 = constant(value="1") : f32[3]': "constant takes a number",
    HEAD + "%0 = slice(i, axis=-1, start=2, length=2, step=1) : i64[2]": "leaves",
    HEAD + "%0 = slice(i, axis=-1, start=-1, length=1, step=1) : i64[1]": "leaves",
    HEAD + "%0 = slice(i, axis=-1, start=0, length=2, step=-1) : i64[2]": "leaves",
    HEAD + "%0 = slice(i, axis=-1, start=0, length=1, step=0) : i64[1]": "other than 0",
    HEAD
    + "%0 = windows(i, size=(4,), stride=(1,), dilation=(1,)) : i64[0, 4]": "window",
    HEAD
    + "%0 = windows(i, size=(2,), stride=(0,), dilation=(1,)) : i64[2]": "positive",
    HEAD
    + "%0 = windows(i, size=(2,), stride=(), dilation=(1,)) : i64[2, 2]": "windows",
    HEAD + "%0 = gather(x, i, batch=9) : f32[3, 4]": "gather: ",
    HEAD + '%0 = scatter(x, i, x, batch=0, mode="sub") : f32[b, 4]': "'set' or 'add'",
    HEAD + "%0 = scatter(x, i, x, batch=0, mode=add) : f32[b, 4]": "found 'add'",
    HEAD + "%0 = pad(i, pads=((1, 0, 0), (0, 0, 0)), value=0) : i64[4]": "pad",
    HEAD + "%0 = pad(i, pads=((-1, 0, 0),), value=0) : i64[2]": "pad takes a tuple",
    HEAD + "%0 = concat(axis=-1) : i64[3]": "concat takes",
    HEAD + "%0 = random_bits(i, skip=0) : u32[8]": "random_bits: a state",
    HEAD + "%0 = call(x, graph=f)": "call takes a graph defined above",
    HEAD + "%0 = item(x, index=0) : f32[b, 4]": "item: ",
    HEAD + "%0 = exp(x) : f32[b, 4] extra": "found 'extra', expected the end",
    HEAD + "%0 = exp(x)": "found the end of the line, expected ':'",
    HEAD + "%0 = exp(x : f32[b, 4]": "the text ends inside parentheses",
    HEAD + "%0 = exp(x)) : f32[b, 4]": "does not match",
    HEAD + "%0 = exp(x) : f32[b, 4] $": "found '$', expected a word or sign",
    HEAD + "%0 = exp(x) : f32[c, 4]": "found 'c', expected a number",
    HEAD + "guard(%0, True)": "found '%0', expected a value defined above",
    HEAD + "guard(x)": "found ')', expected ','",
    HEAD + "import os": "found 'import', expected a value such as %0",
    HEAD + "return x\nreturn x\n}": "line 3: found 'return', expected '}'",
    HEAD + "return x,, x\n}": "found ',', expected a value",
    HEAD + "return b\n}": "found 'b', expected a value",
    HEAD + "return x\n}\n" + HEAD + "return x\n}": "two graphs named f",
    HEAD + "%0 = sum(x, axes=" + "(" * 50 + ")" * 50 + ")": "does not match",
    HEAD + "%0 = exp(x) : f32[" + "b*" * 5000 + "b]": "too large",
    HEAD + '%0 = cumulative(x, axis=-1, mode="\\q") : f32[b, 4]': "is no string",
}


@pytest.mark.parametrize("text", REFUSED, ids=range(len(REFUSED)))
def test_a_hostile_text_is_refused(text):
    with pytest.raises(FormatError) as refusal:
        parse_graph(text)
    assert REFUSED[text] in str(refusal.value)


@pytest.mark.parametrize(
    "size", [" + ".join(f"s{n}" for n in range(20)), "(s1 + s2 + s3) * (s4 + s5 + s6)"]
)
def test_a_size_cannot_explode(size):
    inputs = ", ".join(f"x{n}: f32[s{n}]" for n in range(20))
    with pytest.raises(FormatError, match="too large|too many terms"):
        parse_graph(f"graph f({inputs}, y: f32[{size}]) {{\n")


def test_a_shape_cannot_explode():
    shape = ", ".join(["b + c"] * 40)
    with pytest.raises(FormatError, match="is no shape"):
        parse_graph(f"graph f(x: f32[b, c], y: f32[{shape}]) {{\n")


def test_calls_cannot_explode():
    graphs = ["graph g0(x: f32[2]) {\n  %0 = exp(x) : f32[2]\n  return %0\n}\n"]
    for n in range(40):
        body, last = [], "x"
        for k in range(0, 8, 2):
            body.append(f"  %{k} = call({last}, graph=g{n})")
            body.append(f"  %{k + 1} = item(%{k}, index=0) : f32[2]")
            last = f"%{k + 1}"
        rows = "\n".join(body)
        graphs.append(f"graph g{n + 1}(x: f32[2]) {{\n{rows}\n  return {last}\n}}\n")
    with pytest.raises(FormatError, match="comes to more than"):
        parse_graph("".join(graphs))


@pytest.mark.parametrize("make_graph", [mlp, everything, nest, odd])
def test_an_altered_text_is_read_or_refused_but_nothing_else(make_graph):
    text = print_graph(make_graph())
    rng = random.Random(7)
    for _ in range(400):
        try:
            parse_graph(mutated(text, rng)).verify()
        except FormatError:
            pass


def mutated(text, rng):
    """`text` with a few characters, words or lines dropped, doubled or exchanged."""
    for _ in range(rng.randint(1, 3)):
        a, b = sorted(rng.randrange(len(text)) for _ in range(2))
        b = min(b, a + rng.choice([1, 2, 5, 30]))
        piece = text[a:b]
        other = rng.choice(
            ["", piece * 2, "0", "-1", "%9", "(", ")", ",", "9" * 30, "b"]
        )
        text = text[:a] + other + text[b:]
    return text
