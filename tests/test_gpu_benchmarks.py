"""The command that measures on a GPU, on a simulated one."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from fake_cuda import fake  # noqa: F401

pytest.importorskip("triton")

ROOT = str(Path(__file__).resolve().parent.parent)


@pytest.fixture
def bench(monkeypatch, tmp_path):
    """The modules, a file to write, and the GPUs as they were afterwards."""
    monkeypatch.syspath_prepend(ROOT)
    monkeypatch.setenv("TRACEFUSE_CACHE_DIR", str(tmp_path / "cache"))
    from tracefuse.kernels.gpu import discover

    from benchmarks import gpu

    monkeypatch.setattr(discover, "_found", discover._found)
    gpu.file = tmp_path / "out.json"
    return gpu


def run(gpu, *options):
    """The record after a run."""
    assert gpu.main(["--simulate", "--out", str(gpu.file), *options]) == 0
    return read(gpu)


def read(gpu):
    return json.loads(gpu.file.read_text())


def test_right_results_are_timed(bench):
    record = run(bench, "--only", "gelu 2**8 f32")
    (case,) = record["cases"].values()
    assert case["reference"] == "NumPy float64"
    assert set(case["ways"]) == {"tracefuse", "tracefuse fixed"}
    for way in case["ways"].values():
        assert way["correct"] is True and way["error"] < 1e-6
        assert all(way[kind]["median_us"] > 0 for kind in ("graph", "events", "host"))
    assert case["bytes"] == 2 * 256 * 4
    assert record["runs"][0]["device"] == "simulated device"
    assert record["left"] == []


def test_gradients_and_steps_of_training(bench):
    record = run(bench, "--only", "rms_norm backward")
    run(bench, "--only", "step mlp", "--resume")
    assert len(record["cases"]) == 1
    ways = [w for c in read(bench)["cases"].values() for w in c["ways"].values()]
    assert [w["correct"] for w in ways] == [True] * 4


def test_ceilings_and_calls(bench):
    record = run(bench, "--only", "ceiling")
    assert record["cases"]["ceiling copy"]["ways"]["driver"]["events"]["count"] > 0
    calls = run(bench, "--only", "dispatch")["cases"]["dispatch"]["ways"]
    assert {name.split(",")[0] for name in calls} == {
        "tracefuse",
        "tracefuse without graphs",
        "tracefuse executable",
    }


def test_compiling_in_fresh_processes(bench):
    (case,) = run(bench, "--only", "compile fifty")["cases"].values()
    (way,) = case["ways"].values()
    assert way["cold"]["call_s"] > 0 and way["from_disk"]["call_s"] > 0


def test_an_interrupted_run_leaves_a_whole_file_and_is_resumed(bench, monkeypatch):
    from benchmarks import jobs as listed

    done = []

    def job(name):
        def measured(setting):
            if name == "b" and not done.count("b"):
                done.append(name)
                raise KeyboardInterrupt
            done.append(name)
            return {"ways": {}}

        return listed.Job(name, measured)

    monkeypatch.setattr(bench, "tiny", lambda: [job(name) for name in "abc"])
    with pytest.raises(KeyboardInterrupt):
        run(bench)
    assert list(read(bench)["cases"]) == ["a"]
    assert list(run(bench, "--resume")["cases"]) == ["a", "b", "c"]
    assert done == ["a", "b", "b", "c"]
    assert [each["run"] for each in read(bench)["cases"].values()] == [0, 1, 1]


def test_without_resume_a_file_begins_anew(bench):
    run(bench, "--only", "ceiling copy")
    assert list(run(bench, "--only", "sum all")["cases"]) == ["sum all 2**8"]


def test_a_wrong_kernel_is_said_to_be_wrong_and_not_timed(bench, monkeypatch):
    from tracefuse.kernels.gpu.simulated import SimulatedLauncher

    launch = SimulatedLauncher._launch

    def off(self, grid, arguments):
        launch(self, grid, arguments)
        self.device.told(("spoilt",), lambda: spoil(self.device, arguments[-1]))

    def spoil(device, array):
        device.host_view(array).flat[3] += 1

    monkeypatch.setattr(SimulatedLauncher, "_launch", off)
    (case,) = run(bench, "--only", "sum columns")["cases"].values()
    for way in case["ways"].values():
        assert way["correct"] is False and "wrong" in way["problem"]
        assert "events" not in way


def test_elements_that_nobody_wrote_are_found(bench, monkeypatch):
    from tracefuse.kernels.gpu.simulated import SimulatedLauncher

    work = SimulatedLauncher._run

    def lazy(self, grid, arguments):
        if self.device.count("replay") < 2:  # then what is there is from before
            work(self, grid, arguments)

    monkeypatch.setattr(SimulatedLauncher, "_run", lazy)
    (case,) = run(bench, "--only", "gelu 2**8 f32")["cases"].values()
    assert case["ways"]["tracefuse"]["correct"] is False


def test_what_fails_does_not_end_the_run(bench, monkeypatch):
    from benchmarks import jobs as listed

    def bad(setting):
        raise RuntimeError("no such luck")

    monkeypatch.setattr(bench, "tiny", lambda: [listed.Job("bad", bad)])
    assert run(bench)["cases"]["bad"]["problem"] == "RuntimeError: no such luck"


def test_the_time_is_kept(bench, monkeypatch, capsys):
    from benchmarks import jobs as listed

    def slow(setting):
        time.sleep(5)

    monkeypatch.setattr(bench, "tiny", lambda: [listed.Job(n, slow) for n in "ab"])
    begin = time.monotonic()
    record = run(bench, "--budget", "0.5")
    assert time.monotonic() - begin < 4
    assert record["cases"] == {} and record["left"] == ["a", "b"]
    assert "--resume" in capsys.readouterr().out


def test_limits_lie_in_each_other():
    sys.path.insert(0, ROOT)
    try:
        from benchmarks.clock import TooLong, at_most
    finally:
        sys.path.remove(ROOT)
    with pytest.raises(TooLong) as outer, at_most(0.05) as limit:
        with at_most(10):
            time.sleep(1)
    assert outer.value.limit is limit
    with at_most(10):
        with pytest.raises(TooLong, match="stopped after"), at_most(0.01):
            time.sleep(1)
    time.sleep(0.02)


def test_what_falls_to_the_cpu_is_noted(bench, monkeypatch):
    from tracefuse.kernels.gpu.simulated import SimulatedDevice
    from tracefuse.tracer.errors import CompileError

    from benchmarks.report import report

    def load(self, kernel, config, binary):
        raise CompileError("nothing compiles")

    monkeypatch.setattr(SimulatedDevice, "load", load)
    record = run(bench, "--only", "sum all")
    (case,) = record["cases"].values()
    assert "nothing compiles" in case["ways"]["tracefuse"]["warned"][0]
    assert "runs as NumPy on copies" in report(record)


def test_no_gpu_is_said(bench, monkeypatch, capsys):
    monkeypatch.setattr(bench, "why_none", lambda: "there is no driver")
    assert bench.main(["--out", str(bench.file)]) == 2
    assert "there is no driver" in capsys.readouterr().out
    assert not bench.file.exists()


def test_names_are_listed(bench, capsys):
    assert bench.main(["--list", "--only", "matmul"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "ceiling matmul bf16"
    assert "matmul NN 8192x8192x8192 bf16" in told
    assert len(set(told)) == len(told)


def test_distances(bench):
    from benchmarks.accuracy import SAMPLE, distance

    ones = np.ones(SAMPLE + 1)
    assert distance([ones], [ones]) == 0
    assert distance([ones[1:]], [ones]) == 0  # the first of many
    assert distance([np.ones(3)], [np.ones(2)]) == float("inf")
    assert distance([np.array([np.nan, 1])], [np.ones(2)]) == float("inf")
    assert distance([ones[:5], np.zeros(1)], [ones[:5], np.ones(1)]) == 1


def made_up():
    """A record of a device that copies 4 TB/s and multiplies 800 TFLOP/s."""

    def way(us, **more):
        return {"correct": True, "graph": {"median_us": us, "min_us": us}, **more}

    def case(ours, other, **more):
        ways = {"tracefuse": way(ours), "torch eager": way(other)}
        return {"reference": "NumPy float64", "flops": 0, "ways": ways, **more}

    head = {"date": "now", "device": "GPU", "target": "sm_90", "python": "3.12"}
    clock = {"events": {"median_us": 1000.0}}
    cases = {
        "ceiling copy": {"bytes": 4 * 10**9, "ways": {"driver": clock}},
        "ceiling matmul bf16": {"flops": 8 * 10**11, "ways": {"torch eager": clock}},
        "dispatch": {"ways": {"tracefuse": {"host": {"median_us": 7.0}}}},
        "softmax 4096 bf16": case(100.0, 150.0, bytes=3 * 10**8),
        "layer_norm 4096 bf16": case(100.0, 90.0, bytes=38 * 10**7),
        "matmul NN 4096x4096x4096 bf16": case(200.0, 196.0, flops=2 * 4096**3),
    }
    runs = [{**head, "versions": {"torch": "2.11"}, "simulated": False}]
    return {"runs": runs, "cases": cases, "left": []}


def test_the_report(bench):
    from benchmarks.report import report

    text = report(made_up())
    assert "GPU (sm_90), Python 3.12, torch 2.11" in text
    assert "copy: 4.00 TB/s" in text and "cuBLAS at 8192: 800 TFLOP/s" in text
    (line,) = (t for t in text.splitlines() if t.startswith("softmax 4096 bf16"))
    assert line.split()[3:6] == ["100.0", "1.50", "torch"] and "0.75" in line
    assert "a cached call under 10 us: met (7.0 us)" in text
    assert "pointwise and norms at 0.90 of the copy bandwidth: met (0.95" in text
    assert "as fast as the fastest other: met in 1 of 2 (0.90 in layer_norm" in text
    assert "0.95 of cuBLAS from 1024 up: met (0.98" in text


def test_the_report_names_what_is_wrong(bench, capsys):
    from benchmarks.report import main

    record = made_up()
    record["cases"]["softmax 4096 bf16"]["ways"]["tracefuse"] = {
        "correct": False,
        "problem": "wrong: off by 2",
    }
    bench.file.write_text(json.dumps(record))
    assert main([str(bench.file), "--markdown"]) == 0
    text = capsys.readouterr().out
    assert "| softmax 4096 bf16 | - | - |" in text and "| wrong: off by 2 |" in text
    assert "met in 0 of 2 (not measured: softmax 4096 bf16" in text


def test_graphs_are_compared_with_graphs(bench):
    from benchmarks.targets import rivals

    def way(**kinds):
        return {kind: {"median_us": us} for kind, us in kinds.items()}

    other = {"torch": way(graph=2, events=6), "jax": way(host=9)}
    ours = way(graph=1, events=2, host=3)
    assert rivals({"ways": {"tracefuse": ours, **other}}) == {"torch": 2, "jax": 3}
    del ours["graph"]  # nothing is made better by having none
    assert rivals({"ways": {"tracefuse": ours, **other}}) == {"torch": 1, "jax": 3}


def test_what_a_driver_is_told(bench, fake, monkeypatch):  # noqa: F811
    """Flush, event, graph, event: on a stub that computes nothing."""
    from benchmarks import jobs, measure, ours

    log = fake(memory=1 << 30)
    monkeypatch.setattr(ours, "SCRUB", 4096)
    monkeypatch.setattr(measure, "distance", lambda got, want: 0.0)
    monkeypatch.setattr(bench, "TIMING", 0.0)
    monkeypatch.setattr(bench, "jobs", jobs.tiny)
    monkeypatch.setattr(bench, "clocks", dict)
    options = ["--out", str(bench.file), "--peers", "--only", "sum columns"]
    assert bench.main(options) == 0
    record = read(bench)
    assert record["runs"][0]["device"] == "Stub GPU"
    (case,) = record["cases"].values()
    assert case["ways"]["tracefuse"]["graph"]["median_us"] == 1500
    told = [entry[0] for entry in log]
    at = len(told) - 1 - told[::-1].index("graph")  # the last replay
    assert told[at - 2 : at + 2] == ["memset", "record", "graph", "record"]
    assert told.count("begin") == told.count("end") >= 2
