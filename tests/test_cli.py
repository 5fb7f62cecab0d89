"""The command line as a user calls it."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import pytest
import tracefuse
from tracefuse.api.cli.gpu import driver
from tracefuse.api.cli.main import main
from tracefuse.api.cli.progress import Progress


def command(*arguments: object, **options) -> subprocess.CompletedProcess:
    """`python -m tracefuse ...` in a new process, its output on pipes."""
    line = [sys.executable, "-m", "tracefuse", *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, **options)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The demo as the README starts it, with a folder for what it makes."""
    out = tmp_path_factory.mktemp("demo") / "new" / "folder"
    return command("demo", "--out", out), out


def test_demo_passes(demo):
    done, _ = demo
    assert done.returncode == 0, done.stdout + done.stderr


def test_demo_prints_plain_lines_on_a_pipe(demo):
    done, out = demo
    lines = done.stdout.splitlines()
    assert "\r" not in done.stdout and "\x1b" not in done.stdout
    assert sum(line.startswith("jitted  epoch") for line in lines) == 20
    assert f"{out / 'step.py'}" in done.stdout
    assert sum(line.startswith("ok ") for line in lines) == 3
    assert lines[-1].startswith("demo passed")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_bar_with_loss_and_accuracy(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    with Progress("jitted", epochs=1, batches=2, quiet=False) as progress:
        progress.batch(2.0)
        progress.batch(1.0)
        progress.epoch(0.75)
    last = terminal.getvalue().split("\r")[-1]
    assert "jitted: 100%" in last and "loss 1.5000  accuracy 75.0%" in last


def test_demo_writes_model_source_and_summary(demo):
    _, out = demo
    names = {path.name for path in out.iterdir()}
    assert names == {"model.tracefuse", "step.py", "summary.json"}
    summary = json.loads((out / "summary.json").read_text())
    assert summary["ok"] and summary["accuracy"] >= 0.97
    assert set(summary["step_ms"]) == {"jitted", "eager", "first_call"}
    assert summary["weights"]["difference"] <= summary["weights"]["tolerance"]
    assert summary["reloaded"]["same_predictions"] == 1
    assert set(summary["versions"]) >= {"tracefuse", "python", "numpy"}
    compile((out / "step.py").read_text(), "step.py", "exec")


def test_demo_that_misses_its_accuracy_fails(tmp_path, capsys):
    options = ["--epochs", "1", "--batch-size", "500", "--seed", "3", "--quiet"]
    assert main(["demo", *options, "--out", str(tmp_path)]) == 1
    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in printed] == ["FAIL", "demo"]
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["options"] == {"epochs": 1, "batch_size": 500, "seed": 3}
    assert not summary["ok"]


def test_demo_says_at_once_that_a_folder_cannot_be_written(tmp_path, capsys):
    file = tmp_path / "file"
    file.write_text("kept")
    assert main(["demo", "--out", str(file)]) == 2
    assert str(file) in capsys.readouterr().err
    assert file.read_text() == "kept"


@pytest.mark.parametrize(
    "arguments",
    [[], ["no-such"], ["demo", "--epochs", "0"], ["demo", "--batch-size", "-1"],
     ["demo", "--seed", "x"]],
)  # fmt: skip
def test_wrong_usage_exits_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as error:
        main(arguments)
    assert error.value.code == 2
    assert "usage: python -m tracefuse" in capsys.readouterr().err


def test_show_prints_tensors_and_graph(demo, capsys):
    _, out = demo
    assert main(["show", str(out / "model.tracefuse")]) == 0
    printed = capsys.readouterr().out
    assert "head.weight        float32 [10, 512]" in printed
    assert "graph Digits(" in printed and "f32[batch, 64]" in printed
    assert main(["show", "--source", str(out / "model.tracefuse")]) == 0
    assert "def Digits(" in capsys.readouterr().out


def test_show_prints_a_state(tmp_path, capsys):
    tracefuse.save({"a": tracefuse.ones(2, 3)}, tmp_path / "state")
    assert main(["show", str(tmp_path / "state")]) == 0
    assert capsys.readouterr().out.splitlines()[1] == "  a  float32 [2, 3]"


@pytest.mark.parametrize("text", [None, "", "no such format", "x" * 100])
def test_show_says_what_is_wrong_with_a_file(tmp_path, capsys, text):
    file = tmp_path / "file"
    if text is not None:
        file.write_text(text)
    assert main(["show", str(file)]) == 1
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.startswith("error: ")
    assert str(file) in printed.err


def test_doctor_says_what_it_found(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TRACEFUSE_CACHE_DIR", str(tmp_path / "cache"))
    assert main(["doctor"]) == 0
    printed = capsys.readouterr().out
    found = dict(line.split(None, 1) for line in printed.split("\n\n")[0].splitlines())
    for name in "Python NumPy threads GPU driver triton cache".split():
        assert name in found
    assert "BLAS" in found["NumPy"]
    assert found["cache"].startswith(str(tmp_path / "cache"))


def test_doctor_names_a_missing_package_and_its_purpose(monkeypatch, capsys):
    module = "tracefuse.api.cli.doctor"
    monkeypatch.setattr(f"{module}.find_spec", lambda name: None)
    main(["doctor"])
    missing = "missing for compiling kernels for a GPU: pip install triton"
    assert missing in capsys.readouterr().out.splitlines()


class FakeDriver:
    """libcuda as far as the doctor asks it: one device."""

    def __init__(self, status: int = 0):
        self.status = status

    def cuInit(self, flags):
        return self.status

    def cuDriverGetVersion(self, number):
        return self._write(number, 13010)

    def cuDeviceGetCount(self, number):
        return self._write(number, 1)

    def cuDeviceGet(self, number, index):
        return self._write(number, index)

    def cuDeviceGetName(self, name, length, device):
        name.value = b"NVIDIA Example"
        return 0

    def cuDeviceTotalMem_v2(self, size, device):
        return self._write(size, 80 * 2**30)

    def cuDeviceGetAttribute(self, number, which, device):
        return self._write(number, {75: 9, 76: 0}[which])

    @staticmethod
    def _write(reference, value):
        reference._obj.value = value
        return 0


def test_driver_says_its_version_and_devices():
    found = driver(FakeDriver())
    assert found.version == "CUDA 13.1"
    assert found.devices == ["NVIDIA Example, 80 GiB, sm_90"]


def test_a_driver_that_does_not_start_is_said():
    found = driver(FakeDriver(status=999))
    assert found.devices == [] and "does not start" in found.version
