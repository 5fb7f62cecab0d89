"""The words of the text form: a scanner that trusts nothing.

It cuts a text into logical lines (a line goes on inside parentheses) of tokens, and
refuses what is not a word of the language, what nests too deep or is too long.
"""

from __future__ import annotations

import re
from typing import Any, Callable, Iterator, NamedTuple, NoReturn

from ..errors import FormatError

__all__ = ["Line", "Token", "lines"]

MOST_BYTES, MOST_DEPTH, LONGEST_WORD = 1 << 28, 20, 4096
_WORD = re.compile(
    r"""[ \t\r]*(?:
      (?P<comment>\#[^\n]*)
    | (?P<string>"(?:[^"\\\n]|\\.)*")
    | (?P<number>[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?)
    | (?P<value>%[0-9]+)
    | (?P<name>[^\W\d]\w*)
    | (?P<sign>//|[()\[\]{},:=+*-])
    | (?P<end>$))""",
    re.VERBOSE,
)


class Token(NamedTuple):
    """One word: its kind, its text and the line it stands on."""

    kind: str
    text: str
    number: int


def words(text: str, number: int) -> Iterator[Token]:
    """The tokens of one line."""
    at = 0
    while at < len(text):
        word = _WORD.match(text, at)
        if word is None or word.end() - at > LONGEST_WORD:
            found = repr(text[at:].lstrip()[:20])
            raise FormatError(f"line {number}: found {found}, expected a word or sign")
        at, kind = word.end(), str(word.lastgroup)
        if kind != "end":
            yield Token(kind, word[kind], number)


def lines(text: str) -> Iterator[Line]:
    """The logical lines of a text that hold anything."""
    if len(text) > MOST_BYTES:
        raise FormatError(f"a text of {len(text)} characters; at most {MOST_BYTES}")
    tokens: list[Token] = []
    depth, comment, number = 0, None, 0
    for number, raw in enumerate(text.split("\n"), 1):
        for token in words(raw, number):
            if token.kind == "comment":
                comment = token.text[1:].strip()
                continue
            tokens.append(token)
            depth += (token.text in "([") - (token.text in ")]")
            if not 0 <= depth <= MOST_DEPTH:
                raise FormatError(f"line {number}: {token.text!r} does not match")
        if not depth:
            if tokens:
                yield Line(tokens, comment, number)
            tokens, comment = [], None
    if depth:
        raise FormatError(f"line {number}: the text ends inside parentheses")


class Line:
    """One logical line, read from left to right."""

    def __init__(self, tokens: list, comment: str | None, number: int):
        self.tokens, self.comment, self.number, self.at = tokens, comment, number, 0

    def peek(self, ahead: int = 0) -> str:
        """The text of the next token, "" at the end."""
        at = self.at + ahead
        return self.tokens[at].text if at < len(self.tokens) else ""

    def take(self, kind: str, what: str = "") -> str:
        """The next token, which must be of that kind."""
        token = self.tokens[self.at] if self.at < len(self.tokens) else None
        if token is None or token.kind != kind:
            self.refuse(what or f"a {kind}")
        self.at += 1
        return token.text

    def skip(self, sign: str) -> bool:
        """Step over `sign` if it comes next."""
        found = self.peek() == sign
        self.at += found
        return found

    def need(self, sign: str, what: str = "") -> None:
        """Step over `sign`, which must come next."""
        if not self.skip(sign):
            self.refuse(what or repr(sign))

    def kind(self) -> str:
        """The kind of the next token, "" at the end."""
        return self.tokens[self.at].kind if self.at < len(self.tokens) else ""

    def listed(self, closing: str, item: Callable[[], Any]) -> list:
        """Items between commas up to the closing sign; a last comma may stand."""
        items: list = []
        while not self.skip(closing):
            if items:
                self.need(",", f"',' or {closing!r}")
                if self.skip(closing):
                    break
            items.append(item())
        return items

    def end(self) -> None:
        """Nothing may follow."""
        if self.at < len(self.tokens):
            self.refuse("the end of the line")

    def refuse(self, expected: str) -> NoReturn:
        """Raise FormatError for the token that comes next."""
        found = repr(self.peek()[:40]) if self.peek() else "the end of the line"
        raise FormatError(f"line {self.where()}: found {found}, expected {expected}")

    def wrong(self, message: str) -> NoReturn:
        """Raise FormatError about what was read last."""
        raise FormatError(f"line {self.where(-1)}: {message}")

    def where(self, ahead: int = 0) -> int:
        """The number of the line on which the next token stands."""
        at = min(self.at + ahead, len(self.tokens) - 1)
        return self.tokens[max(at, 0)].number
