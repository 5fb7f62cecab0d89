"""Products in every form: pointers, descriptors, programs that stay."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from test_triton_configs import check
from tracefuse.kernels.triton.compile import compile
from tracefuse.kernels.triton.interpreter.on_cpu import Interpreter
from tracefuse.kernels.triton.native.ahead import compile_kernel
from tracefuse.kernels.triton.native.figures import inspect_binary
from tracefuse.kernels.triton.product import aligning
from tracefuse.kernels.triton.product.tiles import Sizes, candidates
from tracefuse.tracer import algebra as al
from tracefuse.tracer import types as ty
from tracefuse.tracer.graph import Graph, make, placeholder
from tracefuse.tracer.interpret import interpret

pytest.importorskip("triton")
LAYOUTS = ("NN", "NT", "TN", "TT")
CORES = {"sm_80": {"HMMA"}, "sm_90": {"HGMMA"}, "sm_100": {"UTCHMMA"}}


def product(layout, sizes, dtype, lead=(), epilogue=False):
    """A graph of one product, operands as they are (N) or transposed (T)."""
    m, n, k = sizes
    swap = (*range(-len(lead) - 2, -2), -1, -2)
    x = placeholder("x", (*lead, m, k) if layout[0] == "N" else (*lead, k, m), dtype)
    y = placeholder("y", (*lead, k, n) if layout[1] == "N" else (*lead, n, k), dtype)
    a, b = (v if t == "N" else v.permute(swap) for v, t in zip((x, y), layout))
    z = make("dot", (a, b))
    if not epilogue:
        return Graph("product", [x, y], [z])
    bias, rest = placeholder("c", (n,), dtype), placeholder("r", z.shape, dtype)
    z = al.tanh(z * 0.1 + bias.expand(z.shape)) + rest
    return Graph("product", [x, y, bias, rest], [z])


def kernel_of(graph, precision="ieee"):
    made = compile(graph, Interpreter(precision)).program.kernels.values()
    (found,) = (k for k in made if "matmul" in k.tags)
    return found


def forms(kernel):
    """The values of the constant that tells forms apart."""
    return {dict(c.constants).get("TMA") for c in kernel.configs}


# -- numbers


EACH = [*((layout, (3,), ty.bfloat16) for layout in LAYOUTS), ("NN", (), ty.float16)]


@pytest.mark.parametrize("layout, lead, dtype", EACH, ids=str)
def test_every_form_is_right(layout, lead, dtype):
    graph = product(layout, (88, 72, 40), dtype, lead)
    assert forms(kernel_of(graph)) == {0, 1, 2}
    check(graph)


def test_programs_that_stay_make_one_tile_after_the_other():
    graph = product("NT", (264, 136, 32), ty.bfloat16, epilogue=True)
    assert forms(kernel_of(graph)) == {0, 1, 2}
    check(graph)


@pytest.mark.parametrize("m", (16, 64, 192, 384, 4096, 4160))
def test_no_form_goes_beyond_the_result(m):
    for n in (64, 128, 192, 384, 640, 8192):
        kernel = kernel_of(product("NN", (m, n, 64), ty.bfloat16))
        for config in kernel.configs:
            sizes = dict(config.constants)
            assert m % sizes["BM"] == 0 or "m_i0 = " in kernel.source
            assert n % sizes["BN"] == 0 or "m_i1 = " in kernel.source


def test_tf32_by_descriptors():
    graph = product("NT", (72, 40, 36), ty.float32)
    kernel = kernel_of(graph, "tf32")
    assert forms(kernel) == {0, 1, 2}
    rng = np.random.default_rng(0)
    arrays = [rng.integers(-3, 4, v.shape).astype(np.float32) for v in graph.inputs]
    (want,) = interpret(graph, arrays)
    for n in range(len(kernel.configs)):
        (got,) = compile(graph, Chosen(n)).run(*arrays)
        np.testing.assert_array_equal(got, want)


class Chosen(Interpreter):
    """Takes configuration number `n`."""

    def __init__(self, n):
        super().__init__("tf32")
        self.n = n

    def launcher(self, kernel):
        return super().launcher(replace(kernel, configs=kernel.configs[self.n :]))


# -- where there are descriptors


def test_a_slice_begins_in_the_middle():
    x, y = (placeholder(n, (64, 96), ty.bfloat16) for n in "xy")
    part = make("slice", (x,), axis=-1, start=16, length=64, step=1)
    graph = Graph("f", [x, y], [make("dot", (part, y))])
    assert forms(kernel_of(graph)) == {0, 1, 2}
    check(graph)


@pytest.mark.parametrize("start, k", ((3, 64), (16, 70)))
def test_nothing_unaligned_has_a_descriptor(start, k):
    x = placeholder("x", (64, k + 16), ty.bfloat16)
    y = placeholder("y", (k, 68), ty.bfloat16)
    part = make("slice", (x,), axis=-1, start=start, length=k, step=1)
    graph = Graph("f", [x, y], [make("dot", (part, y))])
    assert forms(kernel_of(graph)) == {None}
    check(graph)


def test_what_is_computed_on_the_way_has_no_descriptor():
    x, y = (placeholder(n, (64, 64), ty.float32) for n in "xy")
    graph = Graph("f", [x, y], [make("dot", tuple(v.cast(ty.float16) for v in (x, y)))])
    assert forms(kernel_of(graph)) == {None}
    check(graph)


def test_exact_products_use_no_tensor_cores_and_no_descriptors():
    assert forms(kernel_of(product("NN", (64, 64, 64), ty.float32))) == {None}


# -- candidates


def test_targets_have_the_forms_that_they_can_run():
    kernel = kernel_of(product("NN", (512, 512, 512), ty.bfloat16))
    have = {t: {dict(c.constants)["TMA"] for c in kernel.choices(t)} for t in CORES}
    assert have == {"sm_80": {0}, "sm_90": {0, 1}, "sm_100": {0, 1, 2}}
    assert {c.needs for c in kernel.choices("gfx942")} == {0}


@pytest.mark.parametrize("kind", ("half", "tf32", "ieee"))
@pytest.mark.parametrize("size", (16, 100, 512, 4096, 8192))
def test_there_are_few_candidates_and_each_is_another(kind, size):
    sizes = Sizes(size, size, size, 1)
    found = candidates(kind, sizes, forms=kind != "ieee")
    assert 1 <= len(found) <= 8 and len(set(found)) == len(found)
    assert dict(found[0].constants).get("TMA", 0) == 0


# -- machine code


@pytest.mark.parametrize("target", CORES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_machine_code_of_every_form(layout, target):
    graph = product(layout, (512, 512, 2048), ty.bfloat16, (4,))
    kernel = kernel_of(graph)
    choices = reversed(kernel.choices(target))
    first = {dict(c.constants)["TMA"]: c for c in choices}
    for form, config in first.items():
        found = inspect_binary(compile_kernel(kernel, config, target))
        assert found.stack == 0 and found.shared <= 232448
        assert set(found.tensor) == CORES[target], (config, found)
        copied = "UTMALDG" if form else "LDGSTS"
        assert set(found.asynchronous) == {copied} and not found.loads
    assert len(first) == {"sm_80": 1, "sm_90": 2, "sm_100": 3}[target]


# -- with a vector, and divided


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    "lead, sizes",
    (((), (1, 70, 300)), ((), (70, 1, 300)), ((3,), (1, 70, 130)), ((2,), (1, 1, 130))),
)
def test_products_with_a_vector(layout, sizes, lead):
    check(product(layout, sizes, ty.bfloat16, lead))


@pytest.mark.parametrize("sizes", ((1, 512, 2048), (512, 1, 2048)), ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_vector_meets_the_matrix_in_the_order_of_memory(layout, sizes):
    graph = product(layout, sizes, ty.bfloat16)
    made = compile(graph, Interpreter())
    first, *more = made.program.kernels.values()
    assert "matmul" not in first.tags and len(more) <= 1
    assert first.bytes < 1.2 * 2 * 512 * 2048
    found = inspect_binary(compile_kernel(first, None, "sm_90"))
    wide = found.loads.pop(128)
    assert wide >= sum(found.loads.values()), "the vector alone may be read otherwise"


@pytest.mark.parametrize("k, parts", ((2048, 4), (1 << 14, 32), (1024, 2)))
def test_a_long_product_is_divided(k, parts):
    graph = product("NN", (16, 32, k), ty.float16)
    made = compile(graph, Interpreter())
    first, second, *_ = made.program.kernels.values()
    assert f"over [{parts}, 16, 32]: dot" in first.source
    assert "cast" in second.ops or parts > 16  # what follows is the same loop
    rng = np.random.default_rng(0)
    arrays = [rng.integers(-2, 3, v.shape).astype(np.float16) for v in graph.inputs]
    (got,), (want,) = made.run(*arrays), interpret(graph, arrays)
    np.testing.assert_array_equal(got, want)


# -- odd sizes


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("sizes", ((70, 67, 77), (67, 133, 69)), ids=str)
def test_operands_of_odd_sizes_are_laid(layout, sizes, monkeypatch):
    monkeypatch.setattr(aligning, "LEAST", 0)
    graph = product(layout, sizes, ty.float16, (2,) if layout == "NT" else ())
    made = compile(graph, Interpreter()).program.kernels.values()
    *moves, last = made
    assert "matmul" in last.tags and 1 <= len(moves) <= 2
    assert all("laid" in k.ops for k in moves)
    check(graph)


@pytest.mark.parametrize("target", CORES)
def test_odd_sizes_are_read_by_wide_accesses(target):
    graph = product("NN", (777, 777, 777), ty.bfloat16)
    found = inspect_binary(compile_kernel(kernel_of(graph), None, target))
    assert found.stack == 0 and not found.loads and set(found.copies) == {128}
    assert set(found.tensor) == CORES[target]


def test_even_or_small_operands_stay_where_they_are():
    for sizes in ((512, 512, 512), (65, 65, 65)):
        made = compile(product("TN", sizes, ty.bfloat16), Interpreter())
        assert len(made.kernels) == 1
