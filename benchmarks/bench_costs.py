"""What faithfulness costs: guards, watched state, branches, loops, recording, sizes.

    pip install '.[bench]'
    pytest benchmarks/bench_costs.py --benchmark-group-by=group

Each group beside its peers, in the same process and run; a peer that is not installed,
or does not work here, is skipped and says why. What we ask for stands in the names.
"""

from __future__ import annotations

import functools
import itertools
import time

import numpy as np
import pytest
import tracefuse
from tracefuse import nn

TURNS = 1000


def jax():
    return pytest.importorskip("jax")


def torch():
    return pytest.importorskip("torch")


@functools.lru_cache(maxsize=1)
def why_not_compiled():
    try:
        double = torch().compile(lambda x: x * 2)
        double(torch().ones(2))
    except Exception as error:
        return f"torch.compile: {type(error).__name__}"
    return ""


def compiled(f, **options):
    torch()
    if why_not_compiled():
        pytest.skip(why_not_compiled())
    return torch().compile(f, **options)


def run(benchmark, f, *args, warm=3):
    for _ in range(warm):
        f(*args)
    return benchmark(f, *args)


# -- a cached call


def shift_of(library):
    class Shift(library.nn.Module):
        def __init__(self):
            super().__init__()
            self.shift = library.nn.Parameter(library.ones(10), requires_grad=False)

        def forward(self, x):
            return x + self.shift

    return Shift()


@pytest.mark.benchmark(group="one op with module state (under 10 us)")
class TestModuleState:
    def test_tracefuse_cached(self, benchmark):
        run(benchmark, tracefuse.jit(shift_of(tracefuse)), tracefuse.ones(10))

    def test_tracefuse_eager(self, benchmark):
        run(benchmark, shift_of(tracefuse), tracefuse.ones(10))

    def test_torch_eager(self, benchmark):
        run(benchmark, shift_of(torch()), torch().ones(10))

    def test_torch_compile(self, benchmark):
        run(benchmark, compiled(shift_of(torch())), torch().ones(10))

    def test_jax_jit(self, benchmark):
        add, shift = jax().jit(lambda shift, x: shift + x), jax().numpy.ones(10)
        run(
            benchmark, lambda x: add(shift, x).block_until_ready(), jax().numpy.ones(10)
        )


@pytest.mark.benchmark(group="a module of 2, 20 or 200 tensors (under 2 us to check)")
@pytest.mark.parametrize("layers", [1, 10, 100])
def test_the_size_of_a_module(benchmark, layers):
    model = nn.Sequential(*(nn.Linear(1, 1) for _ in range(layers))).eval()
    f = tracefuse.jit(lambda x: x + 1 if model.training else x * 2)
    run(benchmark, f, tracefuse.ones(10))


def chosen(x):
    return x * 2 if x.sum() > 0 else x * 3


def not_chosen(x):
    return x * 2, x.sum() > 0


@pytest.mark.benchmark(group="a branch (adds under 3 us)")
class TestBranch:
    @pytest.mark.parametrize("f", [not_chosen, chosen])
    def test_tracefuse_cached(self, benchmark, f):
        run(benchmark, tracefuse.jit(f), tracefuse.ones(10))

    @pytest.mark.parametrize("f", [not_chosen, chosen])
    def test_torch_eager(self, benchmark, f):
        run(benchmark, f, torch().ones(10))

    @pytest.mark.parametrize("f", [not_chosen, chosen])
    def test_torch_compile(self, benchmark, f):
        run(benchmark, compiled(f), torch().ones(10))

    def test_jax_jit_of_cond(self, benchmark):
        cond = jax().lax.cond
        f = jax().jit(lambda x: cond(x.sum() > 0, lambda x: x * 2, lambda x: x * 3, x))
        run(benchmark, lambda x: f(x).block_until_ready(), jax().numpy.ones(10))


class Plain:
    """Something that holds attributes."""


def reading(kind, count):
    """A function of one operation that reads so many globals, cells or attributes."""
    names = [f"v{i}" for i in range(count)]
    space = dict.fromkeys(names, 1.0) if kind == "globals" else {}
    owner = Plain()
    for name in names:
        setattr(owner, name, 1.0)
    before = {"globals": "", "cells": "owner", "attributes": "owner"}[kind]
    reads = {
        "globals": names,
        "cells": names,
        "attributes": [f"owner.{n}" for n in names],
    }
    cells = "".join(f" {name} = 1.0;" for name in names) if kind == "cells" else " 0"
    total = " + ".join(["0.0", *reads[kind]])
    text = f"def make({before}):\n   {cells}\n    return lambda x: x + ({total})\n"
    exec(text, space)
    return space["make"](owner) if before else space["make"]()


@pytest.mark.benchmark(group="watched state (under 50 ns each)")
@pytest.mark.parametrize("count", [0, 100])
@pytest.mark.parametrize("kind", ["globals", "cells", "attributes"])
def test_watched(benchmark, kind, count):
    benchmark.extra_info["watched"] = count
    run(benchmark, tracefuse.jit(reading(kind, count)), tracefuse.ones(10))


# -- recording


def long_chain(x):
    for _ in range(50):
        x = (x * 1.5 + 0.25).tanh() - x
        x = x.abs().sqrt()
    return x


def volatile_chain(x):
    time.perf_counter()  # so that it records at every call
    return long_chain(x)


@pytest.mark.benchmark(group="recording 300 operations (at most 3 times eager)")
class TestRecording:
    def test_tracefuse_eager(self, benchmark):
        run(benchmark, long_chain, tracefuse.ones(10))

    def test_tracefuse_recording_at_every_call(self, benchmark):
        run(benchmark, tracefuse.jit(volatile_chain), tracefuse.ones(10))

    def test_tracefuse_cached(self, benchmark):
        run(benchmark, tracefuse.jit(long_chain), tracefuse.ones(10))

    def test_torch_eager(self, benchmark):
        run(benchmark, long_chain, torch().ones(10))

    def test_jax_tracing(self, benchmark):
        x = jax().numpy.ones(10)
        run(
            benchmark,
            lambda: jax().make_jaxpr(lambda x: plain_chain(jax().numpy, x))(x),
        )


def plain_chain(np_, x):
    for _ in range(50):
        x = np_.tanh(x * 1.5 + 0.25) - x
        x = np_.sqrt(np_.abs(x))
    return x


# -- a loop that data end


def until(x, n):
    while x < n:
        x = x + 1
    return x


def counted(x, n):
    k = 0
    while x < n:
        x, k = x + 1, k + 1
    return x, k


def until_in_jax(x, n):
    return jax().lax.while_loop(lambda x: x < n, lambda x: x + 1, x)


@pytest.mark.benchmark(group=f"a while loop of {TURNS} turns, forward")
class TestWhile:
    def test_tracefuse_closed(self, benchmark):
        f, ends = tracefuse.jit(until), [tracefuse.tensor(float(n)) for n in ENDS]
        f(tracefuse.tensor(0.0), ends[0])
        assert "is closed" in f.explain()
        more = itertools.cycle(ends)
        run(benchmark, lambda: f(tracefuse.tensor(0.0), next(more)))

    def test_tracefuse_driven_by_python(self, benchmark):
        f, more = tracefuse.jit(counted), itertools.cycle(ENDS)
        run(
            benchmark,
            lambda: f(tracefuse.tensor(0.0), tracefuse.tensor(float(next(more)))),
        )

    def test_tracefuse_eager(self, benchmark):
        run(benchmark, until, tracefuse.tensor(0.0), tracefuse.tensor(float(TURNS)))

    def test_torch_eager(self, benchmark):
        run(benchmark, until, torch().tensor(0.0), torch().tensor(float(TURNS)))

    def test_jax_while_loop(self, benchmark):
        f, n = jax().jit(until_in_jax), np.float32(TURNS)
        run(benchmark, lambda: f(np.float32(0), n).block_until_ready())


ENDS = (TURNS, TURNS + 1, TURNS - 1)


def grown(w, n):
    x = w
    while x.sum() < n:
        x = x + w * x.cos().exp() * 0 + w
    return x.sum()


def slope(library, f, n):
    w = library.ones(1, requires_grad=True)
    f(w, n).backward()
    return w.grad


@pytest.mark.benchmark(group=f"a while loop of {TURNS} turns, with its gradient")
class TestWhileGradient:
    def test_tracefuse_jit(self, benchmark):
        f, more = tracefuse.jit(grown), itertools.cycle(ENDS)
        run(benchmark, lambda: slope(tracefuse, f, next(more)))

    def test_tracefuse_eager(self, benchmark):
        more = itertools.cycle(ENDS)
        run(benchmark, lambda: slope(tracefuse, grown, next(more)))

    def test_torch_eager(self, benchmark):
        more = itertools.cycle(ENDS)
        run(benchmark, lambda: slope(torch(), grown, next(more)))

    def test_jax_fori_loop_of_known_length(self, benchmark):
        np_, lax = jax().numpy, jax().lax

        def f(w):
            step = lambda i, x: x + w * np_.exp(np_.cos(x)) * 0 + w  # noqa: E731
            return lax.fori_loop(0, TURNS - 1, step, w).sum()

        g, w = jax().jit(jax().grad(f)), np.ones(1, np.float32)
        run(benchmark, lambda: g(w).block_until_ready())


# -- sizes


def rows(x):
    return (x * 2).tanh().sum(0)


SIZES = range(10, 400)


@pytest.mark.benchmark(group="another batch size at every call (no retrace)")
class TestSizes:
    def test_tracefuse_jit(self, benchmark):
        f, xs = (
            tracefuse.jit(rows),
            itertools.cycle([tracefuse.ones(n, 3) for n in SIZES]),
        )
        run(benchmark, lambda: f(next(xs)))
        assert f.cache_info()["recordings"] == 2

    def test_tracefuse_eager(self, benchmark):
        xs = itertools.cycle([tracefuse.ones(n, 3) for n in SIZES])
        run(benchmark, lambda: rows(next(xs)))

    def test_torch_eager(self, benchmark):
        xs = itertools.cycle([torch().ones(n, 3) for n in SIZES])
        run(benchmark, lambda: rows(next(xs)))

    def test_torch_compile(self, benchmark):
        f = compiled(rows, dynamic=True)
        xs = itertools.cycle([torch().ones(n, 3) for n in SIZES])
        run(benchmark, lambda: f(next(xs)))

    def test_jax_jit_of_one_size(self, benchmark):
        np_ = jax().numpy
        f, x = jax().jit(lambda x: np_.tanh(x * 2).sum(0)), np_.ones((200, 3))
        run(benchmark, lambda: f(x).block_until_ready())
