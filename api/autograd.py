"""Gradients of tensors: `backward` and `grad`.

There is one engine: the SSA that a result came from is differentiated into more SSA
(`autodiff.vjp`). Recorded, the new values simply join the program. Eager, they are
compiled, or found by their structure, and run on the arrays that the history kept.
"""

from __future__ import annotations

from typing import Any, Optional, Sequence

from ..autodiff.derivatives import reads
from ..autodiff.vjp import between, vjp
from ..tracer.errors import TraceError
from ..tracer.graph import Value, constant, make, reachable
from ..tracer.record import Recorder, state
from ..tracer.storage import Leaf
from .engine import evaluate
from .gradmode import no_grad
from .history import FREED, Kept, keep
from .tensor import Tensor, fresh, method, value_of, wrap, write

__all__ = ["backward", "grad"]


# -- the grad of a tensor


def _get_grad(t: Tensor) -> Optional[Tensor]:
    rec = state.recorder
    if rec is not None and t._array is not None:  # it was there before the recording
        return rec.read_slot(t, "_grad")
    return t._grad


def _set_grad(t: Tensor, new: Optional[Tensor]) -> None:
    if new is not None:
        _check_grad(t, new)
    rec = state.recorder
    if rec is not None and t._array is not None:
        rec.write_slot(t, "_grad", new)
    else:
        t._grad = new


def _check_grad(t: Tensor, new: Any) -> None:
    if not isinstance(new, Tensor):
        raise TypeError(
            f"assigned grad expected to be a Tensor or None but got {type(new)}"
        )
    if tuple(new.shape) != tuple(t.shape):
        raise RuntimeError(
            f"assigned grad has data of a different size: {list(new.shape)} given, "
            f"{list(t.shape)} expected"
        )


Tensor.grad = property(  # type: ignore[attr-defined]
    _get_grad, _set_grad, lambda t: _set_grad(t, None), "The accumulated gradient."
)


# -- backward


@method
def backward(
    self: Tensor,
    gradient: Optional[Tensor] = None,
    retain_graph: Optional[bool] = None,
    create_graph: bool = False,
    inputs: Optional[Sequence[Tensor]] = None,
) -> None:
    """Add the gradient of this tensor to the `grad` of every leaf behind it.

    `gradient` (same shape) weighs the elements; without it the tensor must have one
    element. RuntimeError when nothing behind it requires grad, and the second time
    unless the first one said `retain_graph=True`.
    """
    roots = [_root(self)]
    weights = [_cotangent(self, roots[0], gradient)]
    leaves = _leaves(roots) if inputs is None else [_root(t) for t in inputs]
    keep = create_graph if retain_graph is None else retain_graph
    grads = _differentiate(roots, weights, leaves, keep, create_graph)
    targets = map(_owner, leaves) if inputs is None else inputs
    for target, g in zip(targets, grads):
        if target is not None and g is not None:
            _accumulate(target, g, create_graph)


def _root(t: Tensor) -> Value:
    value = value_of(t)
    if not value.live:
        raise RuntimeError(
            "element 0 of tensors does not require grad and does not have a grad_fn"
        )
    return value


def _cotangent(t: Tensor, root: Value, gradient: Optional[Tensor]) -> Any:
    """The weight of `t` as a Value; eager, it keeps the numbers it stands for."""
    if gradient is None:
        if t.shape.numel() != 1:
            raise RuntimeError("grad can be implicitly created only for scalar outputs")
        return constant(1, root.shape, root.dtype)
    if tuple(gradient.shape) != tuple(t.shape):
        raise RuntimeError(
            f"Mismatch in shape: grad_output has a shape of {list(gradient.shape)} "
            f"and output has a shape of {list(t.shape)}."
        )
    value = value_of(gradient)
    if state.recorder is None:
        value.data = [*(value.data or ()), keep(gradient)]
    return value


def _leaves(roots: list[Value]) -> list[Value]:
    behind = reachable(roots, stop=lambda v: not v.live)
    rec = state.recorder
    leaves = [v for v in behind if v.op == "leaf"]
    if rec is not None and any(v.id in rec.borders for v in leaves):
        raise TraceError(
            "backward() in a jitted function reaches a tensor that was computed "
            "outside of it: call backward() outside, or compute the tensor inside"
        )
    return leaves


def _owner(leaf: Value) -> Optional[Tensor]:
    rec = state.recorder
    of = leaf.data if rec is None else rec.leaves.get(leaf.id)
    return of.tensor() if isinstance(of, Leaf) else None


def _accumulate(t: Tensor, g: Tensor, create_graph: bool) -> None:
    for hook in t._steps[-1][1]["of"].hooks if _is_leaf(t) else ():
        replaced = hook(g)
        g = g if replaced is None else replaced
    before = t.grad  # type: ignore[attr-defined]
    if before is None:
        t.grad = g  # type: ignore[attr-defined]
    elif create_graph:
        t.grad = before + g  # type: ignore[attr-defined]
    else:
        with no_grad():
            write(before, before + g)


def _is_leaf(t: Tensor) -> bool:
    return not t.requires_grad or t._steps[-1:] != () and t._steps[-1][0] == "leaf"


Tensor.is_leaf = property(_is_leaf)  # type: ignore[attr-defined]


def _differentiate(
    roots: list[Value],
    weights: list[Any],
    wrt: list[Value],
    keep: bool,
    create_graph: bool,
) -> list[Optional[Tensor]]:
    behind = reachable(roots, stop=lambda v: not v.live)
    rec, ends = state.recorder, {v.id for v in wrt}
    passed = [v for v in between(wrt, roots).values() if v.id not in ends]
    _check_kept(rec, [*passed, *wrt])
    found = vjp(roots, weights, wrt)
    if rec is None:
        history = (*behind, *(w for w in weights if w.data is not None))
        tensors = _evaluate_eager(found, history, create_graph)
    else:
        tensors = [None if g is None else _join(rec, g, create_graph) for g in found]
    if not keep:
        _free(rec, passed)
    return tensors


def _join(rec: Recorder, g: Value, create_graph: bool) -> Tensor:
    live = g.live and not create_graph
    return wrap(rec, make("stop_gradient", (g,)) if live else g)


def _evaluate_eager(found: list, history: tuple, create_graph: bool) -> list:
    results, used = evaluate("backward", [g for g in found if g is not None], history)
    arrays = iter(results)
    tensors = [None if g is None else fresh(next(arrays)) for g in found]
    for t, g in zip(tensors, found):
        if create_graph and t is not None and g.live:
            g.data = used
            t._storage.value, t._value, t._seen = g, g, 0
    return tensors


def _check_kept(rec: Optional[Recorder], behind: list[Value]) -> None:
    for v in behind:
        gone = v.data is FREED if rec is None else v.id in rec.freed
        if gone:
            raise RuntimeError(
                "Trying to backward through the graph a second time (or directly "
                "access saved tensors after they have already been freed). Specify "
                "retain_graph=True if you need to backward through the graph a "
                "second time."
            )


def _free(rec: Optional[Recorder], behind: list[Value]) -> None:
    """Let go of what the history kept. Nodes that kept nothing may be used again."""
    for v in behind:
        if v.op in ("leaf", "input"):
            continue
        if rec is not None:
            if any(_reads_live(v)):
                rec.freed.add(v.id)
        elif not isinstance(v.data, Kept):
            v.data = FREED if v.data else None
            if v.op == "item" and isinstance(v.args[0].data, Kept):
                _use_up(v, v.args[0])


def _use_up(item: Value, call: Value) -> None:
    """One result of a call has had its backward; the last one frees what was kept."""
    item.data = FREED
    call.data.left.discard(item.attrs["index"])
    if not call.data.left:
        call.data = FREED


def _reads_live(v: Value) -> list[bool]:
    own, of_args = reads(v.op, len(v.args))
    return [own, *(r for r, a in zip(of_args, v.args) if a.op != "constant")]


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: Optional[bool] = None,
    create_graph: bool = False,
    allow_unused: bool = False,
) -> tuple:
    """The gradients of `outputs` by `inputs`, as a tuple; no `grad` is touched.

    RuntimeError when an input is not used, unless `allow_unused` (None then).

    >>> import tracefuse
    >>> x = tracefuse.tensor(3.0, requires_grad=True)
    >>> (g,) = grad(x**3, x, create_graph=True)
    >>> grad(g, x)
    (tensor(18.),)
    """
    outputs, inputs = _as_list(outputs), _as_list(inputs)
    weights = _as_list(grad_outputs) or [None] * len(outputs)
    roots = [_root(t) for t in outputs]
    cotangents = [_cotangent(t, r, w) for t, r, w in zip(outputs, roots, weights)]
    wrt = [_wanted(t) for t in inputs]
    keep = create_graph if retain_graph is None else retain_graph
    found = _differentiate(roots, cotangents, wrt, keep, create_graph)
    if not allow_unused and any(g is None for g in found):
        raise RuntimeError(
            "One of the differentiated Tensors appears to not have been used in the "
            "graph. Set allow_unused=True if this is the desired behavior."
        )
    return tuple(found)


def _as_list(tensors: Any) -> list:
    if tensors is None:
        return []
    return [tensors] if isinstance(tensors, Tensor) else list(tensors)


def _wanted(t: Tensor) -> Value:
    value = value_of(t)
    if not value.live:
        raise RuntimeError("One of the differentiated Tensors does not require grad")
    return value
