"""`Function`: an operation whose backward the user writes."""

from __future__ import annotations

import functools
import warnings
from typing import Any, Callable, Optional, Sequence

from ...tracer.graph import Value
from ...tracer.record import state
from ...tracer.where import user_level
from ..gradmode import no_grad
from ..tensor import Tensor, value_of
from .context import Context, entries, places
from .custom import Rule, attach, detached, join, leave_out, rebase, zero
from .python import World
from .slots import leaf_of

__all__ = ["Function", "once_differentiable"]


class Function:
    """An operation with a backward of its own: subclass it, then call `apply`.

    `forward(ctx, *args)` computes; gradients do not flow inside. `backward(ctx,
    *grads)` takes one gradient for each result and returns one for each argument
    (None where there is none). Instead of giving `forward` the `ctx`, a class may
    define `setup_context(ctx, inputs, output)`. What `backward` computes can be
    differentiated again.

    >>> import tracefuse as torch
    >>> class Square(Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x * x
    ...     @staticmethod
    ...     def backward(ctx, g):
    ...         (x,) = ctx.saved_tensors
    ...         return 2 * x * g
    >>> x = torch.tensor(3.0, requires_grad=True)
    >>> Square.apply(x).backward()
    >>> x.grad
    tensor(6.)
    """

    generate_vmap_rule = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        warnings.warn(
            f"{type(self)} should not be instantiated. Methods on autograd functions "
            "are all static, so you should invoke them on the class itself.",
            DeprecationWarning,
            stacklevel=user_level(),
        )

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """What it computes: to be written by every subclass."""
        raise NotImplementedError(
            "You must implement the forward function for custom autograd.Function."
        )

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Any) -> Any:
        """Fill `ctx` after a `forward` that does not take it."""
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """The gradients of the arguments: to be written by every subclass."""
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom "
            "autograd.Function to use it with backward mode AD."
        )

    vjp = backward

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Compute, and remember how to differentiate."""
        inputs = [a for a in args if isinstance(a, Tensor)]
        live = state.grad and any(t.requires_grad for t in inputs)
        ctx = Context()
        ctx.needs_input_grad = tuple(
            isinstance(a, Tensor) and a.requires_grad for a in args
        )
        before = [value_of(t) for t in inputs] if live else []
        with no_grad():
            output = _forward(cls, ctx, args, kwargs)
        if not live:
            leave_out(cls.__name__, inputs)
            return output
        return _remember(cls, ctx, args, inputs, before, output)


def _forward(cls: Any, ctx: Context, args: tuple, kwargs: dict) -> Any:
    if cls.setup_context is Function.setup_context:
        return cls.forward(ctx, *args, **kwargs)
    output = cls.forward(*args, **kwargs)
    cls.setup_context(ctx, args, output)
    return output


def _remember(
    cls: type, ctx: Context, args: tuple, inputs: list, before: list, output: Any
) -> Any:
    given = output if isinstance(output, tuple) else (output,)
    results = [r for r in given if isinstance(r, Tensor)]
    rule = _Backward(cls, ctx, args, [isinstance(r, Tensor) for r in given])
    rule.places, values = places(ctx._save, results)
    call = attach(rule, before, results, values)
    call.data, ctx._save = entries(ctx._save, results), ()
    linked = iter([_linked(ctx, call, i, r, inputs) for i, r in enumerate(results)])
    outputs = tuple(next(linked) if isinstance(r, Tensor) else r for r in given)
    return outputs if isinstance(output, tuple) else outputs[0]


def _linked(ctx: Context, call: Value, i: int, t: Tensor, inputs: list) -> Tensor:
    """A result, connected to the call as the context says."""
    if not t.dtype.is_floating_point or any(t is r for r in ctx._flat):
        return detached(t)
    if not any(t is r for r in ctx._dirty):
        return join(call, i, t, inputs)
    if leaf_of(t) is not None:
        raise RuntimeError(
            "a leaf Variable that requires grad has been used in an in-place operation."
        )
    return rebase(call, i, t)


class _Backward(Rule):
    """Calls the user's backward."""

    places: tuple = ()

    def __init__(self, cls: Any, ctx: Context, args: tuple, tensors: list[bool]):
        self.cls, self.ctx, self.tensors = cls, ctx, tensors
        self.given = [isinstance(a, Tensor) for a in args]
        self.name = f"{cls.__name__}Backward"
        self.saves = bool(ctx._save)

    def pull(
        self, v: Value, g: dict, wanted: Sequence[bool], world: World
    ) -> list[Optional[Tensor]]:
        """The gradients of the tensors among the arguments."""
        cls, ctx = self.cls, self.ctx
        before, ctx._open = ctx._open, (self, v, world)
        try:
            own = cls.vjp if cls.backward is Function.backward else cls.backward
            grads = own(ctx, *self._cotangents(v, g, world))
        finally:
            ctx._open = before
        return self._of_tensors(grads if isinstance(grads, tuple) else (grads,))

    def _cotangents(self, v: Value, g: dict, world: World) -> list:
        numbers: Any = iter(range(len(self.tensors)))
        found: list[Optional[Tensor]] = []
        for is_tensor in self.tensors:
            i = next(numbers) if is_tensor else None
            if i in g:
                found.append(world.tensor(g[i]))
            elif i is not None and self.ctx._materialize:
                found.append(world.tensor(zero(self.result(v, i))))
            else:
                found.append(None)
        return found

    def _of_tensors(self, grads: tuple) -> list[Optional[Tensor]]:
        expected, got = len(self.given), len(grads)
        extra = grads[expected:]
        if got < expected or any(g is not None for g in extra):
            raise RuntimeError(
                f"function {self.name} returned an incorrect number of gradients "
                f"(expected {expected}, got {got})"
            )
        for i, (is_tensor, g) in enumerate(zip(self.given, grads), 1):
            if not is_tensor and g is not None:
                raise RuntimeError(
                    f"function {self.name} returned a gradient different than None at "
                    f"position {i}, but the corresponding forward input was not a "
                    "Variable"
                )
        return [g for is_tensor, g in zip(self.given, grads) if is_tensor]


def once_differentiable(fn: Callable) -> Callable:
    """Mark a `backward` that is not to be differentiated again.

    RuntimeError when somebody does.
    """

    @functools.wraps(fn)
    def wrapper(ctx: Any, *args: Any) -> Any:
        with no_grad():
            outputs = fn(ctx, *args)
        live = any(isinstance(a, Tensor) and a.requires_grad for a in args)
        if not state.grad or not live:
            return outputs
        several = outputs if isinstance(outputs, tuple) else (outputs,)
        refused = tuple(t if t is None else _refuse(t, args) for t in several)
        return refused if isinstance(outputs, tuple) else refused[0]

    return wrapper


def _refuse(t: Tensor, args: tuple) -> Tensor:
    return _Refused.apply(t, *args)


class _Refused(Function):
    """The identity on its first argument; it has no derivative."""

    @staticmethod
    def forward(ctx: Any, t: Tensor, *args: Any) -> Tensor:
        return t

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        raise RuntimeError(
            "trying to differentiate twice a function that was marked with "
            "@once_differentiable"
        )
