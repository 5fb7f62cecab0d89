"""`custom_jvp`: the user's own forward derivative for a pure function."""

from __future__ import annotations

import functools
from typing import Any, Callable, Optional, Sequence

from ...tracer.graph import Value
from ...tracer.pytree import flatten, rebuild
from ...tracer.record import state
from ..arrays.fill import zeros_like
from ..gradmode import enable_grad, no_grad
from ..tensor import Tensor, value_of
from .gradients import grad
from .nested import Custom, Pulled, linked
from .python import World

__all__ = ["custom_jvp"]


class custom_jvp(Custom):
    """A function whose forward derivative the user writes, in the manner of JAX.

    `f.defjvp(rule)`: `rule(*nondiff, primals, tangents)` returns (result, tangent of
    the result), linear in the tangents. Its transpose serves the backward.
    AttributeError when it is called before `defjvp`.

    >>> import tracefuse
    >>> @custom_jvp
    ... def double(x):
    ...     return x * 2
    >>> _ = double.defjvp(lambda primals, tangents: (primals[0] * 2, tangents[0] * 5))
    >>> tracefuse.grad(double)(tracefuse.tensor(1.0))
    tensor(5.)
    """

    _set = "JVP"
    rule: Optional[Callable] = None

    def defjvp(self, rule: Callable) -> Callable:
        """Set the rule; returns it, so that this serves as a decorator."""
        self.rule = rule
        return rule

    def defjvps(self, *jvps: Optional[Callable]) -> None:
        """One rule `(tangent, result, *primals)` for each argument, None for zero."""

        def rule(primals: tuple, tangents: tuple) -> tuple:
            out = self(*primals)
            parts = [j(t, out, *primals) for j, t in zip(jvps, tangents) if j]
            return out, functools.reduce(lambda a, b: a + b, parts, zeros_like(out))

        self.rule = rule

    def _missing(self) -> bool:
        return self.rule is None

    def _differentiable(self, args: tuple, inputs: list[Tensor]) -> Any:
        before = [value_of(t) for t in inputs]
        with no_grad():
            out = self.function(*args)
        rule = _Transposed(self, args)
        return linked(out, rule, before, inputs, inputs)


class _Transposed(Pulled):
    """Turns the user's linear rule round."""

    saves = True

    def __init__(self, custom: custom_jvp, args: tuple):
        self.custom = custom
        self.fixed, given = custom._split(args)
        leaves, self.given = flatten(given)
        self.others = [None if isinstance(x, Tensor) else x for x in leaves]
        self.held = [isinstance(x, Tensor) for x in leaves]
        self.name = f"{custom.function.__name__}Backward"

    def pull(
        self, v: Value, g: dict, wanted: Sequence[bool], world: World
    ) -> list[Optional[Tensor]]:
        """The gradients of the tensors among the arguments."""
        primals, again = self.restored(v, world), state.grad
        with enable_grad():
            tangents = [_variable(p) for p in primals]
            out = self._tangent(primals, tangents)
            pairs = self._pairs(out, self.cotangents(v, g, world))
            variables = [t for t in tangents if t.requires_grad]
            found = iter(_pulled(pairs, variables, again))
        return [next(found) if t.requires_grad else None for t in tangents]

    def _tangent(self, primals: list, tangents: list) -> Any:
        rule: Any = self.custom.rule
        both = (self._nested(primals), self._nested(tangents))
        return rule(*self.fixed, *both)[1]

    def _nested(self, tensors: list) -> tuple:
        rest = iter(tensors)
        held = [next(rest) if h else x for h, x in zip(self.held, self.others)]
        return rebuild(self.given, held)

    def _pairs(self, out: Any, cotangents: Any) -> list[tuple]:
        pairs = zip(flatten(out)[0], flatten(cotangents)[0])
        return [(t, g) for t, g in pairs if isinstance(t, Tensor) and t.requires_grad]


def _variable(primal: Tensor) -> Tensor:
    zeros = zeros_like(primal)
    floating = primal.dtype.is_floating_point
    return zeros.requires_grad_() if floating else zeros  # type: ignore[attr-defined]


def _pulled(pairs: list, variables: list, again: bool) -> list:
    if not pairs:
        return [None] * len(variables)
    outs, weights = zip(*pairs)
    return list(grad(outs, variables, weights, create_graph=again, allow_unused=True))
