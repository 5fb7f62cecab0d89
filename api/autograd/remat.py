"""Rematerialisation: a backward that computes the forward again instead of keeping it.

The function is recorded; what it computes is a call whose rule repeats that SSA on
`again(x)`: the same numbers, never shared with those of the forward. So nothing in
between is kept, and random draws, which are SSA too, come out the same.
"""

from __future__ import annotations

import functools
from typing import Any, Callable, NamedTuple, ParamSpec, Sequence, TypeVar

from ...autodiff.vjp import vjp
from ...tracer.graph import Graph, Value, make, placeholder, reachable, replace
from ...tracer.later import Later
from ...tracer.pytree import flatten, rebuild
from ...tracer.record import state
from ...tracer.types import float32
from ..tensor import Tensor, wrap

__all__ = ["checkpoint", "remat"]

P = ParamSpec("P")
R = TypeVar("R")

# It brings much of `jit`, which not every program wants.
recording = Later("..jit.session", __package__)


def checkpoint(function: Callable[P, R]) -> Callable[P, R]:
    """`function`, whose backward computes it again instead of keeping what it needs.

    Arguments and results may be nested containers.

    >>> import tracefuse
    >>> f = checkpoint(lambda x: x.sin().exp())
    >>> tracefuse.grad(f)(tracefuse.tensor(0.0))
    tensor(1.)
    """

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if state.recorder is not None:
            return _inside(function, args, kwargs)
        if not state.grad:
            return function(*args, **kwargs)
        return _eager(function, args, kwargs)

    return wrapped


remat = checkpoint


def _eager(function: Callable, args: tuple, kwargs: dict) -> Any:
    run = functools.partial(_inside, function)
    try:
        made = recording.record(_name(function), run, (args, kwargs), {}, listen=False)
    except recording.Rerun:  # plain Python says better what is wrong
        return function(*args, **kwargs)
    try:
        return made.answer
    finally:
        made.forget()


def _name(function: Callable) -> str:
    name = getattr(function, "__name__", type(function).__name__)
    return f"{name}_again".replace("<lambda>", "lambda")


def _inside(function: Callable, args: tuple, kwargs: dict) -> Any:
    """Record `function` and put what came out behind a call that computes it again."""
    rec: Any = state.recorder
    leaves = flatten((args, kwargs))[0]
    given = {rec.value_of(t).id for t in leaves if isinstance(t, Tensor)}
    start = placeholder("start", (), float32).id
    out = function(*args, **kwargs)
    if not state.grad:
        return out
    leaves, spec = flatten(out)
    results = [t for t in leaves if isinstance(t, Tensor) and rec.value_of(t).live]
    call = _call([rec.value_of(t) for t in results], given, start)
    made = {
        id(t): wrap(rec, make("item", (call,), index=i))
        for i, t in enumerate(results)
        if t._array is None
    }
    return rebuild(spec, (made.get(id(x), x) for x in leaves))


def _call(results: list[Value], given: set[int], start: int) -> Value:
    """The node whose derivative computes `results` again from what is older."""
    outside = lambda v: v.id <= start or v.op in ("input", "leaf")  # noqa: E731
    nodes = reachable(results, stop=outside)
    border = [v for v in nodes if outside(v)]
    inputs = [v for v in border if v.live]
    moved = [v for v in border if v.id in given and v.dtype.is_floating_point]
    moved = moved or [v for v in border if v.dtype.is_floating_point]
    moved += {v.args[0].id: v.args[0] for v in nodes if v.op == "random_bits"}.values()
    args = (*inputs, *results, *moved)
    taken = [placeholder(f"x{i}", v.shape, v.dtype) for i, v in enumerate(args)]
    graph = Graph("again", taken, taken[len(inputs) : len(inputs) + len(results)])
    graph.memo["rule"] = _Again(len(inputs), len(results))
    return make("call", args, graph=graph)


class _Again(NamedTuple):
    """The rule: from what went in, moved out of reach of sharing, all is repeated."""

    inputs: int
    results: int
    name: str = "CheckpointBackward"
    saves: bool = True

    def __call__(self, v: Value, g: dict, wanted: Sequence[bool]) -> list:
        inputs, rest = v.args[: self.inputs], v.args[self.inputs :]
        moved = {x.id: make("again", (x,)) for x in rest[self.results :]}
        wrt = [moved.get(x.id, x) for x in inputs]
        results = replace(rest[: self.results], moved)
        found = vjp([results[i] for i in g], list(g.values()), wrt)
        return [*found, *(None for _ in rest)]
