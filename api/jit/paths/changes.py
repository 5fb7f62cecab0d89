"""The commit of a generated entry: everything that changes the outside, in one piece.

Where a write is an element by element update of what it replaces, the program is
divided (see kernels/tail.py): its last part runs while results are committed, over
the very arrays. Other results are computed before, into spare arrays that are then
exchanged.
"""

from __future__ import annotations

from typing import Any, Optional

import numpy as np

from ....kernels.tail import Parts, divide
from ....tracer.graph import Graph
from ....tracer.sizes import Dim, sized
from ...backends import writes_in_place
from ...engine import executable
from .path import Path, Source
from .results import Results
from .tree import Tree

__all__ = ["Changes"]


class Changes(Results):
    """Writes what a path changes: tensors, slots, generators.

    `names` are the expressions for values by id, `compiled` what has been compiled.
    """

    tree: Tree
    names: dict[int, str]
    compiled: list
    homes: dict[int, list]  # by id of a captured tensor: what says where it should be

    def divided(self, path: Path, graph: Graph) -> Optional[Parts]:
        """The program of `path` in two parts, where its last one can run in place."""
        if self.device is not None or not writes_in_place():
            return None
        first = len(path.fresh)
        values = [self.tree.value_of(described) for described in path.inputs]
        inside = {v.id for v in graph.inputs}  # a piece before may have read it
        targets = {
            first + n: values[i]
            for n, i in enumerate(path.targets)
            if i is not None and values[i].id in inside and _static(values[i].shape)
        }
        return divide(graph, targets, [values[i] for i in path.beside])

    def take_spares(self, graph: Graph, donated: tuple) -> tuple:
        """Have an array for each of these outputs; those outputs, or none of them."""
        kinds = [(graph.outputs[i].shape, graph.outputs[i].dtype.np) for i in donated]
        if not all(_static(shape) for shape, _ in kinds):
            return ()
        if donated:
            pool = self.w.bind("pool", [])
            empty = np.empty if self.device is None else self.device.empty
            new = self.w.bind("spares", lambda: [empty(*kind) for kind in kinds])
            self.pool = pool
            self.w.line(f"spare_ = {pool}.pop() if {pool} else {new}()")
        return donated

    def check_writable(self, path: Path, late: tuple) -> None:
        """What is to be written in place can be: it fails before anything changed."""
        for k in late:
            target = self._target(*path.writes[k - len(path.fresh)])
            self.w.miss(f"not {target}.flags.writeable")

    def check_given(self, path: Path) -> None:
        """Arguments that are written can be: an expanded one cannot, as Python says."""
        for source, _ in path.writes if path.device is None else ():
            if source.kind == "arg":
                self.w.miss(f"not x{source.at}_.flags.writeable")

    def change(
        self,
        path: Path,
        outputs: list[str],
        tensors: dict,
        donated: bool,
        parts: Optional[Parts],
        late: tuple = (),
    ) -> None:
        """Everything that changes the outside, with interrupts held back.

        The numbers of outputs in `late` are where they belong already.
        """
        w = self.w
        if not (path.writes or path.assigns or path.moves or path.draws):
            return
        w.line("mask_ = hold()")
        w.line("try:")
        w.depth += 1
        if parts is not None:
            self._run_last(parts, outputs)
        self._commit(path, outputs, donated, parts.late if parts else late)
        for source, ref in path.moves:
            self._move(source, tensors[ref.of[1]])
        for slot, ref in path.assigns:
            owner, value = self._owner(slot), self.made(ref, tensors)
            place = f"[{slot.key!r}]" if slot.item else f".{slot.key}"
            w.line(f"{owner}{place} = {value}")
        if path.touches:
            w.line("epoch.value += 1")
        for generator, blocks in path.draws:
            w.line(f"{w.bind('generator', generator)}.advance({sized(blocks)})")
        w.depth -= 1
        w.line("finally:")
        w.line("    release(mask_)")

    def _move(self, source: Source, made: str) -> None:
        """The tensor there looks at the memory of another, which was made for that."""
        w, t = self.w, self.at(source)
        w.line(f"{t}._storage, {t}._steps = {made}._storage, {made}._steps")
        w.line(f"{t}._array, {t}._value, {t}._seen = {made}._array, None, -1")
        for home in self.homes.get(id(source.at), ()):  # it is at home there now
            w.line(f"{w.bind('home', home)}[None] = ref({made}._storage)")

    def _run_last(self, parts: Parts, outputs: list[str]) -> None:
        left = [name for k, name in enumerate(outputs) if k not in parts.late]
        known = {v.id: name for v, name in zip(parts.first.outputs, left)}
        known.update((v.id, f"e{j}_") for j, v in enumerate(parts.handed))
        known.update(self.names)
        made = executable(parts.last, inplace=parts.inplace)
        self.compiled.append(made)
        args = ", ".join(known[v.id] for v in parts.last.inputs)
        self.w.line(f"{self.w.bind('k', getattr(made, 'run', made))}({args})")

    def _commit(
        self, path: Path, outputs: list[str], donated: bool, late: tuple
    ) -> None:
        w, first = self.w, len(path.fresh)
        live = (*path.border.live, *path.border.used) if path.border else ()
        for source, _ in path.writes:
            if source.kind == "arg":  # our own name for it would count as a holder
                w.line(f"x{source.at}_ = None")
        names = []
        for n, (source, root) in enumerate(path.writes, first):
            t, value = self.at(source), f", h_[{n}]" if n in live else ""
            if n in late:
                w.line(f"written({t}{value})")
            else:
                how = "exchange" if self.device is None else "exchange_away"
                names.append(f"{how}({t}, {outputs[n]}, {root}{value})")
        if donated:
            w.line(f"{self.pool}.append([{', '.join(names)}])")
        else:
            for name in names:
                w.line(name)

    def _target(self, source: Any, root: bool) -> str:
        return (
            f"{self.at(source)}._storage.array" if root else f"{self.at(source)}._array"
        )


def _static(shape: tuple) -> bool:
    return not any(isinstance(n, Dim) for n in shape)
