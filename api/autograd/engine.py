"""The engine behind `backward` and `grad`.

There is one: the SSA that a result came from is differentiated into more SSA
(`autodiff.vjp`). Recorded, the new values simply join the program. Eager, they are
compiled, or found by their structure, and run on the arrays that the history kept.
"""

from __future__ import annotations

from typing import Any, Callable, Iterable, Optional, Sequence

from ...autodiff.vjp import between, rule_of, taps, vjp
from ...tracer.batching.batch import batch
from ...tracer.elsewhere import away
from ...tracer.graph import Value, constant, make, placeholder, reachable
from ...tracer.record import Recorder, state
from ...tracer.sizes import Int
from ...tracer.storage import Leaf
from ...tracer.watching.hearing import hearing, unheard
from ..device import where
from ..placing import moved_to
from ..tensor import Tensor, wrap
from .freed import check_kept, flowing, free
from .python import Numbers, now

__all__ = ["check_hooked", "differentiate", "has_python", "owner"]

Weights = Sequence[Optional[Tensor]]
Grads = list[Optional[Tensor]]
Sink = Callable[[int, Tensor], None]


def differentiate(
    roots: list[Value],
    weights: Weights,
    wrt: list[Value],
    keep: bool,
    again: bool,
    sink: Optional[Sink] = None,
    rows: Optional[Int] = None,
) -> Grads:
    """The gradients of `roots`, weighed by `weights` (None: ones), for each of `wrt`.

    `keep` leaves the history usable, `again` makes the gradients differentiable. With
    a `sink` each goes there, (number, gradient), as soon as its hooks have seen it.
    `rows` says how many weights each of `weights` holds along a first axis, which the
    gradients then have too.
    """
    rec, ends = state.recorder, {v.id for v in wrt}
    ids = unheard(between, wrt, roots)
    path = ids.values()
    passed = [v for v in flowing(ids, roots) if v.id not in ends]
    unheard(check_kept, rec, passed, wrt)
    before, now.path = now.path, ids
    try:
        if rec is None:
            numbers = Numbers(path, _behind(roots), again, wrt)
            found = _eager(numbers, roots, weights, wrt, rows)
        else:
            found = _recorded(rec, roots, weights, wrt, again, rows)
        if not keep:
            unheard(free, rec, passed, wrt)
        return _hand_over(path, wrt, found, again, sink)
    finally:
        now.path = before


def _behind(roots: list[Value]) -> list[Value]:
    return reachable(roots, stop=lambda v: not v.live)


def _eager(
    numbers: Numbers,
    roots: list[Value],
    weights: Weights,
    wrt: list[Value],
    rows: Optional[Int],
) -> Grads:
    before, now.backward = now.backward, numbers
    try:
        pairs = zip(roots, weights)
        cotangents = [_one(r) if w is None else numbers.value(w) for r, w in pairs]
        found = _pulled(roots, cotangents, wrt, rows, numbers.settle)
        numbers.compute(g for g in found if g is not None)
        return [None if g is None else numbers.tensor(g) for g in found]
    finally:
        now.backward = before


def _recorded(
    rec: Recorder,
    roots: list[Value],
    weights: Weights,
    wrt: list[Value],
    again: bool,
    rows: Optional[Int],
) -> Grads:
    before, state.grad, now.inside = (state.grad, now.inside), again, True
    try:
        pairs = zip(roots, weights)
        cotangents = [_one(r) if w is None else rec.value_of(w) for r, w in pairs]
        ours = hearing.on and not unheard(has_python, roots, wrt)
        args = roots, cotangents, wrt, rows
        found = unheard(_pulled, *args) if ours else _pulled(*args)
    finally:
        state.grad, now.inside = before
    return [None if g is None else _join(rec, g, again) for g in found]


def _pulled(
    roots: list[Value],
    cotangents: list[Value],
    wrt: list[Value],
    rows: Optional[Int],
    settle: Any = None,
) -> list[Optional[Value]]:
    """The cotangents of `wrt`; for many rows of weights those of one, batched."""
    if rows is None:
        return vjp(roots, cotangents, wrt, settle)
    one = [placeholder("row", r.shape, r.dtype) for r in roots]
    found = vjp(roots, one, wrt)
    known = {row.id: many for row, many in zip(one, cotangents)}
    every = batch([g for g in found if g is not None], known, rows)
    return [g if g is None else every.get(g.id, _repeated(g, rows)) for g in found]


def _repeated(g: Value, rows: Int) -> Value:
    return g.expand((rows, *g.shape))


def has_python(roots: list[Value], wrt: list[Value]) -> bool:
    """Whether hooks or backwards of the user lie between `wrt` and `roots`."""
    path = between(wrt, roots).values()
    leaves = (_leaf(v) for v in wrt)
    return any(v.id in taps or rule_of(v) is not None for v in path) or any(
        of is not None and of.hooks for of in leaves
    )


def _one(root: Value) -> Value:
    return constant(1, root.shape, root.dtype)


def _join(rec: Recorder, g: Value, create_graph: bool) -> Tensor:
    live = g.live and not create_graph
    return wrap(rec, make("stop_gradient", (g,)) if live else g)


# -- hooks of leaves


def owner(leaf: Value) -> Optional[Tensor]:
    """The tensor whose variable a leaf is."""
    of = _leaf(leaf)
    return None if of is None else of.tensor()


def _leaf(v: Value) -> Optional[Leaf]:
    of = v.data if state.recorder is None else state.recorder.leaves.get(v.id)
    return of if isinstance(of, Leaf) else None


def _hand_over(
    path: Iterable[Value], wrt: list[Value], grads: Grads, again: bool, sink: Any
) -> Grads:
    """Let the hooks of leaves see the gradients, in the order of their arrival."""
    leaves = [_leaf(v) for v in wrt]
    if away.used and state.recorder is None:
        grads = [_home(of, g) for of, g in zip(leaves, grads)]
    order: Iterable[int] = range(len(wrt))
    if any(of is not None and (of.hooks or of.after) for of in leaves):
        order = _arrival(path, wrt)
    grad, state.grad = state.grad, again
    try:
        for i in order:
            of, g = leaves[i], grads[i]
            for hook in list(of.hooks.values()) if of is not None else ():
                if g is not None:
                    g = check_hooked(hook, g, hook(g))
            grads[i] = g
            if sink is not None and g is not None:
                seen = of is not None and of.hooks  # whoever has it may keep it
                sink(i, g.clone() if seen else g)  # type: ignore[attr-defined]
    finally:
        state.grad = grad
    return grads


def _home(of: Optional[Leaf], g: Optional[Tensor]) -> Optional[Tensor]:
    """The gradient where the variable lies: the forward may have moved on."""
    t = None if of is None else of.tensor()
    return g if t is None or g is None else moved_to(g, where(t))


def _arrival(path: Iterable[Value], wrt: list[Value]) -> list[int]:
    """In which order the gradients are complete: when the first reader is done."""
    at: dict[int, tuple] = {}
    for v in path:
        for place, arg in enumerate(v.args):
            at.setdefault(arg.id, (-v.id, place))
    return sorted(range(len(wrt)), key=lambda i: at.get(wrt[i].id, (0, 0)))


def check_hooked(hook: Callable, g: Tensor, new: Any) -> Tensor:
    """What a hook made of the gradient `g`: itself, when it returned None."""
    if new is None:
        return g
    name = getattr(hook, "__name__", type(hook).__name__)
    if not isinstance(new, Tensor):
        raise TypeError(f"expected Variable, but hook returned '{type(new).__name__}'")
    if new.dtype is not g.dtype:
        raise RuntimeError(
            f"hook '{name}' has changed the type of value (was {g.dtype} got "
            f"{new.dtype})"
        )
    if tuple(new.shape) != tuple(g.shape):
        raise RuntimeError(f"hook '{name}' has changed the size of value")
    return new
