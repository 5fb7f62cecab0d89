"""Loops and branches: a Python function that runs the functions of other graphs.

A graph that runs inside is generated like any other and stands, with its constants,
its kernels and its scratch, in a function that makes it. The carry of a loop goes back
and forth between two sets of arrays, so that an iteration allocates nothing.
"""

from __future__ import annotations

from typing import Callable, Sequence

from ...tracer.control import count, graphs, result
from ...tracer.graph import Graph, Value
from ..axes import key
from ..regions import Region
from .memory import Finished
from .program import Program
from .spelling import size_text
from .stored import seen_shape

__all__ = ["control"]


def control(p: Program, region: Region) -> None:
    """Write the statement of a node that runs graphs, and the function it calls."""
    v, *items = region.nodes
    args = [contiguous(p, a) for a in v.args]
    targets = results(p, v, items)
    params, body, given = _WRITERS[v.op](p, v)
    name = p.kernel(region, params, body, Finished([], 0, [], []))
    p.write(f"{name}({', '.join([*args, *targets, *given])})")
    for item in items[1:]:
        if item.id not in p.stored:  # a second name of one result
            p.write(f"copyto({p.target(item)}, {targets[item.attrs['index']]})")


def results(p: Program, v: Value, items: Sequence[Value]) -> list[str]:
    """Where each result of `v` goes: to where its item is wanted, or to scratch."""
    wanted = {item.attrs["index"]: item for item in reversed(items)}
    found = []
    for i in range(count(v)):
        if i in wanted:
            found.append(p.target(wanted[i]))
        else:
            found.append(p.block.array(*result(v, i)))
    return found


def contiguous(p: Program, a: Value) -> str:
    """`a` in row-major order: whoever reads it again and again copies it once."""
    source, axes = p.plan.views[a.id]
    if p.is_plain(a):
        return p.array(a)
    if key(seen_shape(source, axes)) == key(a.shape):
        return p.firm_array(a)
    text = p.block.array(a.shape, a.dtype)
    p.write(f"copyto({text}, {p.array(a)})")
    return text


def numbered(letter: str, n: int) -> list[str]:
    return [f"{letter}{i}" for i in range(n)]


def inner(p: Program, graph: Graph) -> Callable[..., str]:
    """What calls the function of `graph`: given its operands and where results go."""
    name = p.inner(graph)
    return lambda *parts: f"{name}({', '.join(x for part in parts for x in part)})"


def _cond(p: Program, v: Value) -> tuple:
    then, other = (inner(p, graph) for graph in graphs(v))
    given, out = numbered("x", len(v.args) - 1), numbered("y", count(v))
    body = ["if chosen:", f"    {then(given, out)}"]
    body += ["else:", f"    {other(given, out)}"]
    return ["chosen", *given, *out], body, []


def _while(p: Program, v: Value) -> tuple:
    test, body = (inner(p, graph) for graph in graphs(v))
    carry = Carry(p, v, count(v))
    consts = numbered("k", len(v.args) - count(v))
    asked = test(carry.now, consts, ["flag"])
    lines = ["flag = empty((), bool_)", carry.start(carry.spare, carry.out), asked]
    lines += ["while flag:", f"    {body(carry.now, consts, carry.next)}"]
    lines += [f"    {carry.swap}", f"    {asked}", *carry.end]
    return [*carry.now, *consts, *carry.out, *carry.spare], lines, carry.scratch


def _scan(p: Program, v: Value) -> tuple:
    (graph,), attrs = graphs(v), v.attrs
    carry = Carry(p, v, attrs["carry"])
    xs = numbered("x", attrs["rows"])
    consts = numbered("k", len(v.args) - len(xs) - attrs["carry"])
    ys = numbered("y", count(v) - attrs["carry"])
    rows = [[f"{name}[t, ...]" for name in names] for names in (xs, ys)]
    steps = "range(n - 1, -1, -1)" if attrs["reverse"] else "range(n)"
    call = inner(p, graph)(carry.now, rows[0], consts, carry.next, rows[1])
    lines = [f"for t in {steps}:", f"    {call}"]
    if carry.now:  # the last step writes where the result belongs
        odd = carry.start(carry.out, carry.spare)
        even = carry.start(carry.spare, carry.out)
        lines = ["if n % 2:", f"    {odd}", "else:", f"    {even}", *lines]
        lines += [f"    {carry.swap}", *carry.end]
    params = [*carry.now, *xs, *consts, *carry.out, *ys, *carry.spare, "n"]
    return params, lines, [*carry.scratch, size_text(attrs["length"])]


class Carry:
    """The names of what a loop carries: now, next, the result and a spare array."""

    def __init__(self, p: Program, v: Value, n: int):
        self.now, self.next, self.out = (numbered(x, n) for x in "cpo")
        self.spare, self.last = numbered("b", n), numbered("q", n)
        self.scratch = [p.block.array(*result(v, i)) for i in range(n)]

    def start(self, first: list, second: list) -> str:
        """The statement that says which arrays the first two steps write."""
        pairs = [*zip(self.next, first), *zip(self.last, second)]
        return assigned(pairs)

    @property
    def swap(self) -> str:
        """The statement between two steps."""
        pairs = [*zip(self.now, self.next), *zip(self.next, self.last)]
        return assigned([*pairs, *zip(self.last, self.next)])

    @property
    def end(self) -> list[str]:
        """Statements that bring the last carry to where it belongs."""
        lines = []
        for now, out in zip(self.now, self.out):
            lines += [f"if {now} is not {out}:", f"    copyto({out}, {now})"]
        return lines


def assigned(pairs: list) -> str:
    """One assignment, all at once."""
    left, right = (", ".join(names) for names in zip(*pairs)) if pairs else ("", "")
    return f"{left} = {right}" if pairs else "pass"


_WRITERS: dict[str, Callable] = {"cond": _cond, "while": _while, "scan": _scan}
