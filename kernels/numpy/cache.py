"""The folder of generated sources: content-addressed, for people and tracebacks.

A file is named after its graph and the SHA-256 of its text, and appears under that
name complete. Code is never read back from it: what runs is what was just generated.
A folder that cannot be written costs nothing but the files.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Optional

from ...tracer.later import Later

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["cache_dir", "keep"]

hashlib, pathlib = Later("hashlib"), Later("pathlib")


def cache_dir() -> Path:
    """`TRACEFUSE_CACHE_DIR`, else the user's cache folder for tracefuse."""
    asked = os.environ.get("TRACEFUSE_CACHE_DIR")
    if asked:
        return pathlib.Path(asked)
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return pathlib.Path(base) / "tracefuse"


def keep(name: str, text: str) -> Optional[str]:
    """Store a source text; its path, or None where it could not be stored."""
    digest = hashlib.sha256(text.encode()).hexdigest()[:20]
    path = cache_dir() / "numpy" / f"{name[:60]}_{digest}.py"
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_whole(path, text)
        return str(path)
    except OSError:
        return None


def _write_whole(path: Path, text: str) -> None:
    draft = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        draft.write_text(text, encoding="utf-8")
        os.replace(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
