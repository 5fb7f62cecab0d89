"""What `custom_vjp` and `custom_jvp` share: functions of nested tensors with a rule."""

from __future__ import annotations

import functools
import inspect
from typing import Any, Callable, Optional

from ...tracer.graph import Value
from ...tracer.pytree import flatten, rebuild
from ...tracer.record import state
from ..tensor import Tensor, value_of, wrap
from .context import Kept, Saved
from .custom import Rule, attach, detached, join, leave_out, zero
from .python import Symbols, World

__all__ = ["Custom", "Pulled", "linked"]


class Custom:
    """A function of nested tensors with a derivative of its own."""

    _set = "a derivative"

    def __init__(self, function: Callable, nondiff_argnums: Any = ()):
        functools.update_wrapper(self, function)
        self.function = function
        at = nondiff_argnums
        self.nondiff = (at,) if isinstance(at, int) else tuple(at)

    def __get__(self, owner: Any, kind: Optional[type] = None) -> Any:
        return self if owner is None else functools.partial(self, owner)

    def _positional(self, args: tuple, kwargs: dict) -> tuple:
        if not kwargs:
            return args
        bound = inspect.signature(self.function).bind(*args, **kwargs)
        bound.apply_defaults()
        return bound.args

    def _tensors(self, args: tuple) -> list[Tensor]:
        parts = [a for i, a in enumerate(args) if i not in self.nondiff]
        return [x for x in flatten(parts)[0] if isinstance(x, Tensor)]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._missing():
            raise AttributeError(
                f"No {self._set} defined for {type(self).__name__} function "
                f"{getattr(self, '__name__', self.function)}."
            )
        args = self._positional(args, kwargs)
        inputs = self._tensors(args)
        if not state.grad or not any(t.requires_grad for t in inputs):
            leave_out(getattr(self, "__name__", "a function"), inputs)
            return self.function(*args)
        return self._differentiable(args, inputs)

    def _missing(self) -> bool:
        raise NotImplementedError

    def _differentiable(self, args: tuple, inputs: list[Tensor]) -> Any:
        raise NotImplementedError

    def _split(self, args: tuple) -> tuple[tuple, tuple]:
        """The arguments that are not differentiated, and the others."""
        fixed = tuple(args[i] for i in self.nondiff)
        return fixed, tuple(a for i, a in enumerate(args) if i not in self.nondiff)


def linked(out: Any, rule: Pulled, before: list, saved: list, inputs: list) -> Any:
    """The results of `out`, connected to what went in."""
    leaves, rule.spec = flatten(out)
    results = [x for x in leaves if isinstance(x, Tensor)]
    rule.tensors = [isinstance(x, Tensor) for x in leaves]
    call = attach(rule, before, results, [value_of(t) for t in saved])
    if state.recorder is None and saved:
        call.data = Saved([Kept(t) for t in saved])
    new = iter(
        [
            join(call, i, t, [*inputs, *saved])
            if t.dtype.is_floating_point
            else detached(t)
            for i, t in enumerate(results)
        ]
    )
    linked = [next(new) if isinstance(x, Tensor) else x for x in leaves]
    return rebuild(rule.spec, linked)


class Pulled(Rule):
    """What both kinds of rule share: results and saved tensors as nested containers."""

    spec: Any = None
    tensors: list[bool]

    def cotangents(self, v: Value, g: dict, world: World) -> Any:
        """The cotangent of each result, nested as the results are."""
        places = iter(range(len(self.tensors)))
        found = []
        for is_tensor in self.tensors:
            i = next(places) if is_tensor else None
            value = None if i is None else g.get(i, zero(self.result(v, i)))
            found.append(None if value is None else world.tensor(value))
        return rebuild(self.spec, found)

    def restored(self, v: Value, world: World) -> list[Tensor]:
        """The tensors that were saved."""
        if isinstance(world, Symbols):
            return [wrap(world.rec, s) for s in self.saved(v)]
        return [e(v) for e in v.data.entries] if v.data is not None else []
