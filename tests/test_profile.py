"""`profile`: what ran, on which line, and nothing of it left behind."""

from __future__ import annotations

import json
import threading

import pytest
import tracefuse as tf
from tracefuse import jit
from tracefuse.api.profiler import events
from tracefuse.kernels.numpy import compile as compiler
from tracefuse.tracer.ops import OPS


def work(x, w):
    y = x @ w
    z = tf.sort(y).values
    return tf.exp(z) + 1


def profiled(runs=3):
    f = jit(work)
    args = tf.ones(4, 3), tf.ones(3, 5)
    f(*args)
    with tf.profiler.profile() as prof:
        for _ in range(runs):
            f(*args)
    return f, prof, args


def rows_of(prof, kind):
    return [row for row in prof.key_averages() if row.kind == kind]


def test_each_kernel_is_counted_with_its_line():
    f, prof, _ = profiled()
    kernels = rows_of(prof, "kernel")
    made = [k for e in f._all() for m in e.executables for k in m.kernels]
    views = sum(k.ops[0] in ("permute", "reshape", "slice", "expand") for k in made)
    assert len(kernels) == len(made) - views
    assert all(row.count == 3 and row.total > 0 for row in kernels)
    lines = {row.key.split()[0]: row.line for row in kernels}
    first = work.__code__.co_firstlineno
    assert lines["dot"] == f"test_profile.py:{first + 1}"
    assert lines["argsort"] == f"test_profile.py:{first + 2}"
    assert lines["exp"] == f"test_profile.py:{first + 3}"


def test_bytes_are_those_of_the_arrays():
    _, prof, _ = profiled()
    sizes = {row.key.split()[0]: row.bytes // row.count for row in prof.key_averages()}
    assert sizes["dot"] == 4 * (12 + 15 + 20)
    assert sizes["exp"] == 4 * (20 + 20)


def test_programs_hold_their_kernels():
    _, prof, _ = profiled()
    whole = [e for e in prof.events() if e.kind == "program"]
    assert [e.name for e in whole] == ["work"] * 3
    for kernel in (e for e in prof.events() if e.kind == "kernel"):
        assert any(p.start <= kernel.start <= kernel.end <= p.end for p in whole)


def test_results_are_the_same_and_nothing_stays():
    f, prof, args = profiled()
    before = f(*args)
    code = [m.run.__code__ for e in f._all() for m in e.executables]
    with tf.profile(quiet=True):
        inside = [m.run.__code__ for e in f._all() for m in e.executables]
        assert tf.equal(f(*args), before)
    assert all(a is not b for a, b in zip(code, inside))
    assert code == [m.run.__code__ for e in f._all() for m in e.executables]
    assert not any("tick_" in c.co_names for c in code)
    assert events.current == [] and compiler.listeners == []
    count = len(prof.events())
    f(*args), args[0] + 1
    assert len(prof.events()) == count
    assert not any(hasattr(op.meaning, "__closure__") for op in (OPS["add"],))


def test_what_is_compiled_meanwhile_is_seen_too():
    with tf.profile(quiet=True) as prof:
        jit(lambda x: tf.tanh(x) * 3.25)(tf.ones(7))
    assert any("tanh" in row.key for row in rows_of(prof, "kernel"))


def test_eager_operations_with_their_lines():
    x = tf.ones(3, 3)
    with tf.profile(quiet=True) as prof:
        for _ in range(2):
            y = x * 2
    (row,) = (row for row in rows_of(prof, "eager") if row.key == "mul")
    assert row.count == 2 and row.line.startswith("test_profile.py:")
    assert row.bytes == 2 * (36 + 36 + 4) and y.shape == (3, 3)


def test_the_backward_of_eager_python():
    x = tf.ones(3, requires_grad=True)
    with tf.profile(quiet=True) as prof:
        tf.sinh(x * 2).sum().backward()
    assert rows_of(prof, "kernel")


def test_a_call_that_breaks_off_does_not_count():
    @jit
    def f(x, i):
        return tf.exp(x)[i] * 2

    x = tf.ones(4)
    f(x, tf.tensor([1, 2])), f(x, tf.tensor([1, 3]))
    with tf.profile(quiet=True) as prof:
        with pytest.raises(IndexError):
            f(x, tf.tensor([1, 9]))
        f(x, tf.tensor([0, 3]))
    assert all(e.end - e.start < 10**9 for e in prof.events())


def test_ranges():
    @tf.profiler.record_function("inner")
    def inner():
        """Docs."""
        return 3

    with tf.profile(quiet=True) as prof, tf.profiler.record_function("outer"):
        assert inner() == 3
    assert [e.name for e in prof.events()] == ["inner", "outer"]
    assert inner.__doc__ == "Docs." and inner() == 3
    assert len(prof.events()) == 2


def test_profiles_inside_profiles_and_threads():
    f, _, args = profiled(0)
    with tf.profile(quiet=True) as outer:
        with tf.profile(quiet=True) as inner:
            f(*args)
        run = threading.Thread(target=f, args=args)
        run.start()
        run.join()
    programs = [e for e in outer.events() if e.kind == "program"]
    assert len(programs) == 2 and len({e.thread for e in programs}) == 2
    assert sum(e.kind == "program" for e in inner.events()) == 1


def test_the_table(capsys):
    f, _, args = profiled(0)
    with tf.profile():
        f(*args)
    text = capsys.readouterr().out
    assert "GB/s" in text and "y = x @ w" in text
    assert "program work: 1x" in text

    _, prof, _ = profiled()
    table = prof.key_averages().table
    assert table(sort_by="self_cpu_time_total", row_limit=1).count("dot") <= 1
    assert "more" in table(row_limit=1)
    order = table(sort_by=None)
    assert order.index("dot") < order.index("argsort") < order.index("exp")
    with pytest.raises(ValueError, match="is sorted by one of .*, not 'colour'"):
        table(sort_by="colour")
    with tf.profile(quiet=True) as empty:
        pass
    assert "0.0 us in kernels" in empty.table()


def test_the_trace(tmp_path):
    _, prof, _ = profiled()
    prof.export_chrome_trace(tmp_path / "trace.json")
    rows = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    assert len(rows) == len(prof.events())
    assert {row["cat"] for row in rows} == {"kernel", "program"}
    assert all(row["ph"] == "X" and row["dur"] >= 0 for row in rows)


def test_as_pytorch_writes_it():
    seen = []
    activities = [tf.profiler.ProfilerActivity.CPU]
    with tf.profiler.profile(
        activities=activities, record_shapes=True, on_trace_ready=seen.append
    ) as prof:
        tf.ones(3).exp()
        prof.step()
    assert seen == [prof]
    row = next(row for row in prof.key_averages() if row.key == "exp")
    assert row.cpu_time_total == row.self_cpu_time_total == row.cpu_time * row.count


def test_as_a_decorator(capsys):
    @tf.profile(row_limit=2)
    def run():
        return tf.ones(3).exp().tolist()

    assert len(run()) == 3
    assert "exp (eager)" in capsys.readouterr().out
