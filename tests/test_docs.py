"""Every example in a docstring and every Python block in a page runs."""

from __future__ import annotations

import doctest
import importlib
import re
from pathlib import Path

import pytest
from layout import MODULES, ROOT, name_of

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pytest.mark.parametrize("name", MODULES)
def test_docstrings(name):
    result = doctest.testmod(importlib.import_module(name), optionflags=OPTIONS)
    assert result.failed == 0


@pytest.mark.parametrize("page", PAGES, ids=map(name_of, PAGES))
def test_pages(page, tmp_path, monkeypatch):
    """The blocks of a page run in their order and share their names."""
    monkeypatch.chdir(tmp_path)
    names: dict = {"__name__": "__main__"}
    for code in blocks(page):
        exec(compile(code, str(page), "exec"), names)


def blocks(page: Path) -> list[str]:
    """The page's Python blocks, padded so that errors name the page's lines."""
    text = page.read_text(encoding="utf-8")
    found = BLOCK.finditer(text)
    return ["\n" * text.count("\n", 0, m.start(1)) + m[1] for m in found]
