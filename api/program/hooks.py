"""Hooks that a program cannot keep: those that wait for a backward outside of it."""

from __future__ import annotations

from typing import Any, Iterator

from ...autodiff.vjp import taps
from ..autograd.hooks import Tap
from ..autograd.slots import leaf_of
from .state import State

__all__ = ["hooked", "waiting"]


def waiting(recording: Any) -> list[tuple[Any, str]]:
    """(tensor or None, where) of each hook that no backward inside has called.

    Forward hooks ran and are arithmetic; so are those that a backward met which was
    recorded as well.
    """
    if any(key == "_grad" for _, key in recording.rec.written):
        return []
    return [*_on_results(recording), *_on_leaves(recording)]


def _on_results(recording: Any) -> Iterator[tuple[Any, str]]:
    for v in recording.program.nodes():
        tap = taps.get(v.id)
        if isinstance(tap, Tap) and (tap.hooks or tap.keeper is not None):
            yield None, f"a tensor of {v.line}"


def _on_leaves(recording: Any) -> Iterator[tuple[Any, str]]:
    for i in recording.rec.inputs:
        leaf = leaf_of(i.owner) if i.kind == "tensor" else None
        if leaf is not None and (leaf.hooks or leaf.after):
            yield i.owner, ""


def hooked(found: list[tuple[Any, str]], state: State) -> set[str]:
    """The same in words; hooks of what a call is given are the caller's."""
    names = {id(t): name for name, t in state.tensors.items()}
    known = {names.get(id(t), "") for t, _ in found if t is not None}
    return {name for name in known if name} | {where for _, where in found if where}
