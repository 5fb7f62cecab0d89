"""L-BFGS: a quasi-Newton method that remembers a few steps."""

from __future__ import annotations

from typing import Any, Callable, Optional

from ..arrays.joining import cat
from ..gradmode import enable_grad, no_grad
from ..tensor import Tensor
from .linesearch import strong_wolfe
from .optimizer import Optimizer, check_rate

__all__ = ["LBFGS"]


class LBFGS(Optimizer):
    """Limited-memory BFGS (Nocedal and Wright, Numerical Optimization, algorithm 7.5).

    `step(closure)` evaluates the loss up to `max_eval` times (1.25 * `max_iter` where
    not given), and stops where the largest slope is below `tolerance_grad` or the
    change below `tolerance_change`. `line_search_fn` is None or "strong_wolfe".
    ValueError for more than one group of parameters. Between two evaluations Python
    decides: jit the closure, not the step.

    >>> import tracefuse
    >>> x = tracefuse.tensor([3.0, -2.0], requires_grad=True)
    >>> optimizer = LBFGS([x], line_search_fn="strong_wolfe")
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = (x * x).sum()
    ...     loss.backward()
    ...     return loss
    >>> optimizer.step(closure), x.detach().abs().max() < 1e-4
    (tensor(13., grad_fn=<SumBackward0>), tensor(True))
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1,
        max_iter: int = 20,
        max_eval: Optional[int] = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: Optional[str] = None,
    ):
        check_rate(lr)
        if line_search_fn not in (None, "strong_wolfe"):
            raise RuntimeError(
                f"only 'strong_wolfe' is supported, not {line_search_fn!r}"
            )
        defaults: dict[str, Any] = dict(
            lr=lr, max_iter=max_iter, max_eval=max_eval or max_iter * 5 // 4
        )
        defaults.update(tolerance_grad=tolerance_grad, history_size=history_size)
        defaults.update(
            tolerance_change=tolerance_change, line_search_fn=line_search_fn
        )
        super().__init__(params, defaults)
        if len(self.param_groups) != 1:
            raise ValueError(
                "LBFGS doesn't support per-parameter options (parameter groups)"
            )
        self._params_now = self.param_groups[0]["params"]

    def step(self, closure: Optional[Callable[[], Any]] = None) -> Any:
        """Several steps; the loss before the first. TypeError without `closure`."""
        if closure is None:
            raise TypeError("LBFGS.step needs a closure that computes the loss anew")
        evaluate = enable_grad()(closure)
        with no_grad():
            return _Run(self, self.param_groups[0], evaluate).go()

    def _gradient(self) -> Tensor:
        """All slopes in one row."""
        rows = [
            p.new_zeros(p.numel()) if p.grad is None else p.grad.reshape(-1)
            for p in self._params_now
        ]
        return cat(rows)

    def _shift(self, length: float, direction: Tensor) -> None:
        offset = 0
        for p in self._params_now:
            count = p.numel()
            part = direction[offset : offset + count].reshape(p.shape)
            p.add_(part, alpha=length)
            offset += count

    def _kept(self) -> list[Tensor]:
        return [p.clone() for p in self._params_now]

    def _restore(self, kept: list[Tensor]) -> None:
        for p, old in zip(self._params_now, kept):
            p.copy_(old)


class _Run:
    """One call of `step`; what outlives it lies in the state of the first parameter."""

    def __init__(self, owner: LBFGS, options: dict, evaluate: Callable[[], Any]):
        self.owner, self.options, self.evaluate = owner, options, evaluate
        self.state = owner.state[owner._params_now[0]]
        self.state.setdefault("func_evals", 0)
        self.state.setdefault("n_iter", 0)
        self.evaluations = 0

    def go(self) -> Any:
        """Steps until one of the limits is met."""
        first = self.evaluate()
        self._count(1)
        loss, slopes = float(first), self.owner._gradient()
        if _largest(slopes) <= self.options["tolerance_grad"]:
            return first
        for done in range(self.options["max_iter"]):
            self.state["n_iter"] += 1
            direction = self._direction(slopes)
            before, slope = loss, float((slopes * direction).sum())
            if slope > -self.options["tolerance_change"]:
                break
            self.state["prev_flat_grad"] = slopes.clone()
            loss, slopes = self._advance(loss, slopes, direction, slope, done)
            if self._at_rest(before, loss, slopes, direction):
                break
        return first

    def _advance(
        self, loss: float, slopes: Tensor, direction: Tensor, slope: float, done: int
    ) -> tuple[float, Tensor]:
        """One step along a direction; loss and slopes there."""
        rate = float(self.options["lr"])
        young = self.state["n_iter"] == 1
        length = min(1.0, 1.0 / float(slopes.abs().sum())) * rate if young else rate
        if self.options["line_search_fn"] is None:
            self.owner._shift(length, direction)
            if done + 1 < self.options["max_iter"]:  # the last place stays unseen
                loss, slopes = float(self.evaluate()), self.owner._gradient()
                self._count(1)
        else:
            start = self.owner._kept()
            found = strong_wolfe(
                self._along(start, direction), length, direction, loss, slopes, slope
            )
            self._count(found.calls)
            self.owner._restore(start)
            self.owner._shift(found.length, direction)
            loss, slopes, length = found.loss, found.slopes, found.length
        self.state["d"], self.state["t"] = direction, length
        return loss, slopes

    def _along(self, start: list[Tensor], direction: Tensor) -> Callable:
        def at(length: float) -> tuple[float, Tensor]:
            self.owner._restore(start)
            self.owner._shift(length, direction)
            return float(self.evaluate()), self.owner._gradient()

        return at

    def _direction(self, slopes: Tensor) -> Tensor:
        """Minus the slopes, turned by what the last steps told of the curvature."""
        if self.state["n_iter"] == 1:
            self.state.update(old_dirs=[], old_stps=[], ro=[], H_diag=1.0)
            return -slopes
        changes, steps = self.state["old_dirs"], self.state["old_stps"]
        change = slopes - self.state["prev_flat_grad"]
        step = self.state["d"] * self.state["t"]
        product = float((change * step).sum())
        if product > 1e-10:
            if len(changes) == self.options["history_size"]:
                for memory in (changes, steps, self.state["ro"]):
                    memory.pop(0)
            changes.append(change)
            steps.append(step)
            self.state["ro"].append(1.0 / product)
            self.state["H_diag"] = product / float((change * change).sum())
        return _two_loops(
            -slopes, changes, steps, self.state["ro"], self.state["H_diag"]
        )

    def _at_rest(
        self, before: float, loss: float, slopes: Tensor, direction: Tensor
    ) -> bool:
        tolerance = self.options["tolerance_change"]
        return (
            self.evaluations >= self.options["max_eval"]
            or _largest(slopes) <= self.options["tolerance_grad"]
            or _largest(direction) * self.state["t"] <= tolerance
            or abs(loss - before) < tolerance
        )

    def _count(self, calls: int) -> None:
        self.evaluations += calls
        self.state["func_evals"] += calls


def _largest(t: Tensor) -> float:
    return float(t.abs().max())


def _two_loops(q: Tensor, changes: list, steps: list, ro: list, scale: float) -> Tensor:
    """The inverse of the curvature times q, from the remembered steps."""
    weights = []
    for change, step, r in zip(reversed(changes), reversed(steps), reversed(ro)):
        weights.append(float((step * q).sum()) * r)
        q = q - change * weights[-1]
    d = q * scale
    for change, step, r, w in zip(changes, steps, ro, reversed(weights)):
        d = d + step * (w - float((change * d).sum()) * r)
    return d
