"""The host side of a program: the function that allocates and launches."""

from __future__ import annotations

import keyword
import re
from typing import Sequence

from ...tracer.graph import Graph, Value
from .numbers import is_number
from .program import Program, Step

__all__ = ["host_function"]

# Names that the function itself needs, besides those of kernels.
OWN = frozenset(("empty", "solid", "flag", "check", "bad"))
NUMBERED = re.compile(r"(a|r|t|out|host)\d+")


def host_function(p: Program, donated: Sequence[int]) -> list[str]:
    """The lines of the function. Free names: the kernels, `empty`, `solid`, `host`."""
    return _Writer(p, donated).lines()


class _Writer:
    def __init__(self, p: Program, donated: Sequence[int]):
        self.p, self.donated = p, set(donated)
        self.inputs = input_names(p.graph, OWN.union(p.kernels))
        self.names = {v.id: n for v, n in zip(p.graph.inputs, self.inputs)}
        self.own = set(p.claims).union(self.names)
        self.body: list[str] = []
        self.last = self.last_uses()
        self.count = 0

    def lines(self) -> list[str]:
        """The whole function."""
        outs = [f"out{k}" for k in sorted(self.donated)]
        for v, name in zip(self.p.graph.inputs, self.inputs):
            if v.id in self.last and not is_number(v):
                self.body.append(f"{name} = solid({name})")
        if self.p.checked:
            self.body.append("bad = flag()")
        for n, step in enumerate(self.p.steps):
            self.step(n, step)
        if self.p.checked:
            self.body.append("check(bad)")
        results = [self.output(k, v) for k, v in enumerate(self.p.graph.outputs)]
        self.body.append(f"return ({''.join(f'{r}, ' for r in results).strip()})")
        head = f"def {self.p.name}({', '.join([*self.inputs, *outs])}):"
        return [head, *("    " + line for line in self.body)]

    def step(self, n: int, step: Step) -> None:
        for v in (*step.arguments, *step.writes):  # what is empty, no step writes
            if v.id not in self.names:
                self.allocate(v)
        names = [self.names[v.id] for v in step.arguments]
        if step.kernel is not None:
            if any(p.name == "bad" for p in step.kernel.params):
                names.append("bad")
            self.body.append(f"{step.kernel.name}({', '.join(names)})")
        else:
            out = ", ".join(self.names[v.id] for v in step.writes)
            self.body.append(f"host{n}({', '.join([*names, out])})")
        done = (v for v in (*step.arguments, *step.writes) if self.last[v.id] == n)
        gone = [self.names[v.id] for v in dict.fromkeys(done) if self.is_scratch(v)]
        if gone:
            self.body.append(f"del {', '.join(gone)}")

    def is_scratch(self, v: Value) -> bool:
        return v.id not in self.own

    def allocate(self, v: Value) -> None:
        """Room for a value: that of the output which it is, or its own."""
        k = self.p.claims.get(v.id)
        shape = v.shape if k is None else self.p.graph.outputs[k].shape
        if k is not None and k in self.donated:
            self.names[v.id] = f"out{k}"
            return
        self.count += 1
        name = f"t{self.count}" if k is None else f"r{k}"
        self.names[v.id] = name
        self.body.append(f"{name} = empty({shape!r}, {v.dtype.name!r})")

    def output(self, k: int, v: Value) -> str:
        if k in self.donated:
            return f"out{k}"
        if f"r{k}" not in self.names.values():  # nothing to compute: it is empty
            self.body.append(f"r{k} = empty({v.shape!r}, {v.dtype.name!r})")
        return f"r{k}"

    def last_uses(self) -> dict[int, int]:
        last: dict[int, int] = {}
        for n, step in enumerate(self.p.steps):
            for v in (*step.arguments, *step.writes):
                last[v.id] = n
        return last


def input_names(graph: Graph, own: frozenset) -> list[str]:
    """The inputs' own names where they can be used, each once."""
    names: list[str] = []
    for n, v in enumerate(graph.inputs):
        name = str(v.attrs.get("name", ""))
        fine = name.isidentifier() and not keyword.iskeyword(name)
        taken = name in names or name in own or NUMBERED.fullmatch(name)
        names.append(name if fine and not taken else f"a{n}")
    return names
