"""Hooks of tensors: functions that see a gradient on its way."""

from __future__ import annotations

import weakref
from typing import Any, Callable, Optional

from ...autodiff.vjp import taps
from ...tracer.errors import TraceError
from ...tracer.graph import Value
from ...tracer.record import state
from ...tracer.watch import touch
from ..handles import RemovableHandle, register
from ..tensor import Tensor, method, value_of
from .engine import check_hooked
from .python import Symbols, World, now, python
from .slots import is_leaf, leaf_of

__all__ = ["register_hook", "register_post_accumulate_grad_hook", "retain_grad"]


class Tap:
    """The hooks of one value that is no leaf; what retains its gradient runs last."""

    def __init__(self) -> None:
        self.hooks: dict[int, Callable] = {}
        self.keeper: Optional[Callable[[Tensor], None]] = None

    def __call__(self, v: Value, g: Value) -> Value:
        if not self.hooks and self.keeper is None:
            return g
        with python(v) as world:
            t = given = world.tensor(g)
            for hook in list(self.hooks.values()):
                t = check_hooked(hook, t, hook(t))
            if self.keeper is not None:
                _check_present(v, world)
                self.keeper(t)
            return g if t is given else world.value(t)


def _check_present(v: Value, world: World) -> None:
    if isinstance(world, Symbols) and not now.inside:
        raise TraceError(
            f"retain_grad() of what {v.line} computed: in a jitted function it is for "
            "a backward() inside"
        )


def _tap(t: Tensor) -> Tap:
    value = value_of(t)
    found = taps.get(value.id)
    if not isinstance(found, Tap):
        found = taps[value.id] = Tap()
        weakref.finalize(value, taps.pop, value.id, None)
        if state.recorder is not None:
            state.recorder.pulls = True
    return found


def _register(t: Tensor, hooks: dict, hook: Callable) -> RemovableHandle:
    """Add a hook of `t`; recordings that rely on its hooks must hear of it."""
    of, tensor = leaf_of(t), weakref.ref(t)
    inside = state.recorder is not None and t._array is None

    def changed() -> None:
        if of is not None:
            of.mark = (*of.hooks, *of.after) or None
        now = tensor()
        if of is not None and now is not None and leaf_of(now) is of:
            now._steps = (*now._steps[:-1], now._steps[-1])  # another object
        if not inside:
            touch()

    return register(hooks, hook, changed=changed)


@method
def register_hook(self: Tensor, hook: Callable) -> RemovableHandle:
    """Call `hook(grad)` whenever the gradient of this tensor was computed.

    What it returns other than None takes the place of the gradient. RuntimeError when
    the tensor does not require grad; the handle takes the hook out.

    >>> import tracefuse
    >>> x = tracefuse.ones(2, requires_grad=True)
    >>> handle = x.register_hook(lambda grad: grad * 10)
    >>> x.sum().backward()
    >>> x.grad
    tensor([10., 10.])
    """
    if not self.requires_grad:
        raise RuntimeError(
            "cannot register a hook on a tensor that doesn't require gradient"
        )
    leaf = leaf_of(self)
    hooks = _tap(self).hooks if leaf is None else leaf.hooks
    return _register(self, hooks, hook)


@method
def register_post_accumulate_grad_hook(self: Tensor, hook: Callable) -> RemovableHandle:
    """Call `hook(tensor)` after `backward` has added to the `grad` of this leaf.

    RuntimeError for a tensor that is no leaf or does not require grad.
    """
    if not self.requires_grad:
        raise RuntimeError(
            "cannot register a hook on a tensor that doesn't require gradient"
        )
    leaf = leaf_of(self)
    if leaf is None:
        raise RuntimeError(
            "post accumulate grad hooks cannot be registered on non-leaf tensors"
        )
    return _register(self, leaf.after, hook)


class _Keeper:
    """Adds to the `grad` of a tensor that is no leaf."""

    def __init__(self, t: Tensor):
        self.tensor, self.tap = weakref.ref(t), _tap(t)

    def __call__(self, g: Tensor) -> None:
        t: Any = self.tensor()
        if t is not None:
            t.grad = g.clone() if t.grad is None else t.grad + g  # type: ignore


@method
def retain_grad(self: Tensor) -> None:
    """Let `backward` fill the `grad` of this tensor too, although it is no leaf.

    RuntimeError when it does not require grad.
    """
    if not self.requires_grad:
        raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
    if not is_leaf(self):
        keeper, key = _Keeper(self), id(self)
        keeper.tap.keeper = keeper
        _keepers[key] = keeper
        weakref.finalize(self, _keepers.pop, key, None)


_keepers: dict[int, _Keeper] = {}


def follow_writes() -> None:
    """Tensors whose gradient is retained may have been written since: what counts is
    the gradient of what they are now."""
    for keeper in list(_keepers.values()):
        t = keeper.tensor()
        if t is not None and _is_here(t) and t.requires_grad:
            tap = _tap(t)
            if tap.keeper is not keeper:
                keeper.tap.keeper = None
                tap.keeper, keeper.tap = keeper, tap


def _is_here(t: Tensor) -> bool:
    """Whether a tensor belongs to what goes on: a recording, or eager work."""
    return t._storage.maker is state.recorder


def _retains_grad(self: Tensor) -> bool:
    """Whether `retain_grad()` was called on this tensor, which is no leaf."""
    if not self.requires_grad or is_leaf(self):
        return False
    tap = taps.get(value_of(self).id)
    return isinstance(tap, Tap) and tap.keeper is not None


Tensor.retains_grad = property(_retains_grad)  # type: ignore
