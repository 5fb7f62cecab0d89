"""Gradients of tensors: `backward` and `grad`."""

from __future__ import annotations

from typing import Any, Optional, Sequence, Union

from ...tracer.errors import TraceError
from ...tracer.graph import Value, reachable
from ...tracer.record import state
from ...tracer.watching.hearing import unheard
from ..arrays.fill import zeros_like
from ..arrays.joining import stack
from ..tensor import Tensor, method, value_of
from .engine import differentiate, has_python, owner
from .hooks import follow_writes
from .slots import accumulate

__all__ = ["backward", "grad"]

Tensors = Union[Tensor, Sequence[Tensor]]


def backward(
    tensors: Tensors,
    grad_tensors: Optional[Union[Tensor, Sequence[Optional[Tensor]]]] = None,
    retain_graph: Optional[bool] = None,
    create_graph: bool = False,
    grad_variables: Optional[Any] = None,
    inputs: Optional[Tensors] = None,
) -> None:
    """Add the gradients of `tensors` to the `grad` of every leaf behind them.

    `grad_tensors` (each in the shape of its tensor) weigh the elements; without them
    a tensor must have one element. With `inputs` only those gain a gradient.
    RuntimeError when nothing behind a tensor requires grad, and the second time
    unless the first one said `retain_graph=True`.

    >>> import tracefuse
    >>> x = tracefuse.ones(2, requires_grad=True)
    >>> backward([x.sum(), (x * x).sum()])
    >>> x.grad
    tensor([3., 3.])
    """
    chosen = None if inputs is None else as_list(inputs)
    if chosen is not None and not chosen:
        raise RuntimeError("`inputs` argument to `backward()` cannot be empty.")
    follow_writes()
    outputs = as_list(tensors)
    given = grad_tensors if grad_tensors is not None else grad_variables
    weights = _weights(outputs, given)
    roots = [_root(t, i) for i, t in enumerate(outputs)]
    leaves = unheard(_leaves, roots) if chosen is None else [wanted(t) for t in chosen]
    keep = create_graph if retain_graph is None else retain_graph
    targets = [owner(v) for v in leaves] if chosen is None else chosen

    def sink(i: int, g: Tensor) -> None:
        target = targets[i]
        if target is not None:
            accumulate(target, g, create_graph)

    differentiate(roots, weights, leaves, keep, create_graph, sink)


def _backward_of(
    self: Tensor,
    gradient: Optional[Tensor] = None,
    retain_graph: Optional[bool] = None,
    create_graph: bool = False,
    inputs: Optional[Tensors] = None,
) -> None:
    """Add the gradient of this tensor to the `grad` of every leaf behind it.

    `gradient` (same shape) weighs the elements; without it the tensor must have one
    element. RuntimeError when nothing behind it requires grad, and the second time
    unless the first one said `retain_graph=True`.
    """
    weights = None if gradient is None else [gradient]
    backward([self], weights, retain_graph, create_graph, inputs=inputs)


_backward_of.__name__ = "backward"
method(_backward_of)


def _root(t: Tensor, index: int = 0) -> Value:
    value = value_of(t)
    if not value.live:
        raise RuntimeError(
            f"element {index} of tensors does not require grad and does not have a "
            "grad_fn"
        )
    return value


def _weights(outputs: list, given: Any) -> list[Optional[Tensor]]:
    weights = as_list(given) if given is not None else [None] * len(outputs)
    if len(weights) != len(outputs):
        raise RuntimeError(f"got {len(outputs)} tensors and {len(weights)} gradients")
    for i, (t, w) in enumerate(zip(outputs, weights)):
        _check_weight(i, t, w)
    return weights


def _check_weight(index: int, t: Tensor, weight: Any) -> None:
    if weight is None:
        if t.requires_grad and t.shape.numel() != 1:
            raise RuntimeError("grad can be implicitly created only for scalar outputs")
    elif not isinstance(weight, Tensor):
        raise TypeError(
            f"gradients can be either Tensors or None, but got {type(weight).__name__}"
        )
    elif tuple(weight.shape) != tuple(t.shape):
        raise RuntimeError(
            f"Mismatch in shape: grad_output[{index}] has a shape of "
            f"{_torch_size(weight)} and output[{index}] has a shape of "
            f"{_torch_size(t)}."
        )


def _torch_size(t: Tensor) -> str:
    return f"torch.Size({list(t.shape)})"


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


def grad(
    outputs: Tensors,
    inputs: Tensors,
    grad_outputs: Any = None,
    retain_graph: Optional[bool] = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: Optional[bool] = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple:
    """The gradients of `outputs` by `inputs`, as a tuple; no `grad` is touched.

    `grad_outputs` weigh the elements; with `is_grads_batched` each holds many weights
    along a first axis, and so do the gradients. RuntimeError when an input is not
    used, unless `allow_unused` (None then) or `materialize_grads` (zeros then).

    >>> import tracefuse
    >>> x = tracefuse.tensor(3.0, requires_grad=True)
    >>> (g,) = grad(x**3, x, create_graph=True)
    >>> grad(g, x)
    (tensor(18.),)
    """
    if materialize_grads and allow_unused is False:
        raise ValueError(
            "Expected allow_unused to be True or not passed when materialize_grads="
            "True, but got: allow_unused=False."
        )
    follow_writes()
    outs, ins = as_list(outputs), as_list(inputs)
    keep = create_graph if retain_graph is None else retain_graph
    if is_grads_batched:
        found = _batched(outs, ins, as_list(grad_outputs), keep, create_graph)
    else:
        weights = _weights(outs, grad_outputs)
        found = _grad(outs, ins, weights, keep, create_graph)
    if materialize_grads:
        found = [zeros_like(t) if g is None else g for t, g in zip(ins, found)]
    if not allow_unused and any(g is None for g in found):
        raise RuntimeError(
            "One of the differentiated Tensors appears to not have been used in the "
            "graph. Set allow_unused=True if this is the desired behavior."
        )
    return tuple(found)


def _grad(outs: list, ins: list, weights: list, keep: bool, again: bool) -> list:
    roots = [_root(t, i) for i, t in enumerate(outs)]
    return differentiate(roots, weights, [wanted(t) for t in ins], keep, again)


def _batched(outs: list, ins: list, batches: list, keep: bool, again: bool) -> list:
    """One gradient for each row of the weights."""
    sizes = [b.shape[0] for b in batches if b is not None]
    if len(batches) != len(outs) or any(n != sizes[0] for n in sizes):
        raise ValueError(
            f"is_grads_batched: {len(outs)} outputs, and gradients whose first sizes "
            f"are {sizes}"
        )
    pairs = [(t, b) for t, b in zip(outs, batches) if b is not None]
    roots = [_root(t, i) for i, (t, _) in enumerate(pairs)]
    wrt, many = [wanted(t) for t in ins], [b for _, b in pairs]
    for i, (t, b) in enumerate(pairs):
        _check_weight(i, t, b[0])
    if not has_python(roots, wrt):
        return differentiate(roots, many, wrt, keep, again, rows=sizes[0])
    return _one_by_one(roots, many, wrt, keep, again)


def _one_by_one(
    roots: list[Value], many: list, wrt: list[Value], keep: bool, again: bool
) -> list:
    """Python takes part: it sees one gradient at a time."""
    count, rows = int(many[0].shape[0]), []
    for i in range(count):
        weights = [b[i] for b in many]
        rows.append(differentiate(roots, weights, wrt, keep or i < count - 1, again))
    return [None if c[0] is None else stack(list(c)) for c in zip(*rows)]


def as_list(tensors: Any) -> list:
    """One tensor or several, as a list."""
    if tensors is None:
        return []
    return [tensors] if isinstance(tensors, Tensor) else list(tensors)


def wanted(t: Tensor) -> Value:
    """The value of a tensor to differentiate by."""
    value = value_of(t)
    if not value.live:
        raise RuntimeError("One of the differentiated Tensors does not require grad")
    return value
