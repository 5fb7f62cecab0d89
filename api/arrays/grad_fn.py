"""`grad_fn`: what made a tensor, under the name that PyTorch would give it."""

from __future__ import annotations

from typing import Any, Optional

from ...tracer.graph import Value
from ..tensor import Tensor, value_of

__all__ = ["GradFn"]

_NAMES = {
    "reshape": "View",
    "dot": "Mm",
    "max": "Amax",
    "min": "Amin",
    "update_slice": "CopySlices",
    "concat": "Cat",
    "gather": "Index",
    "scatter": "IndexPut",
    "cast": "ToCopy",
    "cumulative": "Cumsum",
    "windows": "Unfold",
    "idiv": "FloorDivide",
    "rem": "Remainder",
    "call": "CompiledFunction",
    "item": "CompiledFunction",
    "leaf": "Clone",
}


class GradFn:
    """A step of the history of a tensor.

    >>> import tracefuse
    >>> x = tracefuse.ones(2, requires_grad=True)
    >>> (x * 2).grad_fn.name()
    'MulBackward0'
    """

    __slots__ = ("value",)

    def __init__(self, value: Value):
        self.value = value

    def name(self) -> str:
        """PyTorch's name of the step."""
        op = self.value.op
        word = _NAMES.get(op) or "".join(part.title() for part in op.split("_"))
        return f"{word}Backward0" if word != "CopySlices" else word

    @property
    def next_functions(self) -> tuple:
        """The steps before it, through which gradients go on."""
        live = (v for v in self.value.args if v.live)
        return tuple((GradFn(v), 0) for v in live)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GradFn) and other.value is self.value

    def __hash__(self) -> int:
        return hash(self.value.id)

    def __repr__(self) -> str:
        return f"<{self.name()} object at {id(self.value):#x}>"


def _grad_fn(self: Tensor) -> Optional[GradFn]:
    if not self.requires_grad or self.is_leaf:  # type: ignore[attr-defined]
        return None
    return GradFn(value_of(self))


Tensor.grad_fn = property(_grad_fn, doc="The step that made it.")  # type: ignore


def grad_name(t: Tensor) -> Optional[str]:
    """The name of the step that made a tensor; None for a leaf."""
    made: Any = _grad_fn(t)
    return None if made is None else made.name()
