"""Values whose numbers Python cannot ask for, since each stands for many."""

from __future__ import annotations

from typing import Iterable

from ..errors import TraceError
from ..graph import Value, reachable
from ..where import user_line

__all__ = ["check_seen", "is_unseen"]


def is_unseen(v: Value) -> bool:
    """Whether a value depends on an input that nobody gave numbers."""
    return any(map(_is_blank, reachable([v], stop=lambda v: v.data is not None)))


def _is_blank(v: Value) -> bool:
    return v.op == "input" and v.data is None


def check_seen(nodes: Iterable[Value]) -> None:
    """TraceError when there is an input among the nodes that nobody gave numbers."""
    if any(map(_is_blank, nodes)):
        raise TraceError(
            f"{user_line()}: Python asks for the numbers of a tensor that stands for "
            "many: one for each example that vmap maps over, or one for each step of "
            "a loop, or (in a hook) one for each backward() outside. Choose by `where` "
            "or `cond` instead of an `if` or `while`, and keep a number as a tensor "
            "instead of `.item()`."
        )
