"""Tensors from outside that a recording lets look at other memory (`t.data = new`).

Python must see the tensor as it is now; the recording still has to know where its
numbers came from when it began. So a stand-in that is what the tensor was takes its
place in the books, and the tensor itself goes on like one that was made here.
"""

from __future__ import annotations

from typing import Any

from ..storage import Leaf, Storage
from .overlay import Input, Shadow

__all__ = ["Moving"]

_FIELDS = ("_storage", "_steps", "_array", "_value", "_seen")


class Moving:
    """The part of a recorder that knows of such tensors."""

    inputs: list[Input]
    shadows: dict[Storage, Shadow]
    seen: dict[int, tuple]
    derived: dict[int, tuple]
    leaf_values: dict[Leaf, tuple]
    borders: dict[int, Any]
    shapes: dict[int, tuple]
    layouts: dict[int, Any]
    layout_lines: dict[int, Any]
    moved: dict[int, tuple]  # id(tensor) -> (it, what it was)

    def move(self, t: Any) -> None:
        """`t` is about to look at other memory."""
        self.seen.pop(id(t), None)
        if t._steps and t._steps[-1][0] == "leaf":
            self.leaf_values.pop(t._steps[-1][1]["of"], None)
        if t._array is None or id(t) in self.moved:
            return
        before = object.__new__(type(t))
        for name in _FIELDS:
            setattr(before, name, getattr(t, name))
        before._grad = None
        self.moved[id(t)] = (t, before)
        self._stand_in(t, before)
        self.adopt(t)  # type: ignore[attr-defined]

    def before(self, t: Any) -> Any:
        """What stands for `t` as it was when the recording began."""
        return self.moved.get(id(t), (t, t))[1]

    def put_back(self) -> None:
        """Let them look again at what they looked at (a failure of ours)."""
        for t, before in self.moved.values():
            for name in _FIELDS:
                setattr(t, name, getattr(before, name))
            t._seen = -1

    def _stand_in(self, t: Any, before: Any) -> None:
        """In the books `before` takes the place of `t`."""
        shadow = self.shadows.get(t._storage)
        if shadow is not None and shadow.owner is t:
            shadow.owner = before
        self.inputs[:] = [
            i._replace(owner=before) if i.owner is t else i for i in self.inputs
        ]
        for key, owner in self.borders.items():
            self.borders[key] = before if owner is t else owner
        for key, (view, owner) in self.derived.items():
            self.derived[key] = (view, before if owner is t else owner)
        if id(t) in self.derived:
            self.derived[id(before)] = (before, self.derived.pop(id(t))[1])
        if id(t) in self.shapes:
            self.shapes[id(before)] = (before, self.shapes.pop(id(t))[1])
        if self.layouts.pop(id(t), None) is not None:
            self.layouts[id(before)] = before
            self.layout_lines[id(before)] = self.layout_lines.pop(id(t))
