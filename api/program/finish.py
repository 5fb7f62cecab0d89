"""The end of a path: what it writes, draws and hands out, recorded."""

from __future__ import annotations

from typing import Any

from ...tracer.pytree import rebuild
from ...tracer.record import state as thread
from ...tracer.sizes import same_size
from ...tracer.splice import Splice
from ..random.generator import default_generator
from ..tensor import Tensor, view, wrap
from .plan import Place, Plan

__all__ = ["Finish"]


class Finish:
    """Writes what a path writes and hands out what it returns."""

    def __init__(self, program: Any, plan: Plan, leaves: list, splice: Splice):
        self.program, self.plan = program, plan
        self.leaves, self.splice = leaves, splice
        self.roots: list[Tensor] = []
        self.results: list[Any] = []

    def run(self, outputs: tuple) -> Any:
        """The result, after all writes."""
        rec: Any = thread.recorder
        plan, splice = self.plan, self.splice
        written = [self.tensor(place) for place in plan.writes]
        self.check(written)
        values = splice.values(outputs)
        self.roots = [wrap(rec, v) for v in values[: plan.fresh]]
        for t, v in zip(written, values[plan.fresh :]):
            rec.write(t, v)
        if not same_size(plan.blocks, 0):
            rec.draw(default_generator, splice.renew(plan.blocks))
        for place, entry in plan.grads:
            self.tensor(place).grad = entry and self.made(entry)  # type: ignore
        for entry in plan.result:
            self.results.append(self.made(entry))
        return rebuild(plan.spec, self.results)

    def tensor(self, place: Place) -> Tensor:
        """The tensor at a place."""
        return self.program.tensor(place, self.leaves)

    def check(self, written: list[Tensor]) -> None:
        """Nothing that the recording took for granted about tensors is otherwise."""
        rec: Any = thread.recorder
        for t in written:
            rec.value_of(t)
            rec.check_writable(t)
        tensors = [t for t in self.leaves if isinstance(t, Tensor)]
        for t in (*tensors, *self.program.parameters()):
            if any(t is not w and t._storage is w._storage for w in written):
                raise RuntimeError(
                    f"{self.program.name} writes a tensor that shares memory with "
                    "another one it was given: clone() one of them"
                )

    def made(self, entry: tuple) -> Any:
        """A leaf of the result."""
        kind, of, steps = entry
        if kind == "plain":
            return self.splice.renew(of)
        if kind == "again":
            return self.results[of]
        t = self.roots[of] if kind == "new" else self.tensor(of)
        for op, attrs in steps:
            t = view(t, op, **{k: self.splice.renew(a) for k, a in attrs.items()})
        return t
