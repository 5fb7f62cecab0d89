"""Names as code looks them up: in its module, then among the builtins.

That a global shadows no builtin, or is not there at all, is as much a fact as its
value. A `looker` tells of all the names and cells that code looked at in one call; it
is a function of that module itself, so that each costs what it costs there: 2 ns.
"""

from __future__ import annotations

import builtins
import functools
import keyword
import types
from typing import Any, Callable, Sequence

from ..where import show_source

__all__ = ["Names", "is_name", "looker"]

_FILE = "<tracefuse looker>"


class Names:
    """The globals of a module, seen as a dict with the builtins behind."""

    def __init__(self, items: dict):
        self.items = items

    def get(self, key: str, default: Any = None) -> Any:
        """What the name means now."""
        if key in self.items:
            return self.items[key]
        behind = self.items.get("__builtins__", builtins)
        return (behind if isinstance(behind, dict) else vars(behind)).get(key, default)


show_source(_FILE, "", Names)  # it is no code of the user's


def is_name(key: Any) -> bool:
    """Whether code can say it."""
    return type(key) is str and key.isidentifier() and not keyword.iskeyword(key)


def looker(
    scope: dict,
    names: dict[str, Any],
    cells: Sequence[tuple] = (),
    attributes: Sequence[tuple] = (),
) -> Callable[[], bool]:
    """A function that tells whether names, cells and attributes are what is said here.

    `cells` are pairs (cell, content), `attributes` triples (owner, name, value).

    >>> scope = {"k": None}
    >>> same = looker(scope, {"k": None, "len": len})
    >>> same(), scope.update(len=sum), same()
    (True, None, False)
    """
    asked = tuple(name for _, name, _ in attributes)
    code = _code(tuple(names), len(cells), asked)
    then = (*names.values(), *(value for _, value in cells))
    then += tuple(x for owner, _, value in attributes for x in (owner, value))
    then += ((NameError, AttributeError),)
    free = {f"tracefuse_cell{i}": cell for i, (cell, _) in enumerate(cells)}
    closure = tuple(free[name] for name in code.co_freevars)
    return types.FunctionType(code, scope, "same", then, closure)


@functools.lru_cache(maxsize=1024)
def _code(names: tuple, cells: int, asked: tuple) -> types.CodeType:
    free = [f"tracefuse_cell{i}" for i in range(cells)]
    then = [f"tracefuse_then{i}" for i in range(len(names) + cells)]
    tests = [f"{name} is {value}" for name, value in zip([*names, *free], then)]
    for i, name in enumerate(asked):
        owner, value = f"tracefuse_owner{i}", f"tracefuse_was{i}"
        tests.append(f"{owner}.{name} is {value}")
        then += [owner, value]
    text = (
        f"def around({', '.join(free)}):\n"
        f"    def same({', '.join([*then, 'tracefuse_errors'])}):\n"
        f"        try: return {' and '.join(tests) or 'True'}\n"
        f"        except tracefuse_errors: return False\n"
        f"    return same\n"
    )
    made: dict[str, Any] = {}
    exec(compile(text, _FILE, "exec"), made)
    return made["around"](*free).__code__
