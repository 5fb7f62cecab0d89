"""Sizes that change between calls become symbols by themselves.

The second size of an axis is recorded as a symbol; axes that had the same sizes in all
calls so far share one (the entry checks that they still do). Sizes 0 and 1 broadcast,
so they stay numbers. A recording that depends on the very size fixes it again: from
then on there is one recording for each size.
"""

from __future__ import annotations

import re
from typing import Any, Iterator, Optional

from ...tracer.record import Recorder
from ...tracer.sizes import Dim
from ..tensor import Tensor
from .varying import form

__all__ = ["Dimensions"]

_SEEN = 8  # calls whose sizes are remembered, for each structure of arguments
_FORMS = 64  # structures of arguments


class Dimensions:
    """The sizes that one jitted function was called with."""

    def __init__(self) -> None:
        self.seen: dict[Any, list[tuple]] = {}
        self.fixed: dict[tuple, str] = {}  # (structure, argument, axis) -> why
        self.off: Optional[str] = None  # why there are no symbols at all
        self.here: dict[str, list[tuple]] = {}  # symbol -> (structure, argument, axis)

    def symbolic(self, leaves: list, spec: Any) -> dict[int, tuple]:
        """id of a tensor -> (the tensor, its shape with symbols)."""
        self.here = {}
        key = _structure(leaves, spec)
        now = tuple(x._array.shape for x in leaves if isinstance(x, Tensor))
        seen = self._remember(key, now)
        if self.off or len(seen) < 2 or _overlap(leaves):
            return {}
        symbols = self._symbols(key, now, seen)
        found: dict[int, tuple] = {}
        tensors = (x for x in leaves if isinstance(x, Tensor))
        for i, t in enumerate(tensors):
            sizes = enumerate(t._array.shape)
            shape = tuple(symbols.get((i, axis), size) for axis, size in sizes)
            if any(isinstance(n, Dim) for n in shape):
                found[id(t)] = (t, shape)
        return found

    def _remember(self, key: Any, now: tuple) -> list[tuple]:
        while len(self.seen) >= _FORMS and key not in self.seen:
            del self.seen[next(iter(self.seen))]
        seen = self.seen.setdefault(key, [])
        if now not in seen:
            del seen[: len(seen) - _SEEN + 1]
            seen.append(now)
        return seen

    def _symbols(self, key: Any, now: tuple, seen: list[tuple]) -> dict[tuple, Dim]:
        """(argument, axis) -> its symbol, for the sizes that vary."""
        groups: dict[tuple, Dim] = {}
        found: dict[tuple, Dim] = {}
        for i, axis, size in _axes(now):
            history = (*(shapes[i][axis] for shapes in seen), size)
            place = (key, i, axis)
            if len(set(history)) > 1 and size > 1 and place not in self.fixed:
                named = groups.get(history)
                if named is None:
                    named = Dim(f"s{len(groups)}", min=2).bind(size)
                    groups[history] = named
                self.here.setdefault(named.text, []).append(place)
                found[i, axis] = named
        return found

    def note(self, rec: Recorder) -> bool:
        """Fix the sizes that a recording took as numbers; whether there are any."""
        found = False
        for text, outcome in rec.sizes:
            if not isinstance(outcome, bool) or (outcome and " == " in text):
                for symbol in re.findall(r"[^\W\d]\w*", text):
                    for place in self.here.get(symbol, ()):
                        self.fixed.setdefault(place, str(rec.size_lines.get(text)))
                        found = True
        return found

    def reasons(self) -> Iterator[str]:
        """In words: what became no symbol, and why."""
        if self.off:
            yield f"sizes are numbers: {self.off}"
        told = {(i, axis): line for (_, i, axis), line in self.fixed.items()}
        for (i, axis), line in told.items():
            yield (
                f"one recording for each size of axis {axis} of tensor argument {i}, "
                f"which is used as a number at {line}"
            )


def _axes(shapes: tuple) -> Iterator[tuple[int, int, int]]:
    for i, shape in enumerate(shapes):
        for axis, size in enumerate(shape):
            yield i, axis, size


def _structure(leaves: list, spec: Any) -> Any:
    """What calls have in common whose sizes are compared."""
    tensors = (x._array for x in leaves if isinstance(x, Tensor))
    return form(spec), tuple((a.ndim, a.dtype) for a in tensors)


def _overlap(leaves: list) -> bool:
    """Whether two of the tensors look at one storage."""
    tensors = {id(x): x._storage for x in leaves if isinstance(x, Tensor)}
    return len(set(map(id, tensors.values()))) < len(tensors)
