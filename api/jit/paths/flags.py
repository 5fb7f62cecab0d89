"""Arguments that the function itself makes variables: `x.requires_grad_()`."""

from __future__ import annotations

from typing import Any

from ....tracer.watch import touch
from ....tracer.watching.pins import watched_tensors
from ...history import require_grad_here
from ...tensor import Tensor
from ..recording import Recording
from .path import NotKept, Path

__all__ = ["flagged", "flags_of"]


def flags_of(recording: Recording, path: Path) -> list[tuple]:
    """Which arguments become variables, or none any more: (where, whether)."""
    found = []
    for t, before in recording.rec.flags.values():
        source = path.source(t)
        if source.kind != "arg":
            raise NotKept("it sets requires_grad of a tensor from outside")
        if _is_leaf(t._steps) != _is_leaf(before):
            found.append((source, _is_leaf(t._steps)))
    if found and type(path) is not Path:
        raise NotKept("it sets requires_grad of an argument, which no program does")
    return found


def _is_leaf(steps: Any) -> bool:
    return bool(steps) and steps[-1][0] == "leaf"


def flagged(t: Tensor, wanted: bool) -> None:
    """The same at a later call."""
    require_grad_here(t, wanted)
    if id(t) in watched_tensors:
        touch()
