"""jit: nothing goes stale, branches are guards, failures leave things as they were."""

from __future__ import annotations

import collections
import itertools
import math
import random
import time

import numpy as np
import pytest
import tracefuse as torch

SCALE = 2.0


def recordings(f):
    return f.cache_info()["recordings"]


def test_recorded_once():
    f = torch.jit(lambda x: x * 2 + 1)
    x = torch.arange(3.0)
    assert [f(x).tolist() for _ in range(3)] == [[1.0, 3.0, 5.0]] * 3
    assert recordings(f) == 1


def test_shapes_dtypes_and_structure_are_the_key():
    f = torch.jit(lambda x, k=None: {"y": x["a"] + x["b"][0], "k": k})
    for n in (2, 3, 2, 3):
        a = torch.ones(n)
        assert f({"a": a, "b": [a]})["y"].tolist() == [2.0] * n
    assert f({"a": a.long(), "b": [a.long()]}, k="x")["k"] == "x"
    assert f({"a": a, "b": (a,)})["y"].dtype is torch.float32
    assert recordings(f) == 4


def test_a_branch_on_a_value_is_a_guard():
    @torch.jit
    def f(x):
        y = x * 2
        if y.sum() > 0:
            return y * 10
        return -y

    up, down = torch.ones(3), -torch.ones(3)
    for x, want in [(up, 20.0), (up, 20.0), (down, 2.0), (up, 20.0), (down, 2.0)] * 2:
        assert f(x).tolist() == [want] * 3
    assert recordings(f) == 2 and f.cache_info()["paths"] == 2


def test_nested_branches_and_item():
    @torch.jit
    def f(x):
        n = int(x[0])
        y = x + n
        if (y > 2).any():
            return y * 2, n
        return y, n

    for k in (0, 1, 2, 0, 1, 2):
        x = torch.tensor([float(k), 0.5])
        y = x + k
        want = y * 2 if (y > 2).any() else y
        got, n = f(x)
        assert got.tolist() == want.tolist() and n == k
    assert recordings(f) == 3


def test_writes_before_a_guard_are_committed_once():
    state = torch.zeros(2)

    @torch.jit
    def f(x):
        state.add_(x)
        if state.sum() > 3:
            state.zero_()
        return state * 1

    plain, want = torch.zeros(2), []
    for _ in range(8):
        plain += 1
        if plain.sum() > 3:
            plain.zero_()
        want.append(plain.tolist())
    assert [f(torch.ones(2)).tolist() for _ in range(8)] == want


def test_globals_are_watched():
    global SCALE
    f = torch.jit(lambda x: x * SCALE)
    x = torch.ones(2)
    try:
        for value in (2.0, 2.0, 5.0, 5.0, 2.0):
            SCALE = value
            assert f(x).tolist() == [value] * 2
    finally:
        SCALE = 2.0


def test_cells_attributes_and_containers_are_watched():
    class Config:
        factor = 1.0

    config, items, weight = Config(), [1.0], torch.ones(2)

    def helper(x):
        return x * config.factor + sum(items)

    @torch.jit
    def f(x):
        return helper(x) * weight

    x = torch.ones(2)
    assert f(x).tolist() == [2.0] * 2 == f(x).tolist()
    config.factor = 3.0
    assert f(x).tolist() == [4.0] * 2 == f(x).tolist()
    items.append(10.0)
    assert f(x).tolist() == [14.0] * 2 == f(x).tolist()
    items[0] = 2.0
    assert f(x).tolist() == [15.0] * 2 == f(x).tolist()
    Config.other = 1
    config = Config()
    assert f(x).tolist() == [13.0] * 2 == f(x).tolist()
    weight = torch.full((2,), 2.0)
    assert f(x).tolist() == [26.0] * 2 == f(x).tolist()


def test_python_arguments_are_keys():
    f = torch.jit(lambda x, n, name="a": x * n if name == "a" else x + n)
    x = torch.ones(1)
    for n, name in [(2, "a"), (2.0, "a"), (True, "a"), (3, "b"), (2, "a"), (-0.0, "a")]:
        want = x * n if name == "a" else x + n
        got = f(x, n, name=name)
        assert got.tolist() == want.tolist() and got.dtype is want.dtype
        assert math.copysign(1, got.item()) == math.copysign(1, want.item())


def test_a_counter_the_function_advances():
    calls = []

    @torch.jit
    def f(x):
        calls.append(1)
        return x * len(calls)

    assert [f(torch.ones(1)).item() for _ in range(5)] == [1.0, 2.0, 3.0, 4.0, 5.0]


def test_foreign_randomness_and_clocks_are_never_kept():
    f = torch.jit(lambda x: x * random.random())
    x = torch.ones(1)
    assert len({f(x).item() for _ in range(5)}) == 5
    g = torch.jit(lambda x: x + time.perf_counter())
    g(x)
    assert "perf_counter" in g.explain()


def test_an_array_of_numpys_that_changes():
    data = np.ones(2, np.float32)
    f = torch.jit(lambda x: x + torch.tensor(data))
    x = torch.zeros(2)
    assert f(x).tolist() == [1.0, 1.0]
    data[:] = 5
    assert f(x).tolist() == [5.0, 5.0]


def test_print_happens_as_in_plain_python(capsys):
    @torch.jit
    def f(x):
        print("value", x.sum().item())
        return x

    for _ in range(3):
        f(torch.ones(2))
    assert capsys.readouterr().out == "value 2.0\n" * 3


def test_random_draws_match_and_advance():
    f = torch.jit(lambda: (torch.rand(3), torch.randn(2), torch.rand(2)))
    torch.manual_seed(7)
    plain = [[t.tolist() for t in f.__wrapped__()] for _ in range(4)]
    torch.manual_seed(7)
    assert [[t.tolist() for t in f()] for _ in range(4)] == plain
    assert recordings(f) == 1 and plain[0] != plain[1]


def test_grad_mode_is_part_of_the_key():
    w = torch.ones(2, requires_grad=True)
    f = torch.jit(lambda x: x * w)
    x = torch.ones(2)
    for _ in range(3):
        assert f(x).requires_grad
        with torch.no_grad():
            assert not f(x).requires_grad
    assert recordings(f) == 2


def test_gradients_cross_the_border():
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    f = torch.jit(lambda x: (x * w * w).sin().sum())
    x = torch.tensor([0.5, 0.25], requires_grad=True)
    for _ in range(3):
        w.grad = x.grad = None
        f(x).backward()
        got = w.grad.tolist(), x.grad.tolist()
        w.grad = x.grad = None
        f.__wrapped__(x).backward()
        assert got == pytest.approx(w.grad.tolist()) or np.allclose(
            got, (w.grad.tolist(), x.grad.tolist())
        )
    (g,) = torch.autograd.grad(f(x), w, create_graph=True)
    (h,) = torch.autograd.grad(g.sum(), w)
    (g2,) = torch.autograd.grad(f.__wrapped__(x), w, create_graph=True)
    (h2,) = torch.autograd.grad(g2.sum(), w)
    np.testing.assert_allclose(h.tolist(), h2.tolist(), rtol=1e-5)
    assert recordings(f) == 1


def test_history_of_an_argument_goes_on_outside():
    w = torch.ones(2, requires_grad=True)
    f = torch.jit(lambda y: (y * y).sum())
    for _ in range(3):
        w.grad = None
        f(w * 3).backward()
        assert w.grad.tolist() == [18.0, 18.0]


def test_backward_inside_uses_the_graph_up():
    w = torch.ones(2, requires_grad=True)

    @torch.jit
    def step():
        w.grad = None
        loss = (w * w).sum()
        loss.backward()
        return loss

    for _ in range(3):
        loss = step()
        assert loss.requires_grad and w.grad.tolist() == [2.0, 2.0]
        with pytest.raises(RuntimeError, match="second time"):
            loss.backward()


def test_gradients_accumulate():
    w = torch.ones(2, requires_grad=True)

    @torch.jit
    def step():
        (w * 2).sum().backward()

    for i in range(1, 6):
        step()
        assert w.grad.tolist() == [2.0 * i] * 2
    assert recordings(step) <= 3


def test_an_exception_keeps_what_came_before():
    x = torch.zeros(1)

    @torch.jit
    def f(fail):
        x.add_(1)
        if fail:
            raise KeyError("mine")
        x.add_(10)

    with pytest.raises(KeyError, match="mine"):
        f(True)
    assert x.item() == 1.0
    f(False)
    f(False)
    assert x.item() == 23.0


def test_an_index_out_of_range_is_raised_where_it_happens():
    x, seen = torch.arange(3.0), torch.zeros(1)

    @torch.jit
    def f(i):
        seen.add_(1)
        return x[i]

    assert f(torch.tensor([0, 2])).tolist() == [0.0, 2.0]
    assert f(torch.tensor([1, 1])).tolist() == [1.0, 1.0]
    with pytest.raises(IndexError):
        f(torch.tensor([0, 3]))
    assert f(torch.tensor([2, 2])).tolist() == [2.0, 2.0]


def test_methods_share_nothing_between_instances():
    class Model:
        def __init__(self, k):
            self.k = torch.full((2,), float(k))

        @torch.jit
        def forward(self, x):
            return x * self.k

    a, b = Model(2), Model(3)
    x = torch.ones(2)
    for _ in range(3):
        assert a.forward(x).tolist() == [2.0] * 2
        assert b.forward(x).tolist() == [3.0] * 2


def test_jit_inside_jit_and_grad_inside_jit():
    inner = torch.jit(lambda x: x * x)
    f = torch.jit(lambda x: inner(x) + torch.grad(lambda y: (y**3).sum())(x))
    x = torch.tensor([1.0, 2.0])
    for _ in range(3):
        assert f(x).tolist() == [4.0, 16.0]
    assert recordings(f) == 1 and recordings(inner) == 0


def test_symbolic_batch():
    dim = torch.Dim("batch")

    @torch.jit(dynamic_shapes={"x": {0: dim}})
    def f(x):
        return (x.reshape(-1, 2) * x.shape[0]).sum(0), x.shape[0]

    for n in (3, 4, 1, 7):
        x = torch.ones(n, 4)
        total, size = f(x)
        assert total.tolist() == [2.0 * n * n] * 2 and size == n
    assert recordings(f) <= 2, f.explain()


def test_twenty_thousand_operations():
    def f(x):
        for _ in range(10_000):
            x = x * 1.0001 + 0.5
        return x

    x = torch.ones(2)
    np.testing.assert_allclose(torch.jit(f)(x).tolist(), f(x).tolist(), rtol=1e-4)


def test_explain_names_the_guard():
    @torch.jit
    def f(x):
        return x + 1 if x.sum() > 0 else x

    f(torch.ones(2))
    assert "guard at test_jit.py" in f.explain(torch.ones(2))


def test_lower_shows_the_program_and_runs_nothing():
    x = torch.ones(3)
    f = torch.jit(lambda a: a.mul_(2).sum())
    low = f.lower(x)
    assert x.tolist() == [1.0] * 3
    assert "multiply" in low.source and "mul(" in low.as_text()


def test_volatile_functions_warn_once():
    f = torch.jit(lambda x: x * random.random())
    with pytest.warns(UserWarning, match="records at every call"):
        for _ in range(10):
            f(torch.ones(1))


def test_iterators_sets_and_queues_never_go_stale():
    count, bag, queue = itertools.count(), {1}, collections.deque([1.0])
    f = torch.jit(lambda x: x * next(count))
    g = torch.jit(lambda x: x * (5 if 2 in bag else 1))
    h = torch.jit(lambda x: x * queue[-1])
    x = torch.ones(1)
    assert [f(x).item() for _ in range(4)] == [0.0, 1.0, 2.0, 3.0]
    assert g(x).item() == g(x).item() == h(x).item() == h(x).item() == 1.0
    bag.remove(1), bag.add(2), queue.append(3.0)
    assert g(x).item() == g(x).item() == 5.0 and h(x).item() == 3.0


def test_common_names_of_tensor_methods_do_not_cost_a_recording():
    f = torch.jit(lambda x: torch.add(x, x).sort().values)
    for _ in range(3):
        assert f(torch.tensor([2.0, 1.0])).tolist() == [2.0, 4.0]
    assert recordings(f) == 1


def test_many_shapes_stay_bounded():
    f = torch.jit(lambda x: x + 1)
    for n in range(1, 1100):
        f(torch.zeros(n % 7 + 1, 1, n))
    assert f.cache_info()["signatures"] <= 1024
    assert f(torch.zeros(3)).tolist() == [1.0] * 3


def test_an_attribute_of_an_argument_is_read_anew():
    f = torch.jit(lambda x: x * x.tag)
    for tag in (1.0, 2.0, 3.0):
        x = torch.ones(1)
        x.tag = tag
        assert f(x).item() == tag


def test_config_switches_jit_off():
    calls = []
    f = torch.jit(lambda x: calls.append(1) or x)
    torch.config.disable_jit = True
    try:
        f(torch.ones(1))
        assert len(calls) == 1 and f.cache_info()["recordings"] == 0
    finally:
        torch.config.disable_jit = False


def test_a_number_that_is_always_another_does_not_pile_up():
    @torch.jit
    def f(x):
        return x * 2, math.sqrt(x.sum().item())

    for n in range(40):
        doubled, total = f(torch.full((2,), float(n)))
        assert doubled.tolist() == [2.0 * n] * 2 and total == math.sqrt(2.0 * n)
    assert f.cache_info()["paths"] <= 16
    assert "that was another" in f.explain()


def test_python_numbers_that_change_do_not_pile_up():
    f = torch.jit(lambda x, n: x * n)
    for n in range(100):
        assert f(torch.ones(2), n).tolist() == [float(n)] * 2
    assert f.cache_info()["signatures"] <= 32
