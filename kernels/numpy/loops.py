"""Large regions: a function that walks tiles, threads taking parts of the walk."""

from __future__ import annotations

import re
from typing import Optional

from ...tracer.graph import Value
from ...tracer.ops import OPS
from ...tracer.types import HALVES, DType, float32
from ..axes import elements, key
from ..fusion import ARG, Region
from .block import Block
from .memory import Finished, finish
from .pointwise import statements
from .program import Program
from .spelling import dtype_text, shape_text, size_text, unpacked
from .straight import REDUCERS
from .tiles import FINE_PARTS, PARTS, THREADED, Operand, Tiling, groups, tiling

__all__ = ["loop"]

_START = {"add": "0", "multiply": "1", "maximum": "lowest", "minimum": "highest"}


def loop(p: Program, region: Region) -> None:
    """Write the call of a tiled kernel for `region`, and the kernel."""
    _Loop(p, region).write()


class _Loop:
    def __init__(self, p: Program, region: Region):
        self.p, self.region = p, region
        self.block = Block()
        self.params: list[str] = []  # names inside
        self.given: list[str] = []  # what the caller passes
        self.ahead: list[str] = []  # before the loop over tiles, in each part
        self.top: list[str] = []  # at the start of the kernel
        self.end: list[str] = []  # at its end
        self.texts: dict[int, str] = {}  # nodes of the region -> their tile
        self.loaded: dict[tuple, str] = {}
        self.axes_of: dict[int, frozenset] = {}
        self.own = {v.id for v in region.nodes}
        self.reads = self.all_reads()
        self.groups = self.merge_axes()
        self.tiling = self.choose()
        self.late_parts: list[str] = []

    # -- the space

    def all_reads(self) -> list[tuple]:
        """(node, argument, source, axis of the space for each axis of the source)."""
        found = []
        for v in self.region.nodes:
            place = self.region.reads.get(v.id) or self.region.places[v.id]
            for a in v.args:
                source, axes = self.p.plan.views[a.id]
                if source.id not in self.own and not self.splat(source):
                    found.append((v, a, source, _through(axes, place, source)))
        return found

    def splat(self, v: Value) -> bool:
        return v.op == "constant" and v.id not in self.p.inputs

    def merge_axes(self) -> list[list[int]]:
        operands = [
            Operand(frozenset(a for a in m if a is not None), self.breaks(s, m))
            for _, _, s, m in self.reads
        ]
        places = (self.region.places[v.id] for v in self.region.nodes)
        operands += [Operand(_axes(place), frozenset()) for place in places]
        reduced = [self.over(v) for v in self.region.reductions]
        return groups(len(self.region.shape), operands, reduced)

    def breaks(self, source: Value, where: tuple) -> frozenset:
        """The axes of the space along which `source` does not go on in memory."""
        found = self.p.steady(source)
        broken = set()
        for j, a in enumerate(where):
            before = [i for i in range(j) if where[i] is not None]
            if a is None or not before:
                continue
            if any(i in found.breaks for i in range(before[-1] + 1, j + 1)):
                broken.add(a)
        return frozenset(broken)

    def over(self, v: Value) -> frozenset:
        return _axes(self.region.reads[v.id]) - _axes(self.region.places[v.id])

    def choose(self) -> Tiling:
        shape = self.region.shape
        sizes = tuple(_product([shape[a] for a in group]) for group in self.groups)
        inner = self.region.inner
        whole = frozenset(k for k, g in enumerate(self.groups) if g[0] in inner)
        made = tiling(sizes, whole, self.width())
        if isinstance(made.block, str):
            self.top.append(f"block = {made.block}")
            made.block = "block"
        return made

    def width(self) -> int:
        """Bytes an element takes in all arrays that are alive at once, at the most."""
        nodes, outputs = self.region.nodes, {v.id for v in self.region.outputs}
        last = {a.id: i for i, v in enumerate(nodes) for a in self.sources(v)}
        size = {s.id: s.dtype.itemsize for _, _, s, _ in self.reads}
        size.update((v.id, v.dtype.itemsize) for v in nodes)
        fixed = sum(size[k] for k in {s.id for _, _, s, _ in self.reads} | outputs)
        live = most = 0
        for i, v in enumerate(nodes):
            dying = {a.id for a in self.sources(v) if last[a.id] == i}
            live -= sum(size[k] for k in dying & self.own - outputs)
            live += size[v.id] if v.id not in outputs and v.id in last else 0
            most = max(most, live)
        return fixed + most

    def sources(self, v: Value) -> list[Value]:
        return [self.p.plan.views[a.id].source for a in v.args]

    def frame_axes(self, axes: frozenset) -> frozenset:
        """Axes of the merged frame for axes of the space."""
        return frozenset(k for k, g in enumerate(self.groups) if g[0] in axes)

    # -- operands and results

    def load(self, v: Value, a: Value) -> str:
        """The tile of argument `a` of node `v`."""
        source, axes = self.p.plan.views[a.id]
        if source.id in self.own:
            return self.texts[source.id]
        if self.splat(source):
            return self.p.constant(source)
        place = self.region.reads.get(v.id) or self.region.places[v.id]
        where = _through(axes, place, source)
        mark = (source.id, where)
        if mark not in self.loaded:
            self.loaded[mark] = self.enter(source, where)
        return self.loaded[mark]

    def enter(self, source: Value, where: tuple) -> str:
        axes = self.frame_axes(_axes(where))
        name = self.parameter("x", self.framed(source, axes))
        t = self.tiling
        index = t.index(axes)
        if not index:
            return name
        tile = name.replace("x", "a")
        if t.moves(axes):
            self.block.write(f"{tile} = {name}{index}")
        else:
            self.ahead.append(f"{tile} = {name}{t.index(axes, whole=True)}")
        return tile

    def framed(self, source: Value, axes: frozenset) -> str:
        shape = self.tiling.frame(axes)
        found = self.p.steady(source)
        if key(shape) == key(found.shape):
            return found.text
        return self.p.see(found.text, f"{{}}.reshape({shape_text(shape)})")

    def parameter(self, letter: str, given: str) -> str:
        count = sum(name[0] == letter for name in self.params)
        self.params.append(f"{letter}{count}")
        self.given.append(given)
        return self.params[-1]

    def result(self, v: Value, axes: frozenset) -> str:
        """The parameter for the whole array of output `v`, in the frame's shape."""
        text, shape = self.p.target(v), self.tiling.frame(axes)
        if key(shape) != key(v.shape):
            text = self.p.see(text, f"{{}}.reshape({shape_text(shape)})")
        return self.parameter("y", text)

    def target(self, v: Value) -> str:
        """Where the tile of `v` goes: a slice of its output, or scratch."""
        axes = self.axes_of[v.id]
        if not any(v is out for out in self.region.outputs):
            return self.block.array(self.tiling.tile(axes), v.dtype)
        name, tile = self.result(v, axes), self.tiling.tile(axes)
        index = self.tiling.index(axes)
        if not index:
            return self.block.output(name, tile, v.dtype)
        made = f"{name}{index}"
        return self.block.output(name.replace("y", "b"), tile, v.dtype, made)

    # -- nodes

    def node(self, v: Value) -> None:
        self.axes_of[v.id] = self.frame_axes(_axes(self.region.places[v.id]))
        if OPS[v.op].kind == "reduce":
            self.late(v) if v.id in self.region.late else self.reduce(v)
            return
        args = [self.load(v, a) for a in v.args]
        self.texts[v.id] = out = self.target(v)
        statements(v, args, out, self.block.write)

    def load_whole(self, v: Value) -> str:
        """The tile of a reduction's argument, stretched where it is broadcast."""
        a = v.args[0]
        x = self.load(v, a)
        read = self.region.reads[v.id]
        source, axes = self.p.plan.views[a.id]
        have = (read[j] for j, n in enumerate(axes) if n is not None)
        if _axes(tuple(have)) == _axes(read) and not self.splat(source):
            return x
        tile = self.tiling.tile(self.frame_axes(_axes(read)))
        full = self.block.array(tile, v.args[0].dtype)
        self.block.write(f"copyto({full}, {x})")
        return full

    def reduce(self, v: Value) -> None:
        x = self.load_whole(v)
        over = sorted(self.frame_axes(self.over(v)))
        out = self.texts[v.id] = self.target(v)
        if not over:
            value = "0" if v.op in ARG else x
            self.block.write(f"copyto({out}, {value})")
        elif v.op in ARG:
            axis = self.tiling.position(over[0])
            self.block.write(f"{v.op}({x}, {axis}, {out}, keepdims=True)")
        else:
            self.total(v, x, over, out)

    def total(self, v: Value, x: str, over: list[int], out: str) -> None:
        """Reduce tile `x` over frame axes into `out`; halves by way of float32."""
        axes = self.axes_text(over)
        name = f"{REDUCERS[v.op]}.reduce"
        wide = self.widened(v, x)
        if wide is None:
            call = f"{name}({x}, {axes}, {dtype_text(v.dtype)}, {out}, True)"
            self.block.write(call)
            return
        total = self.block.array(self.tiling.tile(self.axes_of[v.id]), float32)
        self.block.write(f"{name}({wide}, {axes}, float32, {total}, True)")
        self.block.write(f'copyto({out}, {total}, "unsafe")')

    def widened(self, v: Value, x: str) -> Optional[str]:
        if v.dtype not in HALVES:
            return None
        axes = self.frame_axes(_axes(self.region.reads[v.id]))
        wide = self.block.array(self.tiling.tile(axes), float32)
        self.block.write(f"copyto({wide}, {x})")
        return wide

    def axes_text(self, over: list[int]) -> str:
        places = [self.tiling.position(a) for a in over]
        return str(places[0]) if len(places) == 1 else shape_text(tuple(places))

    # -- reductions that end with the loop

    def late(self, v: Value) -> None:
        """Gather a reduction over parts: each has a total, combined in order."""
        t, ufunc = self.tiling, REDUCERS[v.op]
        x = self.load_whole(v)
        axes = self.axes_of[v.id]
        dtype = float32 if v.dtype in HALVES else v.dtype
        k = len(self.late_parts)
        self.late_parts.append(f"p{k}")
        frame = t.frame(axes)
        start = _START[ufunc]
        if start in ("lowest", "highest"):
            start = f"{start}({dtype_text(dtype)})"
        shape = ", ".join(map(size_text, frame))
        made = f"full((count, {shape}), {start}, {dtype_text(dtype)})"
        self.top.append(f"p{k} = {made}")
        self.ahead.append(f"q{k} = p{k}[c]")
        self.gather(v, x, k, dtype)
        self.finish_late(v, k, dtype)

    def gather(self, v: Value, x: str, k: int, dtype: DType) -> None:
        t, ufunc = self.tiling, REDUCERS[v.op]
        axes = self.axes_of[v.id]
        x = self.widened(v, x) or x
        inside = [a for a in sorted(self.frame_axes(self.over(v))) if a not in t.outer]
        if inside:
            part = self.block.array(t.tile(axes), dtype)
            given = f"{self.axes_text(inside)}, {dtype_text(dtype)}, {part}, True"
            self.block.write(f"{ufunc}.reduce({x}, {given})")
            x = part
        total = f"t{k}"
        self.block.write(f"{total} = q{k}{t.index(axes)}")
        self.block.write(f"{ufunc}({total}, {x}, out={total})")

    def finish_late(self, v: Value, k: int, dtype: DType) -> None:
        ufunc, out = REDUCERS[v.op], self.result(v, self.axes_of[v.id])
        if dtype is v.dtype:
            self.end.append(f"{ufunc}.reduce(p{k}, 0, {dtype_text(dtype)}, {out})")
        else:
            total = f"{ufunc}.reduce(p{k}, 0, {dtype_text(dtype)})"
            self.end.append(f'copyto({out}, {total}, "unsafe")')

    # -- the function

    def write(self) -> None:
        """Write the kernel's function and its call."""
        for v in self.region.nodes:
            self.node(v)
        self.p.at(self.region.nodes[0])
        finished = finish(self.block, hoist=True)
        symbols = self.symbols(finished)
        body = self.body(finished)
        name = self.p.kernel(self.region, self.params + symbols, body, finished)
        self.p.write(f"{name}({', '.join(self.given + symbols)})")

    def symbols(self, finished: Finished) -> list[str]:
        """Symbolic sizes that the kernel mentions."""
        texts = [size_text(n) for n in (*self.tiling.sizes, self.tiling.block)]
        texts += finished.allocs + self.top
        words = set(re.findall(r"[A-Za-z_]\w*", " ".join(texts)))
        return [name for name in self.p.symbols if name in words]

    def body(self, finished: Finished) -> list[str]:
        t = self.tiling
        lines = [*self.counts(), *self.top, "", "def part(c):"]
        names = [name for name, _ in finished.views]
        inside = []
        if names:
            inside += ["ws = POOL.pop() if POOL else NEW()", f"{unpacked(names)} = ws"]
        own = "w" if t.ragged else ""
        inside += [own + line for line in finished.allocs]
        inside += [*self.ahead, *self.header(finished)]
        inside += ["    " + line for line in self.tile_lines(finished)]
        if names:
            inside += ["POOL.append(ws)"]
        lines += ["    " + line for line in inside]
        return [*lines, "", "parallel(part, count)", *self.end]

    def counts(self) -> list[str]:
        """How many tiles there are, and in how many parts they are walked."""
        t = self.tiling
        tiles: object = t.blocks
        for a in t.outer:
            n = t.sizes[a]
            static = type(tiles) is int and type(n) is int
            tiles = tiles * n if static else f"{size_text(n)} * ({tiles})"
        threaded = elements(t.sizes) >= THREADED or not t.static
        parts = (PARTS if self.late_parts else FINE_PARTS) if threaded else 1
        if type(tiles) is int:
            each = max(1, -(-tiles // parts))
            return [
                f"tiles, each, count = {tiles}, {each}, {max(1, -(-tiles // each))}"
            ]
        return [
            f"tiles = {tiles}",
            f"each = max(1, -(-tiles // {parts}))",
            "count = max(1, -(-tiles // each))",
        ]

    def header(self, finished: Finished) -> list[str]:
        return ["for t in range(c * each, min(c * each + each, tiles)):"]

    def tile_lines(self, finished: Finished) -> list[str]:
        t = self.tiling
        n, block = t.sizes[t.cut], t.block
        lines = []
        if t.outer:
            lines.append(f"o, i = divmod(t, {t.blocks})")
            lines += self.outer_lines()
        lines.append(f"i {'*= ' if t.outer else '= t * '}{block}")
        end = f"min(i + {block}, {size_text(n)})" if t.ragged else f"i + {block}"
        lines.append(f"j = {end}")
        names = [name for name, _ in finished.views] if t.ragged else []
        lines += self.shorten(finished, names)
        return lines + finished.lines

    def outer_lines(self) -> list[str]:
        t, lines = self.tiling, []
        for a in reversed(t.outer[1:]):
            lines.append(f"o, o{a} = divmod(o, {size_text(t.sizes[a])})")
        return [*lines, f"o{t.outer[0]} = o"]

    def shorten(self, finished: Finished, names: list[str]) -> list[str]:
        """Scratch for a last block that is shorter than the others."""
        t = self.tiling
        at = t.position(t.cut)
        cut = "[" + ":, " * at + ":j - i]"
        dynamic = [line.split(" = ")[0] for line in finished.allocs] if t.ragged else []
        lines = [f"{unpacked(names)} = ws"] if names else []
        if names:
            short = [f"{n}{cut}" for n in names]
            lines += [
                f"if j - i < {t.block}:",
                f"    {unpacked(names)} = {unpacked(short)}",
            ]
        return lines + [self.renew(name, cut) for name in dynamic]

    def renew(self, name: str, cut: str) -> str:
        return f"{name} = w{name}{cut}"


def _through(axes: tuple, place: tuple, source: Value) -> tuple:
    """The axis of the space for each axis of `source`, read through a view."""
    where: list[Optional[int]] = [None] * len(source.shape)
    for j, a in enumerate(axes):
        if a is not None:
            where[a] = place[j]
    return tuple(where)


def _axes(place: tuple) -> frozenset:
    return frozenset(a for a in place if a is not None)


def _product(sizes: list):
    count = 1
    for n in sizes:
        count = count * n
    return count
