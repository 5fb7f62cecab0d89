"""What one turn of a Python loop can run and change: a look at its bytecode.

A recording that meets the same instruction of the same frame twice may be in a loop.
Whether the next turn is bound to do what this one did depends on what lies between:
`turn_of` finds the instructions of a frame that can run from one visit to the next and
says why they might change more than local variables, or advance an iterator.
"""

from __future__ import annotations

import bisect
import dis
import functools
import types
from typing import Iterable, Iterator, NamedTuple, Optional

from .mutation import ALWAYS, CHANGES, IN_PLACE

__all__ = ["Turn", "change_in", "is_alone", "turn_of"]

_ENDS = frozenset("RETURN_VALUE RETURN_CONST RAISE_VARARGS RERAISE".split())
_STORES = {
    "STORE_ATTR": "assigns an attribute",
    "DELETE_ATTR": "deletes an attribute",
    "STORE_SUBSCR": "assigns an item",
    "DELETE_SUBSCR": "deletes an item",
    "STORE_SLICE": "assigns items",
    "STORE_GLOBAL": "assigns a global",
    "DELETE_GLOBAL": "deletes a global",
    "STORE_NAME": "assigns a global",
    "IMPORT_NAME": "imports a module",
}
_WAITS = frozenset("YIELD_VALUE YIELD_FROM SEND GET_AWAITABLE GET_AITER".split())
_SUSPENDED = 0x20 | 0x80 | 0x100 | 0x200  # generators and coroutines


class Turn(NamedTuple):
    """A place in a loop: its instructions by offset, and why they are no pure turn."""

    offsets: frozenset
    problem: Optional[str]


class _Code:
    """The instructions of a code object: where each leads, how deep the stack is."""

    def __init__(self, code: types.CodeType):
        self.code = code
        self.steps = list(dis.get_instructions(code))
        self.at = {i.offset: n for n, i in enumerate(self.steps)}
        self.offsets = [i.offset for i in self.steps]
        self.after = [list(self._leads(n)) for n in range(len(self.steps))]
        self.depth = self._depths()
        self.handlers = self._handlers()

    def number(self, offset: int) -> int:
        """The instruction at an offset, which may be that of its inline cache."""
        return bisect.bisect_right(self.offsets, offset) - 1

    def _leads(self, n: int) -> Iterator[tuple[int, bool]]:
        i = self.steps[n]
        jumps = i.opcode in _JUMPS
        if jumps and not i.opname.startswith(("SETUP_", "SEND")):
            yield self.at[i.argval], True
        ends = i.opname in _ENDS or (jumps and _always(i.opname))
        if not ends and n + 1 < len(self.steps):
            yield n + 1, False

    def _depths(self) -> dict[int, int]:
        """How many values lie on the stack before each instruction (no handlers)."""
        depth, stack = {0: 0}, [0]
        while stack:
            n = stack.pop()
            i = self.steps[n]
            for after, jump in self.after[n]:
                if after not in depth:
                    depth[after] = depth[n] + _effect(i, jump)
                    stack.append(after)
        return depth

    def _handlers(self) -> list[tuple[range, int]]:
        """What runs when an instruction raises: (the numbers of those, the first)."""
        if hasattr(dis, "Bytecode") and hasattr(self.code, "co_exceptiontable"):
            entries = dis.Bytecode(self.code).exception_entries  # type: ignore
            return [(self._numbers(e.start, e.end), self.at[e.target]) for e in entries]
        setups = [i for i in self.steps if i.opname.startswith("SETUP_")]
        return [(range(self.at[i.offset], n), n) for i in setups for n in self._to(i)]

    def _to(self, i: dis.Instruction) -> list[int]:
        return [self.at[i.argval]]

    def _numbers(self, start: int, end: int) -> range:
        inside = [n for n, i in enumerate(self.steps) if start <= i.offset < end]
        return range(inside[0], inside[-1] + 1) if inside else range(0)

    def between(self, n: int, outcome: Optional[bool]) -> set[int]:
        """The instructions that can run from a visit of `n` to the next one."""
        starts = [after for after, _ in self.after[n]]
        test = n + 1 if self.steps[n].opname in _TESTS else n
        if "POP_JUMP" in self.steps[test].opname and outcome is not None:
            wanted = _jumps_on(self.steps[test].opname, outcome)
            starts = [a for a, jump in self.after[test] if jump is wanted]
        there = self._reach(starts, n)
        before: dict[int, set[int]] = {}
        for m in there:
            for after in self._follows(m):
                before.setdefault(after, set()).add(m)
        found, stack = set(), [n]
        while stack:
            for m in before.get(stack.pop(), ()):
                if m not in found:
                    found.add(m)
                    stack.append(m)
        return found | ({n, test} if found or n in starts else set())

    def _follows(self, n: int) -> list[int]:
        raised = [first for inside, first in self.handlers if n in inside]
        return [after for after, _ in self.after[n]] + raised

    def _reach(self, starts: list[int], end: int) -> set[int]:
        seen, stack = set(starts), [n for n in starts if n != end]
        while stack:
            for after in self._follows(stack.pop()):
                if after not in seen:
                    seen.add(after)
                    if after != end:
                        stack.append(after)
        return seen - {end}

    def left(self, n: int) -> Optional[int]:
        """How many values lie on the stack beside what instruction `n` works on."""
        i = self.steps[n]
        if n not in self.depth or not (i.opname in _LOOKS or _pops(i.opname)):
            return None
        return self.depth[n] + _effect(i, False) - (not _pops(i.opname))


_JUMPS = frozenset((*dis.hasjrel, *dis.hasjabs, *getattr(dis, "hasjump", ())))
_TESTS = ("TO_BOOL", "COMPARE_OP")
_LOOKS = frozenset(
    "TO_BOOL COMPARE_OP UNARY_NOT CALL CALL_KW CALL_FUNCTION CALL_METHOD "
    "CALL_FUNCTION_KW CALL_FUNCTION_EX".split()
)


def _always(name: str) -> bool:
    return name.startswith("JUMP_") and "IF" not in name


def _pops(name: str) -> bool:
    return name.startswith("POP_JUMP") and "NONE" not in name


def _jumps_on(name: str, outcome: bool) -> bool:
    return ("IF_TRUE" in name) is outcome


def _effect(i: dis.Instruction, jump: bool) -> int:
    arg = i.arg if i.opcode >= dis.HAVE_ARGUMENT else None
    return dis.stack_effect(i.opcode, arg, jump=jump)


@functools.lru_cache(maxsize=1024)
def _facts(code: types.CodeType) -> _Code:
    return _Code(code)


@functools.lru_cache(maxsize=4096)
def turn_of(
    code: types.CodeType, offset: int, outcome: Optional[bool]
) -> Optional[Turn]:
    """What can run in `code` from a test at `offset` that gave `outcome` to the next.

    None when it can never come there again. Without `outcome` it may go on either way.
    """
    facts = _facts(code)
    n = facts.number(offset)
    inside = facts.between(n, outcome) if n >= 0 else set()
    if not inside:
        return None
    offsets = frozenset(facts.steps[m].offset for m in inside)
    return Turn(offsets, _problem(facts, n, inside))


def _problem(facts: _Code, n: int, inside: set[int]) -> Optional[str]:
    if facts.code.co_flags & _SUSPENDED:
        return "it is in a generator or coroutine"
    left = facts.left(n)
    if left is None:
        return "Python looks at a value amid an expression"
    for m in sorted(inside):
        depth, i = facts.depth.get(m), facts.steps[m]
        if depth is not None and depth < left:
            return "Python looks at a value amid an expression"
        if i.opname == "FOR_ITER" and (depth is None or depth <= left):
            return "an iterator is in the middle of its work"
    return next(_changes(facts, sorted(inside)), None)


def _changes(facts: _Code, inside: Iterable[int]) -> Iterator[str]:
    for n in inside:
        i, after = facts.steps[n], facts.steps[n + 1 : n + 2]
        yield from _change(facts.code, i)
        keeps = after and after[0].opname.startswith("STORE_FAST")
        if _in_place(i) and not keeps:
            yield "it changes something in place that is no local variable"


def _change(code: types.CodeType, i: dis.Instruction) -> Iterator[str]:
    if i.opname in _STORES:
        yield f"it {_STORES[i.opname]}"
    elif i.opname == "STORE_DEREF" and i.argval in code.co_freevars:
        yield "it assigns a variable of another function"
    elif i.opname in _WAITS:
        yield "it waits"
    elif i.opname in _NAMED and i.argval in _CHANGING:
        yield f"it calls {i.argval}"


_CHANGING = ALWAYS | CHANGES | IN_PLACE
_NAMED = frozenset("LOAD_METHOD LOAD_ATTR LOAD_GLOBAL LOAD_NAME LOAD_DEREF".split())


def _in_place(i: dis.Instruction) -> bool:
    if i.opname.startswith("INPLACE_"):
        return True
    return i.opname == "BINARY_OP" and i.argrepr.endswith("=")


def is_alone(code: types.CodeType, offset: int) -> bool:
    """Whether nothing but what the instruction there works on lies on the stack."""
    facts = _facts(code)
    n = facts.number(offset)
    return n >= 0 and facts.left(n) == 0 and not code.co_flags & _SUSPENDED


@functools.lru_cache(maxsize=4096)
def change_in(code: types.CodeType) -> Optional[str]:
    """Why a call of `code` may change more than what it makes itself."""
    if code.co_flags & _SUSPENDED:
        return f"it resumes {code.co_name}"
    for i in dis.get_instructions(code):
        for why in _change(code, i):
            return f"{why} in {code.co_name}"
        if _in_place(i):
            return f"it changes something in place in {code.co_name}"
    return None
