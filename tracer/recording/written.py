"""What a write means to gradients, once the numbers are overwritten.

Who was a result of variables stays one, even where all its numbers are others: their
gradient is an exact zero. And what is written behind the back of gradients (through
`detach()`, or under no_grad) changes numbers only: they flow as if nothing had been.
"""

from __future__ import annotations

from typing import Any, Sequence

from ..graph import Graph, Value, constant, make, placeholder
from ..storage import Steps, put
from ..types import bool_

__all__ = ["hides", "rewritten"]


def hides(steps: Steps) -> bool:
    """Whether gradients do not see through a view."""
    for op, _ in reversed(steps):
        if op in ("leaf", "stop_gradient"):
            return op == "stop_gradient"
    return False


def rewritten(root: Value, steps: Steps, new: Value, hidden: bool = False) -> Value:
    """`root` after the view `steps` of it was overwritten with `new`."""
    made = put(root, steps, new)
    if not root.live:
        return made
    if hidden and not new.live:
        return _as_before(root, made)
    if any(op == "slice" for op, _ in steps):
        return made  # the rest of it is what it was
    return make("where", (constant(False, root.shape, bool_), root, made))


def _as_before(old: Value, new: Value) -> Value:
    """The numbers of `new` and the history of `old`."""
    inputs = [placeholder(x, v.shape, v.dtype) for x, v in zip("xy", (old, new))]
    graph = Graph("written", inputs, inputs[1:])
    graph.memo["rule"] = _RULE
    call = make("call", (old, make("stop_gradient", (new,))), graph=graph)
    return make("item", (call,), index=0)


class _Through:
    """The derivative of `_as_before`: what arrives belongs to what was there."""

    name, saves = "CopySlices", False

    def __call__(self, call: Value, parts: Any, wanted: Sequence[bool]) -> list:
        return [parts.get(0), None]


_RULE = _Through()
