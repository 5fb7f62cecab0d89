"""`python -m tracefuse bench`: the same numbers by every way, then their times."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tracefuse.api.cli import bench
from tracefuse.api.cli.contest import CONTESTS, Contest
from tracefuse.api.cli.main import main


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(bench, "ROUND", 0.0)
    monkeypatch.setattr(bench, "ROUNDS", 2)
    peers = {"torch", "jax"}
    monkeypatch.setattr(bench, "find_spec", lambda name: name not in peers)


@pytest.mark.parametrize("contest", CONTESTS, ids=lambda c: c.name)
def test_every_way_gives_the_same_numbers(contest):
    times = bench.compare(contest)
    assert [*times][:2] == ["tracefuse.jit", "tracefuse"]
    assert all(0 < t["min"] <= t["median"] for t in times.values())


def test_a_table_and_a_file(capsys, tmp_path):
    out = tmp_path / "bench.json"
    assert main(["bench", "--only", "20 operations", "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "20 operations on 10 elements" in shown and "1.00 x" in shown
    record = json.loads(out.read_text())
    assert record["versions"]["numpy"] == np.__version__
    assert set(record["programs"]["20 operations on 10 elements"]) == {
        *("tracefuse.jit", "tracefuse", "numpy")
    }


def test_a_wrong_way_is_not_timed(monkeypatch, capsys):
    def build(library, array):
        return (lambda x: x + (library is np)), (array(np.ones(3, np.float32)),)

    monkeypatch.setattr(bench, "CONTESTS", (Contest("odd", build, build),))
    assert main(["bench"]) == 1
    assert "numpy           gives other numbers: not timed" in capsys.readouterr().out


def test_no_such_program(capsys):
    assert main(["bench", "--only", "nothing"]) == 2
    assert "no program has 'nothing' in its name" in capsys.readouterr().out
