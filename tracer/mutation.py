"""Could this code change Python state that outlives a call? A look at its bytecode."""

from __future__ import annotations

import dis
import functools
import types
from typing import Iterable

__all__ = ["may_mutate"]

_CHANGES = frozenset(
    "append extend insert pop remove clear update add discard setdefault popitem "
    "sort reverse appendleft popleft extendleft rotate __setitem__ __delitem__ "
    "intersection_update difference_update symmetric_difference_update move_to_end "
    "heappush heappop heapify insort insort_left insort_right".split()
)
_ALWAYS = frozenset(
    "__setattr__ setattr __delattr__ delattr next send __next__".split()
)
_SLOTS = frozenset(("grad", "data", "requires_grad"))  # of tensors: recorded anyway


@functools.lru_cache(maxsize=4096)
def _mutations(code: types.CodeType) -> tuple[bool, bool]:
    """Whether the code may change containers, and whether anything else."""
    names = set(code.co_names)
    items, others = not _CHANGES.isdisjoint(names), not _ALWAYS.isdisjoint(names)
    for i in dis.get_instructions(code):
        items |= i.opname in ("STORE_SUBSCR", "DELETE_SUBSCR", "STORE_SLICE")
        others |= i.opname in ("STORE_GLOBAL", "DELETE_GLOBAL", "DELETE_ATTR")
        others |= i.opname == "STORE_ATTR" and i.argval not in _SLOTS
        others |= i.opname == "STORE_DEREF" and i.argval in code.co_freevars
    return items, others


def may_mutate(codes: Iterable[types.CodeType], containers: bool) -> bool:
    """Whether any of the code could change Python state that outlives the call.

    `containers` says whether it can reach a list, dict or set that does.
    """
    found = [_mutations(code) for code in codes]
    return any(others or (items and containers) for items, others in found)
