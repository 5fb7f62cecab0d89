"""Programs of symbolic sizes: code of their own for the first sizes they meet."""

import numpy as np
import pytest
import tracefuse
from tracefuse import Dim
from tracefuse.api.engine import executable
from tracefuse.kernels.numpy import sized
from tracefuse.tracer.graph import Graph, placeholder
from tracefuse.tracer.types import float32


def softmax(n, m=3):
    x = placeholder("x", (n, m), float32)
    top = x.sum((-1,)).reshape((n, 1)).expand((n, m))
    return Graph("f", [x], [x - top, x.sum((-2,))])


def numbers(n, m=3):
    x = np.random.default_rng(n).random((n, m), np.float32)
    return x, (x - x.sum(1, keepdims=True), x.sum(0))


def test_first_sizes_get_code_of_their_own_and_all_others_share():
    made = sized.compile_sized(softmax(Dim("b").bind(4)))
    for n in (4, 1, 40000, 7, 9, 11, 4):
        x, wanted = numbers(n)
        for got, want in zip(made.run(x), wanted):
            np.testing.assert_allclose(got, want, rtol=2e-4)
    assert len(made.forms) == len(made.made) == sized.MOST
    assert "tiles" not in made.made[0].source and "tiles" in made.source


def test_equal_calls_give_equal_numbers():
    made = sized.compile_sized(softmax(Dim("b").bind(4)))
    calls = [made.run(numbers(n)[0]) for n in (40000, 5, 6, 7, 50000)]
    again = [made.run(numbers(n)[0]) for n in (40000, 5, 6, 7, 50000)]
    for a, b in zip(calls, again):
        assert all(np.array_equal(p, q) for p, q in zip(a, b))


def test_several_symbols_are_told_apart():
    b, c = Dim("b").bind(4), Dim("c").bind(3)
    made = sized.compile_sized(softmax(b, c))
    for n, m in ((4, 3), (3, 4), (5, 3)):
        x, wanted = numbers(n, m)
        np.testing.assert_allclose(made(x)[0], wanted[0], rtol=1e-4)
    assert set(made.forms) == {(4, 3), (3, 4), (5, 3)}


def test_static_programs_are_plain_executables():
    assert type(sized.compile_sized(softmax(4))).__name__ == "Executable"


def test_a_jitted_function_with_sizes_that_change_records_once():
    @tracefuse.jit(dynamic_shapes={"x": {0: Dim("n")}})
    def f(x):
        return x * x.shape[0] + x.sum()

    for n in range(2, 12):
        x = tracefuse.arange(n, dtype=tracefuse.float32)
        assert (f(x) == x * n + x.sum()).all()
    assert f.cache_info()["recordings"] == 1


def test_scratch_is_given_back():
    made = executable(softmax(Dim("b").bind(4)))
    made.run(numbers(5)[0])
    made.rest()
    pools = (v for k, v in made.made[0].run.__globals__.items() if k == "pool")
    assert not any(pools)


@pytest.mark.parametrize("n", [0, 1])
def test_no_rows_and_one_row(n):
    made = sized.compile_sized(softmax(Dim("b").bind(4)))
    x, wanted = numbers(n)
    np.testing.assert_allclose(made.run(x)[1], wanted[1], rtol=1e-6)
