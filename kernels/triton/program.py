"""The program of a whole graph: which kernels there are, and what lies in memory.

Movement is no kernel: what only moves elements is read through (`reads.py`), unless it
is a result, is wanted by a step on the host, or would make the reader too long.
"""

from __future__ import annotations

from typing import Optional, Sequence

from ...tracer.graph import Graph, Value, node
from ..axes import numbered, squeeze
from ..fusion import plan
from ..numpy.spelling import identifier
from ..regions import Region, kind_of
from .attention.walk import Attention
from .control import is_control
from .emit import Emitter
from .kernel import Kernel
from .loop.finishing import alone, folded_region
from .loop.loops import HEAVIEST, Loops
from .loop.tile import Partial, Tile
from .product.epilogues import epilogues
from .product.matmul import Matmul
from .reads import READS
from .special.sorting import merge_kernel
from .special.special import special_kernel
from .text import elements

__all__ = ["Program", "Step"]

# What a product may read its operands through, again and again.
CHEAP = frozenset(
    "reshape permute expand slice pad windows folded cast stop_gradient".split()
)
# The elements stay where they are.
SAME = ("reshape", "leaf", "stop_gradient", "again")


class Step:
    """A launch or a host operation: what it reads and what it writes, in order.

    `shows` is what it computes, for people.
    """

    __slots__ = ("kernel", "host", "arguments", "writes", "shows")

    def __init__(
        self,
        arguments: Sequence[Value],
        writes: Sequence[Value],
        kernel: Optional[Kernel] = None,
        host: Optional[Value] = None,
    ):
        self.arguments, self.writes = list(arguments), list(writes)
        self.kernel, self.host = kernel, host
        self.shows: Sequence[Value] = () if host is None else (host, *writes)


class Program(Loops):
    """Divides a graph of known sizes into steps.

    `steps` in an order that runs, `kernels` by name, `claims` maps the ids of values to
    the outputs whose buffers hold them.
    """

    def __init__(self, graph: Graph, precision: str = "ieee"):
        self.graph = graph
        self.name = identifier(graph.name)
        self.plan = plan(graph, small=4096, widest=1 << 30, rows=True)
        self.memory: set[int] = {v.id for v in graph.inputs}
        self.steps: list[Step] = []
        self.kernels: dict[str, Kernel] = {}
        self.same: dict[str, Kernel] = {}
        self.made = {v.id: r for r in self.plan.regions for v in r.nodes}
        self.owners: dict[int, Optional[Value]] = {}
        self.claims = self.claimed()
        self.results = {self.plan.views[v.id].source.id for v in graph.outputs}
        self.results.update(self.claims)
        super().__init__()
        for region in self.plan.regions:
            for v in region.inputs:
                self.readers.setdefault(v.id, []).append(region)
        self.precision = precision
        self.checked: list[Value] = []  # indices that a kernel found no reason to trust
        self.epilogues = epilogues(self.plan)
        self.absorbed = {dot.id for dot in self.epilogues.values()}
        for region in self.plan.regions:
            self.settle(region)
        self.finish()

    def stored(self, v: Value) -> bool:
        """Whether a value lies in memory by now."""
        return v.id in self.memory

    # -- regions

    def settle(self, region: Region) -> None:
        """Kernels for a region, unless it is one that others read through."""
        v = region.nodes[0]
        if not any(elements(w.shape) for w in region.outputs):
            self.memory.update(w.id for w in region.outputs)
        elif region.kind == "loop":
            if v.id not in self.early and not self.inlined(region):
                self.loop(region)
        elif v.op == "dot":
            if v.id not in self.absorbed:
                self.matmul(v, None)
        elif v.op == "attention":
            self.attention(region)
        elif v.op == "merge":
            self.merge(region)
        elif is_control(v):
            self.control(region)
        elif v.op == "fold":
            self.loop(folded_region(v))
        elif kind_of(v) == "reduce":
            self.loop(alone(v))
        elif v.op == "laid":
            self.materialize(v)
        elif v.op in READS:
            self.read_through(v)
        else:
            self.special(v)

    def matmul(self, dot: Value, region: Optional[Region]) -> None:
        """The kernel of a matrix product with what is done to its result."""
        for x in dot.args:
            self.simplify_operand(x)
        kept = region is not None and dot.id in self.results
        name = self.fresh()
        made = Matmul(dot, region, name, self.stored, self.precision, kept)
        self.launch(made.kernel, made.em, made.writes)

    def simplify_operand(self, x: Value) -> None:
        """Store what is too much work for a loop that reads each element many times."""
        stack = [x]
        while stack:
            v = stack.pop()
            if self.stored(v) or v.op == "constant":
                continue
            if v.op in CHEAP:
                stack.extend(v.args)
            else:
                self.materialize(v)

    def attention(self, region: Region) -> None:
        """The kernel of a pass over scores that are never stored."""
        made = Attention(region, self.fresh(), self.stored, self.precision)
        self.launch(made.kernel, made.em, made.writes)

    def merge(self, region: Region) -> None:
        """The kernel of a round of a sort."""
        for x in region.nodes[0].args:
            self.materialize(x)
        kernel, em, writes = merge_kernel(region, self.fresh(), self.stored)
        self.launch(kernel, em, writes)

    def special(self, v: Value) -> None:
        """A primitive with a template of its own, or else a step on the host."""
        made = special_kernel(v, self.fresh(), self.stored)
        if made is None:
            self.on_host(v)
            return
        for kernel, em, writes in made:
            self.launch(kernel, em, writes)

    def read_through(self, v: Value) -> None:
        """Nothing, unless the chain of what is read through becomes long."""
        weight = 1 + sum(self.weights.get(a.id, 0) for a in v.args)
        self.weights[v.id] = weight
        if weight > HEAVIEST:
            self.materialize(v)

    def materialize(self, v: Value) -> None:
        """Store a value that is read through."""
        if self.stored(v):
            return
        self.weights[v.id] = 0
        if not elements(v.shape):
            self.memory.add(v.id)
            return
        region = Region("loop", [v], squeeze(v.shape), {v.id: numbered(v.shape)})
        region.outputs = [v]
        tile = Tile(region, self.fresh(), self.stored)
        self.launch(tile.kernel, tile.em, [v])

    def control(self, region: Region) -> None:
        """A loop or a branch: Python drives the programs inside."""
        v, *items = region.nodes
        for a in v.args:
            self.materialize(a)
        self.steps.append(Step(v.args, items, host=v))
        self.memory.update(item.id for item in items)

    def on_host(self, v: Value) -> None:
        """What no template covers runs as NumPy on the host."""
        for a in v.args:
            self.materialize(a)
        self.steps.append(Step(v.args, [v], host=v))
        self.memory.add(v.id)

    # -- launches

    def fresh(self) -> str:
        """The name of the next kernel."""
        return f"{self.name}_{len(self.kernels)}"

    def launch(
        self,
        kernel: Kernel,
        em: Emitter,
        outputs: Sequence[Value],
        partials: Sequence[Partial] = (),
    ) -> None:
        """Append a launch; an equal kernel is shared."""
        mark = kernel.source.replace(kernel.name, "")
        known = self.same.setdefault(mark, kernel)
        self.kernels[known.name] = known
        writes = [*outputs, *(p.held for p in partials)]
        late = {p.node.id for p in partials}
        writes = [v for v in writes if v.id not in late]
        arguments = [v for v, _ in em.buffers.values()]
        self.checked += em.checked
        self.steps.append(Step(arguments, writes, kernel=known))
        self.steps[-1].shows = em.shows
        self.memory.update(v.id for v in writes)

    # -- results

    def claimed(self) -> dict[int, int]:
        """Which values are computed right into the buffer of an output."""
        claims: dict[int, int] = {}
        for k, out in enumerate(self.graph.outputs):
            v = self.behind(out)
            if v is not None:
                claims.setdefault(v.id, k)
                self.owners[k] = v if claims[v.id] == k else None
        return claims

    def behind(self, out: Value) -> Optional[Value]:
        """The value whose elements, in order, are those of `out`; None if unknown."""
        v = out
        while v.op in SAME and v.id not in self.memory:
            v = v.args[0]
        return v if v.id in self.made else None

    def finish(self) -> None:
        """Store the outputs that no kernel has made yet."""
        for k, out in enumerate(self.graph.outputs):
            v = self.owners.get(k)
            if v is None:
                v = node("stop_gradient", (out,), {}, out.shape, out.dtype)
                self.claims[v.id] = k
            self.materialize(v)
