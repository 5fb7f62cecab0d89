"""Hooks of several tensors at once, and other words of `autograd.graph`."""

from __future__ import annotations

import threading
from typing import Any, Callable, Iterable, NamedTuple, Optional, Sequence, Union

from ..arrays.grad_fn import GradFn
from ..tensor import Tensor, value_of
from .python import now

__all__ = ["GradientEdge", "get_gradient_edge", "increment_version"]
__all__ += ["register_multi_grad_hook"]


class _Gathered(threading.local):
    """The gradients of one backward, in which so many are still to come."""

    path: Any = None
    grads: list
    left = 0


class _Multi:
    def __init__(self, tensors: Sequence[Tensor], fn: Callable, every: bool):
        self.tensors, self.fn, self.every = tensors, fn, every
        self.gathered = _Gathered()

    def see(self, i: int, g: Tensor) -> None:
        """The gradient of tensor number `i` has been computed."""
        here = self.gathered
        if here.path is not now.path:
            here.path, here.grads = now.path, [None] * len(self.tensors)
            here.left = sum(value_of(t).id in now.path for t in self.tensors)
            if not self.every:
                self.fn(g)
        here.grads[i], here.left = g, here.left - 1
        if self.every and not here.left:
            self.fn(here.grads)


class Handles:
    """Takes several hooks out again."""

    def __init__(self, handles: Iterable[Any]):
        self.handles = tuple(handles)

    def remove(self) -> None:
        """Take them out."""
        for handle in self.handles:
            handle.remove()

    def __enter__(self) -> "Handles":
        return self

    def __exit__(self, *exc: Any) -> None:
        self.remove()


def register_multi_grad_hook(
    tensors: Sequence[Tensor],
    fn: Union[Callable[[Sequence[Optional[Tensor]]], None], Callable[[Tensor], None]],
    *,
    mode: str = "all",
) -> Handles:
    """Call `fn(grads)` once in each backward, when the gradients of all these tensors
    that take part in it have been computed (None for the others). With the mode "any"
    call `fn(grad)` with the first of them.

    ValueError for another mode; the handle takes the hook out.

    >>> import tracefuse
    >>> x, y = (tracefuse.ones(1, requires_grad=True) for _ in range(2))
    >>> handle = register_multi_grad_hook((x, y), lambda grads: print(len(grads)))
    >>> (x * y).sum().backward()
    2
    """
    if mode not in ("all", "any"):
        raise ValueError(f"Expects mode to be one of ('all', 'any') but got {mode}")
    hook = _Multi(tuple(tensors), fn, mode == "all")

    def of(i: int) -> Callable[[Tensor], None]:
        return lambda g: hook.see(i, g)

    pairs = enumerate(hook.tensors)
    return Handles(t.register_hook(of(i)) for i, t in pairs)  # type: ignore


class GradientEdge(NamedTuple):
    """A place in a history: a step, and which of its results."""

    node: GradFn
    output_nr: int


def get_gradient_edge(tensor: Tensor) -> GradientEdge:
    """Where the gradient of a tensor arrives. RuntimeError if it requires none."""
    if not tensor.requires_grad:
        raise RuntimeError(
            "It is not possible to get the gradient edge for a Tensor that does not "
            "require gradients"
        )
    value = value_of(tensor)
    return GradientEdge(GradFn(value), value.attrs.get("index", 0))


def increment_version(tensor: Union[Tensor, Iterable[Tensor]]) -> None:
    """Say that tensors were written by other means: histories that kept their numbers
    then refuse to use them."""
    for t in (tensor,) if isinstance(tensor, Tensor) else tensor:
        t._storage.version += 1
