"""`custom_vjp`: the user's own backward for a pure function."""

from __future__ import annotations

import threading
from typing import Any, Callable, Optional, Sequence

from ...tracer.graph import Value
from ...tracer.pytree import flatten, rebuild
from ..gradmode import no_grad
from ..tensor import Tensor, value_of
from .nested import Custom, Pulled, linked
from .python import World

__all__ = ["custom_vjp"]


class custom_vjp(Custom):
    """A function whose backward the user writes, in the manner of JAX.

    `f.defvjp(fwd, bwd)`: `fwd(*args)` returns (result, residuals), `bwd(*nondiff,
    residuals, cotangents)` a tuple with one cotangent (None for zero) for each
    argument outside `nondiff_argnums`, nested as that is. AttributeError when it is
    called before `defvjp`.

    >>> import tracefuse
    >>> @custom_vjp
    ... def double(x):
    ...     return x * 2
    >>> double.defvjp(lambda x: (x * 2, None), lambda res, g: (g * 5,))
    >>> tracefuse.grad(double)(tracefuse.tensor(1.0))
    tensor(5.)
    """

    _set = "VJP"
    fwd: Optional[Callable] = None
    bwd: Optional[Callable] = None

    def defvjp(self, fwd: Callable, bwd: Callable) -> None:
        """Set the forward that keeps residuals, and the backward."""
        self.fwd, self.bwd = fwd, bwd

    def _missing(self) -> bool:
        return self.fwd is None

    def _differentiable(self, args: tuple, inputs: list[Tensor]) -> Any:
        before = [value_of(t) for t in inputs]
        given = self._forward(args)
        if not isinstance(given, tuple) or len(given) != 2:
            raise TypeError(
                "Custom VJP fwd rule must produce a pair (list or tuple of length two) "
                f"representing primal outputs and residuals, but got {given!r}"
            )
        leaves, residuals = flatten(given[1])
        rule = _Backward(self, args, leaves, residuals)
        saved = [x for x in leaves if isinstance(x, Tensor)]
        return linked(given[0], rule, before, saved, inputs)

    def _forward(self, args: tuple) -> Any:
        """Residuals can be differentiated, since a derivative that reads them can. A
        call of the function itself from its own fwd stops there."""
        fwd: Any = self.fwd
        if self in running.customs:
            with no_grad():
                return fwd(*args)
        before, running.customs = running.customs, (*running.customs, self)
        try:
            return fwd(*args)
        finally:
            running.customs = before


class _Running(threading.local):
    """The functions whose fwd this thread is in."""

    customs: tuple = ()


running = _Running()


class _Backward(Pulled):
    """Calls the user's bwd."""

    def __init__(self, custom: custom_vjp, args: tuple, leaves: list, spec: Any):
        fixed, given = custom._split(args)
        self.custom, self.fixed, self.residuals = custom, fixed, spec
        # The arguments are not held: just which of their leaves are tensors.
        self.wanted, self.given = [], []
        for a in given:
            parts, below = flatten(a)
            self.wanted.append([isinstance(x, Tensor) for x in parts])
            self.given.append(below)
        self.leaves = [None if isinstance(x, Tensor) else x for x in leaves]
        self.held = [isinstance(x, Tensor) for x in leaves]
        self.name = f"{custom.function.__name__}Backward"
        self.saves = any(self.held)

    def pull(
        self, v: Value, g: dict, wanted: Sequence[bool], world: World
    ) -> list[Optional[Tensor]]:
        """The gradients of the tensors among the arguments."""
        saved = iter(self.restored(v, world))
        leaves = [next(saved) if h else x for h, x in zip(self.held, self.leaves)]
        residuals = rebuild(self.residuals, leaves)
        bwd: Any = self.custom.bwd
        found = bwd(*self.fixed, residuals, self.cotangents(v, g, world))
        return self._of_tensors(found)

    def _of_tensors(self, found: Any) -> list[Optional[Tensor]]:
        if not isinstance(found, (tuple, list)) or len(found) != len(self.wanted):
            raise TypeError(
                "Custom VJP bwd rule must produce a tuple of length equal to the "
                f"number of differentiated arguments ({len(self.wanted)}), but got "
                f"{found!r}"
            )
        grads: list[Optional[Tensor]] = []
        for own, tensors in zip(found, self.wanted):
            parts = [None] * len(tensors) if own is None else flatten(own)[0]
            if len(parts) != len(tensors):
                raise TypeError(
                    "Custom VJP bwd rule must produce a result with the structure of "
                    f"the arguments: {len(tensors)} leaves expected, got {len(parts)}"
                )
            grads += [p for p, is_tensor in zip(parts, tensors) if is_tensor]
        return grads
