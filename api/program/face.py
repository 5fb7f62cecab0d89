"""What `tracefuse.jit` offers of programs, under PyTorch's names."""

from __future__ import annotations

from typing import Any

from .loading import load_program as load
from .program import Program
from .scripting import Script, script
from .tracing import trace

__all__ = ["trace", "script", "save", "load", "Program", "Script"]


def save(program: Any, f: Any) -> None:
    """Write a Program (or what `script` made) to one file, a path or file object.

    The file holds graph text and numbers, no code; it loads where the source is not.
    TypeError for what is no program, OSError when the path cannot be written.

    >>> import io, tracefuse
    >>> file = io.BytesIO()
    >>> save(trace(lambda x: x + 1, tracefuse.ones(2)), file)
    >>> _ = file.seek(0)
    >>> load(file)(tracefuse.zeros(2))
    tensor([1., 1.])
    """
    if not isinstance(program, (Program, Script)):
        raise TypeError(
            f"jit.save() takes a Program, not a {type(program).__name__}: jit.trace() "
            "makes one of a function or module and an example of its arguments"
        )
    program.save(f)
