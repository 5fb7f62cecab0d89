"""The folder of generated code: written whole, used by several, never without bound."""

from __future__ import annotations

import os
import threading
import time

import pytest
from tracefuse.api.cli.main import main
from tracefuse.kernels import folder, tidy


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.setenv("TRACEFUSE_CACHE_DIR", str(tmp_path))
    return tmp_path


def wait():
    for thread in threading.enumerate():
        if getattr(thread, "_target", None) is tidy.trim:
            thread.join()


def fill(here, count, kind="numpy", size=1000):
    """Files of one size; the first was used longest ago."""
    (here / kind).mkdir(parents=True, exist_ok=True)
    for i in range(count):
        path = here / kind / f"{i}.py"
        path.write_bytes(b"x" * size)
        os.utime(path, (1e9 + i, 1e9 + i))


def names(here, kind="numpy"):
    return sorted(int(p.stem) for p in (here / kind).glob("*.py"))


def test_a_text_is_stored_once_and_counts_as_used(here):
    first = folder.keep("numpy", "f", "x = 1\n")
    os.utime(first, (1e9, 1e9))
    assert folder.keep("numpy", "f", "x = 1\n") == first
    assert os.stat(first).st_atime > 1e9 == os.stat(first).st_mtime
    assert folder.keep("numpy", "f", "x = 2\n") != first
    assert len([*(here / "numpy").iterdir()]) == 2


def test_what_cannot_be_written_leaves_nothing(here, monkeypatch):
    def refuse(*_):
        raise PermissionError("read-only")

    monkeypatch.setattr("tracefuse.kernels.folder.os.replace", refuse)
    assert folder.keep("numpy", "f", "x = 1\n") is None
    assert [*(here / "numpy").iterdir()] == []


@pytest.mark.parametrize("limits", [(7000, 100), (10**6, 7)])
def test_what_was_used_longest_ago_goes_first(here, limits):
    fill(here, 8)
    gone = tidy.trim(here, *limits)
    assert names(here) == [5, 6, 7] and gone == (5, 5000)


def test_below_the_limits_nothing_goes(here):
    fill(here, 8)
    assert tidy.trim(here, 8000, 8) == (0, 0) and len(names(here)) == 8


def test_what_was_measured_stays_and_strangers_too(here):
    fill(here, 4, "triton/tuned/gpu")
    fill(here, 4, "mine")
    fill(here, 4, "triton")
    tidy.trim(here, 0, 0)
    assert names(here, "triton") == []
    assert len(names(here, "triton/tuned/gpu")) == len(names(here, "mine")) == 4
    tidy.clear(here)
    assert names(here, "triton/tuned/gpu") == [] and len(names(here, "mine")) == 4


def test_a_process_looks_once_a_day(here, monkeypatch):
    monkeypatch.setattr(tidy, "_looked", set())
    monkeypatch.setattr(tidy.trim, "__defaults__", (0, 0))
    fill(here, 3)
    tidy.sometimes(here)
    wait()
    assert names(here) == []
    fill(here, 3)
    tidy.sometimes(here)  # this process has looked
    monkeypatch.setattr(tidy, "_looked", set())
    tidy.sometimes(here)  # another one sees the stamp
    wait()
    assert len(names(here)) == 3
    old = time.time() - 2 * tidy.DAY
    os.utime(here / "tidied", (old, old))
    monkeypatch.setattr(tidy, "_looked", set())
    tidy.sometimes(here)
    wait()
    assert names(here) == []


def test_the_command_shows_trims_and_clears(here, capsys):
    fill(here, 4, size=2**20)
    assert main(["cache"]) == 0
    assert "4 files       4.0 MiB" in capsys.readouterr().out
    assert main(["cache", "--trim", "2"]) == 0
    assert "3 files       3.0 MiB" in capsys.readouterr().out and names(here) == [3]
    assert main(["cache", "--clear"]) == 0 and names(here) == []
