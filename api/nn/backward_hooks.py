"""Hooks of modules that see gradients: identities before and after `forward`."""

from __future__ import annotations

from typing import Any, Optional, Sequence

from ...tracer.graph import Value
from ...tracer.record import state
from ..autograd.custom import Rule, attach, join, zero
from ..autograd.python import World
from ..tensor import Tensor, value_of

__all__ = ["BackwardHooks"]


class BackwardHooks:
    """One call of a module whose gradients its hooks will see.

    `enter` and `leave` pass the arguments and the result on. In the backward the
    cotangents of the result come first, then those of the arguments.
    """

    def __init__(self, module: Any):
        self.module = module
        self.grads: Optional[tuple] = None  # of the result, once they are known
        self.count, self.entered = 0, False  # arguments; do gradients flow to one?

    def enter(self, args: tuple) -> tuple:
        """The arguments; `forward` gets these."""
        passed = _passed(args, _Inputs(self, args))
        self.count, self.entered = len(args), passed is not args
        return passed

    def leave(self, result: Any) -> Any:
        """The result, in the form that the caller gets."""
        several = isinstance(result, tuple)
        given = result if several else (result,)
        passed = _passed(given, _Outputs(self, given))
        return passed if several else passed[0]

    def before(self, grads: tuple) -> tuple:
        """Let the pre-hooks see the gradients of the result."""
        for hook in list(self.module._backward_pre_hooks.values()):
            grads = _replaced("output", grads, hook(self.module, grads))
        if self.entered:
            self.grads = grads
        else:
            self._without_inputs(grads)
        return grads

    def _without_inputs(self, grads: tuple) -> None:
        nothing = (None,) * self.count
        for hook in list(self.module._backward_hooks.values()):
            new = hook(self.module, nothing, grads)
            if new is not None and any(g is not None for g in new):
                raise RuntimeError(
                    "Backward hook for Modules where no input requires gradient should "
                    "always return None or None for all gradients."
                )

    def after(self, grads: tuple) -> tuple:
        """Let the hooks see the gradients of the arguments."""
        for hook in list(self.module._backward_hooks.values()):
            new = hook(self.module, grads, self.grads)
            grads = _replaced("input", grads, new)
        self.grads = None
        return grads


def _replaced(what: str, grads: tuple, new: Any) -> tuple:
    if new is None:
        return grads
    new = new if isinstance(new, tuple) else (new,)
    if len(new) != len(grads):
        raise RuntimeError(
            f"Backward {'pre ' if what == 'output' else ''}hook returned an invalid "
            f"number of grad_{what}, got {len(new)}, but expected {len(grads)}"
        )
    return new


def _passed(given: tuple, rule: _Through) -> tuple:
    """`given` behind an identity with this rule; itself where no gradient flows."""
    tensors = [t for t in given if isinstance(t, Tensor)]
    if not state.grad or not any(t.requires_grad for t in tensors):
        return given
    call = attach(rule, [value_of(t) for t in tensors], tensors)
    new = iter([_joined(call, i, t, tensors) for i, t in enumerate(tensors)])
    return tuple(next(new) if isinstance(t, Tensor) else t for t in given)


def _joined(call: Value, i: int, t: Tensor, tensors: list) -> Tensor:
    return join(call, i, t, tensors) if t.requires_grad else t


class _Through(Rule):
    """The identity; its gradients are shown to the hooks."""

    name = "BackwardHookFunctionBackward"

    def __init__(self, hooks: BackwardHooks, given: tuple):
        self.hooks, self.given = hooks, [isinstance(t, Tensor) for t in given]

    def pull(
        self, v: Value, g: dict, wanted: Sequence[bool], world: World
    ) -> list[Optional[Tensor]]:
        """The gradients that the hooks leave."""
        places, grads = iter(range(len(self.given))), []
        for is_tensor in self.given:
            i = next(places) if is_tensor else None
            floating = i is not None and v.args[i].dtype.is_floating_point
            grads.append(self._shown(v, g, i, world) if floating else None)
        shown = self._show(tuple(grads))
        return [t for t, is_tensor in zip(shown, self.given) if is_tensor]

    def _shown(self, v: Value, g: dict, i: Any, world: World) -> Optional[Tensor]:
        raise NotImplementedError

    def _show(self, grads: tuple) -> tuple:
        raise NotImplementedError


class _Outputs(_Through):
    """Behind `forward`."""

    def _shown(self, v: Value, g: dict, i: Any, world: World) -> Optional[Tensor]:
        return world.tensor(g[i]) if i in g else None

    def _show(self, grads: tuple) -> tuple:
        return self.hooks.before(grads)


class _Inputs(_Through):
    """In front of `forward`."""

    def _shown(self, v: Value, g: dict, i: Any, world: World) -> Optional[Tensor]:
        return world.tensor(g[i] if i in g else zero(v.args[i]))

    def _show(self, grads: tuple) -> tuple:
        return self.hooks.after(grads)
