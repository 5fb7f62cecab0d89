"""Which values share a kernel, and that no fusion closes a circle."""

from __future__ import annotations

import numpy as np
import pytest
from fusion_graphs import (
    batch_norm,
    cross_entropy_with_gradient,
    layer_norm_with_gradient,
    random_graph,
    softmax,
)
from tracefuse.kernels.axes import locate
from tracefuse.kernels.fusion import MOST, plan
from tracefuse.kernels.numpy.arena import Arena
from tracefuse.kernels.transposed import transpose_products
from tracefuse.tracer import algebra as al
from tracefuse.tracer.graph import Graph, make, placeholder
from tracefuse.tracer.ops import OPS
from tracefuse.tracer.sizes import Dim, guess
from tracefuse.tracer.types import float32


def regions(inputs, outputs):
    """The regions of a graph, after checking what holds for every plan."""
    graph = Graph("f", inputs, outputs)
    made = plan(graph)
    check_plan(graph, made)
    return made.regions


def check_plan(graph, made):
    """Everything is computed once, after what it reads, and handed on where needed."""
    known = {v.id for v in graph.inputs}
    for r in made.regions:
        own = {v.id for v in r.nodes}
        assert len(own) == len(r.nodes) <= MOST and not own & known
        late = set()
        for v in r.nodes:
            for a in v.args:
                source = made.views[a.id].source
                inside = source.id in own and source.id not in late
                assert inside or source.id in known or source.op == "constant"
            late |= {v.id} & r.late
        handed = {v.id for v in r.outputs}
        known |= handed
    for v in graph.outputs:
        source = made.views[v.id].source
        assert source.id in known or source.op == "constant"


def x_of(*shape, name="x"):
    return placeholder(name, shape, float32)


def kinds(made):
    return [r.kind for r in made]


def test_a_chain_is_one_loop():
    x = x_of(300, 400)
    made = regions([x], [al.tanh(x * 2.0) + x])
    assert kinds(made) == ["loop"] and made[0].inputs == [x]
    assert made[0].shape == (300, 400)


def test_broadcasts_and_size_one_axes_are_no_kernels():
    x, w = x_of(300, 400), x_of(400, name="w")
    y = (x * w.expand(x.shape)).reshape((300, 1, 400)) + 1.0
    made = regions([x, w], [y])
    assert kinds(made) == ["loop"]
    assert [v.op for v in made[0].nodes] == ["mul", "add"]


@pytest.mark.parametrize("shape", ((8, 10), (4096, 1024), (20, 30, 500)), ids=str)
def test_softmax_is_one_loop(shape):
    x = x_of(*shape)
    (r,) = regions([x], [softmax(x)])
    assert len(r.reductions) == 2 and not r.late
    assert [v.op for v in r.outputs] == ["div"]


def test_softmax_over_channels_is_one_loop():
    x = x_of(8, 30, 50, 60)
    (r,) = regions([x], [softmax(x, -3)])
    assert r.inner == {1} and not r.late


def test_layer_norm_and_its_gradient_are_one_loop():
    inputs, outputs = layer_norm_with_gradient(2000, 512)
    (r,) = regions(inputs, outputs)
    # The gradients of weight and bias go over the rows: complete after the loop.
    assert len(r.late) == 2 and r.inner == {1}


def test_cross_entropy_and_its_gradient_are_one_loop():
    inputs, outputs = cross_entropy_with_gradient(5000, 100)
    made = regions(inputs, outputs)
    loops = [r for r in made if r.kind == "loop"]
    # The second one is the mean: a number, divided when the sum is complete.
    assert [len(r.shape) for r in loops] == [2, 0]


def test_what_needs_a_whole_reduction_waits_for_it():
    x = x_of(2000, 300)
    made = regions([x], [x - x.sum((-2,)).expand(x.shape)])
    assert kinds(made) == ["loop", "loop"] and len(made[0].late) == 1


def test_in_a_small_space_every_reduction_is_complete():
    x = x_of(30, 20)
    (r,) = regions(
        [x], [x - x.sum((-2,)).expand(x.shape) * x.sum((-1, -2)).expand(x.shape)]
    )
    assert not r.late and r.small


def test_batch_norm_reads_its_input_twice_at_the_most():
    inputs, outputs = batch_norm(16, 32, 40, 40)
    made = [r for r in regions(inputs, outputs) if len(r.shape) == 4]
    assert len(made) <= 3


def test_siblings_that_read_the_same_are_one_loop():
    x = x_of(300, 400)
    (r,) = regions([x], [al.exp(x), al.tanh(x), x.sum((-1,)), x.sum((-2,))])
    assert len(r.outputs) == 4


def test_siblings_of_other_spaces_stay_apart():
    x, y = x_of(300, 400), x_of(300, name="y")
    assert len(regions([x, y], [al.exp(x), al.exp(y)])) == 2


def test_a_path_through_another_kernel_keeps_its_ends_apart():
    x, w = x_of(300, 300), x_of(300, 300, name="w")
    first = al.tanh(x)
    made = regions([x, w], [make("dot", (first, w)) + first])
    assert kinds(made) == ["loop", "opaque", "loop"]


def test_what_is_read_once_is_computed_where_it_is_read():
    x, w = x_of(300, 300), x_of(300, 300, name="w")
    made = regions([x, w], [make("dot", (al.tanh(x), w)) * al.exp(x)])
    assert [[v.op for v in r.nodes] for r in made] == [
        ["tanh"],
        ["dot"],
        ["exp", "mul"],
    ]


def test_a_row_read_as_a_column_is_another_loop():
    x = x_of(400, 400)
    rows = x.sum((-1,))
    made = regions([x], [x * rows.expand(x.shape)])
    assert kinds(made) == ["loop", "loop"]
    (one,) = regions([x], [x * rows.reshape((400, 1)).expand(x.shape)])
    assert one.kind == "loop"


def test_kernels_have_a_bounded_number_of_operations():
    x = x_of(300)
    y = x
    for _ in range(1000):
        y = al.tanh(y + x)
    made = regions([x], [y])
    assert len(made) <= 2000 // MOST + 2


def test_what_only_guards_need_is_not_computed():
    x = x_of(30)
    graph = Graph("f", [x], [x + x], [(al.exp(x), True)])
    assert [v.op for r in plan(graph).regions for v in r.nodes] == ["add"]


def test_planning_asks_no_symbolic_size_anything():
    b = Dim("b").bind(7)
    x = x_of(b, 400)
    graph = Graph("f", [x], [softmax(x), x.reshape((b, 1, 400)) * 2.0, x.sum((-2,))])
    asked = []
    guess.watcher = lambda text, outcome: asked.append(text)
    try:
        plan(graph)
    finally:
        guess.watcher = None
    assert not asked


@pytest.mark.parametrize("seed", range(40))
def test_random_graphs_are_planned_in_an_order_that_runs(seed):
    graph = random_graph(seed)
    check_plan(graph, plan(graph))


def test_many_nodes_neither_overflow_nor_take_quadratic_time():
    x = x_of(40, 1000)
    y, total = x, x
    for k in range(1500):
        y = make("dot", (x, y.permute((-1, -2)))).sum((-1,)).reshape((40, 1))
        y = y.expand(x.shape) * x + float(k)
        total = total + y
    check_plan(graph := Graph("f", [x], [total, y]), plan(graph))


def test_locate_answers_only_where_there_is_one_way():
    assert locate((5, 1, 7), (5, 7), [None] * 3) == (0, None, 1)
    assert locate((7,), (5, 7), [None]) is None
    assert locate((7,), (5, 7), [1]) == (1,)
    assert locate((5,), (5, 5), [1]) == (1,)
    assert locate((5, 7), (7, 5), [1, 0]) is None
    assert locate((6,), (5, 7), [0]) is None


def test_arena_never_hands_out_memory_twice():
    rng = np.random.default_rng(0)
    arena, held = Arena(), []
    for _ in range(500):
        if held and rng.random() < 0.5:
            arena.free(*held.pop(int(rng.integers(len(held)))))
            continue
        size = int(rng.integers(1, 5000))
        at = arena.take(size)
        assert all(at + size <= b or b + n <= at for b, n in held)
        assert at % 64 == 0 and at + size <= arena.size
        held.append((at, size))


def test_every_kind_is_planned():
    handled = {"pointwise", "compare", "reduce", "movement", "window", "contract"}
    handled |= {"index", "scan", "source", "control"}
    assert {op.kind for op in OPS.values()} == handled


def test_a_transposed_product_is_computed_so():
    x, g = placeholder("x", (8, 5), float32), placeholder("g", (8, 3), float32)
    weight = make(
        "permute",
        (make("dot", (make("permute", (x,), axes=(-1, -2)), g)),),
        axes=(-1, -2),
    )
    graph = Graph("weight", [x, g], [weight])
    (product,) = transpose_products(graph).verify().outputs
    assert product.op == "dot" and [a.op for a in product.args] == ["permute", "input"]
    both = Graph("both", [x, g], [weight, weight.args[0]])
    assert transpose_products(both) is both  # the other reader wants it as it is
