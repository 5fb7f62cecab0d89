"""Index algebra: where an element lies, as a sum of multiples of tile coordinates.

A kernel walks over *groups* of axes, each by one flat coordinate (`i0`, `i1`, ...). An
`Index` is `constant + sum(coefficient * atom)`; an atom is a stretch of axes of a group
(`Run`), a quotient or remainder that does not come out even (`Quotient`, `Remainder`),
or a register (`Register`). Movement of elements is arithmetic on indices: a slice
scales and shifts, a permute exchanges, a reshape multiplies out and divides again. What
belongs together is put together again: `i // 12 * 12 + i % 12` never gets written.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Iterable, Iterator, Sequence, Union

__all__ = ["Atom", "Group", "Index", "Register", "Run", "flat", "number", "split"]


@dataclass(frozen=True)
class Group:
    """Axes walked over by one coordinate, named `name`, of these sizes.

    Along the first `far` axes a tile stays where it is: a kernel keeps their coordinate
    as a single number, `name_far`, beside `name_near` for the others.
    """

    name: str
    sizes: tuple[int, ...]
    far: int = 0

    @property
    def size(self) -> int:
        """How many values the coordinate takes."""
        return prod(self.sizes)


@dataclass(frozen=True)
class Run:
    """The flat coordinate over axes `low` to `high` (exclusive) of a group."""

    group: Group
    low: int
    high: int

    @property
    def size(self) -> int:
        """It is less than this, and at least 0."""
        return prod(self.group.sizes[self.low : self.high])

    def text(self) -> str:
        """As an expression of the coordinate of the group."""
        text, first, last = self.within()
        below = prod(self.group.sizes[self.high : last])
        if below != 1:
            text = f"{text} // {below}"
        return f"{text} % {self.size}" if self.low != first else text

    def within(self) -> tuple[str, int, int]:
        """The coordinate that tells it, and the axes which that one counts."""
        name, far, end = self.group.name, self.group.far, len(self.group.sizes)
        if far and self.high <= far:
            return f"{name}_far", 0, far
        return (f"{name}_near", far, end) if far and self.low >= far else (name, 0, end)

    def groups(self) -> frozenset:
        """The names of the coordinates that it depends on."""
        return frozenset((self.group.name,)) if self.high > self.group.far else EMPTY


@dataclass(frozen=True)
class Quotient:
    """`of // by`, where that does not come out even."""

    of: "Index"
    by: int

    @property
    def size(self) -> int:
        return (self.of.bound - 1) // self.by + 1

    def text(self) -> str:
        return f"({self.of.text()}) // {self.by}"

    def groups(self) -> frozenset:
        return self.of.groups()


@dataclass(frozen=True)
class Remainder:
    """`of % by`, where that does not come out even."""

    of: "Index"
    by: int

    @property
    def size(self) -> int:
        return self.by

    def text(self) -> str:
        return f"({self.of.text()}) % {self.by}"

    def groups(self) -> frozenset:
        return self.of.groups()


@dataclass(frozen=True)
class Register:
    """A number that the kernel has in a register: an index that was loaded."""

    name: str
    size: int
    walks: frozenset = frozenset()

    def text(self) -> str:
        return self.name

    def groups(self) -> frozenset:
        return self.walks


EMPTY: frozenset = frozenset()
Atom = Union[Run, Quotient, Remainder, Register]


@dataclass(frozen=True)
class Index:
    """`constant` plus multiples of atoms; its least value may be negative.

    >>> rows = Group("i0", (4, 3))
    >>> a, b = number(rows, 0), number(rows, 1)
    >>> (a * 3 + b).text(), (a * 6 + b * 2 + 1).text(), (b * 4 + a).text()
    ('i0', 'i0 * 2 + 1', 'i0 % 3 * 4 + i0 // 3')
    """

    terms: tuple[tuple[Atom, int], ...] = ()
    constant: int = 0

    @property
    def bound(self) -> int:
        """It is less than this."""
        most = (max(c * (a.size - 1), 0) for a, c in self.terms)
        return self.constant + sum(most) + 1

    @property
    def least(self) -> int:
        """It is not less than this."""
        return self.constant + sum(min(c * (a.size - 1), 0) for a, c in self.terms)

    def __add__(self, other: Union["Index", int]) -> "Index":
        if isinstance(other, int):
            return Index(self.terms, self.constant + other)
        terms = dict(self.terms)
        for a, c in other.terms:
            terms[a] = terms.get(a, 0) + c
        return Index(_joined(terms), self.constant + other.constant)

    def __mul__(self, by: int) -> "Index":
        if by == 1:
            return self
        terms = {a: c * by for a, c in self.terms} if by else {}
        return Index(_joined(terms), self.constant * by)

    def __floordiv__(self, by: int) -> "Index":
        return self.divided(by)[0]

    def __mod__(self, by: int) -> "Index":
        return self.divided(by)[1]

    def divided(self, by: int) -> tuple["Index", "Index"]:
        """Quotient and remainder; exact where the parts come out even."""
        even: dict[Atom, int] = {}
        rest: dict[Atom, int] = {}
        for atom, c in _parted(self.terms, by):
            if c % by:
                rest[atom] = c
            else:
                even[atom] = c // by
        high = Index(_joined(even), self.constant // by)
        low = Index(_joined(rest), self.constant % by)
        if low.least >= 0 and low.bound <= by:
            return high, low
        if self.least >= 0 and self.bound <= by:
            return number(0), self
        if low.least < 0:
            high, low = number(0), self
        quotient = Index(((Quotient(low, by), 1),))
        return high + quotient, Index(((Remainder(low, by), 1),))

    @property
    def reach(self) -> int:
        """No part of the sum is further from 0 than this."""
        return sum(abs(c) * (a.size - 1) for a, c in self.terms) + abs(self.constant)

    @property
    def is_wide(self) -> bool:
        """Whether 32 bits may be too few for it, or for what it is a sum of."""
        return self.reach >= 1 << 31

    def text(self) -> str:
        """As an expression of a kernel, in 64 bits where it has to be."""
        more = ".to(tl.int64)" if self.is_wide else ""
        parts = [_times(_wide(a.text(), more), c) for a, c in self.terms]
        if self.constant or not parts:
            parts.append(str(self.constant))
        return " + ".join(parts).replace("+ -", "- ")

    def groups(self) -> frozenset:
        """The names of the coordinates that it depends on."""
        return frozenset().union(*(a.groups() for a, _ in self.terms))


def number(group: Union[Group, int], axis: int = 0) -> Index:
    """A constant, or the coordinate of one axis of a group."""
    if isinstance(group, int):
        return Index((), group)
    if group.sizes[axis] == 1:
        return Index()
    return Index(((Run(group, axis, axis + 1), 1),))


def flat(index: Sequence[Index], shape: Sequence[int]) -> Index:
    """The row-major position of an element, as one index."""
    total, stride = Index(), 1
    for i, n in zip(reversed(index), reversed(shape)):
        if n != 1:
            total = total + i * stride
        stride *= n
    return total


def split(position: Index, shape: Sequence[int]) -> tuple[Index, ...]:
    """The index of each axis, from the row-major position.

    >>> i = Index(((Run(Group("i", (4, 6)), 0, 2), 1),))
    >>> [x.text() for x in split(i, (2, 2, 6))]
    ['(i // 6) // 2', '(i // 6) % 2', 'i % 6']
    """
    found: list[Index] = []
    for n in reversed(shape[1:]):
        position, low = position.divided(n) if n != 1 else (position, Index())
        found.append(low)
    return (position, *reversed(found)) if len(shape) else ()


def _joined(terms: dict[Atom, int]) -> tuple[tuple[Atom, int], ...]:
    """The terms, with neighbours put together where the coefficients allow it."""
    while True:
        terms = {a: c for a, c in terms.items() if c and a.size != 1}
        pair = next(_neighbours(terms), None)
        if pair is None:
            return tuple(terms.items())
        first, second, whole = pair
        c = terms.pop(second)
        del terms[first]
        for atom, k in whole:
            terms[atom] = terms.get(atom, 0) + k * c


def _neighbours(terms: dict[Atom, int]) -> Iterator:
    for a, c in terms.items():
        for b, d in terms.items():
            if a is b or c != d * b.size:
                continue
            if isinstance(a, Run) and isinstance(b, Run) and a.group == b.group:
                if a.high <= b.low and prod(a.group.sizes[a.high : b.low]) == 1:
                    yield a, b, [(Run(a.group, a.low, b.high), 1)]
            elif isinstance(a, Quotient) and isinstance(b, Remainder):
                if a.of == b.of and a.by == b.by and not a.of.constant:
                    yield a, b, list(a.of.terms)


def _parted(terms: Iterable, by: int) -> Iterable:
    """The terms, runs cut where a multiple of `by` begins."""
    for atom, c in terms:
        cut = _cut(atom, c, by) if isinstance(atom, Run) and c % by else None
        if cut is None:
            yield atom, c
        else:
            high, end = Run(atom.group, cut, atom.high), cut
            while atom.group.sizes[end - 1] == 1:  # as if it were not there
                end -= 1
            yield Run(atom.group, atom.low, end), c * high.size
            yield high, c


def _cut(run: Run, c: int, by: int) -> Union[int, None]:
    for k in range(run.high - 1, run.low, -1):
        if c * prod(run.group.sizes[k : run.high]) % by == 0:
            return k
    return None


def _wide(text: str, more: str) -> str:
    return f"({text}){more}" if more and " " in text else text + more


def _times(text: str, c: int) -> str:
    if c == 1:
        return text
    return f"-({text})" if c == -1 else f"{text} * {c}"
