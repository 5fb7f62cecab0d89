"""`autograd.Variable`: what tensors that require grad were called once."""

from __future__ import annotations

from typing import Any

from ..tensor import Tensor, require_grad

__all__ = ["Variable"]


class _Kind(type):
    def __instancecheck__(cls, x: Any) -> bool:
        return isinstance(x, Tensor)


class Variable(metaclass=_Kind):
    """`Variable(tensor)` is a tensor on the same memory; every tensor is a Variable.

    >>> import tracefuse
    >>> x = Variable(tracefuse.ones(2), requires_grad=True)
    >>> isinstance(x, Variable), x.requires_grad
    (True, True)
    """

    def __new__(cls, data: Any, requires_grad: bool = False) -> Any:
        if not isinstance(data, Tensor):
            raise TypeError(f"Variable data has to be a tensor, but got {data!r}")
        return require_grad(data.detach(), requires_grad)  # type: ignore[attr-defined]
