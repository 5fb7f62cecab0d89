"""The page of calculus against finite differences, and what its rows may read."""

import numpy as np
import pytest
from derivative_samples import SAMPLES
from derivative_tools import check, variables
from hypothesis import given, settings
from hypothesis import strategies as st
from tracefuse.autodiff.derivatives import DERIVATIVES, reads, row
from tracefuse.tracer.control import GRAPHS
from tracefuse.tracer.graph import make, placeholder, reachable
from tracefuse.tracer.ops import OPS
from tracefuse.tracer.types import float32, int64

CASES = [
    pytest.param(op, *sample, id=f"{op}-{i}")
    for op, samples in SAMPLES.items()
    for i, sample in enumerate(samples)
]


def test_the_page_has_a_row_for_every_primitive_in_order():
    # What runs graphs is differentiated by the engine; all else stands on the page.
    assert list(DERIVATIVES) == [op for op in OPS if op not in GRAPHS]


def test_every_differentiable_primitive_has_a_sample():
    rows = {op for op, found in DERIVATIVES.items() if found is not None}
    assert set(SAMPLES) == rows - {"item"}


@pytest.mark.parametrize("op, arrays, attrs", CASES)
def test_finite_differences_of_first_and_second_order(op, arrays, attrs):
    # float32 inside: coarser steps would be needed, and the rule is a cast back.
    if op != "cast":
        check(lambda *args: make(op, args, **attrs), arrays)


@pytest.mark.parametrize("op, arrays, attrs", CASES)
def test_rows_read_what_their_parameters_say(op, arrays, attrs):
    args = variables(arrays)
    y = make(op, args, **attrs)
    result = placeholder("y", y.shape, y.dtype)
    g = placeholder("g", y.shape, y.dtype)
    parts = row(op, attrs)(g, result, *args, **attrs)
    assert len(parts) == len(args)
    seen = {v.id for v in reachable(p for p in parts if p is not None)}
    mode = attrs.get("mode")
    reads_y, each = reads(op, len(args), mode)
    # The index of a scan of one element, or a reach of none, may drop out.
    if arrays[0].size > 1 and attrs.get("axes") != () and attrs.get("length") != 0:
        assert (result.id in seen, *(a.id in seen for a in args)) == (reads_y, *each)


@pytest.mark.parametrize("op, arrays, attrs", CASES)
def test_cotangents_have_the_shape_and_type_of_their_argument(op, arrays, attrs):
    args = variables(arrays)
    y = make(op, args, **attrs)
    for arg, part in zip(args, row(op, attrs)(y, y, *args, **attrs)):
        if part is not None:
            assert (part.shape, part.dtype) == (arg.shape, arg.dtype)


def test_reads_of_modes_and_of_free_counts():
    assert reads("scatter", mode="add") == (False, (False, True, False))
    assert reads("scatter") == (True, (True, True, True))
    assert reads("concat", 3) == (False, (False,) * 3)
    assert reads("call", 2) == (False, (True, True))
    assert reads("stop_gradient", 1) == (False, (False,))


def test_nothing_flows_through_a_cast_to_or_from_integers():
    n = placeholder("n", (2,), int64)
    assert DERIVATIVES["cast"](n, n, n, dtype=float32) == (None,)


SIZES = st.integers(1, 3)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(SIZES, st.booleans()), max_size=3), st.integers(0, 2))
def test_expand_of_any_shape(axes, extra):
    shape = tuple(1 if stretched else n for n, stretched in axes)
    target = (2,) * extra + tuple(n for n, _ in axes)
    x = np.random.default_rng(0).standard_normal(shape)
    check(lambda v: v.expand(target) * v.expand(target), [x])


@settings(max_examples=30, deadline=None)
@given(n=SIZES.map(lambda n: n + 4), data=st.data())
def test_slice_of_any_reach(n, data):
    step = data.draw(st.sampled_from([-3, -2, -1, 1, 2, 3]))
    start = data.draw(st.integers(0, n - 1))
    room = (n - 1 - start) // step if step > 0 else start // -step
    length = data.draw(st.integers(0, room + 1))
    x = np.random.default_rng(0).standard_normal(n)
    attrs = {"axis": -1, "start": start, "length": length, "step": step}
    check(lambda v: make("slice", (v,), **attrs) * 2, [x])


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_reductions_over_any_axes(data):
    shape = data.draw(st.lists(SIZES, min_size=1, max_size=3))
    every = range(-len(shape), 0)
    axes = tuple(a for a in every if data.draw(st.booleans()))
    op = data.draw(st.sampled_from(["sum", "prod", "max", "min"]))
    x = np.random.default_rng(0).permutation(np.arange(1.0, 1 + np.prod(shape))) / 4
    check(lambda v: make(op, (v,), axes=axes), [x.reshape(shape)])
