"""Who takes what code loads: is a name's value given to certain calls and no others?

A look at bytecode, on the safe side: where it does not know an instruction, somebody
else may have taken the value.
"""

from __future__ import annotations

import dis
import functools
import types
from typing import Iterable, Iterator, Optional

__all__ = ["ATTRIBUTES", "NOISE", "is_of_globals", "only_taken_by", "site", "taker_of"]

# Instructions that take nothing from the stack and put that many things there.
_PUT = {
    **dict.fromkeys("LOAD_FAST LOAD_CONST LOAD_GLOBAL LOAD_DEREF LOAD_NAME".split(), 1),
    **dict.fromkeys("LOAD_FAST_CHECK LOAD_FAST_BORROW LOAD_SMALL_INT".split(), 1),
    **dict.fromkeys("PUSH_NULL LOAD_CLASSDEREF".split(), 1),
    **dict.fromkeys("CACHE PRECALL KW_NAMES EXTENDED_ARG NOP RESUME".split(), 0),
    "LOAD_FAST_LOAD_FAST": 2,
}
_PAIRS = frozenset("COMPARE_OP IS_OP CONTAINS_OP".split())
_CALLS = {  # what they take besides their arguments
    **{"CALL": 2, "CALL_FUNCTION": 1, "CALL_METHOD": 2, "CALL_FUNCTION_KW": 2},
    "CALL_KW": 3,
}
NOISE = frozenset("CACHE PRECALL EXTENDED_ARG NOP".split())
ATTRIBUTES = ("LOAD_ATTR", "LOAD_METHOD")
_CELLS = frozenset("LOAD_CLOSURE MAKE_CELL COPY_FREE_VARS LOAD_FAST".split())


def site(frame: types.FrameType) -> tuple[types.CodeType, int]:
    """The call or operation that a frame is in the middle of."""
    starts = _starts(frame.f_code)
    return frame.f_code, max(at for at in starts if at <= max(frame.f_lasti, 0))


@functools.lru_cache(maxsize=4096)
def _starts(code: types.CodeType) -> tuple[int, ...]:
    steps = dis.get_instructions(code)
    return tuple(i.offset for i in steps if i.opname != "CACHE")


def only_taken_by(
    sites: set[tuple],
    name: str,
    codes: Iterable[types.CodeType],
    once: Iterable[types.CodeType] = (),
) -> bool:
    """Whether what the codes load by `name` goes to these sites alone.

    A site must do the same each time: it calls what a global leads to, or it is in one
    of the codes that ran `once`, and in no loop.
    """
    firm = [code for code in once if not _loops(code)]
    takers = [taker for code in codes for taker in _takers(code, name)]
    return bool(takers) and all(
        t is not None and t[:2] in sites and (t[2] or t[0] in firm) for t in takers
    )


@functools.lru_cache(maxsize=4096)
def _loops(code: types.CodeType) -> bool:
    steps = dis.get_instructions(code)
    return any(
        i.opname == "FOR_ITER"
        or ("JUMP" in i.opname and type(i.argval) is int and i.argval <= i.offset)
        for i in steps
    )


@functools.lru_cache(maxsize=4096)
def _takers(code: types.CodeType, name: str) -> tuple:
    """Who takes each value that is loaded by the name: (code, offset, whether it is
    always the same function). None where nobody can tell."""
    found = list(_all_takers(code, name))
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            found += _takers(const, name)
        elif const == name:  # it may be asked for by a text
            found.append(None)
    return tuple(found)


def _all_takers(code: types.CodeType, name: str) -> Iterator[Optional[tuple]]:
    steps = [i for i in dis.get_instructions(code) if i.opname not in NOISE]
    for at, step in enumerate(steps):
        if step.argval != name or step.opname in _CELLS:
            continue
        if step.opname.startswith("LOAD_") and step.opname != "LOAD_CONST":
            taker, first = taker_of(steps[at + 1 :])
            same = first and is_of_globals(steps, _begin(steps, at) - 1)
            yield None if taker is None else (code, taker, same)
        elif not step.opname.startswith("STORE_FAST"):
            yield None


def _begin(steps: list, at: int) -> int:
    """Where the chain of attributes begins that ends there."""
    while steps[at].opname in ATTRIBUTES:
        at -= 1
    return at


def is_of_globals(steps: list, at: int) -> bool:
    """Whether what is loaded there, to be called, is a global or in one."""
    at -= at >= 0 and steps[at].opname == "PUSH_NULL"
    at = _begin(steps, at) if at >= 0 else at
    return at >= 0 and steps[at].opname in ("LOAD_GLOBAL", "LOAD_NAME")


def taker_of(steps: list) -> tuple[Optional[int], bool]:
    """The offset of the call or operation that takes what lies on top, and whether
    that is the first argument of a call."""
    above = 0
    for step in steps:
        op = step.opname
        if op in _PUT:
            above += _PUT[op] + (op == "LOAD_GLOBAL" and _two(step))
        elif op in ATTRIBUTES and above:
            above += op == "LOAD_METHOD" or _two(step)
        elif op in _PAIRS or (op.startswith("BINARY_") and op != "BINARY_SLICE"):
            if above < 2:
                return step.offset, False
            above -= 1
        elif op in _CALLS:
            takes = step.arg + _CALLS[op]
            if above < takes:
                named = op.endswith("_KW")  # their names lie above
                first = step.arg == above - named + 1
                return (step.offset if above < takes - 1 else None), first
            above -= takes - 1
        else:
            break
    return None, False


def _two(step: dis.Instruction) -> bool:
    """Whether it puts a place for `self` beside what it loads."""
    return "NULL" in step.argrepr
