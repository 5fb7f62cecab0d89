"""Why a call records although something is kept: what is not as it was, in words."""

from __future__ import annotations

from types import CellType
from typing import Any, Iterator, Optional, Sequence

from ...tracer.record import state
from ...tracer.watching.views import (
    PLAIN,
    Attribute,
    Contents,
    Keys,
    Length,
    ListView,
    holds,
    mark,
)
from ..defaults import defaults
from ..tensor import Tensor
from .paths.arrays import is_array
from .paths.unpack import Kind, is_scalar
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
        b = _kind(b) if isinstance(a, Kind) else b
        if not _fits(a, b):
            new = described(_kind(b))
            yield f"value {i} of the arguments was {described(a)}, now {new}"


def _kind(x: Any) -> Any:
    """The kind of a tensor or an array; anything else as it is."""
    if isinstance(x, Tensor):
        return Kind.of(x)
    return Kind.of_array(x)._replace(numbers=x.tobytes()) if is_array(x) else x


def _fits(kind: Any, now: Any) -> bool:
    if isinstance(kind, Followed):
        return type(now) is kind.kind
    if not isinstance(kind, Kind):
        same = type(kind) is type(now)
        if same and is_scalar(kind):
            return kind.tobytes() == now.tobytes()
        return same and (kind is now or kind == now)
    new = now
    if not isinstance(new, Kind) or len(kind.shape) != len(new.shape):
        return False
    pairs = zip(kind.shape, new.shape)
    sizes = all(type(n) is not int or n == m for n, m in pairs)
    if kind.numbers is None:
        new = new._replace(numbers=None)
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
        followed = mark(container, key) in pins.moving  # as a learning rate is
        if not (followed or holds(container, key, value)):
            yield f"{place_name(container, key)} is not what it was{_values(value)}"


def _values(then: Any) -> str:
    return f" ({then!r})" if isinstance(then, PLAIN) else ""


def place_name(container: Any, key: Any) -> str:
    """How a person calls a place that is watched."""
    if isinstance(container, CellType):
        return "a variable of an enclosing function"
    if isinstance(container, (Length, Keys)):
        return "the length of a container"
    if isinstance(container, Contents):
        return "an array of NumPy's"
    if isinstance(container, ListView):
        return f"item {key} of a list"
    if isinstance(key, Attribute) or isinstance(key, str):
        return str(key)
    return "a type" if key is None else f"item {key!r}"[:40]


def _slot(slot: Any, kind: Optional[Kind]) -> Iterator[str]:
    if isinstance(slot.owner, tuple):  # of an argument
        return
    try:
        now = slot.get()
    except (LookupError, TypeError):
        yield f"{slot.key} does not hold what it held"
        return
    if (kind is None) != (now is None):
        what = "None" if now is None else "a tensor"
        yield f"{slot.key} holds {what} now"
    elif isinstance(now, Tensor):
        was, new = described(kind), described(_kind(now))
        if was != new and not _fits(kind, _kind(now)):
            yield f"{slot.key} held {was}, now {new}"


def described(x: Any) -> str:
    """An argument as a signature shows it."""
    if isinstance(x, Kind):
        of = " of NumPy's" if x.strides is not None else ""
        such = ", with these numbers" if x.numbers is not None else ""
        return f"{x.dtype}{list(x.shape)}{of}{such}"
    if isinstance(x, Followed):
        return f"any {x.kind.__name__}"
    text = repr(x)
    return text if len(text) < 40 else type(x).__name__
