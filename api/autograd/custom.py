"""A derivative that somebody else provides: one `call` node that carries its rule.

The call takes what went in, what came out, and what was saved for the backward. To a
compiler it is the identity on what came out; to differentiation it is a step from
what went in, whose rule is Python.
"""

from __future__ import annotations

import weakref
from typing import Any, Optional, Sequence

from ...autodiff.adjoints import unexpand
from ...tracer.graph import Graph, Value, constant, make, placeholder
from ...tracer.record import state
from ...tracer.sizes import same_shape
from ...tracer.storage import memory_steps, put
from ..history import root_of
from ..tensor import Tensor, fresh, view, wrap
from .python import World, python

__all__ = ["Rule", "attach", "join", "leave_out", "rebase"]


class Rule:
    """The derivative of a call. The first `count` arguments are what went in, then
    come the results, then what was saved.

    `pull` turns the cotangents of the results, by number, into one gradient (or None)
    for each input; `saves` says whether one backward uses the call up.
    """

    name = "CustomBackward"
    saves = False
    count = 0
    made: dict[int, weakref.ref]  # the values that stand for the results

    def __call__(self, v: Value, g: dict, wanted: Sequence[bool]) -> list:
        with python(v) as world:
            grads = self.pull(v, g, wanted, world)
            found = [_fit(self, v, i, t, world) for i, t in enumerate(grads)]
        return found + [None] * (len(v.args) - len(found))

    def pull(
        self, v: Value, g: dict, wanted: Sequence[bool], world: World
    ) -> list[Optional[Tensor]]:
        """The gradients of the inputs."""
        raise NotImplementedError

    def result(self, v: Value, index: int) -> Value:
        """What came out, as the call was given it."""
        return v.args[self.count + index]

    def item(self, v: Value, index: int) -> Value:
        """A result with its history."""
        known = self.made.get(index, _gone)()
        if known is not None and known.args[0] is v:
            return known
        new = make("item", (v,), index=index)
        self.made[index] = weakref.ref(new)
        return new

    def saved(self, v: Value) -> tuple:
        """What a recorded call was given to save."""
        return v.args[self.count + len(v.attrs["graph"].outputs) :]


def _gone() -> None:
    """A reference to nothing."""


def zero(like: Value) -> Value:
    """The cotangent of a result that nothing reads."""
    return constant(0, like.shape, like.dtype)


def _fit(rule: Rule, v: Value, i: int, t: Any, world: World) -> Optional[Value]:
    """A gradient in the shape and type of the input that it is for."""
    if t is None:
        return None
    if not isinstance(t, Tensor):
        raise RuntimeError(f"expected Variable or None (got {type(t).__name__})")
    x, g = v.args[i], world.value(t)
    if not same_shape(g.shape, x.shape):
        if not _stretches(x.shape, g.shape):
            raise RuntimeError(
                f"Function {rule.name} returned an invalid gradient at index {i} - got "
                f"{list(g.shape)} but expected shape compatible with {list(x.shape)}"
            )
        g = unexpand(g, x.shape)
    return g.cast(x.dtype)


def _stretches(shape: tuple, target: tuple) -> bool:
    tail = target[len(target) - len(shape) :]
    fits = len(shape) <= len(target)
    return fits and all(a == b or a == 1 for a, b in zip(shape, tail))


def attach(
    rule: Rule, before: Sequence[Value], results: Sequence[Tensor], saved: Sequence = ()
) -> Value:
    """The call node of a rule: `before` are the values that went in."""
    rec = state.recorder
    if rec is None:
        came = [placeholder("y", t._array.shape, t.dtype) for t in results]
        saved = ()
    else:
        rec.pulls = True
        came = [_still(rec.value_of(t)) for t in results]
    args = (*before, *came, *saved)
    inputs = [placeholder(f"x{i}", v.shape, v.dtype) for i, v in enumerate(args)]
    rule.count, rule.made = len(before), {}
    graph = Graph(rule.name, inputs, inputs[rule.count : rule.count + len(came)])
    graph.memo["rule"] = rule
    return make("call", args, graph=graph)


def leave_out(name: str, inputs: Sequence[Tensor]) -> None:
    """Nothing that went into a function is differentiated: note that a recording has
    its arithmetic only, for programs that are differentiated elsewhere."""
    floating = any(t.dtype.is_floating_point for t in inputs)
    if floating and state.recorder is not None and state.grad:
        state.recorder.ruled.add(name)


def _still(v: Value) -> Value:
    return make("stop_gradient", (v,)) if v.live else v


def join(call: Value, index: int, t: Tensor, inputs: Sequence[Tensor]) -> Tensor:
    """The result `t` with its history: it came out of `call`."""
    history = call.attrs["graph"].memo["rule"].item(call, index)
    if state.recorder is not None:
        return wrap(state.recorder, history)
    shared = any(t._storage is x._storage for x in inputs)
    if shared or t._steps or t._storage.value is not None:
        t = fresh(t._array.copy())  # other memory: writes to one are not of the other
    t._storage.value = t._value = history
    t._seen = t._storage.version
    return t


def rebase(call: Value, index: int, t: Tensor) -> Tensor:
    """`t`, which was written in place: from here on it came out of `call`."""
    history = call.attrs["graph"].memo["rule"].item(call, index)
    if state.recorder is not None:
        state.recorder.write(t, history)
    else:
        storage = t._storage
        storage.value = put(root_of(storage), memory_steps(t._steps), history)
        t._seen = -1
    return t


def detached(t: Tensor) -> Tensor:
    """The result without a history."""
    return view(t, "stop_gradient") if t.requires_grad else t
