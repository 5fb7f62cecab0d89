"""Why a call records although something is kept: what is not as it was, in words."""

from __future__ import annotations

from types import CellType
from typing import Any, Iterator, Optional, Sequence

from ...tracer.record import state
from ...tracer.views import PLAIN, Attribute, Length, ListView, holds
from ..defaults import defaults
from ..tensor import Tensor
from .unpack import Kind
from .varying import Followed

__all__ = ["described", "place_name", "why_again"]


def why_again(recent: Sequence, fork: Any, leaves: list) -> str:
    """The reason of a recording: the first thing in which it is not like `recent`.

    `fork` is the entry whose guards came out in a way that is not kept yet, if one did.
    """
    if fork is not None:
        return "a guard came out in a way not seen before"
    if not recent:
        return "nothing was kept yet"
    reasons = _reasons(recent[0], leaves)
    return next(reasons, "its tensors lie or share memory in another way")


def _reasons(entry: Any, leaves: list) -> Iterator[str]:
    yield from _arguments(entry.leaves, leaves)
    yield from _modes(entry)
    for pins in entry.pins:
        yield from _pins(pins)
    for path in entry.tree.paths:
        for slot, kind in getattr(path, "slots", {}).values():
            yield from _slot(slot, kind)


def _arguments(then: list, now: list) -> Iterator[str]:
    if len(then) != len(now):
        yield f"it was given {len(now)} values, not {len(then)}"
        return
    for i, (a, b) in enumerate(zip(then, now)):
        if isinstance(a, Kind) != isinstance(b, Tensor) or not _fits(a, b):
            new = described(Kind.of(b) if isinstance(b, Tensor) else b)
            yield f"value {i} of the arguments was {described(a)}, now {new}"


def _fits(kind: Any, now: Any) -> bool:
    if isinstance(kind, Followed):
        return type(now) is kind.kind
    if not isinstance(kind, Kind):
        return type(kind) is type(now) and (kind is now or kind == now)
    new = Kind.of(now)
    if len(kind.shape) != len(new.shape):
        return False
    pairs = zip(kind.shape, new.shape)
    sizes = all(type(n) is not int or n == m for n, m in pairs)
    return sizes and kind._replace(shape=(), first=None) == new._replace(shape=())


def _modes(entry: Any) -> Iterator[str]:
    if entry.grad is not state.grad:
        yield f"gradients are {'on' if state.grad else 'off'} now"
    if entry.autocast is not state.autocast:
        yield "autocast is in another mode"
    if entry.dtype is not defaults.dtype:
        yield f"the default type is {defaults.dtype} now, not {entry.dtype}"


def _pins(pins: Any) -> Iterator[str]:
    for container, key, value, _ in pins.every():
        if not holds(container, key, value):
            yield f"{place_name(container, key)} is not what it was{_values(value)}"


def _values(then: Any) -> str:
    return f" ({then!r})" if isinstance(then, PLAIN) else ""


def place_name(container: Any, key: Any) -> str:
    """How a person calls a place that is watched."""
    if isinstance(container, CellType):
        return "a variable of an enclosing function"
    if isinstance(container, Length):
        return "the length of a container"
    if isinstance(container, ListView):
        return f"item {key} of a list"
    if isinstance(key, Attribute) or isinstance(key, str):
        return str(key)
    return "a type" if key is None else f"item {key!r}"[:40]


def _slot(slot: Any, kind: Optional[Kind]) -> Iterator[str]:
    if isinstance(slot.owner, tuple):  # of an argument
        return
    now = slot.get()
    if (kind is None) != (now is None):
        what = "None" if now is None else "a tensor"
        yield f"{slot.key} holds {what} now"


def described(x: Any) -> str:
    """An argument as a signature shows it."""
    if isinstance(x, Kind):
        return f"{x.dtype}{list(x.shape)}"
    if isinstance(x, Followed):
        return f"any {x.kind.__name__}"
    text = repr(x)
    return text if len(text) < 40 else type(x).__name__
