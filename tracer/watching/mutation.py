"""Could this code change Python state that outlives a call? A look at its bytecode."""

from __future__ import annotations

import dis
import functools
import types
from typing import Iterable

__all__ = ["ALWAYS", "CHANGES", "IN_PLACE", "asks_for_identity", "asks_for_ints"]
__all__ += ["asks_for_types", "may_mutate"]

CHANGES = frozenset(
    "append extend insert pop remove clear update add discard setdefault popitem "
    "sort reverse appendleft popleft extendleft rotate __setitem__ __delitem__ "
    "intersection_update difference_update symmetric_difference_update move_to_end "
    "heappush heappop heapify insort insort_left insort_right".split()
)
ALWAYS = frozenset("__setattr__ setattr __delattr__ delattr next send __next__".split())
IN_PLACE = frozenset(
    f"{before}i{name}{before}"
    for before in ("", "__")
    for name in "add sub mul matmul truediv floordiv mod pow and or xor lshift rshift "
    "concat".split()
) | {"setitem", "delitem"}
_SLOTS = frozenset(("grad", "data", "requires_grad"))  # of tensors: recorded anyway


@functools.lru_cache(maxsize=4096)
def _mutations(code: types.CodeType) -> tuple[bool, bool]:
    """Whether the code may change containers, and whether anything else."""
    names = set(code.co_names)
    items, others = not CHANGES.isdisjoint(names), not ALWAYS.isdisjoint(names)
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


@functools.lru_cache(maxsize=4096)
def _asks(code: types.CodeType) -> bool:
    """Whether the code says `type(x)` of anything but `self` or `cls`."""
    steps = [i for i in dis.get_instructions(code) if i.opname not in _NOISE]
    pairs = zip(steps, [*steps[1:], None])
    loads = [after for i, after in pairs if "LOAD" in i.opname and i.argval == "type"]
    return any(after is None or after.argval not in _SELVES for after in loads)


_NOISE = frozenset("PUSH_NULL CACHE NOP PRECALL EXTENDED_ARG RESUME".split())
_SELVES = ("self", "cls", "__class__")


def asks_for_types(codes: Iterable[types.CodeType]) -> bool:
    """Whether any of the code could tell a traced number from a plain one."""
    return any(map(_asks, codes))


def asks_for_ints(codes: Iterable[types.CodeType]) -> bool:
    """Whether any of the code may ask if a size is an int: a symbol says no."""
    return any(
        "isinstance" in code.co_names and not _INTS.isdisjoint(code.co_names)
        for code in codes
    )


_INTS = frozenset("int Integral Number Real Rational Complex".split())


def asks_for_identity(codes: Iterable[types.CodeType]) -> bool:
    """Whether any of the code could notice which of two equal tensors it has."""
    return any(map(_compares, codes))


_LOOKS = frozenset("id index count remove is_ is_not contains".split())


@functools.lru_cache(maxsize=4096)
def _compares(code: types.CodeType) -> bool:
    steps = [i for i in dis.get_instructions(code) if i.opname not in _NOISE]
    befores = zip(steps, [None, *steps])
    found = any(
        i.opname == "CONTAINS_OP"
        or (i.opname == "IS_OP" and (before is None or before.opname != "LOAD_CONST"))
        for i, before in befores
    )
    return found or not _LOOKS.isdisjoint(code.co_names)
