"""Histories are used up: a second backward raises where the first freed something.

A backward frees what the nodes it passes have kept; nodes that kept nothing may be
passed again. Seen from outside, a jitted call is one node, with one for each of its
results. It answers as its inside would: the nodes in there fall into few groups, by
which results they lie behind and which variables lie behind them, and a backward from
some result to some variables uses up the groups between them.
"""

from __future__ import annotations

from typing import Any, Iterable, Iterator, NamedTuple, Optional, Sequence

from ...autodiff.derivatives import reads
from ...autodiff.vjp import between, rule_of
from ...tracer.graph import Value
from ...tracer.ops import OPS
from ...tracer.record import Recorder
from ..history import FREED, Kept

__all__ = ["Groups", "check_kept", "flowing", "free", "groups_of"]

_TWICE = (
    "Trying to backward through the graph a second time (or directly access saved "
    "tensors after they have already been freed). Specify retain_graph=True if you "
    "need to backward through the graph a second time."
)


def check_kept(rec: Optional[Recorder], path: Sequence[Value], wrt: Iterable) -> None:
    """RuntimeError when a backward has used up one of these already."""
    ids = {v.id for v in (*path, *wrt)}
    for v in (*path, *wrt):
        if v.id in rec.freed if rec is not None else _is_gone(v, ids):
            raise RuntimeError(_TWICE)


def _is_gone(v: Value, ids: set[int]) -> bool:
    if _is_result(v):
        return bool(_touched(v, ids) & v.args[0].data.used)
    return v.data is FREED


def free(rec: Optional[Recorder], path: Sequence[Value], wrt: Iterable) -> None:
    """Let go of what the history kept between `wrt` and the roots."""
    if rec is not None:
        rec.freed.update(saving(rec, path))
        return
    ids = {v.id for v in (*path, *wrt)}
    for v in path:
        if _is_result(v):
            kept = v.args[0].data
            kept.used |= _touched(v, ids)
            if not kept.groups.open(kept.used):
                v.args[0].data = FREED
        elif not isinstance(v.data, Kept):
            v.data = FREED if v.data else None


def saving(rec: Recorder, path: Iterable[Value]) -> Iterator[int]:
    """Those, by id, where eager a history would keep something (see remember)."""
    numbers = {i.value.id for i in rec.inputs if i.kind in ("number", "scalar")}
    for v in path:
        rule: Any = rule_of(v)
        if rule.saves if rule is not None else _reads_tensors(v, numbers):
            yield v.id


def _reads_tensors(v: Value, numbers: set[int]) -> bool:
    if v.op in ("leaf", "input"):
        return False
    live = tuple([arg.live for arg in v.args])
    own, of_args = reads(v.op, len(v.args), v.attrs.get("mode"), live)
    read = [a for a, wanted in zip(v.args, of_args) if wanted]
    if OPS[v.op].kind != "pointwise":  # only those are given numbers
        return own or bool(read)
    return own or any(not _is_number(a, numbers) for a in read)


def _is_number(v: Value, numbers: set[int]) -> bool:
    """Whether it was one in Python: written down, or followed from outside."""
    todo = [v]
    while todo:
        v = todo.pop()
        if v.op != "constant" and v.id not in numbers:
            if OPS[v.op].kind != "pointwise" and v.op != "expand":
                return False
            todo += v.args
    return True


# -- a jitted call, seen from outside


def flowing(path: dict[int, Value], roots: Iterable[Value]) -> list[Value]:
    """What of the path lies behind the roots: a result of a jitted call only has
    before it what it was computed from."""
    if not any(map(_is_result, path.values())):
        return list(path.values())
    seen: set[int] = set()
    todo = list(roots)
    while todo:
        v = todo.pop()
        if v.id in path and v.id not in seen:
            seen.add(v.id)
            todo += _before(v, seen)
    return [v for v in path.values() if v.id in seen]


def _before(v: Value, seen: set[int]) -> Iterable[Value]:
    if not _is_result(v):
        return v.args
    call = v.args[0]
    seen.add(call.id)
    ways = call.data.groups.ways
    return [call.args[n.bit_length() - 1] for i, n in ways if i == v.attrs["index"]]


class Groups(NamedTuple):
    """The nodes of a program that save something, in groups.

    Each pair says, in bits, which results lie ahead and which arguments of the call,
    variables, lie behind: the groups in `saving`, and all ways there are in `ways`.
    """

    saving: tuple
    ways: tuple

    def between(self, result: int, behind: int) -> int:
        """The groups, in bits, that a backward from `result` to `behind` passes."""
        pairs = enumerate(self.saving)
        return sum(1 << n for n, (a, b) in pairs if a >> result & 1 and b & behind)

    def open(self, used: int) -> bool:
        """Whether some way is left that passes none of the groups `used`."""
        return any(not self.between(*way) & used for way in self.ways)


def groups_of(
    rec: Recorder, outputs: Sequence[Value], live: tuple, wrt: list, first: int
) -> Groups:
    """The groups of a program by its `live` outputs and variables `wrt`, which are
    the arguments of its call from number `first` on."""
    path = between(wrt, [outputs[i] for i in live])
    behind, ahead = _behind(path, wrt, first), _ahead(path, outputs, live)
    groups = {(ahead[i], behind[i]) for i in saving(rec, path.values())}
    bits = [(i, first + n) for i in live for n in range(len(wrt))]
    ways = [(i, 1 << n) for i, n in bits if behind.get(outputs[i].id, 0) >> n & 1]
    return Groups(tuple(groups), tuple(ways))


def _behind(path: dict[int, Value], wrt: list, first: int) -> dict[int, int]:
    """Which variables lie behind each value of the path, in bits."""
    found = dict.fromkeys(path, 0)
    found.update((v.id, 1 << (first + n)) for n, v in enumerate(wrt))
    for v in path.values():
        for arg in v.args:
            found[v.id] |= found.get(arg.id, 0)
    return found


def _ahead(path: dict[int, Value], outputs: Sequence, live: tuple) -> dict[int, int]:
    """Which results lie ahead of each value of the path, in bits."""
    found = dict.fromkeys(path, 0)
    for i in live:
        found[outputs[i].id] = found.get(outputs[i].id, 0) | 1 << i
    for v in reversed(path.values()):
        for arg in v.args:
            if arg.id in found:
                found[arg.id] |= found[v.id]
    return found


def _is_result(v: Value) -> bool:
    return v.op == "item" and isinstance(v.args[0].data, Kept)


def _touched(v: Value, ids: set[int]) -> int:
    """The groups of a call that a backward passes from its result `v` to `ids`."""
    call = v.args[0]
    behind = sum(1 << n for n, arg in enumerate(call.args) if arg.id in ids)
    return call.data.groups.between(v.attrs["index"], behind)
