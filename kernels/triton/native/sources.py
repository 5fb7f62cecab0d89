"""Kernel sources as files: content-addressed, so that tracebacks and triton read them.

`triton.jit` wants the lines of a function. They come from a file in the cache folder,
or, where that cannot be written, from Python's `linecache`.
"""

from __future__ import annotations

import builtins
import linecache
from pathlib import Path
from typing import Any

from ...folder import cache_dir, keep

__all__ = ["LIBRARY", "PRELUDE", "folder", "library_text", "load_source", "module_text"]

PRELUDE = """\
import triton
import triton.language as tl
"""
LIBRARY = "from tracefuse.kernels.triton import library as lib\n"


def folder() -> Path:
    """Where sources and binaries lie."""
    return cache_dir() / "triton"


def library_text() -> str:
    """The text of the functions that every kernel may call."""
    files = sorted(Path(__file__).parent.parent.glob("library*.py"))
    return "".join(f.read_text(encoding="utf-8") for f in files)


def module_text(source: str) -> str:
    """A module that holds this kernel and what it needs."""
    return f"{PRELUDE}{LIBRARY if 'lib.' in source else ''}\n\n{source}"


def load_source(name: str, source: str) -> dict[str, Any]:
    """Run a module's text; its names. ImportError where triton is missing."""
    text = module_text(source)
    file = keep("triton", name, text) or f"<tracefuse {name} {hash(text):x}>"
    linecache.cache[file] = (len(text), None, text.splitlines(True), file)
    scope: dict[str, Any] = {"__name__": f"tracefuse_{name}", "__file__": file}
    exec(builtins.compile(text, file, "exec"), scope)
    return scope
