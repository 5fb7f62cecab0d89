"""What stands inside a graph's text: numbers, strings, tuples, sizes and types."""

from __future__ import annotations

import json
import math
from typing import Any, Callable, Optional

from ..sizes import Dim
from ..types import BY_SHORT, DType
from .schema import MOST_TERMS, is_shape, is_size
from .tokens import Line

__all__ = ["Literals", "WORDS", "holds"]

WORDS = {
    **{"True": True, "False": False, "None": None},
    **{"nan": math.nan, "inf": math.inf},
}


def holds(dtype: DType, value: Any) -> bool:
    """Whether `value` is the kind of number, and in the range, that `dtype` has.

    >>> from tracefuse.tracer.types import uint8
    >>> holds(uint8, 255), holds(uint8, 256), holds(uint8, 1.0)
    (True, False, False)
    """
    if type(value) is not (bool, int, float)[dtype.category]:
        return False
    if dtype.category != 1:
        return True
    bits = dtype.itemsize * 8 - dtype.is_signed
    return -(1 << bits) * dtype.is_signed <= value < 1 << bits


class Literals:
    """Reads them from a line; `symbols` are the sizes that have a name."""

    line: Line
    symbols: dict[str, Dim]

    def type(self, size: Optional[Callable[[], Any]] = None) -> tuple:
        """``f32[b, 784]`` as (shape, dtype)."""
        dtype = self.dtype()
        self.line.need("[")
        shape = tuple(self.line.listed("]", size or self.expression))
        bits = 3 + sum(n.bit_length() for n in shape if type(n) is int)
        if not is_shape(shape) or bits > 63:
            self.line.wrong(f"{list(shape)} is no shape")
        return shape, dtype

    def dtype(self) -> DType:
        """An element type by its short name."""
        name = self.line.peek()
        if name not in BY_SHORT:
            self.line.refuse(f"an element type ({', '.join(BY_SHORT)})")
        self.line.take("name")
        return BY_SHORT[name]

    def expression(self) -> Any:
        """A number, string, tuple or size; sizes may be added and multiplied."""
        left = self.product()
        while self.line.peek() in ("+", "-"):
            sign = self.line.take("sign")
            left = self.combined(sign, left, self.product())
        return left

    def product(self) -> Any:
        """Factors with ``*`` and ``//`` between them."""
        left = self.factor()
        while self.line.peek() in ("*", "//"):
            sign = self.line.take("sign")
            left = self.combined(sign, left, self.factor())
        return left

    def combined(self, sign: str, a: Any, b: Any) -> Any:
        """One step of arithmetic on sizes that stay small."""
        if not (_is_int(a) and _is_int(b)) or (
            sign == "//" and type(b) is int and not b
        ):
            self.line.wrong(f"no size is {a} {sign} {b}")
        if sign == "*" and _terms(a) * _terms(b) > MOST_TERMS:
            self.line.wrong("a size with too many terms")
        try:
            new = _SIGNS[sign](a, b)
        except ArithmeticError as error:
            self.line.wrong(f"{a} {sign} {b}: {error}")
        if not is_size(new):
            self.line.wrong("a size too large")
        return new

    def factor(self) -> Any:
        """A word, a number, a string, or something in parentheses; maybe negative."""
        if self.line.skip("-"):
            number = self.atom()
            if type(number) is not float and not _is_int(number):
                self.line.wrong(f"-{number!r} is no number")
            return -number
        return self.atom()

    def atom(self) -> Any:
        """The smallest whole."""
        kind = self.line.kind()
        if self.line.skip("("):
            return self.tuple()
        if kind == "number":
            return self.number(self.line.take("number"))
        if kind == "string":
            return self.string(self.line.take("string"))
        name = self.line.peek()
        if kind == "name" and (name in WORDS or name in self.symbols):
            self.line.at += 1
            return WORDS[name] if name in WORDS else self.symbols[name]
        self.line.refuse("a number, a string, a tuple or a declared size")

    def tuple(self) -> Any:
        """``(1, 2)``, ``(1,)``, ``()``, or only parentheses around something."""
        items = self.line.listed(")", self.expression)
        single = len(items) == 1 and self.line.peek(-2) != ","
        return items[0] if single else tuple(items)

    def number(self, text: str) -> Any:
        """An integer of at most 64 bits, or a float."""
        if text.isdigit():
            if len(text) > 20 or int(text) >= 1 << 64:
                self.line.wrong(f"{text[:24]} has more than 64 bits")
            return int(text)
        return float(text)

    def string(self, text: str) -> str:
        """A string as JSON writes it."""
        try:
            return json.loads(text)
        except ValueError as error:
            self.line.wrong(f"{text[:40]} is no string: {error}")


_SIGNS: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "//": lambda a, b: a // b,
}


def _is_int(a: Any) -> bool:
    return type(a) is int or isinstance(a, Dim)


def _terms(a: Any) -> int:
    return len(a.terms) if isinstance(a, Dim) else 1
