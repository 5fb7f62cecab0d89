"""Strides in a recording: what they are, and who came to depend on them.

Numbers do not depend on how a tensor lies in memory, but what aliases what may
(`reshape` copies where it cannot view), and Python can ask (`x.stride()`).
"""

from __future__ import annotations

import operator
from typing import Any, Optional

from ..sizes import Dim, Int
from ..storage import (
    Storage,
    check_writable,
    contiguous,
    memory_steps,
    row_major,
    step_strides,
)
from ..where import user_line

__all__ = ["Layouts"]


class Layouts:
    """The part of a recorder that knows of strides."""

    shadows: dict[Storage, Any]
    layouts: dict[int, Any]  # id(tensor) -> tensor whose strides matter
    layout_lines: dict[int, Optional[str]]  # the same -> the user's line that asked
    learnt: set[int]  # ids of those whose strides Python knows, or that were viewed
    parted: list[tuple]  # (id, a copy made because of its strides, from what to what)
    variables: dict[Any, tuple]  # id, None or "mode" -> (tensor, answer, line): asked
    grad: bool  # the mode in which it began

    def _place(self, t: Any) -> tuple:
        raise NotImplementedError

    def shape_of(self, t: Any) -> tuple:
        """The shape, symbolic where sizes are."""
        raise NotImplementedError

    def strides_of(self, t: Any) -> tuple:
        """Strides in elements, as the plain program would have them."""
        if t._storage.maker is self:
            shape = t._storage.value.shape
            return self._walk_strides(shape, row_major(shape), t._steps)
        if t._array is not None:
            return self._array_strides(t)
        root, steps, _ = self._place(t)
        owner = self.laid_out(t)
        base = row_major(root.shape) if owner is None else self._array_strides(owner)
        return self._walk_strides(root.shape, base, steps)

    def laid_out(self, t: Any) -> Any:
        """The tensor from outside whose layout settles that of `t`, or None."""
        if t._storage.maker is self or t._array is not None:
            return t if t._array is not None else None
        self._place(t)
        shadow = self.shadows[t._storage]
        same = memory_steps(shadow.owner._steps) == shadow.steps
        return shadow.owner if same else None

    def _array_strides(self, t: Any) -> tuple:
        if id(t) not in self.layouts:
            self.layouts[id(t)], self.layout_lines[id(t)] = t, user_line()
        shape = self.shape_of(t)
        if t._array.flags.c_contiguous:
            return row_major(shape)
        strides = tuple(s // t._array.itemsize for s in t._array.strides)
        return tuple(_told(step, shape, strides) for step in strides)

    @staticmethod
    def _walk_strides(shape: tuple, strides: tuple, steps: tuple) -> tuple:
        for op, attrs in steps:
            shape, strides = step_strides(shape, strides, op, attrs)
        return strides

    def is_contiguous(self, t: Any) -> bool:
        """Whether the plain program would find `t` in row-major order."""
        return contiguous(self.shape_of(t), self.strides_of(t))

    def check_writable(self, t: Any) -> None:
        """An error where `t`, of the outside, cannot be written (storage.py)."""
        seen = self.shadows[t._storage].owner if t._array is None else t
        check_writable(seen._array, seen._storage.array)

    def learn(self, t: Any) -> None:
        """Python was told how `t` lies in memory."""
        self.learnt.add(id(self.laid_out(t)))

    def tell_contiguous(self, t: Any) -> bool:
        """The same as an answer to Python, which guards hold for."""
        self.learn(t)
        return contiguous(self.shape_of(t), self.strides_of(t), operator.eq)

    def part(self, t: Any, copy: Any) -> None:
        """`copy` was made because of how `t` lies in memory."""
        change = self.shape_of(t), self.strides_of(t), self.shape_of(copy)
        self.parted.append((id(self.laid_out(t)), copy._storage, change))

    def look(self, t: Any, answer: bool) -> None:
        """Python was told whether `t` requires grad (of what was made or written here:
        for all that came from outside)."""
        shadow = self.shadows.get(t._storage)
        mine = t._array is None or (shadow is not None and shadow.version)
        key = None if mine else id(t)
        self.variables.setdefault(key, (None if mine else t, answer, user_line()))
        if mine:
            self.look_at_mode(self.grad)

    def look_at_mode(self, answer: bool) -> None:
        """Python was told the grad mode, or what comes of it."""
        if answer is self.grad:  # else it was set inside
            self.variables.setdefault("mode", (None, answer, user_line()))


def _told(step: int, shape: tuple, strides: tuple) -> Int:
    """The stride, by a symbolic size where that is what it comes from.

    Whether one axis goes on where another ends is asked, so that a guard says it.
    """
    for n, below in zip(shape, strides):
        if isinstance(n, Dim) and below <= step and n * below == step:
            return n * below
    return step
