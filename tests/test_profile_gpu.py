"""Profiles of what runs on a GPU: kernels, copies, host steps, and the user's lines."""

from __future__ import annotations

import json
import threading

import pytest
import tracefuse as tf
from gpu_tools import gpu  # noqa: F401
from tracefuse.kernels.gpu import eager
from tracefuse.kernels.gpu.watching import watching
from tracefuse.kernels.triton import made, program

pytest.importorskip("triton")
FILE = "test_profile_gpu.py"


def work(x, w):
    y = tf.softmax(x @ w, -1)
    z = tf.sort(y, -1).values
    return tf.exp(z) + 1


FIRST = work.__code__.co_firstlineno


def rows_of(prof, kind):
    return {row.key: row for row in prof.key_averages() if row.kind == kind}


def inputs(wide=6):
    return tf.randn(4, 3).cuda(), tf.randn(3, wide).cuda()


def test_each_kernel_has_its_name_and_its_line(gpu):  # noqa: F811
    f, args = tf.jit(work), inputs()
    for _ in range(3):  # replayed from then on
        want = f(*args)
    with tf.profile(quiet=True) as prof:
        for _ in range(2):
            got = f(*args)
    assert tf.equal(got, want)
    found = rows_of(prof, "kernel")
    made_ = f.lower(*args).executable.kernels
    assert sorted(name.split(":")[0] for name in found) == sorted(k.name for k in made_)
    assert all(row.count == 2 and row.total > 0 for row in found.values())
    lines = {key.split(": ")[1].split()[0]: row.line for key, row in found.items()}
    assert lines["dot"] == f"{FILE}:{FIRST + 1}"
    assert lines["exp"] in (f"{FILE}:{FIRST + 1}", f"{FILE}:{FIRST + 3}")
    assert rows_of(prof, "program")["work"].count == 2
    dot = next(row for key, row in found.items() if ": dot" in key)
    assert dot.bytes // dot.count == 4 * (12 + 18 + 24)
    text = prof.key_averages().table(sort_by="cuda_time_total")
    assert f"{FILE}:{FIRST + 1}  y = tf.softmax(x @ w, -1)" in text


def test_copies_and_host_steps(gpu, monkeypatch):  # noqa: F811
    monkeypatch.setattr(program, "special_kernel", lambda *args: None)
    with tf.profile(quiet=True) as prof:  # begun before there is anything there
        x = (tf.eye(3) * 2).cuda()
        f = tf.jit(lambda x: tf.cumsum(x, 0) * 2)
        f(x)
        back = f(x).cpu()
    copies, hosts = rows_of(prof, "copy"), rows_of(prof, "host")
    assert [*hosts] == ["cumulative"] and hosts["cumulative"].count == 2
    assert copies["copy from cuda:0 to the host"].bytes == back.nbytes
    assert copies["copy from cuda:0 to the host"].line.startswith(FILE)
    assert "cumulative (on the host)" in prof.table()


def test_views_that_had_to_be_copied(gpu):  # noqa: F811
    x = tf.randn(6, 8).cuda()
    f = tf.jit(lambda x: x + 1)
    with tf.profile(quiet=True) as prof:
        f(x)
        assert "contiguous copy" not in rows_of(prof, "copy")
        f(x.T)
    assert rows_of(prof, "copy")["contiguous copy"].bytes == 2 * x.nbytes


def test_eager_operations_by_their_lines(gpu):  # noqa: F811
    x = tf.randn(4).cuda()
    tf.tanh(x)
    with tf.profile(quiet=True) as prof:
        tf.tanh(x)
        (x * 2).sum()
    found = rows_of(prof, "eager")
    first = test_eager_operations_by_their_lines.__code__.co_firstlineno
    assert found["tanh"].line == f"{FILE}:{first + 4}"
    assert found["mul"].line == found["sum"].line == f"{FILE}:{first + 5}"
    assert not rows_of(prof, "kernel") and not rows_of(prof, "program")


def test_nothing_stays(gpu):  # noqa: F811
    f, args = tf.jit(work), inputs()
    f(*args)
    with tf.profile(quiet=True) as outer:
        with tf.profile(quiet=True) as prof:
            f(*args)
        f(*args)
    scopes = [m.run.__globals__ for m in made.remembered()]
    assert not any(getattr(x, "clocked", False) for s in scopes for x in s.values())
    assert watching.program is None and made.listeners == []
    assert "copy_in" not in vars(gpu)
    assert eager.compute.__module__ == "tracefuse.kernels.gpu.eager"
    count = len(outer.events())
    assert len(prof.events()) < count
    f(*args), args[0] + 1
    assert len(outer.events()) == count


def test_a_training_step_is_the_same_with_and_without(gpu):  # noqa: F811
    def losses(profiled):
        tf.manual_seed(0)
        net = tf.nn.Linear(3, 2).cuda()
        adam = tf.optim.Adam(net.parameters(), lr=0.1)
        x = tf.ones(4, 3, device="cuda")

        @tf.jit
        def step(x):
            adam.zero_grad()
            loss = (net(x) ** 2).mean()
            loss.backward()
            adam.step()
            return loss

        found = []
        for n in range(6):
            if profiled and n in (1, 4):
                with tf.profile(quiet=True):
                    found.append(step(x).item())
            else:
                found.append(step(x).item())
        return found

    assert losses(True) == losses(False)


def test_many_launches_are_read_on_the_way(gpu, monkeypatch):  # noqa: F811
    monkeypatch.setattr("tracefuse.api.profiler.spans.MOST", 5)
    x = tf.randn(4).cuda()
    with tf.profile(quiet=True) as prof:
        for _ in range(20):
            x = x + 1
        assert len(prof._log.events) >= 12
    assert rows_of(prof, "eager")["add"].count == 20


def test_threads(gpu):  # noqa: F811
    f, args = tf.jit(work), inputs()
    f(*args)
    with tf.profile(quiet=True) as prof:
        threads = [threading.Thread(target=f, args=args) for _ in range(3)]
        [t.start() for t in threads]
        [t.join() for t in threads]
    assert rows_of(prof, "program")["work"].count == 3
    assert len({e.thread for e in prof.events()}) >= 1


def test_chrome_has_a_row_for_the_device(gpu, tmp_path):  # noqa: F811
    f, args = tf.jit(work), inputs()
    with tf.profile(quiet=True) as prof:
        f(*args)
        with tf.profiler.record_function("mine"):
            f(*args)
    prof.export_chrome_trace(tmp_path / "trace.json")
    rows = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    names = {r["tid"]: r["args"]["name"] for r in rows if r["ph"] == "M"}
    assert "cuda:0" in names.values()
    kernels = [r for r in rows if r.get("cat") == "kernel"]
    assert kernels and all(names[r["tid"]] == "cuda:0" for r in kernels)
    mine = next(r for r in rows if r["name"] == "mine")
    assert mine["tid"] not in names
    begin, end = mine["ts"], mine["ts"] + mine["dur"]
    assert sum(begin <= r["ts"] <= end for r in kernels) == len(kernels) // 2


def test_the_interpreter_of_the_host_is_measured_too():
    f = tf.jit(work, backend="triton-interpreter")
    x, w = tf.randn(4, 3), tf.randn(3, 6)
    f(x, w)
    with tf.profile(quiet=True) as prof:
        f(x, w)
    assert any(": dot" in key for key in rows_of(prof, "kernel"))
