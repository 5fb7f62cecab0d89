"""`python -m tracefuse show FILE`: what a saved file holds."""

from __future__ import annotations

import argparse
import sys
from typing import Iterator

from ...tracer.errors import FormatError
from ..files.contents import contents
from ..program.loading import load_program

__all__ = ["run"]


def run(options: argparse.Namespace) -> int:
    """Print the tensors of a file and a program's graph; 1 if it cannot be read."""
    try:
        for line in _lines(options.file, options.source):
            print(line)
    except (OSError, FormatError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _lines(file: str, source: bool) -> Iterator[str]:
    arrays, metadata, ours = contents(file, True)
    kind = metadata["kind"] if ours else "safetensors"
    count = sum(a.nbytes for a in arrays.values())
    yield f"{file}: {kind}, {len(arrays)} tensors of {count:,} bytes"
    width = max(map(len, arrays), default=0)
    for name, array in arrays.items():
        yield f"  {name:{width}}  {array.dtype.name} {list(array.shape)}"
    if kind == "program":
        program = load_program(file)
        yield f"\n{program}\n"
        yield program.source if source else str(program.graph)
