"""Reading a JSON document that may come from anywhere: every field is asked for."""

from __future__ import annotations

from typing import Any, Iterable, Iterator, NoReturn, Optional

from ...tracer.errors import FormatError
from ...tracer.sizes import Dim, Int
from ...tracer.texts.literals import Literals
from ...tracer.texts.tokens import lines
from ..files.plain import SCALARS, decode, show

__all__ = ["Field"]


class Field:
    """A value in a document and where it stands; each method checks and returns it.

    All raise FormatError that names the field, what was found and what was expected.
    """

    __slots__ = ("value", "where")

    def __init__(self, value: Any, where: str):
        self.value, self.where = value, where

    def wrong(self, expected: str) -> NoReturn:
        """It is not what was expected."""
        raise FormatError(f"{self.where} is {show(self.value)}, expected {expected}")

    def object(self, *names: str, optional: tuple = ()) -> list[Field]:
        """The fields of an object that has just these."""
        found = self.value if type(self.value) is dict else self.wrong("an object")
        missing = [name for name in names if name not in found]
        unknown = [name for name in found if name not in (*names, *optional)]
        if missing or unknown:
            self.wrong(f"an object of {', '.join((*names, *optional))}")
        return [self.below(found.get(name), f".{name}") for name in (*names, *optional)]

    def below(self, value: Any, where: Any) -> Field:
        """A part of it."""
        return Field(value, f"{self.where}{where}")

    def tag(self) -> tuple[str, Field]:
        """The only key of an object, and what stands there."""
        if type(self.value) is not dict or len(self.value) != 1:
            self.wrong("an object of one key")
        ((key, value),) = self.value.items()
        return key, self.below(value, f".{show(key)[1:-1]}")

    def items(self, count: Optional[int] = None) -> Iterator[Field]:
        """The fields of a list (of that length)."""
        if type(self.value) is not list:
            self.wrong("a list")
        if count is not None and len(self.value) != count:
            self.wrong(f"a list of {count}")
        return (self.below(x, f"[{i}]") for i, x in enumerate(self.value))

    def integer(self, low: int, high: int) -> int:
        """An integer from `low` to `high` inclusive."""
        if type(self.value) is not int or not low <= self.value <= high:
            self.wrong(f"an integer from {low} to {high}")
        return self.value

    def text(self) -> str:
        """A string."""
        return self.value if type(self.value) is str else self.wrong("a string")

    def word(self, known: Iterable[str]) -> str:
        """One of the known strings."""
        known = tuple(known)
        if type(self.value) is not str or self.value not in known:
            self.wrong(f"one of {', '.join(known)[:200]}")
        return self.value

    def flag(self) -> bool:
        """True or False."""
        return self.value if type(self.value) is bool else self.wrong("true or false")

    def plain(self) -> Any:
        """None, a string or a number."""
        found = decode(self.value, self.where)
        return found if type(found) in SCALARS else self.wrong("a plain value")

    def size(self, symbols: dict[str, Dim]) -> Int:
        """An integer, or the text of a size made of the symbols."""
        if type(self.value) is int:
            return self.integer(-(2**63) + 1, 2**63 - 1)
        try:
            found = _Size(self.text(), symbols).found
        except FormatError as error:
            raise FormatError(f"{self.where}: {error}") from None
        return found if isinstance(found, (int, Dim)) else self.wrong("a size")


class _Size(Literals):
    def __init__(self, text: str, symbols: dict[str, Dim]):
        self.symbols = symbols
        found = list(lines(text))
        if len(found) != 1 or len(text) > 1000:
            raise FormatError("expected one size")
        self.line = found[0]
        self.found = self.expression()
        self.line.end()
