"""`grad_fn`: what made a tensor, under the name that PyTorch would give it."""

from __future__ import annotations

from typing import Any, Optional

from ...tracer.graph import Value
from ...tracer.storage import Leaf
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
    "leaf": "CompiledFunction",  # of a call whose history is used up
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
        return step_name(self.value)

    @property
    def next_functions(self) -> tuple:
        """The steps before it, through which gradients go on: (step, 0), or (None, 0)
        where they do not."""
        made = self.value.args[0] if self.value.op == "item" else self.value
        return tuple((GradFn(v) if v.live else None, 0) for v in made.args)

    @property
    def variable(self) -> Tensor:
        """The tensor whose `grad` an AccumulateGrad step fills."""
        of = self.value.data
        if not isinstance(of, Leaf):
            raise AttributeError(f"{self.name()} has no variable")
        return of.tensor()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GradFn) and other.value is self.value

    def __hash__(self) -> int:
        return hash(self.value.id)

    def __repr__(self) -> str:
        return f"<{self.name()} object at {id(self.value):#x}>"


def step_name(v: Value) -> str:
    """PyTorch's name of the step whose result is `v`."""
    if v.op == "leaf" and isinstance(v.data, Leaf):
        return "AccumulateGrad"
    call = v.args[0] if v.op == "item" else v
    rule = call.attrs["graph"].memo.get("rule") if call.op == "call" else None
    if rule is not None:
        return rule.name
    if v.op == "cast" and v.args[0].dtype is v.dtype:
        return "CloneBackward0"
    word = _NAMES.get(v.op) or "".join(part.title() for part in v.op.split("_"))
    return f"{word}Backward0" if word != "CopySlices" else word


def _grad_fn(self: Tensor) -> Optional[GradFn]:
    if not self.requires_grad or self.is_leaf:  # type: ignore[attr-defined]
        return None
    return GradFn(value_of(self))


Tensor.grad_fn = property(_grad_fn, doc="The step that made it.")  # type: ignore


def grad_name(t: Tensor) -> Optional[str]:
    """The name of the step that made a tensor; None for a leaf."""
    made: Any = _grad_fn(t)
    return None if made is None else made.name()
