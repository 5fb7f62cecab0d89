"""Symbolic sizes in a piece of a program: which it uses, and which inputs tell them."""

from __future__ import annotations

import re
from typing import Iterable, Iterator

from ..graph import Value
from ..sizes import Dim

__all__ = ["symbols", "declared", "declaring"]


def symbols(v: Value) -> Iterator[str]:
    """The symbols in the sizes of a node, in its shape and its attributes.

    >>> from tracefuse.tracer.graph import placeholder
    >>> from tracefuse.tracer.types import float32
    >>> [*symbols(placeholder("x", (Dim("b") * 2, 3), float32))]
    ['b']
    """
    stack: list = [v.shape]
    stack += [attr for name, attr in v.attrs.items() if name != "shape"]
    while stack:
        x = stack.pop()
        if isinstance(x, tuple):
            stack.extend(x)
        elif isinstance(x, Dim):
            yield from re.findall(r"[^\W\d]\w*", x.text)


def declared(v: Value) -> set[str]:
    """The symbols that an input tells: those that stand alone in its shape."""
    return {n.text for n in v.shape if isinstance(n, Dim) and n.text.isidentifier()}


def declaring(
    nodes: Iterable[Value], inputs: Iterable[Value], candidates: Iterable[Value]
) -> list[Value]:
    """Those candidates that a graph needs as inputs too, to know all its sizes."""
    offers = [(v, declared(v)) for v in candidates]
    if not any(names for _, names in offers):
        return []
    missing = {name for v in nodes for name in symbols(v)}
    missing = missing.difference(*map(declared, inputs))
    found = []
    for v, names in offers:
        if names & missing:
            found.append(v)
            missing -= names
    return found
