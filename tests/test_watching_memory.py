"""jit: what is discarded is freed: functions, modules, tensors, generated text."""

from __future__ import annotations

import gc
import linecache
import weakref

import pytest
import tracefuse as torch
from tracefuse import nn
from tracefuse.api.jit import cache
from tracefuse.tracer.where import generated


@pytest.fixture(autouse=True)
def clean():
    gc.collect()


def entries():
    gc.collect()
    names = [name for name in linecache.cache if name.startswith("<tracefuse entry")]
    assert {n for n in generated if n.startswith("<tracefuse entry")} == {*names}
    return len(names)


def gone(*refs):
    gc.collect()
    return [ref() for ref in refs] == [None] * len(refs)


def test_a_discarded_function_frees_what_it_captured():
    def make():
        w = torch.ones(3)
        f = torch.jit(lambda x: x * w)
        f(torch.ones(3)), f(torch.ones(3))
        return weakref.ref(f), weakref.ref(f.__wrapped__), weakref.ref(w)

    before = entries()
    assert gone(*make())
    assert entries() == before


def test_a_discarded_module_is_freed_with_its_optimizer():
    def make():
        m = nn.Sequential(nn.Linear(3, 3), nn.ReLU())
        opt = torch.optim.Adam(m.parameters())

        @torch.jit
        def step(x):
            opt.zero_grad()
            loss = m(x).sum()
            loss.backward()
            opt.step()
            return loss

        for _ in range(4):
            step(torch.ones(2, 3))
        assert step.cache_info()["paths"]
        return [weakref.ref(x) for x in (step, m, opt, m[0].weight)]

    before = entries()
    assert gone(*make())
    assert entries() == before


def test_clearing_the_cache_frees_what_was_captured():
    w, f = torch.ones(3), torch.jit(lambda x: x * held[0])
    held = [w]
    f(torch.ones(3))
    assert entries()
    held.clear()
    ref = weakref.ref(w)
    del w
    assert not gone(ref)
    f.clear_cache()
    assert gone(ref)


def arguments():
    plain, variable = torch.ones(4), torch.ones(4, requires_grad=True)
    derived = torch.ones(4, requires_grad=True) * 2
    return plain, variable, derived, plain[1:]


@pytest.mark.parametrize("number", range(4))
def test_no_argument_is_kept(number):
    f = torch.jit(lambda x: (x * 2, x.sum()))
    x = arguments()[number]
    refs = [weakref.ref(x), weakref.ref(x._array)]
    f(x), f(x)
    del x
    assert gone(*refs)
    assert f.cache_info()["paths"] == 1


def test_an_argument_that_is_written_is_not_kept():
    f, x = torch.jit(lambda x: x.add_(1)), torch.ones(4)
    ref = weakref.ref(x)
    f(x), f(x)
    del x
    assert gone(ref)


def test_a_result_is_not_kept():
    f = torch.jit(lambda x: x * 2)
    f(torch.ones(4))
    y = f(torch.ones(4))
    refs = weakref.ref(y), weakref.ref(y._array)
    del y
    assert gone(*refs)


def test_many_shapes_leave_a_bounded_cache(monkeypatch):
    monkeypatch.setattr(cache, "_KEPT", 20)
    before, count = entries(), len(linecache.cache)
    f = torch.jit(lambda x: x * int(x.shape[0]))
    for n in range(1, 201):
        f(torch.ones(n))
    assert entries() - before <= 24
    assert len(linecache.cache) - count < 240  # and the executables, which are shared
    del f
    assert entries() <= before
