"""Every example in a docstring and every Python block in a page runs.

A block that begins with "```python triton" is left out where triton is missing, and so
is one with "gpu", which runs on a simulated device.
"""

from __future__ import annotations

import doctest
import importlib
import importlib.util
import re
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType

import pytest
from layout import MODULES, ROOT, name_of
from tracefuse.kernels.gpu.discover import pretend
from tracefuse.kernels.gpu.simulated import SimulatedDevice

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/*.md"))]
BLOCK = re.compile(r"^```python(| triton| gpu)\n(.*?)^```", re.MULTILINE | re.DOTALL)
TRITON = importlib.util.find_spec("triton") is not None
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pytest.mark.parametrize("name", MODULES)
def test_docstrings(name):
    result = doctest.testmod(imported(name), optionflags=OPTIONS)
    assert result.failed == 0


def imported(name: str) -> ModuleType:
    """The module; skips where it is one of those that need triton."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if str(error.name).partition(".")[0] != "triton":
            raise
        pytest.skip("triton is not installed")


@pytest.mark.parametrize("page", PAGES, ids=map(name_of, PAGES))
def test_pages(page, tmp_path, monkeypatch):
    """The blocks of a page run in their order and share their names."""
    monkeypatch.chdir(tmp_path)
    names: dict = {"__name__": "__main__"}
    device = SimulatedDevice()
    for needs, code in blocks(page):
        with pretend(device) if needs == "gpu" else nullcontext():
            exec(compile(code, str(page), "exec"), names)


def blocks(page: Path) -> list[tuple[str, str]]:
    """What each Python block needs, and the block, padded so that errors name the
    page's lines; without triton, those that do without."""
    text = page.read_text(encoding="utf-8")
    found = BLOCK.finditer(text)
    every = [
        (m[1].strip(), "\n" * text.count("\n", 0, m.start(2)) + m[2]) for m in found
    ]
    assert len(every) == text.count("\n```python"), "a block is not understood"
    return [block for block in every if TRITON or not block[0]]
