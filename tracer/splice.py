"""Putting a finished graph into a program under construction."""

from __future__ import annotations

from typing import Any, Iterable

from .graph import Value, node, reachable
from .sizes import Dim, Int
from .texts.spelled import substitute

__all__ = ["Splice"]


class Splice:
    """Copies values of one graph into another, on demand and each once.

    `known` maps ids of values already there; `sizes` gives every symbol of the graph
    its size (a number, or a symbol of the program it goes into).
    """

    def __init__(self, known: dict[int, Value], sizes: dict[str, Int]):
        self.known, self.sizes = known, sizes

    def values(self, wanted: Iterable[Value]) -> list[Value]:
        """The counterparts of `wanted`."""
        wanted = list(wanted)
        for v in reachable(wanted, stop=lambda v: v.id in self.known):
            if v.id not in self.known:
                args = tuple(self.known[a.id] for a in v.args)
                attrs = {name: self.renew(attr) for name, attr in v.attrs.items()}
                new = node(v.op, args, attrs, self.renew(v.shape), v.dtype)
                new.line = v.line
                self.known[v.id] = new
        return [self.known[v.id] for v in wanted]

    def renew(self, attr: Any) -> Any:
        """An attribute with the symbols replaced by their sizes."""
        if isinstance(attr, tuple):
            return tuple(map(self.renew, attr))
        return substitute(attr, self.sizes) if isinstance(attr, Dim) else attr
