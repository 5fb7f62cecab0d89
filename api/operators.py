"""Python's operators for tensors, with the fewest calls: most of what is eager is one.

They mean what those of `Algebra` mean.
"""

from __future__ import annotations

from typing import Any, Callable

from ..tracer.algebra import Algebra
from ..tracer.watching.hearing import hearing, unheard

__all__ = ["give_operators"]


def give_operators(kind: type, pointwise: Callable) -> None:
    """The operators of Algebra for a class, by way of `pointwise(op, a, b)`."""
    as_they_are = frozenset((kind, float, int))

    def operator(op: str, flip: bool) -> Callable:
        def method(self: Any, other: Any) -> Any:
            if type(other) not in as_they_are:
                other = self._lift(other)
                if other is NotImplemented:
                    return other
            a, b = (other, self) if flip else (self, other)
            return unheard(pointwise, op, a, b) if hearing.on else pointwise(op, a, b)

        return method

    for name, method in vars(Algebra).items():
        if hasattr(method, "primitive"):
            setattr(kind, name, operator(*method.primitive))
