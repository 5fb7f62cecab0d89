"""What is bounded: memory over many calls and shapes, the life of what is let go."""

from __future__ import annotations

import gc
import tracemalloc
import warnings
import weakref

import pytest
import tracefuse as torch
from tracefuse import nn


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
    count, memory = grown(calls(f, torch.ones(4)), 20_000)
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

    count, memory = grown(work, 300, warm=20)
    assert f.cache_info()["recordings"] <= 3
    assert count < 100 and memory < 50_000


def test_many_shapes_keep_a_bounded_cache():
    def f(x):  # the number of axes and the sizes are read: no shape is like another
        return x.reshape(int(x.numel())) * len(str(tuple(x.shape)))

    fast = torch.jit(f)
    kept, sizes = [], []
    for part in range(3):
        for n in range(2, 102):
            shape = (n + 100 * part, 1 + n % 3)
            assert fast(torch.ones(shape)).tolist() == f(torch.ones(shape)).tolist()
        kept.append(fast.cache_info()["signatures"])
        sizes.append(objects())
    limit = max(2 * kept[0], 64)
    assert kept[-1] <= limit, kept
    assert sizes[2] - sizes[1] < 300 * 100


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


def test_a_discarded_function_is_freed():
    w = torch.ones(3)

    def f(x):
        return x * w if x.sum() > 0 else x

    fast = torch.jit(f)
    fast(torch.ones(3)), fast(torch.ones(3)), fast(-torch.ones(3))
    references = refs(fast, f, w, w._storage)
    del fast, f, w
    assert gone(references)


def test_a_discarded_module_is_freed():
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    fast = torch.jit(model)
    for _ in range(3):
        fast(torch.ones(2, 3)).sum().backward()
    references = refs(fast, model, model[0], model[0].weight, model[1].running_mean)
    del fast, model
    assert gone(references)


def test_a_discarded_training_step_is_freed():
    model = nn.Linear(3, 2)
    opt = torch.optim.Adam(model.parameters())

    @torch.jit
    def step(x):
        opt.zero_grad()
        model(x).sum().backward()
        opt.step()

    for _ in range(3):
        step(torch.ones(4, 3))
    references = refs(step, model, model.weight, opt)
    del step, model, opt
    assert gone(references)


def test_arguments_and_results_are_not_kept():
    f = torch.jit(lambda x: (x * 2, x[0]))
    x = torch.ones(3)
    f(x), f(x)
    y, z = f(x)
    references = refs(x, y, z, x._storage, y._storage)
    del x, y, z
    assert gone(references)
    assert f(torch.ones(3))[0].tolist() == [2.0] * 3


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
    class Owner:
        pass

    owner = Owner()
    owner.w = torch.ones(3)
    f = torch.jit(lambda o, x: o.w * x)
    f(owner, torch.ones(3)), f(owner, torch.ones(3))
    references = refs(owner, owner.w)
    f.clear_cache()
    del owner
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
    reference = weakref.ref(y._storage)
    del y
    assert gone([reference])


def test_twenty_thousand_operations_jitted():
    f, x = torch.jit(long_chain), torch.ones(2)
    want = long_chain(x).tolist()
    for _ in range(2):
        assert f(x).tolist() == pytest.approx(want, rel=1e-3)
    assert f.cache_info()["paths"] == 1
