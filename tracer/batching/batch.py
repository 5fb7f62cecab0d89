"""vmap as SSA -> SSA: what is computed for one example, computed for all at once.

Axes are stored negative, so one more axis in front changes few attributes: most
primitives need no more than that all arguments have it (`rules.py`). Nodes
that run graphs get batched graphs to run (`graphs.py`).
"""

from __future__ import annotations

from typing import Iterable, NamedTuple, Optional, Sequence

from ..control import graphs
from ..errors import TraceError
from ..graph import Value, constant, here, reachable
from ..ops import OPS
from ..sizes import Int
from . import graphs as batching_graphs
from . import loops as batching_loops
from . import rules as batching_rules
from .draws import draws_inside
from .rules import KINDS, Rule

__all__ = ["Batching", "Draws", "batch", "depends"]

Known = dict[int, Value]


class Draws(NamedTuple):
    """How random numbers differ between examples.

    `starts` says of each random state (by the id of its value) how many blocks were
    drawn before the function began: what it draws itself, in values younger than the
    id `since`, is stretched from there, so that no two examples share a block. `total`
    counts all examples, of which those at hand begin at `first`.
    """

    starts: dict[int, Int]
    since: int
    total: Int
    first: Int = 0


def batch(
    outputs: Iterable[Value], mapped: Known, size: Int, draws: Optional[Draws] = None
) -> Known:
    """The outputs, and what is behind them, for `size` examples at once: by id.

    `mapped` gives for some values of one example those of all, along a new first
    axis. A value that the result does not name is the same for all examples.
    Without `draws`, random numbers are shared by all. Raises TraceError for a
    primitive without a rule.

    >>> from tracefuse.tracer.graph import placeholder
    >>> from tracefuse.tracer.types import float32
    >>> x, xs = placeholder("x", (2,), float32), placeholder("xs", (5, 2), float32)
    >>> y = (x * 3.0).sum((-1,))
    >>> batch([y], {x.id: xs}, 5)[y.id].shape
    (5,)
    """
    return Batching(size, mapped, draws).run(outputs)


def depends(values: Iterable[Value], sources: Sequence[Value]) -> set[int]:
    """The ids of `sources` and of everything behind `values` that depends on them."""
    found = {v.id for v in sources}
    oldest = min(found, default=0)
    for v in reachable(values, stop=lambda v: v.id <= oldest):
        if any(arg.id in found for arg in v.args):
            found.add(v.id)
    return found


class Batching:
    """One walk: `known` holds what was found for all examples, by id."""

    def __init__(self, size: Int, mapped: Known, draws: Optional[Draws] = None):
        self.size, self.draws = size, draws
        self.known: Known = dict(mapped)
        self.stretched: Known = {}
        self.outs: dict[int, Sequence[bool]] = {}  # of loops: which results differ
        # What is older than all that differs between examples is the same for all.
        self.oldest = min([*mapped, *([draws.since] if draws else ())], default=0)

    def run(self, outputs: Iterable[Value]) -> Known:
        """Walk everything behind the outputs, in order of creation."""
        known, line = self.known, here.line
        stop = lambda v: v.id in known or v.id < self.oldest  # noqa: E731
        try:
            for v in reachable(outputs, stop):
                if v.id not in known and self.differs(v):
                    here.line = v.line
                    known[v.id] = _rule(v)(self, v)
        finally:
            here.line = line
        return known

    def differs(self, v: Value) -> bool:
        """Whether a value has other numbers for each example."""
        if any(arg.id in self.known for arg in v.args):
            return True
        draws = self.draws
        return draws is not None and v.id > draws.since and _drawn(v, draws.starts)

    def all(self, v: Value) -> Value:
        """A value with the axis of examples in front, stretched where it is shared."""
        found = self.known.get(v.id)
        if found is not None:
            return found
        if v.id not in self.stretched:
            self.stretched[v.id] = _stretch(v, self.size)
        return self.stretched[v.id]


def _stretch(v: Value, size: Int) -> Value:
    shape = (size, *v.shape)
    if v.op == "constant":
        return constant(v.attrs["value"], shape, v.dtype)
    return v.expand(shape)


def _drawn(v: Value, starts: dict[int, Int]) -> bool:
    """Whether a value draws random numbers of its own."""
    if v.op == "random_bits":
        return batching_rules.state_of(v.args[0]).id in starts
    if draws_inside(v):
        return True
    inner = [(graph, batching_graphs.passed(v, graph, starts)) for graph in graphs(v)]
    return any(s and _drawn(u, s) for graph, s in inner for u in graph.nodes())


_ROWS: dict[str, Rule] = {
    **batching_rules.ROWS,
    **batching_graphs.ROWS,
    **batching_loops.ROWS,
}


def _rule(v: Value) -> Rule:
    rule = _ROWS.get(v.op) or KINDS.get(OPS[v.op].kind)
    if rule is None:
        where = f" ({v.line})" if v.line else ""
        raise TraceError(f"vmap: there is no batching rule for {v.op!r}{where}")
    return rule
