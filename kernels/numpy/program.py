"""The function of a whole graph: its statements, and where every value is stored."""

from __future__ import annotations

from typing import Callable, Hashable, Optional, Sequence

from ...tracer.graph import Graph, Value
from ...tracer.structure import graph_key
from ..axes import is_one, key
from ..regions import Plan, Region
from .block import Block
from .fresh import LARGE
from .inplace import Floors, direct
from .memory import Finished
from .pointwise import is_loud
from .spelling import dtype_text, identifier, shape_text
from .stored import Kernel, Stored, count_text, nbytes, seen_shape, strip
from .trust import comment

__all__ = ["Program"]


class Program:
    """Collects the statements of one graph's function, its kernels and constants."""

    def __init__(
        self,
        graph: Graph,
        plan: Plan,
        donated: Sequence[int],
        names: list[str],
        symbols: list[str],
        inplace: Sequence[tuple[int, int]] = (),
    ):
        self.graph, self.plan, self.symbols = graph, plan, symbols
        self.block = Block()
        self.stored: dict[int, Stored] = {}
        self.firm: dict[int, Stored] = {}  # contiguous copies of what is not
        self.views: dict[tuple, str] = {}
        self.constants: dict[tuple, str] = {}
        self.tables: dict[str, str] = {}
        self.kernels: dict[str, Kernel] = {}
        self.called: dict[int, str] = {}  # first node of a region -> its kernel
        self.inners: dict[Hashable, tuple] = {}  # graphs that run inside: name, text
        self.nest: Callable[[Graph], list[str]] = lambda graph: []
        self.graph_name = identifier(graph.name)
        self.loud = any(is_loud(v) for r in plan.regions for v in r.nodes)
        self.line: Optional[str] = None
        self.inputs = {v.id: name for v, name in zip(graph.inputs, names)}
        self.solid_inputs: set[int] = set()
        self.donated = {k: f"out{k}" for k in donated}
        self.results: dict[int, str] = {}
        self.local = 0
        for v, name in zip(graph.inputs, names):
            unknown = frozenset(range(1, len(v.shape) + 1))
            self.stored[v.id] = Stored(name, v.shape, unknown)
        self.claims = self.claim_results()
        self.replaced = {k: graph.inputs[i] for k, i in inplace}
        self.floors = Floors(plan, self.replaced)
        self.replace()

    # -- statements

    def write(self, text: str, elementwise: bool = False, direct: str = "") -> None:
        """Append a statement."""
        self.block.write(text, elementwise, direct)

    def at(self, v: Value) -> None:
        """Statements from here on stand for the line that made `v`."""
        if v.line is not None and v.line != self.line:
            self.line = v.line
            self.block.write(f"# {comment(v.line)}")

    def kernel(
        self, region: Region, params: list[str], body: list[str], scratch: Finished
    ) -> str:
        """The name of a kernel with this body; an equal one is shared."""
        text = "\n".join(["    " + line if line else "" for line in body])
        mark = f"({', '.join(params)})\n{text}\n{scratch.views}"
        known = self.kernels.get(mark)
        if known is None:
            name = f"{self.graph_name}_{len(self.kernels)}"
            known = self.kernels[mark] = Kernel(name, params, text, scratch, region)
        self.called[region.nodes[0].id] = known.name
        return known.name

    def inner(self, graph: Graph) -> str:
        """The name of the function of a graph that runs inside this one."""
        mark = graph_key(graph)
        if mark not in self.inners:
            name = f"{self.graph_name}_in{len(self.inners)}"
            self.inners[mark] = name, self.nest(graph)
        return self.inners[mark][0]

    # -- results

    def claim_results(self) -> dict[int, tuple]:
        """Which values are computed right into the array of an output."""
        claims: dict[int, tuple] = {}
        made = {v.id: r for r in self.plan.regions for v in r.nodes}
        for k, out in enumerate(self.graph.outputs):
            v = self.behind(out, made)
            if v is not None and v.id not in claims:
                claims[v.id] = k, out
        return claims

    def replace(self) -> None:
        """Prepare for the outputs that go where an input is."""
        fine = direct(self.graph, self.plan, self.claims, self.replaced)
        for k, x in self.replaced.items():
            self.donated[k] = self.inputs[x.id]
            self.solid(x)
        late = self.replaced.keys() - fine
        self.claims = {at: c for at, c in self.claims.items() if c[0] not in late}

    def behind(self, out: Value, made: dict) -> Optional[Value]:
        """The value whose elements, in order, are those of `out`; None if unknown."""
        v = out
        while True:
            v, axes = self.plan.views[v.id]
            region = made.get(v.id)
            if region is None or count_text(v) != count_text(out):
                return None
            if region.kind != "view":
                return v
            if v.op != "reshape":
                return None
            v = v.args[0]

    def result(self, k: int) -> str:
        """The array of output `k`: the caller's buffer, or a fresh one."""
        ref = self.results.get(k)
        if ref is None:
            v = self.graph.outputs[k]
            name, made = self.donated.get(k, f"r{k}"), ""
            if k not in self.donated:
                maker = "empty" if nbytes(v) < LARGE else "fresh"
                made = f"{maker}({shape_text(v.shape)}, {dtype_text(v.dtype)})"
            floor = self.floors.of(self.replaced.get(k, v))
            ref = self.block.output(name, v.shape, v.dtype, made, floor)
            self.results[k] = ref
        return ref

    def target(self, v: Value) -> str:
        """Where `v` is to be written: its output, or scratch."""
        claim = self.claims.get(v.id)
        if claim is None:
            text = self.block.array(v.shape, v.dtype)
        else:
            k, out = claim
            text = self.result(k)
            if key(out.shape) != key(v.shape):
                text = self.see(text, f"{{}}.reshape({shape_text(v.shape)})")
        self.stored[v.id] = Stored(text, v.shape)
        return text

    def own(self, v: Value, made: str) -> None:
        """Store the fresh contiguous array that expression `made` gives as `v`."""
        k, out = self.claims.get(v.id, (-1, v))
        if k in self.donated or key(out.shape) != key(v.shape):
            self.write(f"copyto({self.target(v)}, {made})")
            return
        if k < 0:
            text = self.local_name()
        else:
            text = self.block.output(f"r{k}", v.shape, v.dtype)
            self.results[k] = text
        self.write(f"{text} = {made}")
        self.stored[v.id] = Stored(text, v.shape)

    # -- reading

    def see(self, text: str, recipe: str) -> str:
        """`text` through a view: prebuilt with the arena, else a statement (once)."""
        known = self.views.get((text, recipe))
        if known is None:
            known = self.block.view(text, recipe)
            if known is None:
                known = self.see_now(text, recipe)
            self.views[text, recipe] = known
        return known

    def see_now(self, text: str, recipe: str) -> str:
        name = self.local_name()
        known = self.block.alias(text, name)
        self.block.write(f"{name} = {recipe.format(text)}")
        return known

    def table(self, made: str) -> str:
        """The name of an array that expression `made` makes when the module loads."""
        return self.tables.setdefault(made, f"k{len(self.tables)}")

    def local_name(self) -> str:
        """A name that is not taken yet."""
        self.local += 1
        return f"v{self.local}"

    def is_splat(self, v: Value) -> bool:
        """Whether `v` is one number everywhere."""
        return v.op == "constant" and v.id not in self.inputs

    def constant(self, v: Value) -> str:
        """The name of a 0-d array with the value of a splat."""
        mark = (v.dtype, repr(v.attrs["value"]))
        name = self.constants.get(mark)
        if name is None:
            name = self.constants[mark] = f"c{len(self.constants)}"
        return name

    def source(self, v: Value) -> Stored:
        """Where a value that is no view is stored."""
        return self.stored[v.id]

    def solid(self, v: Value) -> Stored:
        """A contiguous array of a value that is no view; copied if need be."""
        found = self.stored[v.id]
        if found.solid:
            return found
        if v.id in self.inputs:
            self.solid_inputs.add(v.id)
            found = self.stored[v.id] = Stored(found.text, v.shape)
            return found
        firm = self.firm.get(v.id)
        if firm is None:
            text = self.block.array(v.shape, v.dtype)
            self.write(f"copy_into({text}, {found.text})")
            firm = self.firm[v.id] = Stored(text, v.shape)
        return firm

    def steady(self, v: Value) -> Stored:
        """An array of `v` to read in tiles: long runs of it lie together."""
        found = self.stored[v.id]
        return self.solid(v) if v.id in self.inputs or found.swapped else found

    def operand(self, a: Value) -> str:
        """An array that broadcasts to the shape of `a` and is `a` then."""
        source, axes = self.plan.views[a.id]
        if self.is_splat(source):
            return self.constant(source)
        found = self.source(source)
        shape = seen_shape(source, axes)
        while shape and is_one(shape[0]):
            shape = shape[1:]
        if key(shape) == key(strip(source.shape)) and len(source.shape) <= len(a.shape):
            return found.text
        return self.see(found.text, f"{{}}.reshape({shape_text(shape)})")

    def array(self, a: Value) -> str:
        """An array of exactly the shape of `a`."""
        source, axes = self.plan.views[a.id]
        if self.is_splat(source):
            return f"broadcast_to({self.constant(source)}, {shape_text(a.shape)})"
        text = self.source(source).text
        shape = seen_shape(source, axes)
        if key(shape) != key(source.shape):
            text = self.see(text, f"{{}}.reshape({shape_text(shape)})")
        if key(shape) != key(a.shape):
            text = self.see(text, f"broadcast_to({{}}, {shape_text(a.shape)})")
        return text

    def firm_array(self, a: Value) -> str:
        """`array(a)` in the contiguous copy of what is behind it (not stretched)."""
        source, axes = self.plan.views[a.id]
        text = self.solid(source).text
        shape = seen_shape(source, axes)
        if key(shape) == key(source.shape):
            return text
        return self.see(text, f"{{}}.reshape({shape_text(shape)})")

    def is_solid(self, a: Value) -> bool:
        """Whether `array(a)` is contiguous."""
        source, axes = self.plan.views[a.id]
        known = source.id in self.stored and self.stored[source.id].solid
        return known and key(seen_shape(source, axes)) == key(a.shape)

    def is_plain(self, a: Value) -> bool:
        """Whether `a` is a splat, or contiguous and of its own shape."""
        return self.is_splat(self.plan.views[a.id].source) or self.is_solid(a)

    # -- the end

    def returns(self) -> list[str]:
        """Copy what outputs still lack; their names in order."""
        claimed = {k for k, _ in self.claims.values()}
        left = [k for k in range(len(self.graph.outputs)) if k not in claimed]
        for k in left:
            if k not in self.replaced:
                self.copy_out(k, self.array(self.graph.outputs[k]))
        # What goes over an input may be read from another one that goes, too.
        last = [(k, self.apart(k)) for k in left if k in self.replaced]
        for k, text in last:
            self.copy_out(k, text)
        return [self.donated.get(k, f"r{k}") for k in range(len(self.graph.outputs))]

    def copy_out(self, k: int, text: str) -> None:
        """Write output `k`, which is stored somewhere else."""
        self.write(f"copy_into({self.result(k)}, {text})")

    def apart(self, k: int) -> str:
        """Output `k` in memory that no output is written to."""
        out = self.graph.outputs[k]
        text, home = self.array(out), self.plan.views[out.id].source
        if home.id not in self.inputs or len(self.replaced) == 1:
            return text
        copy = self.block.array(out.shape, out.dtype)
        self.write(f"copy_into({copy}, {text})")
        return copy
