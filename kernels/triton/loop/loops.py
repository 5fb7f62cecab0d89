"""The loops of a program: which are kernels, and how their reductions end.

A loop that is little work is no kernel: whoever reads it computes it again. Late
reductions that are complete in each program go on with what reads them; of others a
second kernel makes results of partial ones, of all that are alike at once, together
with the loops that read those.
"""

from __future__ import annotations

from typing import Optional, Sequence

from ....tracer.graph import Value
from ...axes import key, squeeze
from ...regions import Region
from ..emit import Emitter
from ..kernel import Kernel
from ..text import elements
from .finishing import append, divided, finisher, followed
from .space import Space
from .tile import Partial, Tile

__all__ = ["HEAVIEST", "Loops"]

HEAVIEST = 16  # values that may be read through before one is stored
LITTLE = 10  # operations that readers may compute again
SMALL = 4096  # elements that they may
SLIGHT, LINE = 3, 1 << 17  # the same of a weight that is cast, say
ONCE = ("concat", "pad", "update_slice", "slice")  # read an element at most once


class Loops:
    """The part of a program that deals with loops; the rest is in program.py."""

    epilogues: dict[int, Value]
    results: set[int]

    def __init__(self) -> None:
        self.readers: dict[int, list[Region]] = {}
        self.weights: dict[int, int] = {}  # of what is read through
        self.unfinished: dict[int, list[Partial]] = {}  # by the reader's first node
        self.early: set[int] = set()  # loops that ran already, by their first nodes

    def stored(self, v: Value) -> bool:
        """Whether a value lies in memory by now."""
        raise NotImplementedError

    def fresh(self) -> str:
        """The name of the next kernel."""
        raise NotImplementedError

    def matmul(self, dot: Value, region: Optional[Region]) -> None:
        """The kernel of a matrix product with what is done to its result."""
        raise NotImplementedError

    def on_host(self, v: Value) -> None:
        """A step on the host."""
        raise NotImplementedError

    def launch(
        self,
        kernel: Kernel,
        em: Emitter,
        outputs: Sequence[Value],
        partials: Sequence[Partial] = (),
    ) -> None:
        """Append a launch."""
        raise NotImplementedError

    def loop(self, region: Region) -> None:
        """The kernel of a loop, and those that finish its late reductions."""
        if not elements(region.shape):
            for v in region.nodes:
                self.on_host(v)
            return
        dot = self.epilogues.get(region.nodes[0].id)
        if dot is not None:
            self.matmul(dot, region)
            return
        partials = self.unfinished.pop(region.nodes[0].id, ())
        if partials:
            region = followed(finisher(partials), [region], self.kept(partials))
        for part in divided(region):
            self.append_readers(part)
            tile = Tile(part, self.fresh(), self.stored)
            self.launch(tile.kernel, tile.em, part.outputs, tile.partials)
            self.finish_partials(tile.partials)

    def append_readers(self, region: Region) -> None:
        """Let a loop go on with late reductions that are complete in its programs."""
        space = Space(region) if region.late else None
        for v in space.late if space is not None else ():
            reader = self.only_reader(v)
            if reader is None or space is None or space.parts_of(v) > 1:
                continue
            if self.is_ready(reader, {v.id}) and reader.nodes[0].id not in self.early:
                self.early.add(reader.nodes[0].id)
                append(region, v, reader, v.id in self.results)

    def finish_partials(self, partials: Sequence[Partial]) -> None:
        """Kernels that make results of partial ones, with what follows them.

        Results of one shape are finished together, as soon as what follows can run.
        """
        alike: dict[tuple, list[Partial]] = {}
        later: dict[int, list[Partial]] = {}
        for p in partials:
            reader = self.only_reader(p.node)
            known = {q.node.id for q in partials if q.held.shape == p.held.shape}
            if reader is None or self.is_ready(reader, known):
                alike.setdefault(p.held.shape, []).append(p)
            else:
                later.setdefault(reader.nodes[0].id, []).append(p)
        for group in alike.values():
            self.finish_now(group)
        for first, group in later.items():
            self.unfinished[first] = group

    def is_ready(self, region: Region, known: set[int]) -> bool:
        """Whether a loop can run once these values are known."""
        return all(self.stored(x) or x.id in known for x in region.inputs)

    def finish_now(self, group: Sequence[Partial]) -> None:
        """One kernel for the results and the loops that read nothing later."""
        found = (self.only_reader(p.node) for p in group)
        readers = {r.nodes[0].id: r for r in found if r is not None}
        region = followed(finisher(group), list(readers.values()), self.kept(group))
        self.early.update(readers)
        self.loop(region)

    def kept(self, group: Sequence[Partial]) -> set[int]:
        """Results that have to lie in memory."""
        alone = {p.node.id for p in group if self.only_reader(p.node) is None}
        return self.results | alone

    def only_reader(self, v: Value) -> Optional[Region]:
        """The one loop over just the elements of `v` that reads it."""
        readers = self.readers.get(v.id, ())
        if len(readers) != 1 or readers[0].kind != "loop" or readers[0].reductions:
            return None
        first = readers[0].nodes[0].id
        if first in self.epilogues or first in self.unfinished:
            return None
        return readers[0] if key(readers[0].shape) == key(squeeze(v.shape)) else None

    # -- what is no kernel

    def inlined(self, region: Region) -> bool:
        """Whether readers compute it again: little work, on little or on what is moved.

        A cast of a bias or the wrapping of an index is not worth a launch.
        """
        if region.reductions or len(region.nodes) > LITTLE:
            return False
        first = region.nodes[0].id
        if first in self.epilogues or first in self.unfinished:
            return False
        if any(v.id in self.results for v in region.nodes):
            return False
        small = elements(region.shape) <= SMALL or self.is_weight(region)
        if not small and not all(self.moved_once(v) for v in region.outputs):
            return False
        weight = len(region.nodes)
        weight += sum(self.weights.get(v.id, 0) for v in region.inputs)
        if weight > HEAVIEST:
            return False
        self.weights.update((v.id, weight) for v in region.outputs)
        return True

    def is_weight(self, region: Region) -> bool:
        """Whether it is next to nothing, for loops over many rows of its elements."""
        count = elements(region.shape)
        if len(region.nodes) > SLIGHT or count > LINE:
            return False
        readers = [r for v in region.outputs for r in self.readers.get(v.id, ())]
        wide = (r.kind == "loop" and elements(r.shape) >= 8 * count for r in readers)
        return bool(readers) and all(wide)

    def moved_once(self, v: Value) -> bool:
        """Whether the only reader is a movement that reads each element once."""
        readers = self.readers.get(v.id, ())
        if len(readers) != 1:
            return False
        reader = readers[0].nodes[0]
        if reader.op == "attention":
            return reader.attrs["work"].loads_once(v, reader.args)
        return reader.op in ONCE
