"""jit and the rest of Python: loops that data end, threads, debuggers, callables."""

from __future__ import annotations

import asyncio
import cProfile
import functools
import gc
import os
import random
import subprocess
import sys
import threading
import time
import tracemalloc
import warnings

import numpy as np
import pytest
import tracefuse as torch
from tracefuse.api import engine


def recordings(f):
    return f.cache_info()["recordings"]


# -- loops whose trip count depends on data


def newton(a, tol):
    x, error, steps = a, torch.full((), 1.0), 0
    while error > tol:
        new = 0.5 * (x + a / x)
        error, x, steps = (new - x).abs().max(), new, steps + 1
    return x, steps


def count(x, n):
    steps = 0
    while x < n:
        x = x + 1
        steps += 1
    return x, steps


def test_newton_until_it_is_near():
    f = torch.jit(newton)
    for k in range(1, 9):
        a = torch.tensor([float(k), 1e-3 * k])
        (x, steps), (want, same) = f(a, 1e-5), newton(a, 1e-5)
        assert x.tolist() == want.tolist() and steps == same


def test_ten_thousand_iterations_compile_once():
    f = torch.jit(count)
    zero = torch.tensor(0.0)
    f(zero, torch.tensor(100.0))
    before = len(engine._cache)
    for n in (500, 10_000):
        x, steps = f(zero, torch.tensor(float(n)))
        assert x.item() == steps == n
    assert len(engine._cache) == before
    assert f.cache_info()["paths"] == 0
    assert "each piece between two looks is compiled once" in f.explain()


def test_ten_thousand_iterations_grow_nothing():
    f = torch.jit(count)
    zero = torch.tensor(0.0)
    f(zero, torch.tensor(300.0))

    def peak(n):
        gc.collect()
        tracemalloc.start()
        f(zero, torch.tensor(n))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert peak(2000.0) < 2 * peak(200.0) + 50_000


def test_such_a_loop_warns_once():
    f = torch.jit(count)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        for n in range(70, 90):
            f(torch.tensor(0.0), torch.tensor(float(n)))
    said = [str(w.message) for w in seen if "records at every call" in str(w.message)]
    assert len(said) == 1 and "Python looked at" in said[0]


def test_a_gradient_through_such_a_loop():
    def f(w):
        x, n = w, 0
        while x.norm() < 50:
            x, n = x * 1.05 + w, n + 1
        return x.sum(), n

    fast = torch.jit(f)
    for scale in (1.0, 0.5, 0.1):
        w, v = (torch.full((2,), scale, requires_grad=True) for _ in range(2))
        (y, n), (z, m) = f(w), fast(v)
        y.backward(), z.backward()
        assert n == m
        np.testing.assert_allclose(v.grad.tolist(), w.grad.tolist(), rtol=1e-4)


def test_writes_inside_such_a_loop():
    total = torch.zeros(2)

    @torch.jit
    def f(x, n):
        while x.sum() < n:
            total.add_(x)
            x = x + 1
        return x

    plain_total, x = torch.zeros(2), torch.zeros(2)
    while x.sum() < 300:
        plain_total, x = plain_total + x, x + 1
    assert f(torch.zeros(2), 300).tolist() == x.tolist()
    assert total.tolist() == plain_total.tolist()


# -- callables of every kind


def double(x, k=2):
    return x * k


class Model:
    bias = 1.0

    def __call__(self, x):
        return x * 2 + self.bias

    def method(self, x):
        return x + self.bias

    @torch.jit
    def jitted(self, x):
        return x - self.bias

    @classmethod
    def of_class(cls, x):
        return x * cls.bias

    @staticmethod
    def fixed(x):
        return x / 2

    @staticmethod
    @torch.jit
    def fixed_jitted(x):
        return x / 4

    @property
    def scaled(self):
        return torch.jit(lambda x: x * self.bias)


def fibonacci(x, n):
    return x if n < 2 else fibonacci(x, n - 1) + fibonacci(x * 0.5, n - 2)


inner = torch.jit(lambda x, k: x * k + 1)


def generator(x):
    for k in range(3):
        yield x * k


async def coroutine(x):
    await asyncio.sleep(0)
    return x * 3


model = Model()
CALLABLES = {
    "function": (double, double),
    "lambda": (lambda x: x + 1, lambda x: x + 1),
    "partial": (functools.partial(double, k=3), functools.partial(double, k=3)),
    "partial_of_jit": (functools.partial(torch.jit(double), k=3), lambda x: x * 3),
    "bound_method": (model.method, model.method),
    "jitted_method": (model.jitted, lambda x: x - 1),
    "class_method": (Model.of_class, Model.of_class),
    "static_method": (Model.fixed, Model.fixed),
    "jitted_static_method": (model.fixed_jitted, lambda x: x / 4),
    "property": (model.scaled, lambda x: x * 1),
    "callable_object": (model, model),
    "builtin_of_ours": (torch.relu, torch.relu),
    "recursion": (lambda x: fibonacci(x, 5), lambda x: fibonacci(x, 5)),
    "jit_in_jit": (lambda x: inner(inner(x, 2), 3), lambda x: (x * 2 + 1) * 3 + 1),
    "jit_of_jit": (torch.jit(double), double),
    "generator": (lambda x: sum(generator(x)), lambda x: sum(generator(x))),
    "wrapped": (functools.wraps(double)(lambda x: double(x, 5)), lambda x: x * 5),
    "cached": (functools.lru_cache(maxsize=None)(lambda x: x * 2), lambda x: x * 2),
    "module": (torch.nn.ReLU(), torch.relu),
    "varargs": (lambda *a, **k: a[0] + len(a) + len(k), lambda x: x + 1),
}


@pytest.mark.parametrize("name", CALLABLES)
def test_callables(name):
    given, plain = CALLABLES[name]
    fast = torch.jit(given)
    for value in (1.0, -2.0, 3.0, 1.0):
        x = torch.tensor([value, 0.5])
        assert fast(x).tolist() == plain(x).tolist()


def test_a_generator_runs_as_it_is_drawn_from():
    fast = torch.jit(generator)
    x = torch.ones(2)
    for _ in range(3):
        assert [t.tolist() for t in fast(x)] == [[0.0] * 2, [1.0] * 2, [2.0] * 2]


def test_a_coroutine_runs_when_it_is_awaited():
    fast = torch.jit(coroutine)

    async def main():
        return [t.tolist() for t in await asyncio.gather(*map(fast, [one, one + 1]))]

    one = torch.ones(2)
    for _ in range(3):
        assert asyncio.run(main()) == [[3.0] * 2, [6.0] * 2]


def test_recursion_of_a_jitted_function():
    @torch.jit
    def f(x, n):
        return x if n == 0 else f(x * 2, n - 1) + n

    def plain(x, n):
        return x if n == 0 else plain(x * 2, n - 1) + n

    for n in (3, 0, 5, 3, 4):
        assert f(torch.ones(2), n).tolist() == plain(torch.ones(2), n).tolist()


# -- threads


def test_sixteen_threads():
    calls = []

    @torch.jit
    def f(x, s):
        calls.append(0) if not calls else None
        y = (x * s).tanh() + x.shape[0]
        return y * 2 if y.sum() > 0 else -y

    g = torch.jit(lambda x, s: (x * s).tanh() * 3 + x.shape[0])
    wrong, start = [], threading.Barrier(16)

    def work(n):
        start.wait()
        for i in range(30):
            x = torch.full((2 + i % 3,), (-1.0) ** i * (n + 1))
            s = 0.25 * (1 + (i + n) % 4)
            for h in (f, g):
                if h(x, s).tolist() != h.__wrapped__(x, s).tolist():
                    wrong.append((n, i))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(16)]
    [t.start() for t in threads], [t.join() for t in threads]
    assert not wrong
    assert recordings(g) <= 4, g.explain()


def test_threads_that_start_at_once_record_once():
    f, start = torch.jit(lambda x: x * 2 + 1), threading.Barrier(16)

    def work():
        start.wait()
        assert f(torch.ones(3)).tolist() == [3.0] * 3

    threads = [threading.Thread(target=work) for _ in range(16)]
    [t.start() for t in threads], [t.join() for t in threads]
    assert recordings(f) == 1


def test_what_other_threads_call_does_not_matter():
    f, done = torch.jit(lambda x: sum(x * i for i in range(200))), threading.Event()

    def noise():
        while not done.is_set():
            time.perf_counter(), random.random()

    other = threading.Thread(target=noise)
    other.start()
    try:
        f(torch.ones(2)), f(torch.ones(2))
    finally:
        done.set(), other.join()
    assert recordings(f) == 1, f.explain()


# -- debuggers, switches


def test_a_debugger_sees_the_lines():
    lines = []

    def tracer(frame, event, arg):
        if frame.f_code.co_filename == __file__ and event == "line":
            lines.append(frame.f_lineno - frame.f_code.co_firstlineno)
            if "y" in frame.f_locals:
                assert tuple(frame.f_locals["y"].shape) == (2,)
        return tracer

    def seen_by_debugger(x):
        y = x * 2
        z = y + 1
        return z

    f, before = torch.jit(seen_by_debugger), sys.gettrace()
    sys.settrace(tracer)
    try:
        assert f(torch.ones(2)).tolist() == [3.0] * 2
    finally:
        sys.settrace(before)
    assert lines == [1, 2, 3]
    assert f(torch.ones(2)).tolist() == [3.0] * 2


def test_a_profiler_goes_on():
    f, profile = torch.jit(lambda x: x * 2 if x.sum() > 0 else x), cProfile.Profile()
    profile.enable()
    try:
        assert f(torch.ones(2)).tolist() == [2.0] * 2 == f(torch.ones(2)).tolist()
        double(1)
    finally:
        profile.disable()
    assert any(entry.code is double.__code__ for entry in profile.getstats())


def run(code, given="", **environment):
    env = {**os.environ, **environment}
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=given,
        env=env,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_breakpoint_in_the_users_code():
    code = (
        "import tracefuse as torch\n"
        "@torch.jit\n"
        "def f(x):\n"
        "    y = x * 2\n"
        "    breakpoint()\n"
        "    return y + 1\n"
        "print(f(torch.ones(2)).tolist())\n"
    )
    out = run(code, "p y.shape\np y + 1\nn\nc\n")
    assert "Size([2])" in out and "tensor([3., 3.])" in out and "[3.0, 3.0]" in out


def test_the_environment_switches_jit_off():
    code = (
        "import tracefuse as torch\n"
        "calls = []\n"
        "f = torch.jit(lambda x: calls.append(1) or x * 2)\n"
        "print([f(torch.ones(1)).item() for _ in range(3)], len(calls), f.cache_info())"
    )
    out = run(code, TRACEFUSE_DISABLE_JIT="1")
    assert "[2.0, 2.0, 2.0] 3" in out and "'recordings': 0" in out


# -- control flow of every kind, call after call


CONTROL = [
    "return [x * i for i in range(t)]",
    "return x * len(items) if items else x",
    "assert x.sum() > t - 2, 'too small'\nreturn x",
    "return x.sum() > 0 and t > 1 and x or -x.sum()",
    "return (x.sum() > 1 or t) and x",
    "if t == 0:\n    return None\nif x.max() > 2:\n    return x, 'big'\nreturn x",
    "try:\n    y = x / (1 / t)\nexcept ZeroDivisionError:\n    y = -x\nreturn y",
    "try:\n    return items[x.argmax()]\nexcept IndexError:\n    return 'none'",
    "try:\n    return x[t]\nexcept IndexError as e:\n    return type(e).__name__",
    "try:\n    if x.sum() > 1:\n        raise KeyError(t)\n"
    "except KeyError as e:\n    return e.args[0]\n"
    "finally:\n    items.append(1)\nreturn x",
    "return items[(x > 0).sum() % 2]",
    "n = int(x.sum())\nreturn x * n, n",
    "return float(x.sum()) * 2",
    "return x.sum().item(), x.tolist()",
    "return bool(x.any()), bool((x > 1).all())",
    "for i in range(t):\n    if x.sum() > 3:\n        break\n    x = x + i\n"
    "else:\n    x = -x\nreturn x",
    "i = 0\nwhile x.sum() < 5 and i < 4:\n    x = x + 1\n    i += 1\nreturn x, i",
    "y = x.clone()\nfor row in x:\n    if row > 0:\n        y += row\n"
    "    else:\n        continue\nreturn y",
    "return [i for i, v in enumerate(x.tolist()) if v > 0]",
    "return {k: x * k for k in (1, t)}",
    "return max(x.sum(), x.prod() + t)",
    "return sorted([x.sum().item(), t, 1.5])",
    "x[0] = t\nreturn x",
    "x.mul_(2)\nif x.sum() > 2:\n    x.zero_()\nreturn t",
    "items.append(t)\nreturn x * len(items)",
    "items[0] += t\nreturn x * items[0]",
    "def g(v):\n    nonlocal x\n    x = x + v\n    return v > 1\nreturn g(t), x",
    "return (lambda v: v * t if v.sum() > 0 else v)(x)",
    "match = {0: 'zero', 1: 'one'}.get(t, 'many')\nreturn match, x",
    "return x if x.sum().item() != 3.0 else 'three'",
    "a, *b = x\nreturn a + t, len(b)",
    "return ' '.join(str(v) for v in x.tolist())",
    "return x.shape[0] * t, x.ndim, x.dtype is torch.float32",
    "with torch.no_grad():\n    y = x * t\nreturn y if y.sum() > 0 else -y",
    "del items[1:]\nreturn x + items[0]",
    "y = x\ny += t\nreturn y is x, x",
    "return any(v > 1 for v in x), all(v > -5 for v in x)",
    "return x.new_tensor([t, 1.0]) + x[:1]",
    "return round(x.sum().item(), 1), abs(x.sum().item())",
    "return torch.stack([x] * (t + 1)).sum(0)",
]


@pytest.mark.parametrize("body", CONTROL)
def test_control_flow(body):
    lines = "\n".join("    " + line for line in body.split("\n"))
    source = f"def f(x, t, items):\n{lines}"

    def make():
        scope = {"torch": torch}
        exec(compile(source, "control.py", "exec"), scope)
        return scope["f"]

    plain, fast = make(), torch.jit(make())
    mine, others = [3, 4], [3, 4]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for values, t in CALLS:
            a, b = torch.tensor(values), torch.tensor(values)
            assert outcome(fast, a, t, mine) == outcome(plain, b, t, others), (
                values,
                t,
            )
            assert a.tolist() == b.tolist() and mine == others


CALLS = [
    *(([1.0, 2.0], 1), ([1.0, 2.0], 1), ([-1.0, -2.0], 1), ([3.0, -2.0], 2)),
    *(([0.0, 3.0], 0), ([1.0, 2.0], 2), ([0.5, 0.25], 3), ([1.0, 2.0], 1)),
]


def outcome(function, *args):
    try:
        return shown(function(*args))
    except Exception as error:
        return type(error).__name__, str(error)


def shown(x):
    if isinstance(x, torch.Tensor):
        return str(x.dtype), repr(x.tolist())
    if isinstance(x, (list, tuple)):
        return type(x).__name__, [shown(each) for each in x]
    if isinstance(x, dict):
        return {key: shown(value) for key, value in x.items()}
    return type(x).__name__, repr(x)
