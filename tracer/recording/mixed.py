"""Sizes beside floats: arithmetic that goes beyond integer polynomials.

`x.shape[0] * 0.5` is no size. Where a recording follows Python numbers it becomes one
of these (numbers.py); elsewhere the size is taken as the number it is, with a guard.
"""

from __future__ import annotations

import operator
import threading
from typing import Any, Callable, Optional

__all__ = ["as_number", "complete", "guess"]


class Guess(threading.local):
    """Who is told that a comparison was answered by the hint: f(text, outcome)."""

    watcher: Optional[Callable[[str, object], None]] = None
    number: Optional[Callable[[Any], Any]] = None  # a size as a traced number


guess = Guess()


def as_number(size: Any) -> Any:
    """A traced number, else what the size is."""
    return int(size) if guess.number is None else guess.number(size)


def complete(kind: type) -> None:
    """Give a class of sizes the rest of what an int can do."""
    names = "add sub mul floordiv mod truediv and or xor lshift rshift pow"
    for name in names.split():
        op = getattr(operator, f"__{name}__")
        _wrap(kind, f"__{name}__", op, False)
        _wrap(kind, f"__r{name}__", op, True)
    for name in "eq lt le gt ge".split():
        _wrap(kind, f"__{name}__", getattr(operator, name), False)
    for name in ("invert", "abs"):
        setattr(kind, f"__{name}__", _alone(getattr(operator, name)))
    kind.__getattr__ = _attribute  # type: ignore[attr-defined]


def _wrap(kind: type, name: str, op: Callable, flip: bool) -> None:
    """`name` as the class has it for sizes and ints, `op` on numbers for others."""
    method = vars(kind).get(name)

    def wrapped(self: Any, other: Any) -> Any:
        given = type(other)
        if method is not None and (given is int or given is kind):
            return method(self, other)
        if not isinstance(other, (int, float, kind)):
            return NotImplemented
        pair = as_number(self), as_number(other) if given is kind else other
        return op(*pair[::-1]) if flip else op(*pair)

    setattr(kind, name, wrapped)


def _alone(op: Callable) -> Callable:
    return lambda self: op(as_number(self))


def _attribute(self: Any, name: str) -> Any:
    if name.startswith("_") or not hasattr(int, name):
        raise AttributeError(f"'int' object has no attribute {name!r}")
    return getattr(int(self), name)
