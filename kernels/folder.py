"""The folder of generated code: content-addressed, written whole, tidied by itself.

What lies there is for people, tracebacks and later processes. A file is named after the
digest of its content and appears under that name complete, so that several processes
may share the folder. One that cannot be written costs nothing but the files.

    numpy/    generated NumPy sources: never read back, what runs was just generated
    triton/   kernel sources, machine code, and what was measured (tuned/)
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Optional

from ..tracer.later import Later
from . import tidy

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["cache_dir", "forget", "keep", "store", "touch"]

hashlib, pathlib = Later("hashlib"), Later("pathlib")


def cache_dir() -> Path:
    """`TRACEFUSE_CACHE_DIR`, else the user's cache folder for tracefuse."""
    asked = os.environ.get("TRACEFUSE_CACHE_DIR")
    if asked:
        return pathlib.Path(asked)
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return pathlib.Path(base) / "tracefuse"


def keep(kind: str, name: str, text: str) -> Optional[str]:
    """Store a Python source under its name and digest; None where that cannot be."""
    data = text.encode()
    digest = hashlib.sha256(data).hexdigest()[:20]
    path = store(cache_dir() / kind / f"{name[:60]}_{digest}.py", data)
    return str(path) if path else None


def store(path: Path, data: bytes) -> Optional[Path]:
    """Write a file under its final name complete; None where that is not possible."""
    draft = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        if not touch(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            draft.write_bytes(data)
            os.replace(draft, path)
            tidy.sometimes(cache_dir())
        return path
    except OSError:
        forget(draft)
        return None


def touch(path: Path) -> bool:
    """Whether the file is there; it counts as used now, and is kept the longer.

    When it was written stays as it is: debuggers and compilers read that.
    """
    try:
        os.utime(path, ns=(time.time_ns(), os.stat(path).st_mtime_ns))
    except FileNotFoundError:
        return False
    except OSError:  # there, but somebody else's
        return path.exists()
    return True


def forget(path: Path) -> None:
    """Remove a file, if that is possible."""
    try:
        path.unlink(missing_ok=True)
    except OSError:
        pass
