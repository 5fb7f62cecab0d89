"""Who takes what a function is given: an argument goes to certain calls and no others?

As consumers.py, of a variable. Once it was assigned anew, it is something else.
"""

from __future__ import annotations

import dis
import functools
import re
import types
from typing import Callable, Iterator, Optional

from .consumers import ATTRIBUTES, NOISE, is_of_globals, only_taken_by, taker_of

__all__ = ["argument_taken_by"]

_LOOKS = frozenset("locals vars dir eval exec".split())  # at all variables
_ABOUT = frozenset("shape dtype ndim size nbytes itemsize strides".split())
_PARTS = re.compile("(LOAD|STORE)_FAST")


def argument_taken_by(
    sites: set[tuple],
    name: str,
    code: types.CodeType,
    harmless: Callable[[tuple[str, ...]], bool],
) -> bool:
    """Whether what a function that runs once is given as `name` goes to these sites
    alone, which were met in a run.

    `harmless` says of a function, by its global name and attributes from there, that
    what is its first argument is safe with it: `len`, `torch.tensor`.
    """
    if not _LOOKS.isdisjoint(code.co_names):
        return False
    if name in code.co_cellvars:
        return only_taken_by(sites, name, [code], [code])
    steps = _steps(code)
    met = [at for where, at in sites if where is code]
    end = _assigned_at(code, steps, name, met)
    return all(
        _is_harmless(steps, at, harmless) or _goes_to(steps, at, met)
        for at in _loads(steps, name, end)
    )


def _loads(steps: list, name: str, end: int) -> Iterator[int]:
    """The positions at which the variable is loaded, or deleted, before `end`."""
    for at, step in enumerate(steps):
        if step.argval == name and step.offset < end and "_FAST" in step.opname:
            if not step.opname.startswith("STORE_"):
                yield at


def _goes_to(steps: list, at: int, met: list[int]) -> bool:
    """Whether what is loaded there goes to a site that does the same each time."""
    taker, first = taker_of(steps[at + 1 :])
    same = first and is_of_globals(steps, at - 1)
    return taker in met and (same or not _in_loop(steps, taker))


def _is_harmless(steps: list, at: int, harmless: Callable) -> bool:
    """Whether only what the array is, is asked there: `len(x)`, `x.shape`."""
    after = steps[at + 1]
    if after.opname in ATTRIBUTES and after.argval in _ABOUT:
        return True
    named = _named_before(steps, at)
    return bool(named) and taker_of(steps[at + 1 :])[1] and harmless(named)


def _named_before(steps: list, at: int) -> tuple[str, ...]:
    """The global, and attributes from there, that was loaded last; () if none was."""
    names: list[str] = []
    for step in reversed(steps[:at]):
        if step.opname == "LOAD_GLOBAL":
            return (step.argval, *reversed(names))
        if step.opname in ATTRIBUTES:
            names.append(step.argval)
        elif step.opname != "PUSH_NULL" or names:
            break
    return ()


def _assigned_at(code: types.CodeType, steps: list, name: str, met: list[int]) -> int:
    """The offset behind which the variable was another in that run."""
    for at, step in enumerate(steps):
        if step.opname == "STORE_FAST" and step.argval == name:
            run = any(_leads_to(code, steps, site, at) for site in met)
            if run or not _passed(code, steps, step.offset):
                return step.offset
    return len(code.co_code)


def _leads_to(code: types.CodeType, steps: list, site: int, at: int) -> bool:
    """Whether a run that came to the site went on to the step that assigns."""
    between = [s for s in steps[:at] if s.offset > site]
    targets = {s.argval for s in steps if _jumps(s)}
    return (
        site < steps[at].offset
        and not any(_jumps(s) or s.offset in targets for s in between)
        and steps[at].offset not in targets
        and not _in_loop(steps, site)
        and not _is_tried(code, steps, site)
    )


def _is_tried(code: types.CodeType, steps: list, site: int) -> bool:
    """Whether a `try` catches what is raised there."""
    first = {s.offset: n for n, s in enumerate(steps)}
    catches = [e.target for e in _caught(code) if e.start <= site < e.end]
    handlers = (steps[first[at] + 1].opname for at in catches if at in first)
    old = (s for s in steps if s.opname == "SETUP_FINALLY")
    return any(name != "WITH_EXCEPT_START" for name in handlers) or any(
        s.offset < site < s.argval for s in old
    )


def _passed(code: types.CodeType, steps: list, at: int) -> bool:
    """Whether something leads past that offset."""
    return any(_jumps(s) and s.offset < at < s.argval for s in steps) or any(
        entry.start < at < entry.target for entry in _caught(code)
    )


def _caught(code: types.CodeType) -> tuple:
    """The table of handlers that Python 3.11 and later have."""
    return tuple(getattr(dis.Bytecode(code), "exception_entries", ()))


def _in_loop(steps: list, at: Optional[int]) -> bool:
    return any(_jumps(s) and s.argval <= at <= s.offset for s in steps)


def _jumps(step: dis.Instruction) -> bool:
    leads = step.opcode in dis.hasjrel or step.opcode in dis.hasjabs
    return leads and type(step.argval) is int


@functools.lru_cache(maxsize=1024)
def _steps(code: types.CodeType) -> list[dis.Instruction]:
    """The instructions; those that do two things at once taken apart."""
    found: list[dis.Instruction] = []
    for step in dis.get_instructions(code):
        parts = _PARTS.findall(step.opname) if type(step.argval) is tuple else []
        if len(parts) > 1:
            named = zip(parts, step.argval)
            found += [step._replace(opname=f"{k}_FAST", argval=n) for k, n in named]
        elif step.opname not in NOISE:
            found.append(step)
    return found
