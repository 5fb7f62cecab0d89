"""Large regions: a function that walks tiles, threads taking parts of the walk."""

from __future__ import annotations

import re
from typing import Iterator, Optional

from ...tracer.graph import Value
from ...tracer.ops import OPS
from ...tracer.types import HALVES, DType, float32
from ..axes import elements, key
from ..regions import ARG, Region
from .block import Block
from .inplace import Floors
from .memory import Finished, finish
from .narrow import is_narrow
from .pointwise import UFUNCS, statements
from .program import Program
from .space import Read, Space, axes_in
from .spelling import dtype_text, shape_text, size_text
from .straight import REDUCERS
from .walk import Frame, walk

__all__ = ["loop"]

_START = {"add": "0", "multiply": "1", "maximum": "lowest", "minimum": "highest"}
# A broadcast row shorter than this is repeated once for all tiles: NumPy then runs
# over whole tiles, not over one row after the other.
SHORT = 256
_TILE = re.compile(r"\b[ab]\d+\b")


def loop(p: Program, region: Region) -> None:
    """Write the call of a tiled kernel for `region`, and the kernel."""
    _Loop(p, region).write()


class _Loop:
    def __init__(self, p: Program, region: Region):
        self.p, self.region = p, region
        self.space = Space(p, region)
        self.tiling = self.space.tiling
        self.block, self.frame = Block(), Frame()
        self.floors = Floors(p.plan, p.replaced)
        self.params: list[str] = []  # names inside
        self.given: list[str] = []  # what the caller passes for them
        self.texts: dict[int, str] = {}  # nodes of the region -> their tile
        self.loaded: dict[tuple, str] = {}
        self.whole: dict[str, frozenset] = {}  # operands read tile by tile
        self.results: dict[str, frozenset] = {}
        self.totals = 0
        if isinstance(self.tiling.block, str):
            self.frame.sizes.append(f"block = {self.tiling.block}")
            self.tiling.block = "block"

    # -- what is read

    def load(self, v: Value, a: Value) -> str:
        """The tile of argument `a` of node `v`."""
        read = self.space.read(v, a)
        if read.source.id in self.space.own:
            return self.texts[read.source.id]
        if self.p.is_splat(read.source):
            return self.p.constant(read.source)
        mark = (read.source.id, read.where)
        if mark not in self.loaded:
            self.loaded[mark] = self.enter(read)
        return self.loaded[mark]

    def enter(self, read: Read) -> str:
        """Make a source a parameter of the kernel; the name of its tile."""
        axes, t = self.space.frame_axes(axes_in(read.where)), self.tiling
        name = self.parameter("x", self.framed(read.source, axes))
        tile, index = name.replace("x", "a"), t.index(axes)
        if t.moves(axes):
            self.whole[name] = axes
            self.block.write(f"{tile} = {name}{index}")
            return tile
        if self.is_short(axes):
            shape = shape_text(t.tile(frozenset(range(len(t.sizes)))))
            self.frame.held.append((tile, f"stretched({name}{index}, {shape})"))
            return tile
        if index:
            self.frame.ahead.append(f"{tile} = {name}{index}")
        return tile if index else name

    def is_short(self, axes: frozenset) -> bool:
        """Whether tiles have many short rows of which a broadcast array is one."""
        t = self.tiling
        row = elements([t.sizes[a] for a in t.whole])
        plain = t.whole and min(t.whole) > t.cut and axes
        return bool(plain) and row < SHORT and elements([t.sizes[t.cut]]) > SHORT

    def framed(self, source: Value, axes: frozenset) -> str:
        shape, found = self.tiling.frame(axes), self.p.steady(source)
        if key(shape) == key(found.shape):
            return found.text
        return self.p.see(found.text, f"{{}}.reshape({shape_text(shape)})")

    def parameter(self, letter: str, given: str) -> str:
        count = sum(name[0] == letter for name in self.params)
        self.params.append(f"{letter}{count}")
        self.given.append(given)
        return self.params[-1]

    # -- what is written

    def result(self, v: Value) -> str:
        """The parameter for the whole array of output `v`, in the frame's shape."""
        text, shape = self.p.target(v), self.tiling.frame(self.space.axes(v))
        if key(shape) != key(v.shape):
            text = self.p.see(text, f"{{}}.reshape({shape_text(shape)})")
        return self.parameter("y", text)

    def target(self, v: Value) -> str:
        """Where the tile of `v` goes: a slice of its output, or scratch."""
        axes = self.space.axes(v)
        tile, index = self.tiling.tile(axes), self.tiling.index(axes)
        if v.id not in self.space.outputs:
            return self.block.array(tile, v.dtype)
        name = self.result(v)
        if not index:
            return self.block.output(name, tile, v.dtype, "", self.floor(v))
        made = f"{name}{index}"
        self.results[name] = axes
        inner = name.replace("y", "b")
        return self.block.output(inner, tile, v.dtype, made, self.floor(v))

    def floor(self, v: Value) -> int:
        """The first statement that may write the tile of output `v`."""
        x = self.p.replaced.get(self.p.claims.get(v.id, (-1,))[0])
        return 0 if x is None else self.floors.of(x)

    # -- nodes

    def node(self, v: Value) -> None:
        """The statements of one node."""
        if OPS[v.op].kind != "reduce":
            args = [self.load(v, a) for a in v.args]
            self.floors.read(v, self.block.lines)
            self.texts[v.id] = out = self.target(v)
            tile = self.tiling.tile(self.space.axes(v))
            statements(v, args, out, tile, self.block)
        elif v.id in self.region.late:
            self.late(v)
        else:
            self.reduce(v)
        if v.op not in UFUNCS:
            self.floors.read(v, self.block.lines)

    def load_whole(self, v: Value) -> str:
        """The tile of a reduction's argument, stretched where it is broadcast."""
        a, read = v.args[0], self.region.reads[v.id]
        x = self.load(v, a)
        source, axes = self.p.plan.views[a.id]
        have = tuple(read[j] for j, n in enumerate(axes) if n is not None)
        if axes_in(have) == axes_in(read) and not self.p.is_splat(source):
            return x
        full = self.block.array(self.read_tile(v), a.dtype)
        self.block.write(f"copyto({full}, {x})")
        return full

    def read_tile(self, v: Value) -> tuple:
        """The shape of the tile that reduction `v` reads."""
        axes = axes_in(self.region.reads[v.id])
        return self.tiling.tile(self.space.frame_axes(axes))

    def reduce(self, v: Value) -> None:
        """A reduction that is complete within the tile."""
        x = self.load_whole(v)
        over = sorted(self.space.frame_axes(self.space.over(v)))
        out = self.texts[v.id] = self.target(v)
        if not over:
            self.block.write(f"copyto({out}, {'0' if v.op in ARG else x})")
        elif v.op in ARG:
            axis = self.tiling.position(over[0])
            self.block.write(f"{v.op}({x}, {axis}, {out}, keepdims=True)")
        else:
            self.total(v, x, over, out)

    def total(self, v: Value, x: str, over: list[int], out: str) -> None:
        """Reduce tile `x` over frame axes into `out`; halves by way of float32."""
        wide = self.widened(v, x)
        if wide is None:
            self.fold_tile(v, x, over, v.dtype, out)
            return
        total = self.block.array(self.tiling.tile(self.space.axes(v)), float32)
        self.fold_tile(v, wide, over, float32, total)
        self.block.write(f'copyto({out}, {total}, "unsafe")')

    def fold_tile(
        self, v: Value, x: str, over: list[int], dtype: DType, out: str
    ) -> None:
        """Reduce tile `x`, of type `dtype`, into `out`, which keeps the axes."""
        axes, ufunc = self.axes_text(over), REDUCERS[v.op]
        if axes.isdigit() and is_narrow(self.rough(self.read_tile(v)), int(axes)):
            self.block.write(f"reduce_narrow({ufunc}, {x}, {out})")
        else:
            given = f"{x}, {axes}, {dtype_text(dtype)}, {out}, True"
            self.block.write(f"{ufunc}.reduce({given})")

    def rough(self, tile: tuple) -> tuple:
        """The shape of a tile, with many for a block of unknown size."""
        return tuple(SHORT * SHORT if type(n) is str else n for n in tile)

    def widened(self, v: Value, x: str) -> Optional[str]:
        if v.dtype not in HALVES:
            return None
        wide = self.block.array(self.read_tile(v), float32)
        self.block.write(f"copyto({wide}, {x})")
        return wide

    def axes_text(self, over: list[int]) -> str:
        places = [self.tiling.position(a) for a in over]
        return str(places[0]) if len(places) == 1 else shape_text(tuple(places))

    # -- reductions that end with the loop

    def late(self, v: Value) -> None:
        """Gather a reduction over parts: each has a total, combined in order."""
        ufunc, k = REDUCERS[v.op], self.totals
        self.totals, self.frame.totals = k + 1, True
        dtype = float32 if v.dtype in HALVES else v.dtype
        x = self.load_whole(v)
        start, element = _START[ufunc], dtype_text(dtype)
        if not start.isdigit():
            start = f"{start}({element})"
        sizes = map(size_text, self.tiling.frame(self.space.axes(v)))
        shape = ", ".join(["count", *sizes])
        self.frame.top.append(f"p{k} = full(({shape}), {start}, {element})")
        self.frame.ahead.append(f"q{k} = p{k}[c]")
        self.gather(v, x, k, dtype)
        self.finish_late(v, k, dtype)

    def gather(self, v: Value, x: str, k: int, dtype: DType) -> None:
        """Combine a tile with total `k` of its part."""
        t, ufunc, axes = self.tiling, REDUCERS[v.op], self.space.axes(v)
        x = self.widened(v, x) or x
        over = sorted(self.space.frame_axes(self.space.over(v)))
        inside = [a for a in over if a not in t.outer]
        if inside:
            part = self.block.array(t.tile(axes), dtype)
            self.fold_tile(v, x, inside, dtype, part)
            x = part
        index = t.index(axes)
        total = f"t{k}" if index else f"q{k}"
        if index:
            self.block.write(f"{total} = q{k}{index}")
        self.block.write(f"{ufunc}({total}, {x}, out={total})")

    def finish_late(self, v: Value, k: int, dtype: DType) -> None:
        """Combine the totals of the parts, in order."""
        call, out = f"{REDUCERS[v.op]}.reduce(p{k}, 0, ", self.result(v)
        if dtype is v.dtype:
            self.frame.end.append(f"{call}{dtype_text(dtype)}, {out})")
        else:
            self.frame.end.append(f'copyto({out}, {call}float32), "unsafe")')

    # -- the whole

    def write(self) -> None:
        """Write the kernel's function and its call."""
        for v in self.region.nodes:
            self.node(v)
        self.p.at(self.region.nodes[0])
        finished = finish(self.block, hoist=True)
        symbols = self.symbols(finished)
        body = walk(self.tiling, self.frame, finished)
        if not self.tiling.threaded:
            self.use_callers_scratch(finished)
        name = self.p.kernel(self.region, self.params + symbols, body, finished)
        call = f"{name}({', '.join(self.given + symbols)})"
        self.p.block.write(call, shares=tuple(self.shares(finished)))

    def use_callers_scratch(self, finished: Finished) -> None:
        """Run by one thread, the kernel needs memory only while nothing else runs."""
        self.params += [name for name, _ in finished.views]
        self.given += self.p.block.carve(finished.size, finished.views)
        finished.views = []

    def shares(self, finished: Finished) -> Iterator[tuple]:
        """Operands read for the last time, tile by tile, before a result is written."""
        places: dict[str, list[int]] = {}
        for i, line in enumerate(finished.lines):
            for name in _TILE.findall(line):
                places.setdefault(name, []).append(i)
        given = dict(zip(self.params, self.given))
        for x, axes in self.whole.items():
            for y, out in self.results.items():
                last = places.get(x.replace("x", "a"), [0])[-1]
                first = places.get(y.replace("y", "b"), [last])
                # The line that takes the slice of the result writes nothing yet.
                if axes == out and last <= first[1 if len(first) > 1 else 0]:
                    if self.given.count(given[x]) == 1:
                        yield given[x], given[y]

    def symbols(self, finished: Finished) -> list[str]:
        """Symbolic sizes that the kernel mentions."""
        texts = [size_text(n) for n in (*self.tiling.sizes, self.tiling.block)]
        texts += [*finished.allocs, *self.frame.sizes, *self.frame.top]
        texts += [made for _, made in self.frame.held]
        words = set(re.findall(r"[A-Za-z_]\w*", " ".join(texts)))
        return [name for name in self.p.symbols if name in words]
