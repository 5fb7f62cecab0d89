"""Kernels for many sizes: numbers in their text that follow a size become parameters.

A program of symbolic sizes is generated anew for each choice of sizes, which takes
milliseconds; compiling takes a hundred times as long. But from one size to the next
most kernels differ in a few numbers only. So the second time a kernel comes, those are
lifted out of its text, and the kernel that is compiled then serves all sizes that want
the same text otherwise, with the same configurations and numbers that are divisible by
16 in the same places (what loads are made of depends on that).
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Callable, Iterator, Optional, Sequence

from ...tracer.errors import CompileError
from .kernel import Kernel, Param

__all__ = ["Lifted", "Lifting"]

TOKEN = re.compile(r"[A-Za-z_]\w*|\d+\.\d*(?:e[+-]?\d+)?|\d+(?:e[+-]?\d+)?|#.*|\s+|.")
FIXED = frozenset(("arange", "zeros", "reshape", "static_range", "broadcast_to"))
ALIGNED, LARGEST = 16, 1 << 31
MOST = 4  # texts of a kernel that nothing was like
Values = dict[str, Any]


def tokens_of(kernel: Kernel) -> list[str]:
    """Its text and its grid, without comments."""
    text = "\n".join([kernel.source, *kernel.grid])
    return ["" if t[0] == "#" else t for t in TOKEN.findall(text)]


def spots_between(a: Sequence[str], b: Sequence[str]) -> Optional[list[int]]:
    """Where two texts differ; None if by more than numbers that may be parameters."""
    if len(a) != len(b):
        return None
    spots = [n for n, (x, y) in enumerate(zip(a, b)) if x != y]
    return spots if all(may_be_lifted(t, n) for t in (a, b) for n in spots) else None


def may_be_lifted(tokens: Sequence[str], at: int) -> bool:
    """Whether a number need not be known when the kernel is compiled."""
    token = tokens[at]
    if not token[:1].isdigit() or on_branch(tokens, at):
        return False
    call = around(tokens, at)
    if token.isdigit():
        return call not in FIXED and call != "[" and int(token) < LARGEST
    return call == "full"  # where its type is said


def around(tokens: Sequence[str], at: int) -> str:
    """The function in whose parentheses it stands; "[" in brackets."""
    depth = 0
    for n in range(at - 1, -1, -1):
        depth += (tokens[n] in ")]") - (tokens[n] in "([") if tokens[n] else 0
        if depth < 0:
            return "[" if tokens[n] == "[" else tokens[n - 1]
    return ""


def on_branch(tokens: Sequence[str], at: int) -> bool:
    """Whether it decides at compile time what is compiled."""
    while at > 0 and "\n" not in tokens[at - 1]:
        at -= 1
    return tokens[at] in ("if", "elif")


class Lifted:
    """A kernel with parameters in place of the numbers at `spots`."""

    def __init__(self, kernel: Kernel, tokens: list[str], other: list[str], spots: Any):
        self.tokens, self.configs = tokens, kernel.configs
        self.spots: dict[int, str] = {}
        names: dict[tuple, str] = {}
        for n in spots:  # numbers that change together are one parameter
            pair = tokens[n], other[n]
            self.spots[n] = names.setdefault(pair, f"size{len(names)}")
        self.values = {name: number(pair[0]) for pair, name in names.items()}
        self.kernel: Optional[Kernel] = self.made(kernel)  # None: it does not compile

    def made(self, kernel: Kernel) -> Kernel:
        """The kernel that is compiled."""
        parts = [self.spots.get(n, t) for n, t in enumerate(self.tokens)]
        text = "".join(parts).split("\n")
        lines = text[: len(text) - len(kernel.grid)]
        given = ", ".join(p.name for p in kernel.params)
        head = f"def {kernel.name}({given}"
        source = "\n".join(lines).replace(head, f"{head}, {', '.join(self.values)}", 1)
        more = tuple(parameter(name, value) for name, value in self.values.items())
        grid = tuple(text[len(lines) :])
        return replace(kernel, source=source, grid=grid, params=kernel.params + more)

    def read(self, kernel: Kernel, tokens: list[str]) -> Optional[Values]:
        """The parameters that make this kernel of it; None if nothing does."""
        if len(tokens) != len(self.tokens) or kernel.configs[0] != self.configs[0]:
            return None
        found: Values = {}
        for n, (own, t) in enumerate(zip(self.tokens, tokens)):
            name = self.spots.get(n)
            if name is None:
                if own != t:
                    return None
            elif not may_be_lifted(tokens, n):
                return None
            elif found.setdefault(name, number(t)) != number(t):
                return None
        alike = (aligned(found[k]) == aligned(v) for k, v in self.values.items())
        return {k: found[k] for k in self.values} if all(alike) else None


def number(token: str) -> Any:
    return int(token) if token.isdigit() else float(token)


def aligned(value: Any) -> bool:
    return isinstance(value, int) and value % ALIGNED == 0


def parameter(name: str, value: Any) -> Param:
    """Floats are double: where they stand, they are cast to what is wanted."""
    if isinstance(value, float):
        return Param(name, "fp64", False)
    return Param(name, "i32", aligned(value))


class Lifting:
    """A machine that compiles kernels for many sizes, for one program.

    It is what `machine` is, besides: `with_values(kernel, values)` of that one starts a
    kernel with these parameters behind its arrays.
    """

    def __init__(self, machine: Any):
        self.machine = machine
        self.seen: dict[str, list[list[str]]] = {}
        self.lifted: dict[str, list[Lifted]] = {}
        self.chosen: dict[Kernel, tuple[Lifted, Values]] = {}

    def __getattr__(self, name: str) -> Any:
        if name == "machine":
            raise AttributeError(name)
        return getattr(self.machine, name)

    def prepare(self, kernels: Sequence[Kernel]) -> None:
        """Compile what is new, several at once."""
        self.chosen = {k: found for k in kernels if (found := self.find(k)) is not None}
        self.machine.prepare([*self.wanted(kernels)])

    def wanted(self, kernels: Sequence[Kernel]) -> Iterator[Kernel]:
        for k in kernels:
            yield (self.chosen[k][0].kernel or k) if k in self.chosen else k

    def launcher(self, kernel: Kernel) -> Callable[..., None]:
        """What starts a kernel, given its arrays."""
        lifted, values = self.chosen.get(kernel, (None, {}))
        if lifted is not None and lifted.kernel is not None:
            try:
                return self.machine.with_values(lifted.kernel, values)
            except CompileError:  # some number has to be known after all
                lifted.kernel = None
        return self.machine.launcher(kernel)

    def find(self, kernel: Kernel) -> Optional[tuple[Lifted, Values]]:
        """A kernel with parameters that this one is; None where it stands alone."""
        if kernel.source.count("def ") > 1:
            return None
        tokens, known = tokens_of(kernel), self.lifted.setdefault(kernel.name, [])
        for lifted in known:
            values = lifted.read(kernel, tokens)
            if values is not None:
                return lifted, values
        seen = self.seen.setdefault(kernel.name, [])
        for other in seen:
            spots = spots_between(tokens, other)
            if spots:
                known.append(Lifted(kernel, tokens, other, spots))
                return known[-1], known[-1].values
        if tokens not in seen and len(seen) < MOST:
            seen.append(tokens)
        return None
