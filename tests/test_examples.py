"""Every file in examples/ runs as a user runs it: its own assertions hold."""

from __future__ import annotations

import subprocess
import sys

import pytest
from layout import ROOT, name_of

EXAMPLES = sorted((ROOT / "examples").rglob("*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=map(name_of, EXAMPLES))
def test_example(path, tmp_path):
    command = [sys.executable, str(path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout, "an example shows something"
    assert not list(tmp_path.iterdir()), "an example leaves nothing behind"
