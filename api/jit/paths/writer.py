"""Lines of a generated function, and the objects that it refers to."""

from __future__ import annotations

import enum
from typing import Any

__all__ = ["Writer"]


class Writer:
    """Lines of a function under construction, and the objects it refers to."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.names: dict[str, Any] = {}
        self.depth = 0
        self.symbols: set[str] = set()
        self.host: list[str] = []  # the arrays that must lie in host memory
        self.made_of: dict[str, int] = {}  # tensor of an array -> where it is made
        self.given: dict[int, str] = {}  # where each array among the arguments is
        self._bound: dict[int, str] = {}

    def line(self, text: str) -> None:
        """One line at the current depth."""
        if text:
            self.lines.append("    " * self.depth + text)

    def miss(self, condition: str) -> None:
        """Give up if the condition holds."""
        self.line(f"if {condition}: return MISS")

    def text(self) -> str:
        """The function, without the tensors that nothing in it asks for."""
        lines = list(self.lines)
        for name, at in self.made_of.items():
            if not any(name in line for n, line in enumerate(lines) if n != at):
                lines[at] = ""
        return "\n".join(line for line in lines if line) + "\n"

    def bind(self, hint: str, thing: Any) -> str:
        """The name under which the function refers to `thing`."""
        name = self._bound.get(id(thing))
        if name is None:
            name = self._bound[id(thing)] = f"{hint}_{len(self.names)}_"
            self.names[name] = thing
        return name

    def literal(self, x: Any) -> str:
        """Python text for a plain value; any other object is bound to a name."""
        plain = isinstance(x, (bool, int, str, bytes, type(None)))
        plain = plain and not isinstance(x, enum.Enum)
        return repr(x) if plain else self.bind("z", x)
