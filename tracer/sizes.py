"""Symbolic sizes: integer polynomials over named dimensions.

A shape is a tuple of ints and `Dim`s. A Dim carries a *hint*, the size it had in the
example that was recorded, so that Python can go on where a comparison is undecided;
each such guess is reported to `guess.watcher`, which makes a guard of it.
"""

from __future__ import annotations

import math
import re
import sys
from keyword import iskeyword
from types import CodeType
from typing import Any, Callable, Optional, Union

from .bounds import decided
from .recording.mixed import as_number, complete, guess
from .where import is_library

__all__ = ["Dim", "Int", "numel", "hint", "sized", "told"]
__all__ += ["guess"]

Int = Union[int, "Dim"]


class Dim:
    """A named size, or a polynomial of such: ``2*batch + 1``.

    `min` and `max` bound the sizes a program accepts (inclusive).

    >>> b = Dim("batch").bind(8)
    >>> (b * 6 + 12) // 6, (b * 4) % 2, b + 1 == b
    (batch + 2, 0, False)
    """

    __slots__ = ("terms", "hint", "text", "min", "max")

    def __init__(self, name: str, *, min: int = 0, max: Optional[int] = None):
        if not isinstance(name, str) or not name.isidentifier() or iskeyword(name):
            raise ValueError(f"a Dim is named by a Python identifier, not {name!r}")
        self.terms: dict = {(name,): 1}
        self.hint: Optional[int] = None
        self.text, self.min, self.max = name, min, max

    @property
    def __name__(self) -> str:
        return self.text

    def bind(self, size: int) -> "Dim":
        """The same symbol with `size` as its hint."""
        new = Dim(self.text, min=self.min, max=self.max)
        new.hint = int(size)
        return new

    # A division that does not come out becomes an atom, written as Python does.
    def __add__(self, other: Int) -> Int:
        return _combine(self, other, 1)

    __radd__ = __add__

    def __sub__(self, other: Int) -> Int:
        return _combine(self, other, -1)

    def __rsub__(self, other: int) -> Int:
        return _combine(-self, other, 1)

    def __neg__(self) -> Int:
        return self * -1

    def __mul__(self, other: Int) -> Int:
        if not isinstance(other, (int, Dim)):
            return NotImplemented
        terms: dict = {}
        for a, x in self.terms.items():
            for b, y in _terms(other).items():
                key = tuple(sorted(a + b))
                terms[key] = terms.get(key, 0) + x * y
        return _make(terms, _both(self, other, lambda p, q: p * q))

    __rmul__ = __mul__

    def __floordiv__(self, other: Int) -> Int:
        quotient = _divide(self.terms, _terms(other))
        at = _both(self, other, lambda p, q: p // q)
        if quotient is not None:
            return _make(quotient, at)
        return _make({(f"(({self})//({other}))",): 1}, at)

    def __rfloordiv__(self, other: int) -> Int:
        at = _both(other, self, lambda p, q: p // q)
        return _make({(f"({other}//({self}))",): 1}, at)

    def __mod__(self, other: Int) -> Int:
        return self - (self // other) * other

    def __rmod__(self, other: int) -> Int:
        return other - (other // self) * self

    def __divmod__(self, other: Int) -> tuple[Int, Int]:
        return self // other, self % other

    def __rdivmod__(self, other: int) -> tuple[Int, Int]:
        return other // self, other % self

    def __pow__(self, power: Any) -> Any:
        if type(power) is not int or not 0 <= power < 9:
            return as_number(self) ** power
        return math.prod([self] * power) if power else 1

    # Comparisons: decided by algebra where possible, else by the hint, which is told.

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, (int, Dim)):
            return NotImplemented
        gap = self - other
        if isinstance(gap, int):
            return gap == 0
        return _guessed(f"{self} == {other}", hint(self) == hint(other))

    def __hash__(self) -> int:
        if guess.watcher is None or is_library(sys._getframe(1).f_code):
            return hash(self.text)
        return hash(int(self))  # among the user's own keys it is a number

    def __lt__(self, other: Int) -> bool:
        return self._order(other, "<", lambda gap: gap < 0)

    def __le__(self, other: Int) -> bool:
        return self._order(other, "<=", lambda gap: gap <= 0)

    def __gt__(self, other: Int) -> bool:
        return self._order(other, ">", lambda gap: gap > 0)

    def __ge__(self, other: Int) -> bool:
        return self._order(other, ">=", lambda gap: gap >= 0)

    def _order(self, other: Int, sign: str, test: Callable[[int], bool]) -> bool:
        gap = self - other
        if isinstance(gap, int):
            return test(gap)
        known = decided(gap.terms, {self.text: self.min}, test)
        text = f"{self} {sign} {other}"
        return _guessed(text, test(hint(gap))) if known is None else known

    def __bool__(self) -> bool:
        return self != 0

    def __int__(self) -> int:
        return _guessed(f"{self}", hint(self))

    __index__ = __trunc__ = __int__

    def __float__(self) -> float:
        return float(int(self))

    def __repr__(self) -> str:
        return told(self, sys._getframe(1).f_code)

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(int(self), spec) if spec else told(self, sys._getframe(1).f_code)

    def same(self, other: object) -> bool:
        """Equal by algebra alone: nothing is guessed."""
        return isinstance(other, Dim) and self.terms == other.terms


complete(Dim)


def told(size: Int, asker: CodeType) -> str:
    """The text of a size: a recorded program that makes one wants the number."""
    symbol = guess.watcher is None or is_library(asker)
    if isinstance(size, Dim):
        return size.text if symbol else str(int(size))
    return repr(size)


def _guessed(text: str, outcome):
    if guess.watcher is not None:
        guess.watcher(text, outcome)
    return outcome


def _terms(size: Int) -> dict:
    return size.terms if isinstance(size, Dim) else {(): int(size)} if size else {}


def hint(size: Int) -> int:
    """The size in the recorded example (an int is its own)."""
    if not isinstance(size, Dim):
        return size
    if size.hint is None:
        raise ValueError(f"the size {size} has no value yet: give an example first")
    return size.hint


def _both(a: Int, b: Int, op: Callable[[int, int], int]) -> Optional[int]:
    p = a.hint if isinstance(a, Dim) else a
    q = b.hint if isinstance(b, Dim) else b
    return None if p is None or q is None else op(p, q)


def _combine(a: Int, b: Int, sign: int) -> Int:
    if not isinstance(b, (int, Dim)):
        return NotImplemented
    terms = dict(_terms(a))
    for key, count in _terms(b).items():
        terms[key] = terms.get(key, 0) + sign * count
    return _make(terms, _both(a, b, lambda p, q: p + sign * q))


def _make(terms: dict, at: Optional[int]) -> Int:
    terms = {key: count for key, count in terms.items() if count}
    if not terms:
        return 0
    if len(terms) == 1 and () in terms:
        return terms[()]
    new = object.__new__(Dim)
    new.terms, new.hint, new.min, new.max = terms, at, 0, None
    new.text = _text(terms)
    return new


def _text(terms: dict) -> str:
    parts = []
    for key, count in sorted(terms.items(), key=lambda item: (-len(item[0]), item[0])):
        factors = ([str(count)] if count != 1 or not key else []) + list(key)
        parts.append("*".join(factors))
    return " + ".join(parts).replace("+ -", "- ")


def _divide(top: dict, bottom: dict) -> Optional[dict]:
    """Exact division by one term, or by a polynomial that `top` is a multiple of."""
    if len(bottom) == 1:
        ((key, count),) = bottom.items()
        return _divide_term(top, key, count)
    lead = next(iter(bottom), None)
    if lead is None or top.keys() != bottom.keys() or top[lead] % bottom[lead]:
        return None
    ratio = top[lead] // bottom[lead]
    fits = all(top[key] == count * ratio for key, count in bottom.items())
    return {(): ratio} if fits else None


def _divide_term(top: dict, key: tuple, count: int) -> Optional[dict]:
    quotient = {}
    for atoms, amount in top.items():
        left = list(atoms)
        for atom in key:
            if atom not in left:
                return None
            left.remove(atom)
        if amount % count:
            return None
        quotient[tuple(left)] = amount // count
    return quotient


def same_size(a: Int, b: Int) -> bool:
    """Equal by algebra alone: nothing is guessed, so that no guard comes of it."""
    if isinstance(a, Dim):
        return a.same(b)
    return not isinstance(b, Dim) and a == b


def same_shape(a: tuple, b: tuple) -> bool:
    """Equal axis by axis, by algebra alone."""
    return a is b or (len(a) == len(b) and all(map(same_size, a, b)))


def sized(n: object) -> str:
    """The expression for a size; symbols have names that nothing else has."""
    return re.sub(r"[^\W\d]\w*", r"size_\g<0>", str(n))


def numel(shape: tuple) -> Int:
    """The number of elements of `shape`."""
    count: Int = 1
    for size in shape:
        count = count * size
    return count
