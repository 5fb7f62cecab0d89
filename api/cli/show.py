"""`python -m tracefuse show FILE`: what a saved file holds."""

from __future__ import annotations

import argparse
import sys
from typing import Any, Iterator

from ...tracer.errors import FormatError
from ..engine import executable
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
        yield from _program(load_program(file), source)


def _program(program: Any, source: bool) -> Iterator[str]:
    """Every signature with its sizes, and each way through it."""
    yield f"\n{program}"
    if program.training is not None:
        yield f"in {'train' if program.training else 'eval'}() mode"
    for variant in program.variants:
        yield f"\n{variant}"
        for n in variant.signature.symbols.values():
            yield f"  {n} from {n.min} to {'any' if n.max is None else n.max}"
        yield from (f"  {row}" for row in _relied(variant))
        for number, plan in enumerate(variant.plans):
            yield from _way(number, plan, source)


def _relied(variant: Any) -> Iterator[str]:
    for left, sign, right, outcome in sorted(variant.relied, key=str):
        yield f"only where {left} {sign} {right} is {outcome}"


def _way(number: int, plan: Any, source: bool) -> Iterator[str]:
    """What the guards of a way saw, what it changes, and its graph or code."""
    seen = (f"{out} at {line}" for out, line in zip(plan.guards, plan.lines))
    yield f"\nway {number + 1}: {', '.join(seen) or 'always'}"
    changed = [str(place) for place in plan.writes]
    if changed:
        yield f"writes {', '.join(changed)}"
    if str(plan.blocks) != "0":
        yield f"draws {plan.blocks} blocks from the generator"
    yield executable(plan.graph).source if source else str(plan.guarded)
