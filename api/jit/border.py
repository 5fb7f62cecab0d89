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
from ...tracer.ops import OPS
from ...tracer.storage import Storage
from ...tracer.types import float32
from ..history import FREED, Kept, keep, tape
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
    late: tuple  # for each owner: whether the program itself writes what it is seen as
    kept: tuple
    live: tuple
    used: tuple

    def histories(
        self, inputs: Sequence[tuple], owners: Sequence[Tensor], kept: Sequence
    ) -> dict[int, Value]:
        """The history of each output that has one, taken before anything is written.

        `inputs` are pairs (array, its storage or None), `kept` the arrays of what is
        kept.
        """
        found = {i: spent for i in self.used}
        if not self.live:
            return found
        types = self.forward.inputs
        data = [_known(v, *pair) for v, pair in zip(types, inputs)]
        leaves = [_next(t) if late else tape(t) for t, late in zip(owners, self.late)]
        call = make("call", (*data, *leaves), graph=self.forward)
        first = len(self.forward.outputs) - len(self.kept)
        items = [make("item", (call,), index=first + n) for n in range(len(kept))]
        call.data = Kept((v, array, still, 0) for v, array in zip(items, kept))
        call.data += [keep(t) for t, late in zip(owners, self.late) if not late]
        call.data.left = set(self.live)
        for i in self.live:
            found[i] = make("item", (call,), index=i)
        return found


def _next(t: Tensor) -> Value:
    """The value that a leaf will be once this program has written to it."""
    of, storage = t._steps[-1][1]["of"], t._storage
    of.value = make("leaf", (placeholder("t", t._array.shape, t.dtype),))
    of.version, of.value.data = storage.version + 1, of
    return of.value


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
    number = [i for i, v in enumerate(outputs) if v.live and not _is_new(rec, v)]
    if not number:
        return None
    used = tuple(i for i in number if _consumed(rec, outputs[i]))
    live = tuple(i for i in number if i not in used)
    behind = reachable([outputs[i] for i in live], stop=lambda v: not v.live)
    leaves = [v for v in behind if v.op == "leaf" and not v.args[0].live]
    graph = Graph(rec.name, (*inputs, *leaves), outputs)
    owners = tuple(_owner(rec, leaf) for leaf in leaves)
    late = tuple(not _is_input(leaf) for leaf in leaves)
    if not live:
        return Border(graph, owners, late, (), live, used)
    parts = split(graph, leaves, live)
    parts.forward.memo["split"] = parts._replace(offset=len(inputs))
    return Border(parts.forward, owners, late, parts.kept, live, used)


def _is_new(rec: Any, v: Value) -> bool:
    """Whether a result is itself a variable made inside: its history begins with it."""
    of = rec.leaves.get(v.id)
    made = of.tensor() if of is not None else None
    return made is not None and made._storage.maker is rec


def _is_input(leaf: Value) -> bool:
    """Whether a leaf is seen as it came in: an input, or a view of one."""
    v = leaf.args[0]
    while v.args and OPS[v.op].kind == "movement":
        v = v.args[0]
    return v.op == "input"


def _consumed(rec: Any, v: Value) -> bool:
    """Whether a backward inside has used up the history of `v`."""
    behind = reachable([v], stop=lambda u: not u.live)
    return any(u.id in rec.freed for u in behind)


def _owner(rec: Any, leaf: Value) -> Tensor:
    of, owner = rec.leaves.get(leaf.id), rec.borders.get(leaf.id)
    if owner is None and of is not None:
        owner = of.tensor()
    if owner is None or owner._array is None:
        raise TraceError(
            f"a result depends on a variable made at {leaf.line}, which lives only "
            "inside the jitted function: detach() the result, or pass the variable in"
        )
    return owner
