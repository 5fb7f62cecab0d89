"""Programs on a GPU whose shapes repeat: captured once, then replayed by one launch.

What such a program writes it copies, as its last step, over what was there, so that
parameters stay at their addresses. What it hands out lies in memory of the capture,
which waits as long as somebody holds that (kernels/gpu/graphs.py).
"""

from __future__ import annotations

from typing import Any, Sequence

from ....tracer.graph import Graph
from ....tracer.later import Later
from ....tracer.sizes import Dim
from ...config import config
from ...engine import executable
from ...place import copies
from .changes import Changes
from .path import Path

__all__ = ["Replays"]

graphs = Later("....kernels.gpu.graphs", __package__)


class Replays(Changes):
    """Writes the end of a path whose program is replayed."""

    def replays(self, path: Path, graph: Graph) -> bool:
        """Whether this program is: its sizes are known, its writes go to the GPU."""
        sizes = (n for v in (*graph.inputs, *graph.outputs) for n in v.shape)
        wanted = self.device is not None and config.cuda_graphs and graph.outputs
        return bool(wanted and path.writes_away) and not any(
            isinstance(n, Dim) for n in sizes
        )

    def run_replayed(self, path: Path, graph: Graph, outputs: list[str]) -> tuple:
        """Emit the replay; the numbers of the outputs that were written by it."""
        first, count = len(path.fresh), len(path.writes)
        late = tuple(range(first, first + count))
        args, places = self._arguments(path, graph)
        made = executable(graph, device=self.device)
        self.compiled.append(made)
        run = Replaying(self.device, made, len(graph.inputs), late, places)
        names = "".join(f"{o}, " for k, o in enumerate(outputs) if k not in late)
        call = f"{self.w.bind('k', run.run)}({', '.join(args)})"
        self.w.line("try:")
        self.w.line(f"    {names}= {call}" if names else f"    {call}")
        self.w.line("except IndexError:  # Python runs again and says where")
        self.w.line("    return MISS")
        return late

    def _arguments(self, path: Path, graph: Graph) -> tuple[list[str], list[int]]:
        """The inputs, each array once, and which of them the writes go to."""
        args = [self.names[v.id] for v in graph.inputs]
        at = {v.id: n for n, v in enumerate(graph.inputs)}
        places = []
        for target, write in zip(path.targets, path.writes):
            value = None
            if target is not None:
                value = self.tree.value_of(path.inputs[target])
            if value is None or value.id not in at:
                places.append(len(args))
                args.append(self._target(*write))
            else:
                places.append(at[value.id])
        return args, places


class Replaying:
    """A program that ends by writing some outputs over some inputs."""

    def __init__(
        self, device: Any, made: Any, count: int, late: tuple, places: Sequence[int]
    ):
        self.device, self.made, self.count = device, made, count
        self.late, self.places = late, places
        # Gives the other outputs.
        self.run = graphs.Replayed(device, self.work, tuple(places))

    def work(self, *arrays: Any) -> list:
        """What is captured."""
        found = self.made.run(*arrays[: self.count])
        for k, place in zip(self.late, self.places):
            copies.copy_into(arrays[place], found[k])
        return [a for k, a in enumerate(found) if k not in self.late]
