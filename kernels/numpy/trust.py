"""What may be spelled in generated code. A graph may come from a file that a stranger
wrote: nothing in it may become code but numbers, sizes, types and names we know."""

from __future__ import annotations

import numbers
import re

from ...tracer.graph import Graph, Value
from ...tracer.sizes import Dim
from ...tracer.types import DType

__all__ = ["check_trusted", "comment"]

_PLAIN = (numbers.Number, Dim, DType)
# The attributes that are words; all others are numbers.
_WORDS = {"mode": ("set", "add", "mul", "max", "min")}
_UNSPEAKABLE = re.compile(r"[^ -~]|@")


def check_trusted(graph: Graph) -> None:
    """TypeError or ValueError for an attribute that is not what it should be."""
    given = {v.id for v in graph.inputs}
    for v in graph.nodes():
        for name, attr in () if v.id in given else v.attrs.items():
            if name in _WORDS:
                _check_word(v, name, attr)
            else:
                _check_number(v, name, attr)


def _check_word(v: Value, name: str, attr: object) -> None:
    if attr not in _WORDS[name]:
        known = ", ".join(_WORDS[name])
        raise ValueError(f"{v.op}: {name} is one of {known}, not {attr!r}")


def _check_number(v: Value, name: str, attr: object) -> None:
    stack = [attr]
    while stack:
        part = stack.pop()
        if isinstance(part, tuple):
            stack.extend(part)
        elif isinstance(part, Graph):
            check_trusted(part)
        elif not isinstance(part, _PLAIN):
            raise TypeError(f"{v.op}: {name} is made of numbers, not {part!r}")


def comment(text: str) -> str:
    """`text` as part of a comment: one line, without the mark of a reference."""
    return _UNSPEAKABLE.sub("_", text)
