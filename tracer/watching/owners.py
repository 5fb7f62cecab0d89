"""Whose is it? Modules and classes of the user, and what names lead to in them."""

from __future__ import annotations

import dis
import functools
import sys
import types
from typing import Any, Iterable, Iterator, Optional

from ..where import is_our_file
from .codes import is_foreign_file
from .unwatched import is_standard

__all__ = [
    "asked_names",
    "is_dynamic",
    "behind",
    "globals_of",
    "is_ours",
    "is_standard_data",
    "is_users",
    "is_users_class",
    "looked_up",
    "names_of",
]

# Code that says one of these may read attributes by names that it does not say.
_DYNAMIC = frozenset(
    "__dict__ vars dir attrgetter methodcaller asdict astuple fields "
    "__getattribute__ getmembers AttributeError".split()
)
# Of these it depends on whether the name is written out.
_BY_NAME = frozenset(("getattr", "hasattr", "setattr"))
# Code that says one of these may look up globals by names that are texts.
_SCOPES = frozenset(
    "globals vars locals eval exec getattr hasattr __dict__ __globals__ f_globals "
    "modules import_module __import__".split()
)
_LOOKUPS = ("_GLOBAL", "_NAME", "_GLOBALS")  # how the steps end that look one up


def is_dynamic(codes: Iterable[types.CodeType]) -> bool:
    """Whether any of the code may read attributes whose names do not stand in it."""
    return any(map(_dynamic, codes))


@functools.lru_cache(maxsize=4096)
def _dynamic(code: types.CodeType) -> bool:
    names = set(code.co_names)
    if not _DYNAMIC.isdisjoint(names):
        return True
    inner = (c for c in code.co_consts if isinstance(c, types.CodeType))
    return any(map(_dynamic, inner)) or (
        not _BY_NAME.isdisjoint(names) and not _names_written_out(code)
    )


def asked_names(codes: Iterable[types.CodeType]) -> set[str]:
    """Names whose absence the code may notice: texts beside `getattr` or `hasattr`."""
    return {
        const
        for code in codes
        if not _BY_NAME.isdisjoint(code.co_names)
        for const in code.co_consts
        if isinstance(const, str) and const.isidentifier()
    }


def _names_written_out(code: types.CodeType) -> bool:
    """Whether every `getattr(x, "name")` in the code has a plain text for a name."""
    steps = iter(dis.get_instructions(code))
    for step in steps:
        if step.argval in _BY_NAME and step.opname.startswith("LOAD_"):
            texts = 0
            for part in steps:
                if part.opname.startswith(("CALL", "PRECALL")):
                    break
                if not part.opname.startswith(("LOAD_", "PUSH_NULL", "CACHE")):
                    return False
                texts += part.opname == "LOAD_CONST" and type(part.argval) is str
            if not texts:
                return False
    return True


def is_users(module: Optional[types.ModuleType]) -> bool:
    """Whether the module is of the user's program; None is one we cannot find."""
    if module is None:
        return True
    home = getattr(module, "__file__", None)
    if home is None:
        return not is_standard(module)
    return not is_foreign_file(home)


def is_ours(module: types.ModuleType) -> bool:
    """Whether the module is part of this library."""
    home = getattr(module, "__file__", None)
    return home is not None and is_our_file(home)


def is_users_class(kind: Any) -> bool:
    """Whether the class is of the user's program."""
    return is_users(sys.modules.get(kind.__module__))


def is_standard_data(kind: type) -> bool:
    """Whether code of the standard library keeps the object's attributes."""
    homes = (base.__module__ for base in kind.__mro__[:-1])
    return any(home in ("collections", "types", "enum") for home in homes)


def behind(value: Any) -> Iterator[Any]:
    """What a value in a class's dict leads to."""
    if isinstance(value, (staticmethod, classmethod)):
        yield value.__func__
    elif isinstance(value, property):
        yield from (value.fget, value.fset, value.fdel)
    elif isinstance(value, (functools.cached_property, functools.partialmethod)):
        yield value.func
    else:
        yield value


def names_of(codes: Iterable[types.CodeType]) -> Iterator[str]:
    """Names and strings in the code, nested functions included."""
    for code in codes:
        yield from code.co_names
        yield from code.co_freevars
        for const in code.co_consts:
            if isinstance(const, str):
                yield const
            elif isinstance(const, types.CodeType):
                yield from names_of([const])


def globals_of(code: types.CodeType, names: Iterable[str]) -> Iterable[str]:
    """Names that the code may look up as globals, where `names` occur in the program.

    A text is one of them only where some code could look a global up by a text: the
    key in `params["w"]` has nothing to do with a global `w`, nor has `p.data` with a
    loop over a global `data`.
    """
    return looked_up(code) if _SCOPES.isdisjoint(names) else names_of([code])


@functools.lru_cache(maxsize=4096)
def looked_up(code: types.CodeType) -> frozenset[str]:
    """Names that the code looks up as globals, nested functions included."""
    steps = dis.get_instructions(code)
    inner = (c for c in code.co_consts if isinstance(c, types.CodeType))
    found = {i.argval for i in steps if i.opname.endswith(_LOOKUPS)}
    return frozenset(found.union(*map(looked_up, inner)))
