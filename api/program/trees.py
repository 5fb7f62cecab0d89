"""Reading the shape of nested containers, and the plain values in them."""

from __future__ import annotations

import keyword
from typing import Any, Mapping

from ...tracer.pytree import Spec
from ...tracer.types import DTYPES
from .fields import Field
from .plan import PLAIN_KINDS, named

__all__ = ["Tree", "identifier", "value_of"]

MOST_FIELDS, DEEPEST = 1000, 40


def identifier(field: Field) -> str:
    """A name that Python code can use."""
    name = field.text()
    if not name.isidentifier() or keyword.iskeyword(name) or len(name) > 1000:
        field.wrong("a Python identifier")
    return name


def value_of(field: Field, symbols: dict) -> Any:
    """What _plain of storing.py wrote."""
    tag, body = field.tag()
    if tag == "value":
        return body.plain()
    if tag == "size":
        return body.size(symbols)
    if tag == "dtype":
        return DTYPES[body.word(DTYPES)]
    field.wrong("a value, dtype or size")


class Tree:
    """Reads a Spec of containers of these kinds and counts its leaves."""

    def __init__(self, kinds: Mapping[str, type] = PLAIN_KINDS) -> None:
        self.leaves, self.kinds = 0, kinds

    def read(self, field: Field) -> tuple[Any, int]:
        """The Spec and how many leaves it has."""
        return self.spec(field, 0), self.leaves

    def spec(self, field: Field, depth: int) -> Any:
        """One level."""
        if depth > DEEPEST:
            field.wrong(f"at most {DEEPEST} levels")
        if field.value is None:
            self.leaves += 1
            return None
        tag, body = field.tag()
        if tag in ("dict", "ordered"):
            keys, below = self.pairs(body, depth)
            return Spec(self.kinds[tag], keys, below)
        if tag in self.kinds:
            below = tuple(self.spec(x, depth + 1) for x in body.items())
            return Spec(self.kinds[tag], None, below)
        if tag != "named":
            field.wrong(f"a {', '.join(self.kinds)} or named")
        return self.named(body, depth)

    def pairs(self, field: Field, depth: int) -> tuple[tuple, tuple]:
        """Keys, none twice, and what stands under them."""
        keys: dict[Any, Any] = {}
        for pair in field.items():
            key, below = pair.items(2)
            name = key.plain()
            if name in keys:
                key.wrong("a key that stands there once")
            keys[name] = self.spec(below, depth + 1)
        return tuple(keys), tuple(keys.values())

    def named(self, field: Field, depth: int) -> Spec:
        """A named tuple: recreated from the names of its fields."""
        name, pairs = field.items(2)
        fields, below = self.pairs(pairs, depth)
        names = (identifier(name), *fields)
        fits = all(type(n) is str and n.isidentifier() for n in names)
        plain = fits and not any(keyword.iskeyword(n) or n[0] == "_" for n in fields)
        if not plain or len(names) > MOST_FIELDS or sum(map(len, names)) > 50_000:
            field.wrong("identifiers that do not begin with an underscore")
        return Spec(named(name.value, fields), None, below)
