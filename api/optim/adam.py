"""Adam and its kin: steps scaled by running moments of the gradient.

`step` is a tensor, and the corrections of the moments' bias are computed from it in
float64: the same formula eager and recorded, and no number leaves the program.
"""

from __future__ import annotations

from typing import Any

from ...tracer.types import float32, float64
from ..arrays.fill import zeros, zeros_like
from ..math.composite import cast
from ..math.pointwise import sqrt
from ..tensor import Tensor, pointwise, write
from .optimizer import Optimizer, check_options, check_rate

__all__ = ["Adam", "AdamW"]


class Adam(Optimizer):
    """Steps of about lr, along m / sqrt(v) (arXiv:1412.6980).

    m and v are running means of the gradient and its square (`betas`), corrected for
    beginning at 0; `amsgrad` takes the largest v so far; `weight_decay` adds to the
    gradient, or (`decoupled_weight_decay`) shrinks the parameter itself. ValueError for
    options out of range.
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        betas: tuple = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: Any = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: Any = None,
        decoupled_weight_decay: bool = False,
    ):
        check_rate(lr)
        check_options(epsilon=(eps, eps >= 0.0))
        _check_betas(betas)
        check_options(weight_decay=(weight_decay, weight_decay >= 0.0))
        defaults = dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)
        defaults.update(amsgrad=amsgrad, maximize=maximize, foreach=foreach)
        defaults.update(capturable=capturable, differentiable=differentiable)
        defaults.update(fused=fused, decoupled_weight_decay=decoupled_weight_decay)
        super().__init__(params, defaults)

    def _update(self, p: Tensor, grad: Tensor, group: dict, lr: Any) -> None:
        state = self._state_of(p, lambda: _begin(p, group["amsgrad"]))
        decay = group["weight_decay"]
        start = p
        if decay and group["decoupled_weight_decay"]:
            start = p * (1 - lr * decay)
        elif decay:
            grad = grad + p * decay
        beta1, beta2 = group["betas"]
        write(state["step"], state["step"] + 1)
        m = _moved(state["exp_avg"], grad, beta1)
        v = _moved(state["exp_avg_sq"], grad * grad, beta2)
        if group["amsgrad"]:
            v = write(state["max_exp_avg_sq"], _larger(state["max_exp_avg_sq"], v))
        step = cast(state["step"], float64)
        rate = lr / (1 - beta1**step)
        size = sqrt(v) / sqrt(1 - beta2**step) + group["eps"]
        write(p, start - m / size * rate)


def _check_betas(betas: tuple) -> None:
    for i, beta in enumerate(betas):
        if not 0.0 <= beta < 1.0:
            raise ValueError(f"Invalid beta parameter at index {i}: {beta}")


def _begin(p: Tensor, amsgrad: bool) -> dict:
    names = ["exp_avg", "exp_avg_sq"] + ["max_exp_avg_sq"] * amsgrad
    return {"step": zeros((), dtype=float32), **{n: zeros_like(p) for n in names}}


def _moved(mean: Tensor, new: Tensor, beta: float) -> Tensor:
    """A running mean after one more value."""
    return write(mean, mean + (new - mean) * (1 - beta))


def _larger(a: Tensor, b: Tensor) -> Tensor:
    return pointwise("maximum", a, b)


class AdamW(Adam):
    """Adam whose weight decay shrinks the parameters themselves (arXiv:1711.05101)."""

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        betas: tuple = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: Any = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: Any = None,
    ):
        super().__init__(
            *(params, lr, betas, eps, weight_decay, amsgrad),
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=True,
        )
