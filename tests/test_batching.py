"""The batching rules: every primitive beside a loop over its NumPy meaning."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import tracefuse as torch
from derivative_samples import SAMPLES, index, normal
from samples import BRANCHING, NOT_TRACED, each, is_random
from samples import SAMPLES as CALLS
from sampling import as_array, assert_close, flatten
from tracefuse.tracer.batching.batch import Draws, batch
from tracefuse.tracer.batching.graphs import batched_graph
from tracefuse.tracer.errors import TraceError
from tracefuse.tracer.graph import Graph, constant, make, placeholder
from tracefuse.tracer.interpret import interpret
from tracefuse.tracer.ops import OPS, Op
from tracefuse.tracer.sizes import Dim
from tracefuse.tracer.types import BY_NUMPY, float64, int64

MANY = 3
WHOLE = [([index(5, 2, 7), index(3, 6, 1)], {})]
SOME = [([normal(3, 2)], {"axis": -2}), ([normal(3, 2)], {"axis": -1})]
MORE = {
    **dict.fromkeys(("and", "or", "xor", "shl", "shr"), WHOLE),
    **dict.fromkeys(("eq", "ne", "lt", "le"), WHOLE),
    **dict.fromkeys(("argmax", "argmin"), SOME),
    "argsort": [(a, {**attrs, "descending": d}) for a, attrs in SOME for d in (0, 1)],
    "stop_gradient": [([normal(3)], {})],
}
TABLE = {**SAMPLES, **MORE}
# Rows, columns, and a sum of one product.
_SHAPES = [((1, 3), (3, 1)), ((3, 1), (1, 2)), ((2, 3, 1), (2, 1, 2))]
TABLE["dot"] = [*SAMPLES["dot"], *(([normal(*a), normal(*b)], {}) for a, b in _SHAPES)]
# Without arguments of their own, or with a graph: tested one by one below.
ALONE = {"input", "constant", "iota", "random_bits", "call", "item"}
ALONE |= {"cond", "while", "scan"}  # test_loops.py
CASES = [
    pytest.param(op, arrays, attrs, flags, id=f"{op}-{i}-{''.join(map(str, flags))}")
    for op, rows in TABLE.items()
    for i, (arrays, attrs) in enumerate(rows)
    for flags in itertools.product((0, 1), repeat=len(arrays))
    if any(flags)
]


def test_every_primitive_is_in_the_table():
    assert TABLE.keys() | ALONE == OPS.keys()


def several(array):
    """Examples that differ, each as valid as `array` itself."""
    if array.size > 1:
        rolled = [np.roll(array, k) for k in range(MANY)]
    else:
        rolled = [array * (1 + k / 8) for k in range(MANY)]
    return np.stack(rolled).astype(array.dtype)


def like(array, name):
    return placeholder(name, array.shape, BY_NUMPY[array.dtype])


def for_all(function, given, flags, size=MANY):
    """`function` of placeholders, batched where flagged, at these arrays."""
    one = [
        like(a[0] if f else a, f"x{i}") for i, (a, f) in enumerate(zip(given, flags))
    ]
    all_ = [like(a, x.attrs["name"]) if f else x for a, x, f in zip(given, one, flags)]
    y = function(*one)
    known = batch([y], {x.id: v for x, v, f in zip(one, all_, flags) if f}, size)
    (found,) = interpret(Graph("f", all_, [known[y.id]]).verify(), given)
    return found


@pytest.mark.parametrize("op, arrays, attrs, flags", CASES)
def test_a_primitive_beside_a_loop(op, arrays, attrs, flags):
    given = [several(a) if f else a for a, f in zip(arrays, flags)]
    found = for_all(lambda *args: make(op, args, **attrs), given, flags)
    with np.errstate(all="ignore"):
        loop = [
            OPS[op].meaning(*[a[i] if f else a for a, f in zip(given, flags)], **attrs)
            for i in range(MANY)
        ]
    np.testing.assert_allclose(found, np.stack(loop), rtol=1e-12)
    assert found.dtype == np.asarray(loop[0]).dtype


def test_a_shared_matrix_makes_one_tall_product():
    x, w = placeholder("x", (1, 3), float64), placeholder("w", (3, 4), float64)
    xs = placeholder("xs", (5, 1, 3), float64)
    y = make("dot", (x, w))
    (product,) = [
        v
        for v in Graph("f", [xs, w], [batch([y], {x.id: xs}, 5)[y.id]]).nodes()
        if v.op == "dot"
    ]
    assert product.shape == (5, 4)


def test_what_does_not_depend_on_the_examples_stays_itself():
    x, y = placeholder("x", (2,), float64), placeholder("y", (2,), float64)
    xs = placeholder("xs", (4, 2), float64)
    shared = y * 2.0
    known = batch([x + shared, shared], {x.id: xs}, 4)
    assert shared.id not in known and y.id not in known


def test_constants_are_shared_as_constants():
    x, xs = placeholder("x", (2,), float64), placeholder("xs", (4, 2), float64)
    y = x * 3.0
    ops = [v.op for v in Graph("f", [xs], [batch([y], {x.id: xs}, 4)[y.id]]).nodes()]
    assert ops == ["input", "constant", "mul"]


def test_a_symbolic_batch_size():
    n = Dim("n").bind(3)
    x, xs = placeholder("x", (2,), float64), placeholder("xs", (n, 2), float64)
    y = (x * 2.0).expand((5, 2)).sum((-2,))
    found = batch([y], {x.id: xs}, n)[y.id]
    assert str(found.shape) == "(n, 2)"
    (out,) = interpret(Graph("f", [xs], [found]).verify(), [np.ones((6, 2))])
    np.testing.assert_array_equal(out, np.full((6, 2), 10.0))


def test_source_lines_are_kept():
    x, xs = placeholder("x", (2,), float64), placeholder("xs", (3, 2), float64)
    y = -x
    y.line = "user.py:7"
    assert batch([y], {x.id: xs}, 3)[y.id].line == "user.py:7"


# -- random numbers


def drawn(since, *, size=MANY, first=0, total=MANY):
    state = placeholder("state", (2,), int64)
    bits = make("random_bits", (state,), shape=(2,), skip=5)
    again = make("random_bits", (state,), shape=(8,), skip=6)
    draws = Draws({state.id: 5}, since, total, first)
    known = batch([bits, again], {}, size, draws)
    both = [known.get(bits.id), known.get(again.id)]
    return both, state


def test_draws_of_different_examples_share_no_block():
    (bits, again), state = drawn(-1)
    assert (bits.shape, again.shape) == ((3, 2), (3, 8))
    outputs = interpret(Graph("f", [state], [bits, again]), [np.array([1, 0])])
    words = np.concatenate([o.ravel() for o in outputs])
    assert len(set(words)) == words.size
    # The first draw begins where one example's would, the second behind all of it.
    assert (bits.attrs["skip"], again.attrs["skip"]) == (5, 8)


def test_draws_in_chunks_are_the_same_draws():
    (whole, _), state = drawn(-1)
    (part, _), other = drawn(-1, size=1, first=2)
    (a,) = interpret(Graph("f", [state], [whole]), [np.array([1, 0])])
    (b,) = interpret(Graph("f", [other], [part]), [np.array([1, 0])])
    np.testing.assert_array_equal(a[2:], b)


def test_what_was_drawn_before_is_shared():
    late = placeholder("late", (), float64)
    (bits, _), _ = drawn(late.id + 10**6)
    assert bits is None


# -- calls


def square_graph():
    x, y = placeholder("x", (2,), float64), placeholder("y", (2,), float64)
    return Graph("square", [x, y], [x * x + y, constant(1, (2,), float64)])


def results_of(graph, *args):
    call = make("call", args, graph=graph)
    return make("item", (call,), index=0) * make("item", (call,), index=1)


@pytest.mark.parametrize("flags", [(1, 0), (0, 1), (1, 1)])
def test_a_call_calls_the_batched_graph(flags):
    graph = square_graph()
    given = [several(normal(2)) if f else normal(2) for f in flags]
    found = for_all(lambda *args: results_of(graph, *args), given, flags)
    x, y = given
    np.testing.assert_allclose(found, x * x + y)


def test_a_graph_is_batched_once():
    graph, x = square_graph(), placeholder("x", (2,), float64)
    xs = placeholder("xs", (4, 2), float64)
    calls = []
    for _ in range(2):
        y = results_of(graph, x, x)
        nodes = Graph("f", [xs], [batch([y], {x.id: xs}, 4)[y.id]]).nodes()
        calls += [v.attrs["graph"] for v in nodes if v.op == "call"]
    assert calls[0] is calls[1]


def test_a_call_with_a_symbolic_batch_size():
    n = Dim("n").bind(3)
    graph, x = square_graph(), placeholder("x", (2,), float64)
    xs = placeholder("xs", (n, 2), float64)
    y = results_of(graph, x, x)
    found = batch([y], {x.id: xs}, n)[y.id]
    (out,) = interpret(Graph("f", [xs], [found]).verify(), [np.full((6, 2), 3.0)])
    np.testing.assert_array_equal(out, np.full((6, 2), 12.0))


def test_a_call_with_a_derivative_of_its_own_keeps_it():
    from tracefuse.autodiff.vjp import vjp

    graph = square_graph()  # its rule says: 7 * y for x, and the cotangent for y

    def rule(call, parts, wanted):
        return [parts[0] * 7.0 * call.args[1], parts[0]]

    graph.memo["rule"] = rule
    x, y = placeholder("x", (2,), float64), placeholder("y", (2,), float64)
    xs = placeholder("xs", (3, 2), float64)
    z = make("item", (make("call", (x, y), graph=graph),), index=0)
    zs = batch([z], {x.id: xs}, 3)[z.id]
    g = placeholder("g", (3, 2), float64)
    by_x, by_y = vjp([zs], [g], [xs, y])
    numbers = [normal(3, 2), normal(2), normal(3, 2)]
    found = interpret(Graph("f", [xs, y, g], [by_x, by_y]).verify(), numbers)
    np.testing.assert_allclose(found[0], 7 * numbers[2] * numbers[1])
    np.testing.assert_allclose(found[1], numbers[2].sum(0))


def test_random_numbers_in_a_call():
    state, x = placeholder("state", (2,), int64), placeholder("x", (1,), float64)
    inner = placeholder("s", (2,), int64)
    y = placeholder("y", (1,), float64)
    bits = make("random_bits", (inner,), shape=(1,), skip=0).cast(float64)
    graph = Graph("noise", [inner, y], [y * bits])
    xs = placeholder("xs", (3, 1), float64)
    z = make("item", (make("call", (state, x), graph=graph),), index=0)
    found = batch([z], {x.id: xs}, 3, Draws({state.id: 0}, -1, 3))[z.id]
    out = Graph("f", [state, xs], [found]).verify()
    (noise,) = interpret(out, [np.array([3, 0]), np.ones((3, 1))])
    assert len(set(noise.ravel())) == 3
    assert batched_graph  # the graphs above were made by it


def test_a_primitive_without_a_rule_is_an_error(monkeypatch):
    monkeypatch.setitem(OPS, "new", Op("new", "strange", np.negative))
    x, xs = placeholder("x", (2,), float64), placeholder("xs", (3, 2), float64)
    y = -x
    y.op, y.line = "new", "user.py:3"
    with pytest.raises(TraceError, match=r"no batching rule for 'new' \(user.py:3\)"):
        batch([y], {x.id: xs}, 3)


# -- every public function, beside a loop

# Python asks for their numbers, or they answer with what is no tensor.
TABLED = [s for s in CALLS if s.name not in NOT_TRACED | BRANCHING]


@each(TABLED)
def test_a_function_beside_a_loop(sample):
    seeds = [sample.make_args(seed, sample.dtypes[0]) for seed in (1, 2)]
    alone = [flatten(sample.function(*map(torch.tensor, arrays))) for arrays in seeds]
    if not seeds[0] or not all(map(torch.is_tensor, alone[0])) or is_random(sample):
        pytest.skip("not a function of tensors")
    stacked = [torch.tensor(np.stack(arrays)) for arrays in zip(*seeds)]
    together = flatten(torch.vmap(sample.function)(*stacked))
    for found, *ones in zip(together, *alone):
        want = np.stack(list(map(as_array, ones)))
        assert_close([as_array(found)], [want], max(sample.rtol, 1e-6))
