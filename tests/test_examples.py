"""Every file in examples/ runs as a user runs it: its own assertions hold."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest
from layout import ROOT, name_of

EXAMPLES = sorted((ROOT / "examples").rglob("*.py"))
each_example = pytest.mark.parametrize("path", EXAMPLES, ids=map(name_of, EXAMPLES))


@each_example
def test_it_runs(path, tmp_path):
    command = [sys.executable, str(path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout, "an example shows something"
    assert not list(tmp_path.iterdir()), "an example leaves nothing behind"


@each_example
def test_it_says_what_it_shows(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert "main" in functions, "it is done by main()"


def test_there_are_some():
    assert EXAMPLES
