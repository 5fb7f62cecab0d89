"""Where a recorded program meets eager history.

Results that gradients flow into are, seen from outside, items of one `call` node whose
arguments are the histories of what came in. The program then also returns what the
backward will read, so that `backward()` outside starts from there.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Optional, Sequence

import numpy as np

from ...autodiff.residuals import split
from ...tracer.errors import TraceError
from ...tracer.graph import Graph, Value, make, placeholder, reachable
from ...tracer.storage import Storage
from ...tracer.types import float32
from ..history import FREED, tape
from ..tensor import Tensor

__all__ = ["Border", "spent"]


class Border(NamedTuple):
    """The differentiable side of a recorded program.

    `forward` takes the inputs, then one value for each of `owners` (the tensors that
    gradients flow back to); it returns the outputs, then what is `kept`. `live`
    numbers the outputs that have a history, `used` those whose history a backward
    inside has consumed.
    """

    forward: Graph
    owners: tuple
    kept: tuple
    live: tuple
    used: tuple

    def histories(
        self, inputs: Sequence[tuple], owners: Sequence[Tensor], kept: Sequence
    ) -> dict[int, Value]:
        """The history of each output that has one.

        `inputs` are pairs (array, its storage or None), `kept` the arrays of what is
        kept.
        """
        found = {i: spent for i in self.used}
        if not self.live:
            return found
        types = self.forward.inputs
        data = [_known(v, *pair) for v, pair in zip(types, inputs)]
        call = make("call", (*data, *map(tape, owners)), graph=self.forward)
        first = len(self.forward.outputs) - len(self.kept)
        items = [make("item", (call,), index=first + n) for n in range(len(kept))]
        call.data = [(v, array, still, 0) for v, array in zip(items, kept)]
        for i in self.live:
            found[i] = make("item", (call,), index=i)
        return found


# The storage of arrays that the history alone holds: nobody writes there.
still = Storage()


def _known(like: Value, array: np.ndarray, storage: Optional[Storage]) -> Value:
    """An argument of the call that no gradient flows to."""
    storage = storage or still
    new = placeholder("x", array.shape, like.dtype)
    new.data = [(new, array, storage, storage.version)]
    return new


# The history of a result whose backward has run inside: it is live, and used up.
spent = make("leaf", (placeholder("used", (), float32),))
spent.data = FREED


def find_border(rec: Any, inputs: Sequence[Value], outputs: list) -> Optional[Border]:
    """The border of a program, or None when no output is differentiable."""
    number = [i for i, v in enumerate(outputs) if v.live]
    if not number:
        return None
    used = tuple(i for i in number if _consumed(rec, outputs[i]))
    live = tuple(i for i in number if i not in used)
    behind = reachable([outputs[i] for i in live], stop=lambda v: not v.live)
    leaves = [v for v in behind if v.op == "leaf" and not v.args[0].live]
    graph = Graph(rec.name, (*inputs, *leaves), outputs)
    owners = tuple(_owner(rec, leaf) for leaf in leaves)
    if not live:
        return Border(graph, owners, (), live, used)
    parts = split(graph, leaves, live)
    # Behind the inputs come the leaves: the numbers of what is reached shift.
    shifted = tuple(len(inputs) + i for i in parts.reached)
    parts.forward.memo["split"] = parts._replace(reached=shifted)
    kept = parts.forward.outputs[len(outputs) :]
    return Border(parts.forward, owners, tuple(kept), live, used)


def _consumed(rec: Any, v: Value) -> bool:
    """Whether a backward inside has used up the history of `v`."""
    behind = reachable([v], stop=lambda u: not u.live)
    return any(u.id in rec.freed for u in behind)


def _owner(rec: Any, leaf: Value) -> Tensor:
    outside = rec.borders.get(leaf.id)
    owner = rec.leaves[leaf.id].tensor() if outside is None else outside
    if owner is None or owner._array is None:
        raise TraceError(
            f"a result depends on a variable made at {leaf.line}, which lives only "
            "inside the jitted function: detach() the result, or pass the variable in"
        )
    return owner
