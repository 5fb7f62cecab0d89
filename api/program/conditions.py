"""What a recorded path took for granted about the tensors it is given.

How an argument lies in memory, where Python asked or where it settles what aliases
what; and whether it requires grad, where Python asked. Numbers depend on neither, so
most paths have no such conditions.
"""

from __future__ import annotations

from typing import Any, Iterator, NamedTuple, Optional

from ...tracer.pytree import flatten
from ...tracer.record import Recorder
from ...tracer.record import state as thread
from ...tracer.sizes import hint
from ...tracer.storage import tracked
from ..autograd.slots import leaf_of
from ..jit.paths.copies import parted
from ..tensor import Tensor

__all__ = ["Condition", "conditions_of"]


class Condition(NamedTuple):
    """Of argument `at`: its `strides` in elements (() for row-major order), or, where
    they are None, whether it requires `grad`; where `at` is None, whether gradients are
    wanted at all. `line` is where Python came to rely on it."""

    at: Optional[int]
    strides: Optional[tuple]
    grad: bool
    line: Optional[str] = None

    @property
    def key(self) -> tuple:
        """What tells it from others."""
        return self[:3]

    def __str__(self) -> str:
        if self.at is None:
            return f"grad mode {'on' if self.grad else 'off'}"
        if self.strides is None:
            return f"input {self.at} requires {'grad' if self.grad else 'no grad'}"
        if not self.strides:
            return f"input {self.at} in row-major order"
        return f"input {self.at} with strides {list(self.strides)}"

    def given(self, leaves: list) -> Optional[Condition]:
        """What a call gives instead; None where it holds."""
        if self.at is None:
            return _mode(self)
        t = leaves[self.at]
        now = _grad(t, self) if self.strides is None else _strides(t, self)
        return None if now == self.key else Condition(*now)


def _mode(wanted: Condition) -> Optional[Condition]:
    if thread.recorder is not None:
        thread.recorder.look_at_mode(thread.grad)
    now = bool(thread.grad)
    return None if now is wanted.grad else Condition(None, None, now)


def _grad(t: Tensor, wanted: Condition) -> tuple:
    rec = thread.recorder
    if rec is None:
        return wanted.at, None, tracked(t._storage, t._steps)
    live = rec.value_of(t).live
    rec.look(t, live)
    return wanted.at, None, live


def _strides(t: Tensor, wanted: Condition) -> tuple:
    rec = thread.recorder
    if rec is not None:
        rec.learn(t)
        if rec.is_contiguous(t):
            return wanted.at, (), False
        return wanted.at, tuple(map(hint, rec.strides_of(t))), False
    return wanted.at, _layout(t._array), False


def _layout(array: Any) -> tuple:
    """() for row-major, else strides in elements."""
    if array.flags.c_contiguous:
        return ()
    return tuple(s // array.itemsize for s in array.strides)


# -- from a recording


def conditions_of(recording: Any, leaves: list) -> tuple[Condition, ...]:
    """Those of the path that was recorded, by the arguments' numbers."""
    numbers = {id(t): i for i, t in enumerate(leaves) if isinstance(t, Tensor)}
    rec = recording.rec
    found = [*_laid_out(recording, numbers), *_variables(rec, numbers, leaves)]
    if "mode" in rec.variables:
        found.append(Condition(None, None, *rec.variables["mode"][1:]))
    return tuple(sorted(found, key=lambda c: (c.at is None, c.at, c.strides is None)))


def _laid_out(recording: Any, numbers: dict[int, int]) -> Iterator[Condition]:
    rec: Recorder = recording.rec
    matters = rec.learnt | parted(recording).keys() | _aliased(recording)
    for i, t in rec.layouts.items():
        if i in matters and i in numbers:
            yield Condition(numbers[i], _layout(t._array), False, rec.layout_lines[i])


def _aliased(recording: Any) -> set[int]:
    """What was written, or was handed out: in another layout it would be a copy."""
    results = flatten(recording.result)[0]
    seen = {t._storage for t in results if isinstance(t, Tensor)}
    seen.update(t._storage for t in recording.views)
    seen.update(storage for storage, _ in recording.writes)
    return {i for i, t in recording.rec.layouts.items() if t._storage in seen}


def _variables(
    rec: Recorder, numbers: dict[int, int], leaves: list
) -> Iterator[Condition]:
    asked = rec.variables
    flowing = {id(t) for t in rec.borders.values()}
    read = {id(i.owner) for i in rec.inputs}
    for i, at in numbers.items():
        if i in asked:
            yield Condition(at, None, *asked[i][1:])
        elif None in asked and i in read:  # of what it computed: any may be why
            grad = i in flowing or leaf_of(leaves[at]) is not None
            yield Condition(at, None, grad, asked[None][2])
