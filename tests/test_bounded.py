"""What is bounded: memory over many calls and shapes, the life of what is let go."""

from __future__ import annotations

import gc
import linecache
import tracemalloc
import warnings
import weakref

import pytest
import tracefuse as torch
from tracefuse import nn
from tracefuse.api.jit import cache


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def objects():
    gc.collect()
    return len(gc.get_objects())


def held():
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def grown(work, much, warm=200):
    """How many objects and bytes `much` of the work leaves behind."""
    work(warm)
    tracemalloc.start()
    try:
        before, memory = objects(), held()
        work(much)
        return objects() - before, held() - memory
    finally:
        tracemalloc.stop()


def calls(f, *args):
    def work(times):
        for _ in range(times):
            f(*args)

    return work


def test_cached_calls_leave_nothing():
    f = torch.jit(lambda x: x * 2 + 1 if x.sum() > 0 else x)
    count, memory = grown(calls(f, torch.ones(4)), 100_000)
    assert count < 100 and memory < 50_000
    assert f.cache_info()["recordings"] == 1


def test_changing_numbers_leave_nothing():
    f = torch.jit(lambda x, k: x * k)

    def work(times):
        for k in range(times):
            f(torch.ones(2), k / 7)

    count, memory = grown(work, 3000)
    assert count < 100 and memory < 50_000
    assert f.cache_info()["recordings"] <= 3


def test_training_steps_leave_nothing():
    model = nn.Linear(3, 2)
    opt = torch.optim.Adam(model.parameters())

    @torch.jit
    def step(x):
        opt.zero_grad()
        loss = model(x).pow(2).sum()
        loss.backward()
        opt.step()
        return loss.detach()

    count, memory = grown(calls(step, torch.ones(4, 3)), 3000)
    assert count < 100 and memory < 50_000


def test_gradients_of_a_jitted_function_leave_nothing():
    f, w = torch.jit(lambda x: (x * x).sum()), torch.ones(3, requires_grad=True)

    def work(times):
        for _ in range(times):
            w.grad = None
            f(w).backward()

    count, memory = grown(work, 3000)
    assert count < 100 and memory < 50_000


def test_many_sizes_are_one_program():
    f = torch.jit(lambda x: (x * 2).sum(0))

    def work(times):
        for n in range(2, times):
            f(torch.ones(n, 2))

    count, memory = grown(work, 10_000, warm=20)
    assert f.cache_info()["recordings"] <= 3
    assert count < 100 and memory < 50_000


def test_many_shapes_keep_a_bounded_cache(monkeypatch):
    monkeypatch.setattr(cache, "_KEPT", 32)

    def f(x):  # the sizes are read as numbers: no shape is like another
        return x.reshape(int(x.numel())) * int(x.shape[1])

    fast = torch.jit(f)
    for n in range(2, 302):
        x = torch.ones(n, 1 + n % 3)
        assert fast(x).tolist() == f(x).tolist()
        assert fast.cache_info()["signatures"] <= 32
    assert fast.cache_info()["recordings"] == 300


def test_an_eager_loop_leaves_nothing():
    def work(times):
        x = torch.ones(3, requires_grad=True)
        for _ in range(times):
            (x * 2).relu().sum().backward()

    count, memory = grown(work, 2000)
    assert count < 100 and memory < 50_000


def refs(*things):
    return [weakref.ref(thing) for thing in things]


def gone(references):
    gc.collect()
    return [ref() for ref in references] == [None] * len(references)


def discarded_function():
    w = torch.ones(3)

    def f(x):
        return x * w if x.sum() > 0 else x

    fast = torch.jit(f)
    fast(torch.ones(3)), fast(torch.ones(3)), fast(-torch.ones(3))
    return refs(fast, f, w, w._storage)


def discarded_module():
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    fast = torch.jit(model)
    for _ in range(3):
        fast(torch.ones(2, 3)).sum().backward()
    return refs(fast, model, model[0], model[0].weight, model[1].running_mean)


def discarded_training_step():
    model = nn.Linear(3, 2)
    opt = torch.optim.Adam(model.parameters())

    @torch.jit
    def step(x):
        opt.zero_grad()
        model(x).sum().backward()
        opt.step()

    for _ in range(3):
        step(torch.ones(4, 3))
    return refs(step, model, model.weight, opt)


def discarded_program():
    model = nn.Linear(3, 2)
    program = torch.jit.trace(model, torch.ones(1, 3))
    program(torch.ones(1, 3))
    return refs(program, model, model.weight)


def discarded_recursion():
    @torch.jit
    def f(x, n):
        return x if n == 0 else f(x * 2, n - 1)

    for n in (2, 3, 2):
        f(torch.ones(2), n)
    return refs(f, f.__wrapped__)


@pytest.mark.parametrize(
    "made",
    [
        *(discarded_function, discarded_module, discarded_training_step),
        *(discarded_program, discarded_recursion),
    ],
)
def test_what_is_discarded_is_freed(made):
    assert gone(made())


def test_results_are_not_kept():
    f, x = torch.jit(lambda x: (x * 2, x[0])), torch.ones(3)
    f(x)
    for _ in range(3):
        references = refs(*f(x))
        assert gone(references)


def test_later_arguments_are_not_kept():
    f = torch.jit(lambda x: (x * 2, x[0]))

    def made():
        x = torch.ones(3)
        f(x)
        return refs(x, x._storage)

    made()
    assert gone(made()) and gone(made())


def test_recorded_arguments_and_results_are_not_kept():
    f = torch.jit(lambda x: x * 2)

    def made():
        x = torch.ones(3)
        return refs(x, x._storage, f(x))

    references = made()
    f(torch.ones(3))
    assert gone(references)


def test_what_was_captured_before_is_freed():
    held = {"w": torch.ones(3)}
    f = torch.jit(lambda x: x * held["w"])
    f(torch.ones(3)), f(torch.ones(3))
    references = refs(held["w"]._storage)
    held["w"] = torch.zeros(3)
    f(torch.ones(3)), f(torch.ones(3))
    f.clear_cache()
    assert gone(references)


def test_a_cleared_cache_lets_go():
    f = torch.jit(lambda module, x: module.weight * x)

    def made():
        owner = nn.Linear(3, 1)
        f(owner, torch.ones(3)), f(owner, torch.ones(3))
        return refs(owner, owner.weight)

    references = made()
    f.clear_cache()
    assert gone(references)


# -- long programs


MANY = 20_000


def long_chain(x):
    for _ in range(MANY // 2):
        x = x * 0.999 + 0.001
    return x


def test_twenty_thousand_operations_eager():
    x = torch.ones(2, requires_grad=True)
    y = long_chain(x)
    y.sum().backward()
    assert x.grad.tolist() == pytest.approx([0.999 ** (MANY // 2)] * 2, rel=1e-3)


def test_twenty_thousand_operations_jitted():
    f, x = torch.jit(long_chain), torch.ones(2)
    want = long_chain(x).tolist()
    for _ in range(2):
        assert f(x).tolist() == pytest.approx(want, rel=1e-3)
    assert f.cache_info()["paths"] == 1


def test_sources_of_forgotten_entries_are_forgotten(monkeypatch):
    monkeypatch.setattr(cache, "_KEPT", 8)
    fast = torch.jit(lambda x: x * int(x.shape[0]))
    sources = lambda: sum(name.startswith("<tracefuse") for name in linecache.cache)
    before = sources()
    for n in range(2, 102):
        fast(torch.ones(n, 1 + n % 3))
    assert sources() <= before + 40
