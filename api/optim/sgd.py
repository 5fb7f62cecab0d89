"""Stochastic gradient descent."""

from __future__ import annotations

from typing import Any

from ...tracer.watch import touch
from ..arrays.attributes import clone
from ..tensor import Tensor, write
from .optimizer import Optimizer, check_options, check_rate

__all__ = ["SGD"]


class SGD(Optimizer):
    """p -= lr * g, where g may carry momentum (Sutskever et al., 2013).

    g += weight_decay * p; buffer = momentum * buffer + (1 - dampening) * g (g itself
    at first); with `nesterov` g + momentum * buffer is taken, else the buffer.
    ValueError for options out of range.

    >>> import tracefuse
    >>> p = tracefuse.ones(1, requires_grad=True)
    >>> (p * 2).sum().backward()
    >>> SGD([p], lr=0.1).step()
    >>> p
    tensor([0.8000], requires_grad=True)
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: Any = None,
        differentiable: bool = False,
        fused: Any = None,
    ):
        check_rate(lr)
        check_options(
            momentum=(momentum, momentum >= 0.0),
            weight_decay=(weight_decay, weight_decay >= 0.0),
        )
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        defaults = dict(lr=lr, momentum=momentum, dampening=dampening)
        defaults.update(weight_decay=weight_decay, nesterov=nesterov, maximize=maximize)
        defaults.update(foreach=foreach, differentiable=differentiable, fused=fused)
        super().__init__(params, defaults)

    def _update(self, p: Tensor, grad: Tensor, group: dict, lr: Any) -> None:
        if group["weight_decay"]:
            grad = grad + p * group["weight_decay"]
        if group["momentum"]:
            grad = self._with_momentum(p, grad, group)
        write(p, p - grad * lr)

    def _with_momentum(self, p: Tensor, grad: Tensor, group: dict) -> Tensor:
        state, momentum = self.state[p], group["momentum"]
        buffer = state.get("momentum_buffer")
        if buffer is None:
            buffer = state["momentum_buffer"] = clone(grad)
            touch()
        else:
            write(buffer, buffer * momentum + grad * (1 - group["dampening"]))
        return grad + buffer * momentum if group["nesterov"] else buffer
