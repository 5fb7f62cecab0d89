"""Where the tensors of a kept path are, and what its results are made of."""

from __future__ import annotations

import enum
import re
from typing import Any, Iterator, NamedTuple

from ....tracer.sizes import Dim
from ....tracer.types import DType
from ..recording import Recording

__all__ = ["PLAIN", "NotKept", "Ref", "Scalars", "Source"]

PLAIN = (bool, int, float, complex, str, bytes, type(None), enum.Enum, DType, Dim)


class NotKept(Exception):
    """Why a recording cannot be replayed; the function records again next time."""


class Source(NamedTuple):
    """Where a tensor is: ("arg", number), ("slot", its key) or ("pin", tensor)."""

    kind: str
    at: Any

    def __hash__(self) -> int:
        return hash((self.kind, id(self.at) if self.kind == "pin" else self.at))

    def __eq__(self, other: Any) -> bool:
        if not isinstance(other, Source) or self.kind != other.kind:
            return False
        return self.at is other.at if self.kind == "pin" else self.at == other.at


class Ref(NamedTuple):
    """A leaf of the result: what to make it of.

    ("new", storage number, steps), ("same", Source), ("view", Source, steps),
    ("look", Source, steps) as view, of the tensor as the variable that it is,
    ("plain", the object), ("given", number of the argument container), ("item", number
    of the output), ("array", number of the argument), ("scalar", name of a Python
    number) or ("tree", (id, spec), refs of what is in it).
    """

    kind: str
    of: Any
    steps: tuple = ()

    def parts(self) -> Iterator[Ref]:
        """Itself, or what is in it."""
        if self.kind != "tree":
            yield self
            return
        for ref in self.steps:
            yield from ref.parts()


class Scalars(NamedTuple):
    """The Python numbers that a path follows: where from, arithmetic, guards."""

    sources: list
    lines: dict[str, str]
    guards: dict[str, Any]

    @classmethod
    def of(cls, recording: Recording, refs: list[Ref]) -> "Scalars":
        """Those of a recording that hands out `refs`."""
        following, numbers = recording.rec.following, recording.substitution
        if following is None or numbers is None:
            return cls([], {}, {})
        handed = (ref.of for ref in refs if ref.kind == "scalar")
        keys = (i.key[0] for i in recording.rec.inputs if i.kind == "scalar")
        lines, guards = following.lines, following.guards
        used = " ".join((*lines.values(), *guards, *handed, *keys))
        names = set(re.findall(r"n_p\d+_", used))
        names |= {s.name for s in numbers.sources if s.key in recording.met}
        sources = [s for s in numbers.sources if s.leaf is None and s.name in names]
        return cls(sources, lines, guards)
