"""RMSprop, Adagrad, Adadelta: steps scaled by the size of past gradients."""

from __future__ import annotations

from typing import Any

from ...tracer.types import float32, float64
from ..arrays.fill import full_like, zeros, zeros_like
from ..math.composite import cast
from ..math.pointwise import sqrt
from ..tensor import Tensor, write
from .optimizer import Optimizer, check_options, check_rate

__all__ = ["RMSprop", "Adagrad", "Adadelta"]


class RMSprop(Optimizer):
    """p -= lr * g / (sqrt(v) + eps), v the running mean of g^2 (Hinton, 2012).

    `centered` takes the variance for v, `momentum` accumulates the steps. ValueError
    for options out of range.
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: Any = None,
        maximize: bool = False,
        differentiable: bool = False,
    ):
        check_rate(lr)
        check_options(
            epsilon=(eps, eps >= 0.0),
            momentum=(momentum, momentum >= 0.0),
            weight_decay=(weight_decay, weight_decay >= 0.0),
            alpha=(alpha, alpha >= 0.0),
        )
        defaults = dict(lr=lr, momentum=momentum, alpha=alpha, eps=eps)
        defaults.update(centered=centered, weight_decay=weight_decay)
        defaults.update(capturable=capturable, foreach=foreach, maximize=maximize)
        defaults.update(differentiable=differentiable)
        super().__init__(params, defaults)

    def _update(self, p: Tensor, grad: Tensor, group: dict, lr: Any) -> None:
        state = self._state_of(p, lambda: self._begin(p, group))
        write(state["step"], state["step"] + 1)
        if group["weight_decay"]:
            grad = grad + p * group["weight_decay"]
        alpha = group["alpha"]
        v = _moved(state["square_avg"], grad * grad, alpha)
        if group["centered"]:
            mean = _moved(state["grad_avg"], grad, alpha)
            v = v - mean * mean
        step = grad / (sqrt(v) + group["eps"])
        if group["momentum"]:
            buffer = state["momentum_buffer"]
            step = write(buffer, buffer * group["momentum"] + step)
        write(p, p - step * lr)

    @staticmethod
    def _begin(p: Tensor, group: dict) -> dict:
        names = ["square_avg"]
        names += ["momentum_buffer"] if group["momentum"] > 0 else []
        names += ["grad_avg"] if group["centered"] else []
        return {"step": zeros((), dtype=float32), **{n: zeros_like(p) for n in names}}


def _moved(mean: Tensor, new: Tensor, keep: float) -> Tensor:
    """A running mean after one more value."""
    return write(mean, mean * keep + new * (1 - keep))


class Adagrad(Optimizer):
    """p -= lr * g / (sqrt(sum of all g^2) + eps) (Duchi et al., 2011).

    `lr_decay` makes the rate lr / (1 + (step - 1) * lr_decay). The sums exist from the
    start. ValueError for options out of range.
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: Any = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: Any = None,
    ):
        check_rate(lr)
        check_options(
            lr_decay=(lr_decay, lr_decay >= 0.0),
            weight_decay=(weight_decay, weight_decay >= 0.0),
            initial_accumulator_value=(
                initial_accumulator_value,
                initial_accumulator_value >= 0.0,
            ),
            epsilon=(eps, eps >= 0.0),
        )
        defaults = dict(lr=lr, lr_decay=lr_decay, eps=eps, weight_decay=weight_decay)
        defaults.update(initial_accumulator_value=initial_accumulator_value)
        defaults.update(foreach=foreach, maximize=maximize)
        defaults.update(differentiable=differentiable, fused=fused)
        super().__init__(params, defaults)

    def add_param_group(self, param_group: dict) -> None:
        """Optimise more parameters: a dict with "params" and options."""
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        start = group["initial_accumulator_value"]
        for p in group["params"]:
            sums = {"step": zeros((), dtype=float32), "sum": full_like(p, start)}
            self.state[p] = sums

    def _update(self, p: Tensor, grad: Tensor, group: dict, lr: Any) -> None:
        state = self.state[p]
        write(state["step"], state["step"] + 1)
        if group["weight_decay"]:
            grad = grad + p * group["weight_decay"]
        if group["lr_decay"]:
            step = cast(state["step"], float64)
            lr = lr / (1 + (step - 1) * group["lr_decay"])
        total = write(state["sum"], state["sum"] + grad * grad)
        write(p, p - grad / (sqrt(total) + group["eps"]) * lr)


class Adadelta(Optimizer):
    """Steps in the size of past steps over past gradients (arXiv:1212.5701).

    ValueError for options out of range.
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: Any = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ):
        check_rate(lr)
        check_options(
            rho=(rho, 0.0 <= rho <= 1.0),
            epsilon=(eps, eps >= 0.0),
            weight_decay=(weight_decay, weight_decay >= 0.0),
        )
        defaults = dict(lr=lr, rho=rho, eps=eps, weight_decay=weight_decay)
        defaults.update(maximize=maximize, capturable=capturable, foreach=foreach)
        defaults.update(differentiable=differentiable)
        super().__init__(params, defaults)

    def _update(self, p: Tensor, grad: Tensor, group: dict, lr: Any) -> None:
        state = self._state_of(p, lambda: self._begin(p))
        write(state["step"], state["step"] + 1)
        if group["weight_decay"]:
            grad = grad + p * group["weight_decay"]
        rho, eps = group["rho"], group["eps"]
        v = _moved(state["square_avg"], grad * grad, rho)
        step = sqrt(state["acc_delta"] + eps) / sqrt(v + eps) * grad
        _moved(state["acc_delta"], step * step, rho)
        write(p, p - step * lr)

    @staticmethod
    def _begin(p: Tensor) -> dict:
        names = ("square_avg", "acc_delta")
        return {"step": zeros((), dtype=float32), **{n: zeros_like(p) for n in names}}
