"""Where a recorded program meets eager history.

Results that gradients flow into are, seen from outside, items of one `call` node whose
arguments are the histories of what came in. The program then also returns what the
backward will read, so that `backward()` outside starts from there.
"""

from __future__ import annotations

import gc
from typing import Any, NamedTuple, Optional, Sequence

import numpy as np

from ...autodiff.inside import OpenLoop
from ...autodiff.residuals import differentiate
from ...tracer.errors import TraceError
from ...tracer.graph import Graph, Value, make, placeholder, reachable
from ...tracer.ops import OPS
from ...tracer.record import state
from ...tracer.sizes import guess, hint
from ...tracer.storage import Storage
from ...tracer.types import float32
from ..autograd.freed import Groups
from ..history import FREED, Kept, keep, saving, still, tape
from ..tensor import Tensor, fresh
from .parting import part

__all__ = ["Border", "ends_of", "known_input", "late_writes", "owner_of", "spent"]


class Border(NamedTuple):
    """The differentiable side of a recorded program.

    `forward` takes the inputs, then one value for each of `owners` (the tensors that
    gradients flow back to); it returns the outputs, then what is `kept`. `live`
    numbers the outputs that have a history, `used` those whose history a backward
    inside has consumed. `groups` tell which backwards outside exclude each other.
    """

    forward: Graph
    owners: tuple
    late: tuple  # for each owner: None, or how many writes of the program come first
    kept: tuple
    sources: tuple  # for each of `kept`: which input or owner it is, or None
    live: tuple
    used: tuple
    groups: Groups = Groups((), ())

    @property
    def computed(self) -> tuple:
        """What is kept and nobody has: the program returns it."""
        return tuple(v for v, at in zip(self.kept, self.sources) if at is None)

    def histories(
        self, inputs: Sequence[tuple], owners: Sequence[Tensor], kept: Sequence
    ) -> dict[int, Value]:
        """The history of each output that has one, taken before anything is written.

        `inputs` are pairs (array, its storage or None), `kept` the arrays of what is
        kept and `computed`. Inputs are kept as they are: a later write is noticed.
        """
        found = {i: spent for i in self.used}
        if not self.live:
            return found
        types = self.forward.inputs
        data = [known_input(v, *pair) for v, pair in zip(types, inputs)]
        ends = zip(owners, self.late, types[len(data) :])
        leaves = [tape(t) if late is None else _next(t, late, v) for t, late, v in ends]
        call = make("call", (*data, *leaves), graph=self.forward)
        first = len(self.forward.outputs) - len(self.kept)
        arrays, call.data = iter(kept), Kept()
        for n, at in enumerate(self.sources):
            array, storage = _found(at, inputs, owners) if at else (next(arrays), None)
            version = 0 if storage is None else storage.version
            item = make("item", (call,), index=first + n)
            if saving.pack is not None:
                array, storage, version = saving.pack(fresh(array)), None, 0
            call.data.append((item, array, storage or still, version))
        call.data += [keep(t) for t, late in zip(owners, self.late) if late is None]
        call.data.groups = self.groups
        for i in self.live:
            found[i] = make("item", (call,), index=i)
        return found


def _found(at: tuple, inputs: Sequence, owners: Sequence) -> tuple:
    kind, number = at
    if kind == "input":
        return inputs[number]
    return owners[number]._array, owners[number]._storage


def _next(t: Optional[Tensor], late: int, like: Value) -> Value:
    """The value that a leaf will be once this program has written to it, or made it.

    A variable that only the program ever saw (None) has nowhere to put a gradient.
    """
    shape = tuple(map(hint, like.shape))
    new = make("leaf", (placeholder("t", shape, like.dtype),))
    if t is not None:
        of, storage = t._steps[-1][1]["of"], t._storage
        of.version = 0 if storage.maker is not None else storage.version + late
        of.value, new.data = new, of
    return new


def known_input(like: Value, array: np.ndarray, storage: Optional[Storage]) -> Value:
    """An argument of the call that no gradient flows to."""
    storage = storage or still
    new = placeholder("x", array.shape, like.dtype)
    new.data = [(new, array, storage, storage.version)]
    return new


# The history of a result whose backward has run inside: it is live, and used up.
spent = make("leaf", (placeholder("used", (), float32),))
spent.data = FREED


class _Ends(NamedTuple):
    """Where gradients enter and leave: outputs that have a history, those whose
    history is used up, and the leaves behind."""

    live: tuple
    used: tuple
    leaves: list


def ends_of(rec: Any, outputs: list) -> _Ends:
    number = [i for i, v in enumerate(outputs) if v.live and not _is_new(rec, v)]
    used = tuple(i for i in number if _consumed(rec, outputs[i]))
    live = tuple(i for i in number if i not in used)
    behind = reachable([outputs[i] for i in live], stop=lambda v: not v.live)
    leaves = [v for v in behind if v.op == "leaf" and not v.args[0].live]
    return _Ends(live, used, leaves)


def ahead(rec: Any, outputs: list, listener: Any) -> tuple:
    """The derivative, taken while the recording still listens.

    For where Python takes part in it: what that reads becomes part of the program. It
    cannot change the outside, since nobody knows whether a backward ever comes.
    """
    before, grad = (state.recorder, guess.watcher), state.grad
    known, first = _changes(rec), len(rec.made)
    try:
        state.recorder, guess.watcher, state.grad = rec, rec.size_guess, True
        with listener:
            ends = ends_of(rec, outputs)
            joint = differentiate(outputs, ends.leaves, ends.live)
    finally:
        (state.recorder, guess.watcher), state.grad = before, grad
    _check_let_go(rec, first)
    if _changes(rec) != known:
        raise TraceError(
            f"a hook or backward used in {rec.name} writes to a tensor from outside: "
            "it may when backward() is called inside the jitted function"
        )
    return joint


def _check_let_go(rec: Any, first: int) -> None:
    """No tensor that Python saw there may be held by it: it has no numbers yet."""
    for _ in range(2):
        held = [t for t in (ref() for ref in rec.made[first:]) if t is not None]
        if not held:
            return
        gc.collect()
    raise TraceError(
        f"a hook or backward used in {rec.name} keeps a gradient, which a backward() "
        "outside of the jitted function has yet to bring: call backward() inside"
    )


def _changes(rec: Any) -> tuple:
    versions = (id(s) for s, shadow in rec.shadows.items() if shadow.version)
    written = ((key, id(slot.get())) for key, (slot, _) in rec.written.items())
    return sorted(versions), sorted(written)


def find_border(
    rec: Any, inputs: Sequence[Value], outputs: list, joint: Optional[tuple] = None
) -> Optional[Border]:
    """The border of a program, or None when no output is differentiable.

    `joint` is its derivative, where it was taken `ahead`.
    """
    live, used, leaves = ends_of(rec, outputs)
    if not live and not used:
        return None
    graph = Graph(rec.name, (*inputs, *leaves), outputs)
    owners = tuple(owner_of(rec, leaf) for leaf in leaves)
    late = tuple(late_writes(rec, leaf, t) for leaf, t in zip(leaves, owners))
    if not live:
        return Border(graph, owners, late, (), (), live, used)
    try:
        parts = part(rec, graph, leaves, live, joint)
    except OpenLoop:  # no reason not to run it: backward() will say so
        return Border(graph, owners, late, (), (), live, used)
    at_hand = _unwritten(rec)
    written = _written(rec)
    for n, (v, t) in enumerate(zip(leaves, owners)):
        if late[n] is None and t is not None and t._storage not in written:
            at_hand[v.id] = ("owner", n)
    sources = tuple(at_hand.get(v.id) for v in parts.kept)
    forward, kept, groups = parts
    return Border(forward, owners, late, kept, sources, live, used, groups)


def _unwritten(rec: Any) -> dict[int, tuple]:
    """Where each input is found, by the id of its value, that the program leaves as it
    came: tensors it does not write."""
    written = _written(rec)
    return {
        i.value.id: ("input", n)
        for n, i in enumerate(rec.inputs)
        if i.kind in ("tensor", "root") and i.owner._storage not in written
    }


def _written(rec: Any) -> set[Storage]:
    return {s for s, shadow in rec.shadows.items() if shadow.version}


def _is_new(rec: Any, v: Value) -> bool:
    """Whether a result is itself a variable made inside: its history begins with it."""
    of = rec.leaves.get(v.id)
    made = of.tensor() if of is not None else None
    return made is not None and made._storage.maker is rec


def _is_input(leaf: Value) -> bool:
    """Whether a leaf is seen as it came in: an input, or a view of one."""
    v = leaf.args[0]
    while v.args and (OPS[v.op].kind == "movement" or v.op == "stop_gradient"):
        v = v.args[0]
    return v.op == "input"


def _consumed(rec: Any, v: Value) -> bool:
    """Whether a backward inside has used up the history of `v`."""
    behind = reachable([v], stop=lambda u: not u.live)
    return any(u.id in rec.freed for u in behind)


def owner_of(rec: Any, leaf: Value) -> Optional[Tensor]:
    """The tensor whose variable a leaf is; None where it lived only inside."""
    of, owner = rec.leaves.get(leaf.id), rec.borders.get(leaf.id)
    if owner is None and of is not None:
        owner = of.tensor()
    return rec.before(owner)


def late_writes(rec: Any, leaf: Value, owner: Optional[Tensor]) -> Optional[int]:
    if owner is not None and owner._array is None:  # made here
        return int(owner._storage in _written(rec))
    return None if owner is not None and _is_input(leaf) else 1
